"""Lambda: the real handlers, each in containers of its own that remember, are warm or cold, time out and die.

A call that its caller has given up goes on to its end; asynchronous ones are called again, then end as dead letters.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from simulation.calls import Calls
from simulation.machine.expressions import StateError
from simulation.regions import REGION, LostRegions
from simulation.scheduler import Event, Process, Scheduler, Task
from simulation.wire import looks

ROOT: Final = Path(__file__).resolve().parent.parent
RETRIES_S: Final = (60.0, 120.0)
"""Of an asynchronous invocation that failed."""
_IDLE_S: Final = 600.0
"""For how long a container that nobody calls stays warm."""
_WARM_START_S: Final = (0.002, 0.01)
_COLD_START_S: Final = (0.3, 1.2)
_THROTTLED_S: Final = 0.02
_QUEUED_S, _QUEUED_AT_MOST_S = 1.0, 300.0
"""Between two tries of an asynchronous call that is throttled."""
TOO_MANY: Final = "Lambda.TooManyRequestsException"
ANSWER_LIMIT: Final = 200_000
Handler = Callable[[dict[str, Any], Any], Any]


class LambdaContext:
    """What Powertools looks at. `seconds`: the function's timeout."""

    function_name = "simulation"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-west-2:123456789012:function:simulation"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Lambda's own clock is not looked at."""
        return int(self._seconds * 1000)


def load_handlers() -> dict[str, Handler]:
    """The handler of every function, as Lambda loads it: with the layer on its path."""
    if (layer := str(ROOT / "layers" / "failover" / "python")) not in sys.path:
        sys.path.insert(0, layer)
    looks.install()
    handlers: dict[str, Handler] = {}
    for path in sorted((ROOT / "functions").glob("*/app.py")):
        name = path.parent.name
        spec = importlib.util.spec_from_file_location(f"simulated_{name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no module")
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)
        handlers[name] = module.handler
    return handlers


@dataclass(eq=False)
class Container:
    """One container of a function."""

    process: Process
    memory: dict[Any, Any] = field(default_factory=dict)
    used_at: float = 0.0


@dataclass(frozen=True)
class Controller:
    """One deployment of every function."""

    environments: dict[str, dict[str, str]]
    """Of each function, by name."""
    clock_ahead_s: float = 0.0
    """Seconds that its clock is ahead."""


