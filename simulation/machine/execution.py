"""One execution of a state machine: Amazon States Language with JSONata, as far as `statemachines/` uses it.

A frame is one run of a list of states: the machine's own, a branch's, an item's of a Map. It remembers in which state
it is, so a redrive goes on where each frame stopped
(https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulation.machine.expressions import StateError, filled
from simulation.scheduler import Event, Process, Scheduler, Task

State = dict[str, Any]
LONGEST_S = 99_999_999.0
EVENTS_OF_A_STATE = 5
"""Of its history: entered, scheduled, started, succeeded or failed, exited."""


class Token:
    """A task token: what a person, or a system, answers a waiting task with."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.answered = Event(scheduler)
        self.open = True
        self._output: Any = None
        self._error: StateError | None = None

    def succeed(self, output: Any) -> None:
        """The task's output is there."""
        self._output = output
        self.answered.set()

    def fail(self, error: StateError) -> None:
        """The task failed."""
        self._error = error
        self.answered.set()

    def value(self) -> Any:
        """The output; raises the error."""
        if self._error is not None:
            raise self._error
        return self._output


class Surroundings(Protocol):
    """What an execution calls."""

    @property
    def scheduler(self) -> Scheduler:
        """The clock."""

    @property
    def tokens(self) -> dict[str, Token]:
        """Those of every task, by name."""

    def invoke(self, function: str, payload: Any, timeout: float, execution: str) -> Any:
        """Call a Lambda function; raises `StateError`."""

    def note(self, *what: object) -> None:
        """Add to the life's trace."""


@dataclass(eq=False)
class Frame:
    """A run of a list of states."""

    states: Mapping[str, State]
    state: str
    """The name of the one that it is in."""
    input: Any
    outer: Frame | None = None
    item: tuple[int, Any] | None = None
    """Of a Map: index and value."""
    variables: dict[str, Any] = field(default_factory=dict)
    inner: list[Frame] = field(default_factory=list)
    """Branches or items of the state that it is in."""
    output: Any = None
    done: bool = False

    def scope(self) -> dict[str, Any]:
        """Every variable that it can see."""
        return (self.outer.scope() if self.outer else {}) | self.variables


