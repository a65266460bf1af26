"""One Step Functions for all tests of the failover machine: it is long to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.statemachines.scripted import Machine, machines


@pytest.fixture(scope="session")
def all_machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Machine]]:
    with machines(tmp_path_factory.mktemp("machine")) as every:
        yield every


@pytest.fixture
def machine(all_machines: dict[str, Machine]) -> Machine:
    """With short deadlines."""
    return all_machines["Failover"]


@pytest.fixture
def deployed(all_machines: dict[str, Machine]) -> Machine:
    """With the deadlines that it is deployed with."""
    return all_machines["Deployed"]


@pytest.fixture
def switchover(all_machines: dict[str, Machine]) -> Machine:
    """The switchover, with short deadlines."""
    return all_machines["Switchover"]


@pytest.fixture
def restore(all_machines: dict[str, Machine]) -> Machine:
    """The restore, with short deadlines."""
    return all_machines["Restore"]


@pytest.fixture
def practice(all_machines: dict[str, Machine]) -> Machine:
    """The practice, with short deadlines."""
    return all_machines["Practice"]
