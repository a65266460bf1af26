"""How a client ends: SIGTERM lets it finish what it has in hand, the end of stdin (its parent is gone) hardly."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

from drill.process import Child

FINISH_S = 15.0
ORPHANED_S = 1.0


class StopRequest:
    """Whether this client is to stop, and until when it may finish what is under way."""

    def __init__(self) -> None:
        self._finish_until: float | None = None

    def listen(self) -> None:
        """Heed SIGTERM and the end of stdin; an interrupt from the terminal is left to the parent."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._stop_within(FINISH_S))
        threading.Thread(target=self._wait_for_parent, name="parent-watch", daemon=True).start()

    @property
    def requested(self) -> bool:
        return self._finish_until is not None

    @property
    def expired(self) -> bool:
        """Whether there is no time left to finish."""
        return self._finish_until is not None and time.monotonic() > self._finish_until

    def _stop_within(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._finish_until = until if self._finish_until is None else min(self._finish_until, until)

    def _wait_for_parent(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        self._stop_within(ORPHANED_S)
        # The client's library may itself wait for a broker that is gone; an orphan does not stay for that.
        time.sleep(ORPHANED_S + 1)
        os._exit(0)


def finish(child: Child, timeout_s: float = FINISH_S + 5) -> bool:
    """Let a client finish: no new records, answers awaited, its log complete. False if it had to be killed."""
    child.process.terminate()
    try:
        child.process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return False
    return True
