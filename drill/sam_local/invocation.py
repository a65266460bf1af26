"""One function in a container: `sam local invoke`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from drill.process import ROOT
from drill.sam_local.command import sam_local, surroundings

INVOCATION_S: Final = 180.0
"""For image, container and function, on a machine that is busy."""


class NotInvoked(RuntimeError):
    """`sam local` gave no answer of the function."""


class FreshContainers:
    """Invokes functions that were built, each time in a new container that is gone afterwards."""

    def __init__(self, environment: Path, log: Path, build: Path | None = None) -> None:
        self._environment = environment
        self._log = log
        self._build = build

    def invoke(self, logical_id: str, event: bytes) -> Any:
        """The function's answer, or what it failed with.

        Raises:
            NotInvoked: if it did not come to one.
        """
        words = sam_local("invoke", logical_id, "--event", "-", build=self._build, environment=self._environment)
        with self._log.open("ab") as log:
            result = subprocess.run(
                words,
                cwd=ROOT,
                env=surroundings(),
                input=event,
                stdout=subprocess.PIPE,
                stderr=log,
                check=False,
                timeout=INVOCATION_S,
            )
        lines = result.stdout.splitlines()
        if not lines:
            raise NotInvoked(f"`sam local invoke {logical_id}` ended with {result.returncode}; its log is {self._log}")
        return json.loads(lines[-1])
