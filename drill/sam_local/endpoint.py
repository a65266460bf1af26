"""`python -m drill.sam_local.endpoint '<JSON>'`: `sam local start-lambda`, for as long as its parent is there.

The ready line is {"url": …}. At the end the SAM CLI is given time to take its containers away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from drill.ports import LOOPBACK, free_ports
from drill.process import ROOT, announce, configuration
from drill.sam_local.command import sam_local, surroundings

UP_S: Final = 120.0
DOWN_S: Final = 180.0


class EndpointConfig(BaseModel):
    """What the process is told: what `sam build` built, and the file of variables."""

    environment: Path
    build: Path | None = None


class NotUp(RuntimeError):
    """`sam local start-lambda` ended, or does not answer."""


def main() -> None:
    config = configuration(EndpointConfig)
    # An interrupt from the terminal is left to the parent, which ends its children in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    port = free_ports(1)
    words = ("start-lambda", "--warm-containers", "LAZY", "--no-watch", "--host", LOOPBACK, "--port", str(port))
    sam = subprocess.Popen(
        sam_local(*words, build=config.build, environment=config.environment),
        cwd=ROOT,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
    )
    threading.Thread(target=_end_with_parent, args=(sam,), daemon=True).start()
    _until_it_answers(sam, port)
    announce({"url": f"http://{LOOPBACK}:{port}"})
    sam.wait()


def _end_with_parent(sam: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    sam.terminate()  # it stops its containers then, one after the other
    try:
        sam.wait(DOWN_S)
    except subprocess.TimeoutExpired:
        sam.kill()


def _until_it_answers(sam: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline and sam.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
            return
        time.sleep(0.2)
    sam.kill()
    raise NotUp(f"sam local start-lambda does not answer; it ended with {sam.wait()}")


if __name__ == "__main__":
    main()