class Functions:
    """The functions of every controller, which are counted together."""

    def __init__(
        self,
        scheduler: Scheduler,
        calls: Calls,
        handlers: Mapping[str, Handler],
        *,
        controllers: Mapping[str, Controller],
        note: Callable[..., None],
        timeouts: Mapping[str, float],
        retries: Mapping[str, int],
        lost_regions: LostRegions,
    ) -> None:
        """`controllers`: by region."""
        self._enter = _entering()
        self._timeouts = timeouts
        self._retries = retries
        self._lost_regions = lost_regions
        self._processes: dict[str, list[Process]] = {region: [] for region in controllers}
        """Of every container that began, by region."""
        self._clock = scheduler
        self._calls = calls
        self._handlers = handlers
        self._controllers = dict(controllers)
        self._note = note
        self._warm: dict[tuple[str, str], list[Container]] = {}
        """Idle containers, by region and function."""
        self.invocations: Counter[str] = Counter()
        self.at_invocation: dict[tuple[str, int], Callable[[], None]] = {}
        """What happens as a function is called for the n-th time, from 1."""
        self.invoked: list[Callable[[str, str], None]] = []
        """Called as a function is called: its name, and the execution it is called for."""
        self.unexpected: list[str] = []
        """Errors that no one raised on purpose."""
        self.too_long: list[str] = []
        """Answers beyond the limit."""
        self.dead_letters: list[tuple[float, str]] = []
        self.at_once: int | None = None
        """How many run at once, at most; None: any number."""
        self.most_at_once = self.throttled = 0
        self._running: list[Task[Any]] = []
        self.begun: dict[Process, tuple[str, float]] = {}
        """The execution that a container works for, and since when."""

    def invoke(
        self, name: str, payload: Any, timeout: float | None = None, execution: str = "", *, region: str = REGION
    ) -> Any:
        """Call a function of the controller there and wait for its answer; where its region is lost, once it is back.

        Raises:
            StateError: by the class of what it raised, or of how it ended.
        """
        self._lost_regions.await_return(region)
        self.invocations[name] += 1
        for heard in self.invoked:
            heard(name, execution)
        self._note("invoke", name, self.invocations[name])
        if (action := self.at_invocation.get((name, self.invocations[name]))) is not None:
            action()
        if self.at_once is not None:
            self._throttle(name)
        container, cold = self._container(name, region)
        process = container.process
        self.begun[process] = execution, self._clock.now
        text = json.dumps(payload)
        seconds = self._clock.random.uniform(*(_COLD_START_S if cold else _WARM_START_S))
        lambdas = self._timeouts[name]
        waited_for = lambdas if timeout is None else min(timeout, lambdas)
        handler, crash = self._handlers[name], Event(self._clock)
        self._calls.crashes[process] = crash
        task = self._clock.spawn(
            lambda: json.dumps(handler(json.loads(text), LambdaContext(lambdas))), process, seconds
        )
        if self.at_once is not None:
            self._running.append(task)
        ends = self._clock.now + lambdas
        self._clock.call_at(ends, lambda: None if task.finished.happened else process.kill())
        task_or_crash = (task.finished, crash)
        self._clock.wait(task_or_crash, waited_for)
        if crash.happened:
            raise StateError("Runtime.ExitError", f"{name} died")
        if not task.finished.happened:
            raise StateError("States.Timeout" if waited_for < lambdas else "Sandbox.Timedout", name)
        container.used_at = self._clock.now
        self._warm.setdefault((region, name), []).append(container)
        if task.error is not None:
            raise self._state_error(name, task.error)
        answer = task.value()
        if len(answer) > ANSWER_LIMIT:
            self.too_long.append(f"{name} answers {len(answer)} bytes")
        return json.loads(answer)

    def invoke_later(self, name: str, event: dict[str, Any], region: str = REGION, *, durable: bool = False) -> None:
        """Call a function asynchronously, as EventBridge does: again if it fails, at last it is a dead letter. One that
        is deployed to be called once is called anew by the next schedule. In a lost region nobody hears of it; of
        what is `durable` once it is back."""
        if region in self._lost_regions and not durable:
            return

        def attempts() -> None:
            pauses = RETRIES_S[: self._retries[name]]
            for pause in (*pauses, None):
                try:
                    self._invoke_in_turn(name, event, region)
                except StateError as error:
                    self._note("failed", name, error.error)
                    if pause is None:
                        if pauses:
                            self.dead_letters.append((self._clock.now, name))
                        return
                    self._clock.sleep(pause)
                else:
                    return

        self._clock.spawn(attempts, Process(f"asynchronous {name}"))

    def _invoke_in_turn(self, name: str, event: dict[str, Any], region: str) -> None:
        """What is throttled stays in Lambda's own queue, and is no attempt
        (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html)."""
        pause = _QUEUED_S
        while True:
            try:
                self.invoke(name, event, region=region)
            except StateError as error:
                if error.error != TOO_MANY:
                    raise
            else:
                return
            self._clock.sleep(self._clock.random.uniform(pause / 2, pause))
            pause = min(2 * pause, _QUEUED_AT_MOST_S)

    def _throttle(self, name: str) -> None:
        self._running = [task for task in self._running if not (task.finished.happened or task.process.dead)]
        if self.at_once is not None and len(self._running) >= self.at_once:
            self.throttled += 1
            self._clock.sleep(_THROTTLED_S)
            raise StateError(TOO_MANY, f"{name}: Rate Exceeded.")
        self.most_at_once = max(self.most_at_once, len(self._running) + 1)

    def configure(self, name: str, **variables: str) -> None:
        """Deploy a function with more variables in its environment."""
        for controller in self._controllers.values():
            controller.environments[name] = controller.environments[name] | variables

    def end(self, region: str) -> None:
        """Every container there ends, whatever it is doing."""
        for process in self._processes[region]:
            process.kill()
            if (crash := self._calls.crashes.get(process)) is not None:
                crash.set()
        self._processes[region].clear()

    def forget(self) -> None:
        """Every container begins cold from now on, as after a deployment."""
        self._warm.clear()

    def _container(self, name: str, region: str) -> tuple[Container, bool]:
        """The one that was used last and is idle, or a new one; and whether it is."""
        warm = self._warm.get((region, name), [])
        while warm:
            container = warm.pop()
            if not container.process.dead and self._clock.now - container.used_at < _IDLE_S:
                return container, False
        controller = self._controllers[region]
        process = Process(name, controller.environments[name], controller.clock_ahead_s)
        self._processes[region].append(process)
        container = Container(process)
        process.enter = partial(self._enter, container)
        return container, True

    def _state_error(self, name: str, error: BaseException) -> StateError:
        kind = type(error)
        if not any(each.__name__ in ("FailoverError", "MalformedEvent") for each in kind.__mro__):
            self.unexpected.append(f"{name}: {kind.__name__}: {error}")
        cause = json.dumps({"errorMessage": str(error), "errorType": kind.__name__})
        return StateError(kind.__name__, cause)


def _entering() -> Callable[[Container], None]:
    """What comes to a container: its environment, and what it remembers."""
    from failover.container import recall

    machine: Any = os

    def enter(container: Container) -> None:
        machine.environ = container.process.environment
        recall(container.memory)

    return enter
