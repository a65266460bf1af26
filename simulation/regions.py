"""Where controllers are, and what differs from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REGION: Final = "us-west-2"
"""Of the controller that every life has."""
OTHER_REGION: Final = "us-east-2"
"""Of the one beside it, if there is one."""


def environments_in(
    region: str, environments: Mapping[str, dict[str, str]], regions: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """The functions' environments as the stack of a region has them, where there are controllers in all `regions`."""
    return {
        name: {key: value.replace(REGION, region) for key, value in variables.items()}
        | {"CONTROLLER_REGIONS": ",".join(regions)}
        for name, variables in environments.items()
    }


def at_home(arn: str) -> str:
    """The ARN of the same state machine in `REGION`."""
    return arn.replace(f":{OTHER_REGION}:", f":{REGION}:")
