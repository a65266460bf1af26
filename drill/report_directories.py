"""The directories that drills write to: a new one each, and a link to the latest."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import typer


def new_directory(reports: Path, name: str) -> Path:
    """A new directory, of this drill alone."""
    began = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        with suppress(FileExistsError):
            (directory := (reports / f"{began}{suffix}").absolute()).mkdir(parents=True)
            return directory
    raise typer.BadParameter(f"{reports} has no room for {began}")


def point_latest(reports: Path, directory: Path) -> None:
    """Have `latest` lead to this drill's directory."""
    latest = reports / "latest"
    fresh = reports / f".latest-{time.time_ns()}"
    fresh.symlink_to(directory.name, target_is_directory=True)
    fresh.replace(latest)
