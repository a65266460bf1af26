"""`concurrent.futures`, in virtual time: what the product takes for threads are tasks of its process."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from greenlet import GreenletExit

from simulation.scheduler import Event, current

Result = TypeVar("Result")


class Future(Generic[Result]):
    """A result that is to come."""

    def __init__(self) -> None:
        self._number = current().next_number()
        self.finished = Event(current())
        self._result: Any = None
        self._error: BaseException | None = None
        self._cancelled = False

    def __hash__(self) -> int:
        """The same in every run, so that a set of them has one order."""
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def done(self) -> bool:
        """Whether it came."""
        return self.finished.happened

    def result(self, timeout: float | None = None) -> Result:
        """The result, once it came; raises what was raised, or TimeoutError."""
        if (error := self.exception(timeout)) is not None:
            raise error
        return self._result  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What was raised, once it was; None if there is a result."""
        clock = current()
        end = None if timeout is None else clock.now + timeout
        while not self.done():
            remaining = None if end is None else end - clock.now
            if remaining is not None and remaining <= 0:
                raise concurrent.futures.TimeoutError
            clock.wait((self.finished,), remaining)
        return self._error

    def set_result(self, result: Result) -> None:
        """The result is there."""
        self._result = result
        self.finished.set()

    def set_exception(self, error: BaseException) -> None:
        """There will be none."""
        self._error = error
        self.finished.set()

    def cancel(self) -> bool:
        """Do not begin it, if it has not begun."""
        self._cancelled = not self.done()
        return self._cancelled

    def run(self, call: Callable[[], Result]) -> None:
        """Fill it with what the call gives."""
        if self._cancelled:
            self.set_exception(concurrent.futures.CancelledError())
            return
        try:
            self.set_result(call())
        except GreenletExit:
            raise
        except BaseException as error:
            self.set_exception(error)


class Executor:
    """`ThreadPoolExecutor`; as many tasks as `max_workers` at once."""

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "", **_: Any) -> None:
        self._idle = max_workers or 6
        self._queue: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._futures: list[Future[Any]] = []

    def submit(self, function: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Call it in a task."""
        future: Future[Result] = Future()
        self._futures.append(future)
        self._queue.append((future, lambda: function(*args, **kwargs)))
        if self._idle:
            self._idle -= 1
            current().spawn(self._work)
        return future

    def map(
        self, function: Callable[..., Result], *items: Iterable[Any], timeout: float | None = None
    ) -> Iterator[Any]:
        """The results, in order."""
        futures = [self.submit(function, *each) for each in zip(*items, strict=False)]
        return (future.result(timeout) for future in futures)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Begin no more, and wait for the rest."""
        if cancel_futures:
            for future, _ in self._queue:
                future.cancel()
        if wait:
            for future in self._futures:
                future.exception()

    def _work(self) -> None:
        while self._queue:
            future, call = self._queue.pop(0)
            future.run(call)
        self._idle += 1

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def wait(
    futures: Iterable[Future[Any]], timeout: float | None = None, return_when: str = concurrent.futures.ALL_COMPLETED
) -> tuple[set[Future[Any]], set[Future[Any]]]:
    """Those that are done and those that are not, after one is, or all are, or the time is up."""
    clock, every = current(), list(futures)
    end = None if timeout is None else clock.now + timeout
    while True:
        pending = [future for future in every if not future.done()]
        enough = not pending or (return_when == concurrent.futures.FIRST_COMPLETED and len(pending) < len(every))
        remaining = None if end is None else end - clock.now
        if enough or (remaining is not None and remaining <= 0):
            return {future for future in every if future.done()}, set(pending)
        clock.wait([future.finished for future in pending], remaining)
