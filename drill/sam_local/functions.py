"""The controller's functions in the SAM CLI's containers, while the rest of the world runs as ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drill.aws.lambda_elsewhere import NOT_REACHED, invoke_at
from drill.network.plain_http import plain
from drill.process import spawn
from drill.sam_local.build import check_build
from drill.sam_local.command import environment_file
from drill.sam_local.endpoint import DOWN_S, UP_S
from drill.sam_local.invocation import NotInvoked
from drill.world import World

STAY: Final = ("WatchSite", "SampleLag", "StartRounds")
"""They are invoked every few seconds, or start what is; a second one of `WatchSite` is in the signals stack, too."""
COLD_S: Final = 180.0
IN_CONTAINERS: Final = "functions in sam local's containers"
IN_WORKERS: Final = "functions in the drill's own runtime"


@dataclass(frozen=True)
class WarmContainers:
    """The functions behind `sam local start-lambda`, each in a container that stays."""

    urls: Mapping[str, str]
    """Where each is invoked, by its logical id."""
    log: Path

    def invoke(self, logical_id: str, event: bytes) -> bytes:
        """The function's payload; what it says of its failure, if it failed.

        Raises:
            NotInvoked: if it did not come to one: SAM made no container of it, for example.
        """
        payload, error = invoke_at(self.urls[logical_id], event, COLD_S)
        if error in NOT_REACHED:
            raise NotInvoked(f"`sam local` did not run {logical_id}: {payload.decode()}; its log is {self.log}")
        return payload

    def warm(self, logical_ids: list[str]) -> None:
        """Start each one's container, two at a time: with an empty event, which every function refuses.

        Raises:
            NotInvoked: if one can't be started.
        """
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda logical_id: self.invoke(logical_id, b"{}"), logical_ids))


@contextmanager
def containers(world: World, build: Path | None = None) -> Iterator[WarmContainers]:
    """`sam local start-lambda` on the world, and its containers gone at the end.

    Raises:
        NotBuilt: if there is nothing for it to run.
        ChildFailed: if it did not come up.
    """
    check_build(build)
    with environment_file(world, world.settings.directory / "local-env.json") as environment:
        config: dict[str, Any] = {"environment": str(environment), "build": str(build) if build else None}
        child = spawn("drill.sam_local.endpoint", config, log=world.logs / "sam-local.log", timeout_s=UP_S + 10)
        try:
            at = f"{child.ready['url']}/2015-03-31/functions"
            urls = {logical_id: f"{at}/{logical_id}/invocations" for logical_id in world.functions()}
            yield WarmContainers(urls, child.log)
        finally:
            child.stop(DOWN_S + 10)


def move(world: World, into: WarmContainers) -> list[str]:
    """Have Step Functions and EventBridge invoke the functions there, but for those that stay. Gives those moved.

    Raises:
        NotInvoked: if one does not run there.
    """
    moved = [logical_id for logical_id in world.functions() if logical_id not in STAY]
    into.warm(moved)
    for logical_id in moved:
        path = f"/drill/functions/{world.resource(logical_id)}/move"
        plain.post(f"{world.endpoint}{path}", params={"to": into.urls[logical_id]}).raise_for_status()
    return moved


def ran_in(world: World, since: float) -> dict[str, str]:
    """Which functions ran where since a time (seconds since 1970), by what was invoked."""
    logical_ids = {name: logical_id for logical_id, name in world.functions().items()}
    places: dict[str, set[str]] = {IN_CONTAINERS: set(), IN_WORKERS: set()}
    for invocation in plain.get(f"{world.endpoint}/drill/invocations").json():
        if invocation["start"] >= since:
            place = IN_CONTAINERS if invocation["elsewhere"] else IN_WORKERS
            places[place].add(logical_ids.get(invocation["function"], invocation["function"]))
    return {place: ", ".join(sorted(names)) or "none" for place, names in places.items()}
