"""The controller's functions in the SAM CLI's containers, while the rest of the world runs as ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from drill.aws.lambda_elsewhere import invoke_at
from drill.process import spawn
from drill.sam_local.command import environment_file
from drill.sam_local.endpoint import DOWN_S, UP_S
from drill.world import World

STAY: Final = ("WatchSite", "SampleLag")
"""Their schedules invoke them every few seconds; a second one of `WatchSite` is in the signals stack, too."""
COLD_S: Final = 180.0
IN_CONTAINERS: Final = "functions in sam local's containers"
IN_WORKERS: Final = "functions in the drill's own runtime"


@dataclass(frozen=True)
class WarmContainers:
    """The functions behind `sam local start-lambda`, each in a container that stays. `urls`: where each is invoked."""

    urls: Mapping[str, str]

    def invoke(self, logical_id: str, event: bytes) -> tuple[bytes, str | None]:
        """The function's payload, and its errorType if it failed."""
        return invoke_at(self.urls[logical_id], event, COLD_S)

    def warm(self, logical_ids: list[str]) -> None:
        """Start each one's container, two at a time: with an empty event, which every function refuses."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda each: self.invoke(each, b"{}"), logical_ids))


@contextmanager
def containers(world: World, build: Path | None = None) -> Iterator[WarmContainers]:
    """`sam local start-lambda` on the world, and its containers gone at the end.

    Raises:
        ChildFailed: if it did not come up.
    """
    with environment_file(world, world.settings.directory / "local-env.json") as environment:
        config: dict[str, Any] = {"environment": str(environment), "build": str(build) if build else None}
        child = spawn("drill.sam_local.endpoint", config, log=world.logs / "sam-local.log", timeout_s=UP_S + 10)
        try:
            at = f"{child.ready['url']}/2015-03-31/functions"
            yield WarmContainers({each: f"{at}/{each}/invocations" for each in world.functions()})
        finally:
            child.stop(DOWN_S + 10)


def move(world: World, into: WarmContainers) -> list[str]:
    """Have Step Functions and EventBridge invoke the functions there, but for those that stay. Gives those moved."""
    moved = [each for each in world.functions() if each not in STAY]
    into.warm(moved)
    for each in moved:
        path = f"/drill/functions/{world.resource(each)}/move"
        httpx.post(f"{world.endpoint}{path}", params={"to": into.urls[each]}).raise_for_status()
    return moved


def ran_in(world: World, since: float) -> dict[str, str]:
    """Which functions ran where since a time (seconds since 1970), by what was invoked."""
    logical_ids = {name: logical_id for logical_id, name in world.functions().items()}
    places: dict[str, set[str]] = {IN_CONTAINERS: set(), IN_WORKERS: set()}
    for each in httpx.get(f"{world.endpoint}/drill/invocations").json():
        if each["start"] >= since:
            place = IN_CONTAINERS if each["elsewhere"] else IN_WORKERS
            places[place].add(logical_ids.get(each["function"], each["function"]))
    return {place: ", ".join(sorted(names)) or "none" for place, names in places.items()}
