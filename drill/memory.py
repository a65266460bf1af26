"""How much memory the drill and all its processes take together."""

from __future__ import annotations

import threading
from typing import Self

import psutil

MB = 1024 * 1024


def tree_memory_mb() -> float:
    """Memory of this process and all below it, in MB: proportional set size where the system tells it (Linux), so that
    a shared page counts once; elsewhere unique set size."""
    total = 0.0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        try:
            info = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        total += getattr(info, "pss", info.uss)
    return total / MB


class PeakMemory:
    """Samples the memory of the process tree every `interval_s` seconds, in a thread, and keeps the largest."""

    def __init__(self, interval_s: float = 2.0) -> None:
        self.peak_mb = 0.0
        self._interval_s = interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5.0)

    def _sample(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, tree_memory_mb())
            if self._over.wait(self._interval_s):
                return
