"""The clock of the state machines, where it goes faster than that of the world: what they wait for is over sooner."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from jsonata.timebox import Timebox
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment


def install(rate: float) -> None:
    """From now on, for this process: a wait, and the wait before a retry, of `rate` seconds takes one; `$millis()` and
    `$now()` count so, too. Timeouts of tasks stay as they are: what runs in one is no faster."""
    engine_waits: Any = WaitFunction
    engine_retries: Any = retrier_decl
    clock: Any = Timebox

    def wait(self: Any, env: Environment, wait_seconds: int) -> None:
        over = time.monotonic() + wait_seconds / rate
        while env.is_running() and (remaining := over - time.monotonic()) > 0:
            env.program_state_event.wait(remaining)

    engine_waits._wait_interval = wait
    engine_retries.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / rate))
    clock.current_milli_time = staticmethod(lambda: int(time.time() * 1000 * rate))
