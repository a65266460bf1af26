"""What the sample events are answered in containers, held against what the drill's own runtime answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.ports import HERE, Host
from drill.sam_local.build import check_build
from drill.sam_local.command import environment_file
from drill.sam_local.engine import host_for_containers
from drill.sam_local.functions import containers
from drill.sam_local.invocation import FreshContainers
from drill.sam_local.samples import Invoke, Sample, replay, without_chance
from drill.world import World
from drill.world_settings import Settings


@dataclass(frozen=True)
class Compared:
    """A sample, and both answers to it without what is chance."""

    sample: Sample
    here: Any
    in_container: Any

    @property
    def alike(self) -> bool:
        return bool(self.here == self.in_container)


def compare(directory: Path, build: Path | None = None, *, fresh: bool) -> Iterator[Compared]:
    """Play the samples in a world whose functions run in the drill's runtime, then in one where they run in containers:
    each invocation in a fresh one (`sam local invoke`), or all of a function's in one (`sam local start-lambda`).

    Raises:
        NoEngine, NotBuilt, WorldNotUp, ChildFailed, NotInvoked: without an engine, a build, a world, or an answer.
    """
    check_build(build)
    host, in_container = host_for_containers(), _in_fresh if fresh else _in_warm
    with _quiet_world(directory / "drill", HERE) as world, _in_workers(world) as invoke:
        here = {sample: without_chance(answer) for sample, answer in replay(invoke)}
    with _quiet_world(directory / "sam-local", host) as world, in_container(world, build) as invoke:
        for sample, answer in replay(invoke):
            yield Compared(sample, here[sample], without_chance(answer))


def _quiet_world(directory: Path, host: Host) -> World:
    """Nothing but the samples acts in it: no schedule, no alarm."""
    return World(Settings(directory=directory, watch=False, alarms=False, host=host))


@contextmanager
def _in_workers(world: World) -> Iterator[Invoke]:
    client = world.aws("lambda")

    def invoke(logical_id: str, event: bytes) -> Any:
        return json.load(client.invoke(FunctionName=world.resource(logical_id), Payload=event)["Payload"])

    yield invoke


@contextmanager
def _in_fresh(world: World, build: Path | None) -> Iterator[Invoke]:
    with environment_file(world, world.settings.directory / "local-env.json") as environment:
        yield FreshContainers(environment, world.logs / "sam-local.log", build).invoke


@contextmanager
def _in_warm(world: World, build: Path | None) -> Iterator[Invoke]:
    with containers(world, build) as made:
        yield lambda logical_id, event: json.loads(made.invoke(logical_id, event))
