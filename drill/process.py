"""How the drill's processes start, say that they are ready, and end with the process that started them.

A child reads its configuration from its first argument (JSON), prints one JSON line on stdout when it is ready, and
ends when its stdin reaches end of file. The operating system closes that pipe whatever ends the parent, SIGKILL
included, so nothing is left behind on Linux or macOS.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from drill.forks import CAN_FORK, Forks, Program

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
ROOT = Path(__file__).resolve().parent.parent
SPARING = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024),
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
"""What keeps dozens of processes small. The C library (glibc) keeps a pool of memory a thread, where one will do; and
it keeps what a large file took to parse, such as an SDK's model of a service, unless its threshold is fixed. Pydantic,
in search of plugins, reads the metadata of every package that is installed; none is a plugin."""
_FORKS: Final = Forks(
    [sys.executable, "-P"], {**os.environ, **SPARING, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
)

_DIRECTORIES: Final = contextlib.ExitStack()
atexit.register(_DIRECTORIES.close)


class ChildFailed(RuntimeError):
    """A process of the drill ended by itself, or stayed silent before it was ready."""

    def __init__(self, module: str, why: str, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
        super().__init__(f"{module} {why}; its log is {log}\n{tail}")


def configuration(model: type[Model]) -> Model:
    """The process's configuration: the JSON in its first argument.

    Raises:
        SystemExit: if there is no argument.
    """
    return model.model_validate_json(argument(model.__name__))


def argument(kind: str) -> str:
    """The process's first argument, JSON of that kind.

    Raises:
        SystemExit: if there is none.
    """
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: python -m <module> '<JSON of {kind}>'")
    return sys.argv[1]


def announce(ready: Mapping[str, Any]) -> None:
    """Say on stdout, in one JSON line, that this process is ready and where it can be reached."""
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def exit_with_parent() -> None:
    """End this process as soon as its stdin reaches end of file, that is when its parent is gone.

    An interrupt from the terminal is left to the parent, which ends its children in order.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        _DIRECTORIES.close()
        os._exit(0)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def temporary_directory(prefix: str) -> Path:
    """A directory that is gone with this process, also where it ends with its parent."""
    return Path(_DIRECTORIES.enter_context(TemporaryDirectory(prefix=prefix)))


@dataclass(frozen=True, kw_only=True)
class Child:
    """A running process of the drill and what it announced."""

    module: str
    ready: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def pids(self) -> tuple[int, ...]:
        """Its own, and those of an engine that it runs."""
        return (self.pid, *self.ready.get("engine_pids", ()))

    def signal(self, number: int) -> None:
        """Send a signal to all of them."""
        for pid in self.pids if self.alive else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: the way a region is lost."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End it by closing its stdin; SIGKILL if that takes longer than `timeout_s` seconds."""
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()


def failure_of(children: Iterable[Child]) -> ChildFailed | None:
    """Why whoever asked one of these got no answer, if one has ended."""
    ended = next((child for child in children if not child.alive), None)
    if ended is None:
        return None
    return ChildFailed(ended.module, f"ended with status {ended.process.returncode}", ended.log)


def spawn(
    module: str,
    config: Mapping[str, Any],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
    timeout_s: float = 120.0,
) -> Child:
    """Start `python -m module '<config>'` and wait for its ready line, for long: a busy machine is no failure.

    Raises:
        ChildFailed: if it ends, or says nothing for `timeout_s` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **SPARING, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **(env or {})}
    with log.open("ab") as stderr:
        process = _started(module, json.dumps(dict(config)), python=python, environment=environment, stderr=stderr)
    line = _first_line(process.stdout, time.monotonic() + timeout_s)
    if not line:
        why = "said nothing in time" if process.poll() is None else f"ended with status {process.returncode}"
        process.kill()
        process.wait()
        raise ChildFailed(module, why, log)
    return Child(module=module, ready=json.loads(line), process=process, log=log)


def _started(
    module: str, argument: str, *, python: str, environment: Mapping[str, str], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    if CAN_FORK and python == sys.executable:
        program = Program(program=module, arguments=[argument], environment=environment, directory=str(Path.cwd()))
        forked = _FORKS.fork(program, stderr)
        if forked is not None:
            return forked
    command = [python, "-m", module, argument]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=dict(environment)
    )


def _first_line(stream: IO[bytes] | None, deadline: float) -> bytes:
    if stream is None:
        return b""
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return b""
        byte = os.read(stream.fileno(), 1)
        if not byte:
            return b""
        line += byte
    return line
