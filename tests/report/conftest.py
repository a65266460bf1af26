"""The pages of executions that are made up."""

from __future__ import annotations

import pytest

from report import execution_page
from tests.report import sample


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """Every kind of page, by its name."""
    wholes = {
        "failover": sample.whole(),
        "dry run": sample.dry_run(),
        "stopped": sample.stopped(),
        "stood down": sample.whole(outcome="stood-down", recovery_seconds=None, loss=None, approval=None),
        "switchover": sample.switchover(),
        "restore": sample.restore(),
    }
    return {name: execution_page(whole) for name, whole in wholes.items()}
