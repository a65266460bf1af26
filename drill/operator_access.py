"""Where the controller of a running world is, for `failover --drill`: a file that is there as long as the world."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from drill.fixture_plan import ACCOUNT, REGIONS, STANDBY

CONTROLLER_FILE: Final = "controller.json"


@contextmanager
def controller_file(directory: Path, endpoint: str, outputs: Mapping[str, str]) -> Iterator[Path]:
    """The file in a world's directory, until the world ends."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGIONS[STANDBY],
        "AWS_DEFAULT_REGION": REGIONS[STANDBY],
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "drill",
    }
    file = directory / CONTROLLER_FILE
    described = {"pid": os.getpid(), "environment": environment, "outputs": dict(outputs)}
    file.write_text(json.dumps(described, indent=2) + "\n")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
