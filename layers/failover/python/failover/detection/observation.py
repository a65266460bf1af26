"""An observation: what one vantage point saw of a plan's sites, as part of an event on its way to the judge."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from failover.aws.events import put_event_at_most_once
from failover.detection.evidence import WHY_LENGTH, View
from failover.detection.network import Network

DETAIL_TYPE: Final = "Site Sighting"
TOGETHER_S: Final = 0.02
"""What is observed within so long goes in one event."""
PLANS_AT_MOST: Final = 20
"""In one event: of four services a site, each with all that can be said of why, they are well below 256 KB."""


class Observation(BaseModel):
    """Of one plan."""

    model_config = ConfigDict(frozen=True)

    plan: str
    view: View


class Observations(BaseModel):
    """The `detail` of the event."""

    model_config = ConfigDict(frozen=True)

    version: int = 2
    observations: tuple[Observation, ...] = Field(min_length=1)


def observations_in(detail: dict[str, Any]) -> list[Any]:
    """What an event's detail has of each plan, as it came. In version 1 the detail is one plan's observation: a vantage
    point may be deployed another day than the judge."""
    observations = detail.get("observations")
    return observations if isinstance(observations, list) else [detail]


class Publisher:
    """Puts observations on the default bus of each of the regions, those of many plans in an event. Each region has a
    sender of its own: one that does not answer holds no other up, and is given the newest observation of a plan once it
    does."""

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
                views = {plan: waiting.pop(plan) for plan in list(islice(waiting, PLANS_AT_MOST))}
                why = await self._network.beside(partial(put_event_at_most_once, DETAIL_TYPE, _detail(views), region))
                for plan in views.keys() - waiting.keys():
                    missing.pop(plan, None)
                    if why is not None:
                        missing[plan] = why
        finally:
            self._sending.discard(region)


def _detail(views: dict[str, View]) -> dict[str, Any]:
    observations = tuple(Observation(plan=plan, view=_brief(view)) for plan, view in views.items())
    return Observations(observations=observations).model_dump(mode="json")


def _brief(view: View) -> View:
    return replace(view, probes=tuple(replace(probe, why=probe.why[:WHY_LENGTH]) for probe in view.probes))
