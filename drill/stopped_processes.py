"""Ends processes that were stopped in their tracks, as soon as whoever stopped them is gone: they read no stdin, and
would outlive the drill."""

from __future__ import annotations

import contextlib
import json
import os
import signal

from drill.process import announce, argument


def main() -> None:
    """Kill the processes with these ids once stdin reaches end of file."""
    pids: list[int] = json.loads(argument("a list of process ids"))["pids"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    announce({})
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
