"""What was measured and what was saved is read back as it was written, under the lease alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import LeaseLost
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.rescue.record import load_progress, load_stranded, save_progress, save_stranded
from failover.rescue.stranded import Saved, Stranded, StrandedRange

EXECUTION = Execution(
    plan="orders",
    epoch=1,
    name="orders-1-switchover",
    kind="switchover",
    from_site="west",
    to_site="east",
    claimed_at=1000.0,
)


@pytest.fixture
def ledger(deployed: Callable[..., Any]) -> Ledger:
    ledger = Ledger(client("dynamodb"), "ledger")
    ledger.claim(EXECUTION, "west")
    return ledger


def test_what_was_measured_is_read_back_and_nothing_is_not_unknown(ledger: Ledger) -> None:
    assert load_stranded(ledger, EXECUTION) is None
    save_stranded(ledger, EXECUTION, Stranded("east", ()))
    assert load_stranded(ledger, EXECUTION) == Stranded("east", ())
    ranges = tuple(StrandedRange(topic="orders", partition=number, begin=5, end=9) for number in range(3))
    save_stranded(ledger, EXECUTION, Stranded("east", ranges))
    assert load_stranded(ledger, EXECUTION) == Stranded("east", ranges)


def test_what_was_saved_is_read_back(ledger: Ledger) -> None:
    assert load_progress(ledger, EXECUTION) == {}
    saved = {("orders", 0): Saved(begin=5, next_offset=9, records=3, without_record=1, size=100, objects=1)}
    save_progress(ledger, EXECUTION, saved)
    assert load_progress(ledger, EXECUTION) == saved


def test_who_lost_the_lease_records_nothing(ledger: Ledger) -> None:
    other = EXECUTION.model_copy(update={"name": "orders-1-other"})
    with pytest.raises(LeaseLost):
        save_stranded(ledger, other, Stranded("east", ()))
    with pytest.raises(LeaseLost):
        save_progress(ledger, other, {})
    assert load_stranded(ledger, other) is None
