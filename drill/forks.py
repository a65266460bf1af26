"""Processes that are forked from one which has imported what they need: quicker to start, and small beside each other.

Linux only: elsewhere a fork is not safe beside the system's own threads.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, cast

from drill.fork_server import REQUEST_BYTES, STATUS_BYTES

SERVER: Final = Path(__file__).with_name("fork_server.py")
CAN_FORK: Final = sys.platform == "linux"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a process is to run, and as what."""

    program: str
    """A module, or the path of a file; its `main` is called."""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str]
    directory: str
    path: Sequence[str] = ()
    """What comes first on its `sys.path`."""
    own_group: bool = False
    """An interrupt from the terminal does not reach it."""


class ForkedProcess:
    """What the drill uses of `subprocess.Popen`, for a process whose parent is the fork server."""

    def __init__(self, pid: int, streams: Sequence[IO[bytes] | None], status_pipe: int) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self._status_pipe = os.fdopen(status_pipe, "rb", 0)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                if self.returncode is None and select.select([self._status_pipe], [], [], 0)[0]:
                    # Without a status the fork server is gone, and with it everything that it started.
                    status = self._status_pipe.read(STATUS_BYTES)
                    self.returncode = int.from_bytes(status, "big", signed=True) if status else -signal.SIGKILL
                if self.returncode is not None:
                    return self.returncode
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            remaining_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([self._status_pipe], [], [], remaining_s)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """A fork server of one's own, started by the first fork and ended with this process. Safe to use from any thread.

    `interpreter` is the command of a Python interpreter; `preloaded`: modules that the server imports at its start,
    where they are.
    """

    def __init__(
        self, interpreter: Sequence[str], environment: Mapping[str, str], *, preloaded: Sequence[str] = ()
    ) -> None:
        self._interpreter = interpreter
        self._environment = environment
        self._preloaded = preloaded
        self._server: socket.socket | None = None
        self._lock = threading.Lock()

    def fork(self, program: Program, stderr: IO[bytes] | None = None) -> subprocess.Popen[bytes] | None:
        """Start a program with pipes for its stdin and stdout, and for its stderr if there is no file for it. None if
        a fork can't: its module is not there, or there is much to say."""
        request = json.dumps(asdict(program)).encode()
        if len(request) >= REQUEST_BYTES:
            return None
        (stdin, to_stdin), (from_stdout, stdout), (status_pipe, status) = (os.pipe() for _ in range(3))
        from_stderr, to_stderr = os.pipe() if stderr is None else (None, os.dup(stderr.fileno()))
        with self._lock:
            self._server = self._server or self._started()
            socket.send_fds(self._server, [request], [stdin, stdout, to_stderr, status])
            pid = int(self._server.recv(32))
        for descriptor in (stdin, stdout, to_stderr, status):
            os.close(descriptor)
        if not pid:
            for descriptor in filter(None, (to_stdin, from_stdout, from_stderr, status_pipe)):
                os.close(descriptor)
            return None
        streams = (
            os.fdopen(to_stdin, "wb"),
            os.fdopen(from_stdout, "rb"),
            None if from_stderr is None else os.fdopen(from_stderr, "rb"),
        )
        return cast("subprocess.Popen[bytes]", ForkedProcess(pid, streams, status_pipe))

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = subprocess.Popen(
            [*self._interpreter, str(SERVER), str(theirs.fileno()), *self._preloaded],
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

        def end() -> None:
            ours.close()
            server.wait()

        atexit.register(end)
        return ours
