"""Forks processes, so that what they import is imported once, and held once in memory, and not by each of them.

`python drill/fork_server.py FD [PRELOADED …]`: FD is a socket on which each message is a request (JSON: see
forks.py) with four file descriptors: the process's stdin, stdout and stderr, and a pipe on which its status is told
once it has ended. The answer is the process's id, or 0 if its program can't be imported. What is preloaded and is not
there is left out. It ends with its parent. Standard library only: a function's process has nothing of the drill.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

REQUEST_BYTES = 128 * 1024
STATUS_BYTES = 4
LAYOUTS = 64
"""Of the heap, by which children that live side by side differ."""


class ForkServer:
    """Its children are forked one at a time, by its only thread."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._status_pipes: dict[int, int] = {}
        self._children = 0
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> None:
        """Until the parent is gone; in a child, until the program's `main` has returned."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        while True:
            readable = select.select([self._requests.fileno(), self._woken], [], [])[0]
            if self._woken in readable:
                os.read(self._woken, 4096)
                self._tell_statuses()
            if self._requests.fileno() in readable:
                message, descriptors, _, _ = socket.recv_fds(self._requests, REQUEST_BYTES, 4)
                if not message:
                    return
                self._start(json.loads(message), descriptors)

    def _start(self, request: dict[str, Any], descriptors: list[int]) -> None:
        try:
            program = _program(request["program"])
        except Exception:
            pid = 0
        else:
            gc.freeze()
            self._children += 1
            pid = os.fork()
            if pid == 0:
                self._become(request, descriptors)
                program.main()
                sys.exit()
            self._status_pipes[pid] = descriptors.pop()
        for descriptor in descriptors:
            os.close(descriptor)
        self._requests.send(str(pid).encode())

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """In the child: be as a process that was started by itself."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        self._requests.close()
        for stream, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, stream)
        for descriptor in (self._woken, self._wake, *self._status_pipes.values(), *descriptors):
            os.close(descriptor)
        if request["own_group"]:
            os.setpgid(0, 0)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        sys.path[:0] = request["path"]
        sys.argv = [request["program"], *request["arguments"]]
        _shift_heap(self._children % LAYOUTS)

    def _tell_statuses(self) -> None:
        while self._status_pipes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            pipe = self._status_pipes.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # whoever started it has forgotten it
                os.write(pipe, os.waitstatus_to_exitcode(status).to_bytes(STATUS_BYTES, "big", signed=True))
            os.close(pipe)


@functools.cache
def _program(name: str) -> Any:
    """The module of a program that is named as a module, or as a file."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shift_heap(by: int) -> None:
    """Children of one process have the same addresses otherwise, and librdkafka's mock takes its cluster's id from
    where it lies (rd_kafka_mock_cluster_new): every cluster would have the same."""
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    for size in range(256, 2048, 16):
        for _ in range(by):
            malloc(size)


def main() -> None:
    """Serve the socket of the first argument."""
    for module in sys.argv[2:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    ForkServer(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
