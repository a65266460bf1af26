"""An observation: what one vantage point saw of a plan's sites, as an event on its way to the judge."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Final

from pydantic import BaseModel, ConfigDict

from failover.aws.events import ENTRIES_AT_MOST, put_events_at_most_once
from failover.detection.evidence import View
from failover.detection.network import Network

DETAIL_TYPE: Final = "Site Sighting"
TOGETHER_S: Final = 0.02
"""What is observed within so long goes in one call."""


class Observation(BaseModel):
    """The `detail` of the event."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    plan: str
    view: View


class Publisher:
    """Puts observations on the default bus of each of the regions, many in a call. Each region has a sender of its own:
    one that does not answer holds no other up, and is given the newest observation of a plan once it does."""

    def __init__(self, network: Network, regions: list[str]) -> None:
        self._network = network
        self._waiting: dict[str, dict[str, View]] = {region: {} for region in regions}
        self._sending: set[str] = set()
        self._missing: dict[str, dict[str, str]] = {region: {} for region in regions}

    def publish(self, plan: str, view: View) -> None:
        """Send it beside whatever else is done."""
        for region, waiting in self._waiting.items():
            waiting[plan] = view
            self._missing[region][plan] = "not in time"
            if region not in self._sending:
                self._sending.add(region)
                self._network.begin(partial(self._send, region))

    def missing(self, plan: str) -> dict[str, str]:
        """Why the last observation of a plan is not known to be on a bus, by region."""
        return {region: why[plan] for region, why in self._missing.items() if plan in why}

    async def _send(self, region: str) -> None:
        waiting, missing = self._waiting[region], self._missing[region]
        try:
            await self._network.sleep(TOGETHER_S)
            while waiting:
                views = {plan: waiting.pop(plan) for plan in list(islice(waiting, ENTRIES_AT_MOST))}
                details = [Observation(plan=plan, view=view).model_dump(mode="json") for plan, view in views.items()]
                why = await self._network.beside(partial(put_events_at_most_once, DETAIL_TYPE, details, region))
                for plan in views.keys() - waiting.keys():
                    missing.pop(plan, None)
                    if why is not None:
                        missing[plan] = why
        finally:
            self._sending.discard(region)
