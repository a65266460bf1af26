"""How long a gateway's process takes to start: a fleet is switched when its new ones are there."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.gateway_world import config
from bench.result import NotMeasured, Result
from drill.process import ChildFailed, spawn

RUNS: Final = 9


def measure() -> list[Result]:
    """The median of its starts, from its parent's call until it says that it is ready, one at a time.

    Raises:
        NotMeasured: if it does not start.
    """
    environment = {"GATEWAY_CONFIG": config({"east": "127.0.0.1:9"}, "127.0.0.1:9092", "east")}
    times: list[float] = []
    with tempfile.TemporaryDirectory() as logs:
        for _ in range(RUNS):
            began = time.perf_counter()
            try:
                started = spawn("drill.gateway.instance", {}, log=Path(logs) / "gateway.log", env=environment)
            except ChildFailed as error:
                raise NotMeasured(str(error)) from error
            times.append(1000 * (time.perf_counter() - began))
            started.stop()
    return [Result(name="gateway.start", value=statistics.median(times), unit="ms", limit=None)]
