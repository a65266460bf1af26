"""An observation: what one vantage point saw of a plan's sites, as an event on its way to the judge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

from pydantic import BaseModel, ConfigDict

from failover.aws.events import put_event_at_most_once
from failover.detection.evidence import View

DETAIL_TYPE: Final = "Site Sighting"
PUBLISH_S: Final = 1.0


class Observation(BaseModel):
    """The `detail` of the event."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    plan: str
    view: View


def publish(plan: str, view: View, regions: list[str]) -> dict[str, str]:
    """Put the observation on the default bus of each of the regions; answers why it is not on one, by region.

    A region that does not take it in a second holds nothing up: the next observation comes soon.
    """
    detail = Observation(plan=plan, view=view).model_dump(mode="json")
    pool = ThreadPoolExecutor(max_workers=max(1, len(regions)))
    puts = {region: pool.submit(put_event_at_most_once, DETAIL_TYPE, detail, region) for region in regions}
    wait(puts.values(), timeout=PUBLISH_S)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = {region: put.result() if put.done() else f"not within {PUBLISH_S:g} s" for region, put in puts.items()}
    return {region: why for region, why in answers.items() if why}
