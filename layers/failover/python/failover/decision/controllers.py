"""Turns: of two controllers, one in each site's region, the one acts for a lost site that is in the other's region.

A controller needs nothing of the region it may have to leave behind, so who is in the lost site's own region leaves it
to the other, also while that region is still up. What both try nevertheless, the ledger's lease decides.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from failover.plan.model import Plan


def current_region() -> str:
    """The region that this controller is in."""
    return os.environ.get("AWS_REGION", "")


def controller_regions() -> list[str]:
    """The regions that have a controller of the plan, this one among them."""
    return os.environ.get("CONTROLLER_REGIONS", current_region()).split(",")


def deferred_to(plan: Plan, lost: str, own: str, regions: Sequence[str]) -> str | None:
    """Why the loss of that site is another controller's to act for, or None. A controller that is alone acts for
    either."""
    region = plan.site(lost).region
    others = [other for other in regions if other != region]
    if own != region or not others:
        return None
    return f"{own} is the region of {lost} itself: the controller in {' or '.join(others)} acts"
