"""The drill's processes as tests start them: forked from a process that has imported their modules before."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import drill.process
from drill.process import ROOT, SPARING, start_module
from tests.fork_server import REQUEST_BYTES, STATUS_BYTES

_ONE_AT_A_TIME = threading.Lock()


class ForkedProcess:
    """What the drill uses of `subprocess.Popen`, for a process whose parent is the fork server."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes], status_pipe: int) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
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
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([self._status_pipe], [], [], left_s)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def use_forks() -> None:
    """From now on this process has the drill's processes forked, where forking is safe."""
    if sys.platform == "linux":
        drill.process.start_module = start_forked


def start_forked(
    module: str, argument: str, *, python: str, environment: Mapping[str, str], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """In place of `drill.process.start_module`, which does it where a fork can't: another interpreter, a module that
    is not there, much to say."""
    request = json.dumps(
        {
            "module": module,
            "argument": argument,
            "environment": json.dumps(dict(environment)),
            "directory": str(Path.cwd()),
        }
    ).encode()
    if python == sys.executable and len(request) < REQUEST_BYTES:
        forked = _forked(request, stderr)
        if forked is not None:
            return cast("subprocess.Popen[bytes]", forked)
    return start_module(module, argument, python=python, environment=environment, stderr=stderr)


def _forked(request: bytes, stderr: IO[bytes]) -> ForkedProcess | None:
    pipes = [os.pipe() for _ in range(3)]
    (stdin, to_stdin), (from_stdout, stdout), (status_pipe, status) = pipes
    with _ONE_AT_A_TIME:
        requests = _fork_server()
        socket.send_fds(requests, [request], [stdin, stdout, stderr.fileno(), status])
        pid = int(requests.recv(32))
    for descriptor in (stdin, stdout, status):
        os.close(descriptor)
    if not pid:
        for descriptor in (to_stdin, from_stdout, status_pipe):
            os.close(descriptor)
        return None
    return ForkedProcess(pid, os.fdopen(to_stdin, "wb", 0), os.fdopen(from_stdout, "rb", 0), status_pipe)


@functools.cache
def _fork_server() -> socket.socket:
    """One for each process that runs tests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment: dict[str, Any] = {**os.environ, **SPARING, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
        cwd=ROOT,
        env=environment,
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
