"""What drills fetch when it is first asked for: outside of the repository, in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """The folder of all that."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafka-failover-drill"
