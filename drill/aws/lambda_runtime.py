"""Lambda on one machine: handlers in processes of their own, one invocation at a time each, as Lambda runs them.

A worker sees what a function sees on Lambda and nothing of the drill: its own code first, its layers' `python`
directories, the standard library; the template's and Lambda's own variables. A pool grows up to a limit.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import IO, Any

from drill.aws.concurrency import AT_ONCE, Concurrency
from drill.aws.emf import metrics_of
from drill.aws.lambda_elsewhere import invoke_at
from drill.aws.lambda_functions import Function, Published
from drill.aws.lambda_process import Surroundings, WorkerProcesses
from drill.aws.metrics import MetricSink
from drill.aws.precedence import Precedence, give_way

ASIDE_AT_ONCE = 4
"""Of one function, of plans that give way: their steps may wait for what hangs side by side."""
ASIDE_IDLE_AT_MOST = 8
"""Of all functions together, of those that give way: they are small no more once they have worked."""
IDLE_S = 3.0
"""The last one used is used next, so that a burst's others soon idle."""
INIT_TIMEOUT_S = 30.0
"""Lambda gives an init phase 10 s of a full vCPU; this machine is shared by the whole drill."""


@dataclass(frozen=True)
class Invoked:
    """What an invocation gave: `payload` is JSON. `error` is the errorType, None if the handler returned."""

    payload: bytes
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One invocation as the drill reports it. `start` is in seconds since the epoch; `elsewhere`: in no worker."""

    function: str
    request_id: str
    start: float
    duration_ms: float
    cold: bool
    error: str | None
    elsewhere: bool


class Worker:
    """One execution environment: a process with the handler imported."""

    def __init__(
        self, function: Function, processes: WorkerProcesses, on_line: Callable[[str], None], *, gives_way: bool = False
    ) -> None:
        self.function = function
        self.gives_way = gives_way
        self.idle_since = 0.0
        self.process = processes.start(function)
        if gives_way:
            give_way(self.process.pid)
        self._frames: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        threading.Thread(target=self._read_frames, daemon=True).start()
        self._log = threading.Thread(target=self._read_log, args=(on_line,), daemon=True)
        self._log.start()

    def wait_ready(self) -> Invoked | None:
        """None once the handler is imported; else what every invocation of it gives."""
        frame = self._next_frame(time.monotonic() + INIT_TIMEOUT_S)
        if frame is not None and "ready" in frame:
            return None
        if frame is None:
            return self._exited("-")
        self.kill()
        return _failed(frame["init_error"])

    def call(self, event: bytes, request_id: str) -> Invoked:
        """Call the handler. After a timeout or an exit this worker is dead."""
        timeout_s = self.function.timeout_s
        deadline = time.monotonic() + timeout_s
        head = {
            "request_id": request_id,
            "arn": self.function.arn,
            "deadline_ms": (time.time() + timeout_s) * 1000,
            "trace_id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        frame = json.dumps(head)[:-1].encode() + b', "event": ' + event + b"}"
        try:
            stdin = _pipe(self.process.stdin)
            stdin.write(len(frame).to_bytes(4, "big") + frame)
            stdin.flush()
            answer = self._next_frame(deadline)
        except OSError:
            answer = None
        if answer is None:
            if time.monotonic() >= deadline:
                self.kill()
                return self._timed_out(request_id)
            return self._exited(request_id)
        if "error" in answer:
            return _failed(answer["error"])
        return Invoked(answer["result"].encode())

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        self._log.join(1.0)

    def close(self) -> None:
        """End it by the end of its stdin."""
        with suppress(OSError):
            _pipe(self.process.stdin).close()

    def _next_frame(self, deadline: float) -> dict[str, Any] | None:
        """The next frame; None if the process ended, or did not answer before `deadline` (monotonic)."""
        try:
            return self._frames.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            return None

    def _read_frames(self) -> None:
        stdout = _pipe(self.process.stdout)
        while len(head := stdout.read(4)) == 4:
            self._frames.put(json.loads(stdout.read(int.from_bytes(head, "big"))))
        self._frames.put(None)
        self.process.wait()

    def _read_log(self, on_line: Callable[[str], None]) -> None:
        for line in _pipe(self.process.stderr):
            on_line(line.decode(errors="replace").rstrip("\n"))

    def _timed_out(self, request_id: str) -> Invoked:
        message = f"RequestId: {request_id} Error: Task timed out after {self.function.timeout_s:.2f} seconds"
        return _failed({"errorType": "Sandbox.Timedout", "errorMessage": message})

    def _exited(self, request_id: str) -> Invoked:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        self.kill()
        status = self.process.returncode
        why = f"signal: {-status}" if status < 0 else f"exit status {status}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {why}"
        return _failed({"errorType": "Runtime.ExitError", "errorMessage": message})


class LambdaRuntime:
    """Every function, its pool of workers, and what was invoked. Safe to use from any thread."""

    def __init__(
        self,
        surroundings: Surroundings,
        metrics: MetricSink,
        *,
        concurrency: int = 2,
        at_once: int = AT_ONCE,
        precedence: Precedence | None = None,
    ) -> None:
        """`concurrency`: how many invocations of one function run at a time; further ones wait, as this machine is
        small, and do not count yet. `at_once`: of all functions of a region; further ones are refused, as on Lambda.
        Events that give way to others have containers of their own."""
        self._account = Concurrency(at_once)
        self._precedence = precedence or Precedence()
        self._surroundings = surroundings
        self._processes = WorkerProcesses(surroundings)
        self._metrics = metrics
        self._slots = defaultdict[str, threading.Semaphore](lambda: threading.Semaphore(concurrency))
        self._slots_aside = defaultdict[str, threading.Semaphore](lambda: threading.Semaphore(ASIDE_AT_ONCE))
        self._published = Published()
        self._elsewhere: dict[str, str] = {}
        self._idle: dict[str, list[Worker]] = {}
        self._busy: set[Worker] = set()
        self._logs: dict[str, IO[str]] = {}
        self._invocations: deque[Invocation] = deque(maxlen=20_000)
        self._lock = threading.Lock()
        surroundings.log_dir.mkdir(parents=True, exist_ok=True)

    def add(self, function: Function) -> str:
        """Deploy a function, or another version of it; the number of the version."""
        with self._lock:
            version = self._published.add(function)
            if function.name not in self._idle:
                self._idle[function.name] = []
                log = self._surroundings.log_dir / f"{function.name}.log"
                self._logs[function.name] = log.open("a", encoding="utf-8")
            return version

    def functions(self) -> list[Function]:
        return self._published.newest()

    def find(self, name_or_arn: str) -> Function:
        """As `Published.find`."""
        return self._published.find(name_or_arn)

    def invocations(self) -> list[dict[str, Any]]:
        return [asdict(invocation) for invocation in list(self._invocations)]

    def invoke(self, name_or_arn: str, event: bytes, request_id: str | None = None) -> Invoked:
        """Invoke a function and wait for it.

        Raises:
            UnknownFunction: if there is none.
            TooManyRequests: if as many run as the account may have.
        """
        function = self.find(name_or_arn)
        request_id = request_id or str(uuid.uuid4())
        start, clock = time.time(), time.perf_counter()
        gives_way = self._precedence.gives_way(event)
        slots = self._slots_aside if gives_way else self._slots
        with slots[function.name], self._account.one_more(function.region):
            url = self._elsewhere.get(function.name)
            if url is None:
                cold, invoked = self._call(function, event or b"{}", request_id, gives_way=gives_way)
            else:
                cold, invoked = False, Invoked(*invoke_at(url, event or b"{}", function.timeout_s))
        duration_ms = (time.perf_counter() - clock) * 1000
        made = Invocation(
            function=function.name,
            request_id=request_id,
            start=start,
            duration_ms=duration_ms,
            cold=cold,
            error=invoked.error,
            elsewhere=url is not None,
        )
        self._invocations.append(made)
        return invoked

    def move(self, name: str, url: str) -> None:
        """Have a function run at this URL from now on, one invocation at a time: a container takes no more."""
        function = self.find(name)
        self._slots[function.name] = threading.Semaphore(1)
        self._elsewhere[function.name] = url

    def warm(self, names: Collection[str] = ()) -> None:
        """Start a worker for each of these functions (none named: for all) that has none idle, two at a time."""
        named = [function for function in self.functions() if not names or function.name in names]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self._warm, named))

    def close(self) -> None:
        with self._lock:
            workers = [worker for idle in self._idle.values() for worker in idle] + list(self._busy)
        for worker in workers:
            worker.close()

    def pids(self) -> dict[str, list[int]]:
        """The processes of each function, for the drill to kill or to measure."""
        with self._lock:
            pids = {name: [worker.process.pid for worker in idle] for name, idle in self._idle.items()}
            for worker in self._busy:
                pids[worker.function.name].append(worker.process.pid)
            return pids

    def _warm(self, function: Function) -> None:
        if not self._idle[function.name]:
            worker, _, failed = self._take(function)
            if failed is None:
                self._give_back(worker)

    def _call(self, function: Function, event: bytes, request_id: str, *, gives_way: bool) -> tuple[bool, Invoked]:
        """Whether its worker was new, and what it gave."""
        worker, cold, failed = self._take(function, gives_way=gives_way)
        if failed is not None:
            return cold, failed
        try:
            return cold, worker.call(event, request_id)
        finally:
            self._give_back(worker)

    def _take(self, function: Function, *, gives_way: bool = False) -> tuple[Worker, bool, Invoked | None]:
        """An idle worker or a new one, whether it is new, and what its init failed with, if it did."""
        with self._lock:
            idle = self._idle[function.name]
            for worker in reversed([own for own in idle if own.function is function and own.gives_way is gives_way]):
                idle.remove(worker)
                if worker.alive:
                    self._busy.add(worker)
                    return worker, False, None
        time.sleep(self._surroundings.cold_start_s)
        on_line = partial(self._on_line, function.name)
        worker = Worker(function, self._processes, on_line, gives_way=gives_way)
        failed = worker.wait_ready()
        if failed is None:
            with self._lock:
                self._busy.add(worker)
        return worker, True, failed

    def _give_back(self, worker: Worker) -> None:
        """Keep it for the next invocation, unless it died; of several, one long idle is ended (memory)."""
        now = time.monotonic()
        with self._lock:
            self._busy.discard(worker)
            idle = self._idle[worker.function.name]
            if worker.alive:
                worker.idle_since = now
                idle.append(worker)
            spare = self._spare_aside() if worker.gives_way else _spare(idle, now)
            if spare is not None:
                self._idle[spare.function.name].remove(spare)
        if spare is not None:
            spare.close()

    def _spare_aside(self) -> Worker | None:
        """The longest idle one of those that give way, of whatever function, where many idle."""
        aside = [worker for idle in self._idle.values() for worker in idle if worker.gives_way]
        return min(aside, key=lambda worker: worker.idle_since) if len(aside) > ASIDE_IDLE_AT_MOST else None

    def _on_line(self, function: str, line: str) -> None:
        log = self._logs[function]
        log.write(line + "\n")
        log.flush()
        for datum in metrics_of(line):
            self._metrics(datum)


def _spare(idle: list[Worker], now: float) -> Worker | None:
    """The longest idle one of a function, if it has idled for long and is not the last."""
    own = [worker for worker in idle if not worker.gives_way]
    return own[0] if len(own) > 1 and now - own[0].idle_since > IDLE_S else None


def _failed(error: dict[str, Any]) -> Invoked:
    return Invoked(json.dumps(error).encode(), error=str(error["errorType"]))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the worker was started without this pipe")
    return stream
