"""Virtual time: everything that waits is a greenlet under one scheduler, and what is due at one moment runs in an order
that the seed draws. Nothing runs side by side, so a life is the same whenever its seed is."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class Process:
    """Tasks that live and die together, as those of one Lambda container: what is killed never runs again."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    clock_ahead_s: float = 0.0
    """Seconds that its machine's clock is ahead of the world's."""
    enter: Callable[[], None] | None = None
    """Called when the scheduler comes to a task of it from another process."""
    inner: list[Process] = field(default_factory=list)
    """What dies with it."""
    dead: bool = False

    def kill(self) -> None:
        """None of its tasks goes on."""
        self.dead = True
        for process in self.inner:
            process.kill()


@dataclass(eq=False, slots=True)
class _Wake:
    """One waiting task; whoever wakes it first does."""

    task: Task[Any]
    pending: bool = True


class Event:
    """Something that happens once, and is waited for."""

    __slots__ = ("_scheduler", "_waiting", "happened")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[_Wake] = []
        self.happened = False

    def set(self) -> None:
        """Wake whoever waits for it."""
        self.happened = True
        for wake in self._waiting:
            self._scheduler.wake(wake)
        self._waiting.clear()

    def add(self, wake: _Wake) -> None:
        """Wake that one, too."""
        self._waiting.append(wake)


class Task(Generic[Result]):
    """Something that runs in virtual time, until it returns or raises."""

    __slots__ = ("error", "finished", "green", "process", "result")

    def __init__(self, scheduler: Scheduler, action: Callable[[], Result], process: Process) -> None:
        self.process = process
        self.finished = Event(scheduler)
        self.result: Result | None = None
        self.error: BaseException | None = None

        def run() -> None:
            try:
                self.result = action()
            except GreenletExit:
                return
            except BaseException as error:
                self.error = error
            self.finished.set()

        self.green = greenlet(run, parent=scheduler.hub)

    def value(self) -> Result:
        """What it returned; raises what it raised."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


class Scheduler:
    """The clock of one life. `now`: seconds since 1970."""

    def __init__(self, seed: str, start: float) -> None:
        self.random = random.Random(seed)
        self.now = start
        self.clock_ahead_s = 0.0
        """Seconds that the clock of whoever runs now is ahead."""
        self.hub = getcurrent()
        self.world = Process("the world")
        self._draw = self.random.random
        self._due: list[tuple[float, float, int, _Wake | Callable[[], None]]] = []
        self._count = 0
        self._tasks: dict[Task[Any], None] = {}
        """Those that have not ended, in the order they began."""
        self._closed = False
        self._until = start
        """Where the life is lived to just now."""
        self._process: Process | None = None
        self.task: Task[Any] | None = None
        """The task that runs now."""

    @property
    def process(self) -> Process:
        """The process of the task that runs now."""
        task = self.task
        return self.world if task is None else task.process

    def next_number(self) -> int:
        """A number that no other has in this life."""
        self._count += 1
        return self._count

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Call something that does not wait, at a moment."""
        self._push(when, action)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call something that does not wait, after so many seconds."""
        self._push(self.now + seconds, action)

    def spawn(self, action: Callable[[], Result], process: Process | None = None, delay: float = 0.0) -> Task[Result]:
        """Run something, by default in the process of now."""
        task = Task(self, action, process or self.process)
        self._tasks[task] = None
        self._push(self.now + delay, _Wake(task))
        return task

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        if not self.advance(seconds):
            self.wait((), seconds)

    def advance(self, seconds: float) -> bool:
        """Let so much time pass at once, if this task would be the next to go on; says whether it passed."""
        until, due, task = self.now + max(0.0, seconds), self._due, self.task
        if task is None or task.process.dead or until > self._until or (due and due[0][0] <= until):
            return False
        self.now = until
        return True

    def outside(self, action: Callable[[], None]) -> None:
        """Call something that does not wait, and that is not of the task that runs now."""
        task, ahead = self.task, self.clock_ahead_s
        self.task, self.clock_ahead_s = None, 0.0
        try:
            action()
        finally:
            self.task, self.clock_ahead_s = task, ahead

    def wait(self, events: Sequence[Event], timeout: float | None = None) -> None:
        """Until one of them happens, or the time is up."""
        if self._closed:
            raise GreenletExit
        for event in events:
            if event.happened:
                return
        if self.task is None:
            raise RuntimeError("only a task can wait")
        wake = _Wake(self.task)
        for event in events:
            event.add(wake)
        if timeout is not None:
            self._push(self.now + timeout if timeout > 0.0 else self.now, wake)
        self.hub.switch()
        if self._closed:
            raise GreenletExit

    def wake(self, wake: _Wake) -> None:
        """Go on with a waiting task, now."""
        if wake.pending:
            self._push(self.now, wake)

    def run(self, until: float) -> None:
        """Let time pass up to a moment."""
        due, next_due, self._until = self._due, heapq.heappop, until
        while due and due[0][0] <= until and not self._closed:
            self.now, _, _, what = next_due(due)
            if type(what) is not _Wake:
                what()  # type: ignore[operator]
                continue
            task = what.task
            process = task.process
            if not what.pending or process.dead or task.finished.happened:
                continue
            what.pending = False
            if process is not self._process:
                self._process = process
                if process.enter is not None:
                    process.enter()
            self.task, self.clock_ahead_s = task, process.clock_ahead_s
            task.green.switch()
            self.task, self.clock_ahead_s = None, 0.0
            if task.green.dead:
                del self._tasks[task]
        self.now = max(self.now, until)

    def close(self) -> None:
        """End every task: none goes on, and what it would do at its end it can't."""
        self._closed = True
        self._until = self.now - 1.0
        self._due.clear()
        for task in list(self._tasks):
            if task.green:
                self.task = task
                task.green.throw(GreenletExit)
        self.task = None
        self._tasks.clear()

    def _push(self, when: float, what: _Wake | Callable[[], None]) -> None:
        self._count += 1
        now = self.now
        heapq.heappush(self._due, (when if when > now else now, self._draw(), self._count, what))


class _Current:
    """The scheduler of the life that runs in this process, if one does."""

    scheduler: Scheduler | None = None


def start(scheduler: Scheduler) -> None:
    """From now on the process lives by this clock."""
    _Current.scheduler = scheduler


def current() -> Scheduler:
    """The clock that the process lives by.

    Raises:
        RuntimeError: if no life runs.
    """
    if _Current.scheduler is None:
        raise RuntimeError("no life runs in this process")
    return _Current.scheduler


def running() -> Scheduler | None:
    """The clock that the process lives by, or None."""
    return _Current.scheduler
