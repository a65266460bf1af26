"""Many lives, one seed after the other, over as many processes as there are cores: each process lives whole lives, so
that a seed is the same life wherever it is lived."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from simulation.drawing import drawn
from simulation.life import Outcome, Simulation

_AHEAD = 4
"""Lives that wait for each process."""
_monotonic = time.monotonic


@dataclass(frozen=True)
class LivedSeed:
    """What became of a seed; `shortest`: the least that breaks the same promise, if one was broken."""

    seed: int
    outcome: Outcome
    shortest: Outcome | None


def live_seeds(first: int, count: int | None, minutes: float | None, processes: int) -> Iterator[LivedSeed]:
    """Live `count` seeds from `first` on, for so many minutes at most; in their order."""
    ends = None if minutes is None else _monotonic() + 60.0 * minutes
    every = itertools.count(first) if count is None else iter(range(first, first + count))
    seeds = itertools.takewhile(lambda _: ends is None or _monotonic() < ends, every)
    if processes == 1:
        yield from map(_live, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: deque[Future[LivedSeed]] = deque()
        for seed in seeds:
            waiting.append(pool.submit(_live, seed))
            while len(waiting) >= processes * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _live(seed: int) -> LivedSeed:
    simulation = _simulation()
    outcome = simulation.live(drawn(seed))
    shortest = simulation.shortest(outcome.story, outcome.broken[0].promise) if outcome.broken else None
    return LivedSeed(seed, outcome, shortest)


class _Here:
    """The simulation of this process, once it lives."""

    simulation: Simulation | None = None


def _simulation() -> Simulation:
    if _Here.simulation is None:
        _Here.simulation = Simulation()
    return _Here.simulation
