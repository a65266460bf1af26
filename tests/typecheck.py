"""mypy --strict over everything; each function on its own, since each is a module called `app`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOGETHER = ("layers/failover/python/failover", "drill", "gateway", "bench", "statemachines")


def main() -> int:
    """The number of checks that failed."""
    failed = _mypy([path for path in TOGETHER if any((ROOT / path).glob("**/*.py"))])
    for function in sorted((ROOT / "functions").glob("*/app.py")):
        failed += _mypy([str(function.relative_to(ROOT))])
    return min(failed, 1)


def _mypy(paths: list[str]) -> int:
    print("mypy", *paths, flush=True)
    return subprocess.run([sys.executable, "-m", "mypy", *paths], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
