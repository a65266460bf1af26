"""What `sam build` built: whether it is there, of these sources, and for this machine's processor."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drill.process import ROOT

BUILD: Final = ROOT / ".aws-sam" / "build"
MACHINE: Final = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


class NotBuilt(RuntimeError):
    """There is no build that containers on this machine can run, or it is of other sources."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: make sam-build")


def check_build(build: Path | None = None) -> None:
    """Do nothing if the functions were built from what lies here now, for this machine.

    The layer of the controller's own code is not copied by `sam build`, so it is always that of now.

    Raises:
        NotBuilt: if there is no build, or another.
    """
    build = build or BUILD
    template = build / "template.yaml"
    if not template.exists() or not (build / "Claim").is_dir():
        raise NotBuilt(f"the functions were not built into {build}")
    built_at = template.stat().st_mtime
    for source in _sources():
        if source.stat().st_mtime > built_at:
            raise NotBuilt(f"{source.relative_to(ROOT)} has changed since the functions were built")
    if not any((build / "DependenciesLayer").rglob(f"*-{MACHINE}-linux-gnu.so")):
        raise NotBuilt(f"the functions were built for another processor than {MACHINE}")


def _sources() -> Iterator[Path]:
    yield ROOT / "template.yaml"
    yield ROOT / "layers" / "dependencies" / "requirements.txt"
    yield from sorted((ROOT / "functions").glob("*/*.py"))
