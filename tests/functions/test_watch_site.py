"""When a vantage point looks again and what of it judges hear, by a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from failover.detection.evidence import SERVICES, Probe, View
from failover.plan.model import parse

READINGS = 1000
"""A look that reads the clock more often goes on for ever."""


def seen(at: float, *, lost: bool = True) -> View:
    probes = [
        Probe(site=site, service=service, healthy=site == "west" or not lost, took_seconds=0.0)
        for site in ("east", "west")
        for service in SERVICES
    ]
    return View(vantage="us-west-2", at=at, probes=tuple(probes))


class Clock:
    """The network of a container, and its time, which passes in pauses and in looks alone."""

    def __init__(self, look_s: float) -> None:
        self.now, self.readings, self.look_s = 1000.0, 0, look_s
        self.pauses: list[float] = []
        self.patience: list[float] = []
        """For how long each look waits for an answer."""

    def monotonic(self) -> float:
        self.readings += 1
        assert self.readings < READINGS
        return self.now

    async def turn(self) -> None:
        """Nobody else is busy."""

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def look(self, _: Any, __: Any, within: float) -> View:
        self.patience.append(within)
        self.now += self.look_s
        return seen(self.now)


@pytest.fixture
def module(function: Callable[[str], ModuleType]) -> ModuleType:
    return function("watch_site")


def watch_of(module: ModuleType, clock: Clock) -> tuple[Any, list[float]]:
    """What a container keeps; the moments of the views that it tells of."""
    told: list[float] = []
    watch = module.Watch(network=clock, controllers=[])
    watch.publisher = SimpleNamespace(publish=lambda _, view: told.append(view.at - 1000.0), missing=lambda _: {})
    return watch, told


@pytest.mark.parametrize(
    ("hold_s", "look_s", "pauses", "told"),
    [
        (0, 0.0, [], [0.0]),
        (2, 0.0, [0.5] * 4, [0.0, 1.5, 2.0]),
        (60, 0.0, [0.5] * 8, [0.0, 1.5, 3.0]),
        (2, 0.75, [0.0] * 3, [0.75, 2.25, 3.0]),
    ],
    ids=["one look is enough", "until it is confirmed", "no longer than a call may take", "looks that take long"],
)
def test_what_looks_lost_is_looked_at_each_half_second_until_it_is_confirmed_or_the_call_is_over(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    plan_text: str,
    hold_s: int,
    look_s: float,
    pauses: list[float],
    told: list[float],
) -> None:
    document = yaml.safe_load(plan_text)
    document["policy"]["hold_seconds"] = hold_s
    clock = Clock(look_s)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(module, "view", clock.look)
    watch, heard = watch_of(module, clock)
    last = asyncio.run(module._look_at(watch, parse(yaml.safe_dump(document))))
    assert (clock.pauses, heard) == (pauses, told)
    assert clock.patience == [module.LOOK_S] + [module.CONFIRMING_LOOK_S] * len(pauses)
    assert last.at == clock.now


@pytest.mark.parametrize(("since_s", "told"), [(59.5, []), (60.0, [60.0])])
def test_that_all_is_still_well_is_told_once_a_minute_is_over(
    module: ModuleType, since_s: float, told: list[float]
) -> None:
    watch, heard = watch_of(module, Clock(0.0))
    watch.published["orders"] = seen(1000.0, lost=False)
    module._tell_that_all_is_well(watch, {"orders": seen(1000.0 + since_s, lost=False), "blind": None})
    assert heard == told