class Execution:
    """One execution; `status` in Step Functions' words."""

    def __init__(self, around: Surroundings, machine: State, *, arn: str, input_text: str) -> None:
        self.arn = arn
        self.name = arn.rpartition(":")[2]
        self.input_text = input_text
        self.status = "RUNNING"
        self.error = ""
        self.cause = ""
        self.started = around.scheduler.now
        self.stopped: float | None = None
        self.redrives = 0
        self.redriven_at: float | None = None
        self.entered: list[str] = []
        """The states it came to, in order."""
        self.reached_at: dict[str, float] = {}
        """When it came to each of them for the first time, seconds since 1970."""
        self._around = around
        self._clock = around.scheduler
        self.input = json.loads(input_text)
        self._frame = Frame(machine["States"], machine["StartAt"], self.input)
        self._go()

    @property
    def running(self) -> bool:
        """Whether it may still do something."""
        return self.status == "RUNNING"

    @property
    def region(self) -> str:
        """Where it runs."""
        return self.arn.split(":")[3]

    @property
    def events(self) -> int:
        """About how long its history is."""
        return EVENTS_OF_A_STATE * len(self.entered)

    def stop(self) -> None:
        """StopExecution: it goes no further. Calls in flight are not stopped by it."""
        self._process.kill()
        self._end("ABORTED", StateError("Aborted"))

    def redrive(self) -> None:
        """RedriveExecution: go on in the states that did not succeed."""
        self.redrives += 1
        self.redriven_at = self._clock.now
        self.status, self.error, self.cause, self.stopped = "RUNNING", "", "", None
        self._around.note("redriven", self.name)
        self._go()

    def _go(self) -> None:
        self._process = Process(self.name)
        self._clock.spawn(self._run, self._process)

    def _run(self) -> None:
        try:
            self._walk(self._frame)
        except StateError as error:
            self._end("FAILED", error)
        else:
            self._end("SUCCEEDED")

    def _end(self, status: str, error: StateError | None = None) -> None:
        self.status, self.stopped = status, self._clock.now
        if error is not None:
            self.error, self.cause = error.error, error.cause
        self._around.note(status.lower(), self.name, self.error, self._frame.state)

    def _names(self, frame: Frame, **states: Any) -> dict[str, Any]:
        execution = {
            "Id": self.arn,
            "Name": self.name,
            "Input": self.input,
            "RedriveCount": self.redrives,
        }
        context: dict[str, Any] = {"Execution": execution, "State": {"Name": frame.state}}
        of: Frame | None = frame
        while of is not None and of.item is None:
            of = of.outer
        if of is not None and of.item is not None:
            context["Map"] = {"Item": {"Index": of.item[0], "Value": of.item[1]}}
        return frame.scope() | {"states": {"input": frame.input, "context": context} | states}

    def _walk(self, frame: Frame) -> Any:
        """Go from state to state, to the end; the output."""
        while True:
            state = frame.states[frame.state]
            self.entered.append(frame.state)
            self.reached_at.setdefault(frame.state, self._clock.now)
            self._around.note("state", self.name, frame.state)
            output, assigned, following = self._kinds[state["Type"]](self, frame, state)
            frame.variables |= assigned
            frame.input, frame.inner = output, []
            if following is None:
                frame.done, frame.output = True, output
                return output
            frame.state = following

    def _pass(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        names = self._names(frame)
        output = filled(state["Output"], names) if "Output" in state else frame.input
        return output, filled(state.get("Assign", {}), names), state.get("Next")

    def _wait(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        seconds = filled(state["Seconds"], self._names(frame))
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
            raise StateError("States.QueryEvaluationError", f"{frame.state} can't wait for {seconds!r} seconds")
        self._clock.sleep(seconds)
        return frame.input, filled(state.get("Assign", {}), self._names(frame)), state.get("Next")

    def _choose(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        names = self._names(frame)
        chosen = next((each for each in state["Choices"] if filled(each["Condition"], names) is True), None)
        following = chosen["Next"] if chosen is not None else state.get("Default")
        if following is None:
            raise StateError("States.NoChoiceMatched", frame.state)
        at = chosen if chosen is not None else state
        output = filled(at["Output"], names) if "Output" in at else frame.input
        return output, filled(at.get("Assign", {}), names), following

    def _succeed(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        return frame.input, {}, None

    def _fail(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        names = self._names(frame)
        raise StateError(filled(state.get("Error", ""), names), filled(state.get("Cause", ""), names))

    def _guarded(self, frame: Frame, state: State) -> tuple[Any, State, str | None]:
        """A state that can be tried again, and whose errors can be caught."""
        attempts: dict[int, int] = {}
        while True:
            try:
                result = self._task(frame, state) if state["Type"] == "Task" else self._split(frame, state)
                names = self._names(frame, result=result)
                output = filled(state["Output"], names) if "Output" in state else result
                return output, filled(state.get("Assign", {}), names), state.get("Next")
            except StateError as error:
                pause = self._pause(state, error, attempts)
                if pause is not None:
                    frame.inner = []
                    self._around.note("retried", self.name, frame.state, error.error)
                    self._clock.sleep(pause)
                    continue
                for catch in state.get("Catch", ()):
                    if _matches(catch["ErrorEquals"], error.error):
                        self._around.note("caught", self.name, frame.state, error.error)
                        told = {"Error": error.error, "Cause": error.cause}
                        names = self._names(frame, errorOutput=told)
                        output = filled(catch["Output"], names) if "Output" in catch else told
                        return output, filled(catch.get("Assign", {}), names), catch["Next"]
                raise

    def _pause(self, state: State, error: StateError, attempts: dict[int, int]) -> float | None:
        """Seconds until it is tried again; None if it is not."""
        for number, retry in enumerate(state.get("Retry", ())):
            if not _matches(retry["ErrorEquals"], error.error):
                continue
            before = attempts.get(number, 0)
            if before >= retry.get("MaxAttempts", 3):
                return None
            attempts[number] = before + 1
            grown = retry.get("IntervalSeconds", 1) * retry.get("BackoffRate", 2.0) ** before
            seconds = float(min(grown, retry.get("MaxDelaySeconds", LONGEST_S)))
            return self._clock.random.uniform(0, seconds) if retry.get("JitterStrategy") == "FULL" else seconds
        return None

    def _task(self, frame: Frame, state: State) -> Any:
        names = self._names(frame)
        name, token = "", None
        if state["Resource"].endswith(".waitForTaskToken"):
            name, token = f"token-{self._clock.random.getrandbits(128):032x}", Token(self._clock)
            self._around.tokens[name] = token
            names["states"]["context"]["Task"] = {"Token": name}
        arguments = filled(state["Arguments"], names)
        timeout = float(filled(state.get("TimeoutSeconds", LONGEST_S), names))
        begun = self._clock.now
        try:
            answer = self._around.invoke(arguments["FunctionName"], arguments["Payload"], timeout, self.name)
            if token is None:
                return {"Payload": answer, "StatusCode": 200, "ExecutedVersion": "$LATEST"}
            self._clock.wait((token.answered,), begun + timeout - self._clock.now)
            if not token.answered.happened:
                raise StateError("States.Timeout", frame.state)
            return token.value()
        finally:
            if token is not None:
                token.open = False

    def _split(self, frame: Frame, state: State) -> list[Any]:
        if not frame.inner:
            frame.inner = self._branches(frame, state) if state["Type"] == "Parallel" else self._items(frame, state)
        process = Process(self.name)
        around = self._clock.process
        around.inner.append(process)
        inner = list(frame.inner)
        tasks: list[Task[Any]] = [
            self._clock.spawn(_walking(self._walk, each), process) for each in inner if not each.done
        ]
        while pending := [task for task in tasks if not task.finished.happened]:
            failed = next((task for task in tasks if task.error is not None), None)
            if failed is not None:
                break
            self._clock.wait([task.finished for task in pending])
        process.kill()
        around.inner.remove(process)
        for task in tasks:
            if task.error is not None:
                raise task.error
        return [each.output for each in inner]

    def _branches(self, frame: Frame, state: State) -> list[Frame]:
        return [Frame(each["States"], each["StartAt"], frame.input, frame) for each in state["Branches"]]

    def _items(self, frame: Frame, state: State) -> list[Frame]:
        processor, items = state["ItemProcessor"], []
        for index, value in enumerate(filled(state["Items"], self._names(frame))):
            item = Frame(processor["States"], processor["StartAt"], value, frame, (index, value))
            if "ItemSelector" in state:
                item.input = filled(state["ItemSelector"], self._names(item))
            items.append(item)
        return items

    _kinds: Mapping[str, Callable[[Execution, Frame, State], tuple[Any, State, str | None]]] = {
        "Pass": _pass,
        "Wait": _wait,
        "Choice": _choose,
        "Succeed": _succeed,
        "Fail": _fail,
        "Task": _guarded,
        "Parallel": _guarded,
        "Map": _guarded,
    }


def _walking(walk: Callable[[Frame], Any], frame: Frame) -> Callable[[], Any]:
    return lambda: walk(frame)


def _matches(errors: list[str], error: str) -> bool:
    if error in errors or "States.ALL" in errors:
        return True
    return "States.TaskFailed" in errors and error != "States.Timeout"
