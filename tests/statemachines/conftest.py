"""One Step Functions for all tests of the failover machine: it is long to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.statemachines.scripted import Machine, machines


@pytest.fixture(scope="session")
def both_machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    with machines(tmp_path_factory.mktemp("machine")) as both:
        yield both


@pytest.fixture
def machine(both_machines: tuple[Machine, Machine]) -> Machine:
    """With short deadlines."""
    return both_machines[0]


@pytest.fixture
def deployed(both_machines: tuple[Machine, Machine]) -> Machine:
    """With the deadlines that it is deployed with."""
    return both_machines[1]
