"""An execution by its fields and its name, and whose name is whose."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from failover.ledger.execution import Execution, Kind, epoch_in_name, execution_name, same_name

LEAST: dict[str, Any] = {"plan": "orders", "epoch": 1, "name": "a", "kind": "failover", "from": "east", "to": "west"}


def execution(**changes: Any) -> Execution:
    return Execution.model_validate(LEAST | {"claimed_at": 1000.0} | changes)


def test_an_execution_is_in_earnest_by_itself_and_onwards_unless_it_says_otherwise() -> None:
    least = execution()
    assert [least.dry_run, least.manual, least.forced, least.leads_back] == [False] * 4
    assert Execution.model_validate(least.as_state()) == least
    assert (least.as_state()["from"], least.as_state()["to"]) == ("east", "west")


def test_no_execution_is_of_an_epoch_before_the_first() -> None:
    with pytest.raises(ValidationError, match="epoch"):
        execution(epoch=0)


@pytest.mark.parametrize(
    ("changes", "inactive"),
    [
        ({}, "west"),
        ({"kind": "switchover"}, "west"),
        ({"kind": "restore"}, "east"),
        ({"leads_back": True}, "east"),
        ({"kind": "restore", "leads_back": True}, "east"),
    ],
)
def test_a_restore_and_a_way_back_leave_the_site_that_is_not_active(changes: dict[str, Any], inactive: str) -> None:
    assert execution(**changes).inactive_site == inactive


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada", "  ada ", True),
        ("Ada  Lovelace", "ada lovelace", True),
        ("Ada", "Bob", False),
        ("arn:aws:sts::1:assumed-role/operator/ada", "Ada", True),
        ("arn:aws:sts::1:assumed-role/operator/ada", "arn:aws:sts::1:assumed-role/admin/ada", True),
        ("arn:aws:sts::1:assumed-role/operator/ada", "arn:aws:sts::1:assumed-role/operator/bob", False),
        ("platform/ada", "ada", False),
    ],
)
def test_a_person_is_the_same_in_whatever_role_and_however_the_name_is_written(
    one: str, other: str, same: bool
) -> None:
    assert same_name(one, other) is same_name(other, one) is same


@pytest.mark.parametrize(
    ("attempt", "name"), [(1, "orders-7-failover"), (2, "orders-7-failover-2"), (12, "orders-7-failover-12")]
)
def test_every_attempt_after_the_first_has_its_number_and_all_have_the_epoch(attempt: int, name: str) -> None:
    assert execution_name("orders", 7, "failover", attempt) == name
    assert epoch_in_name(name, "orders", "failover") == 7


@pytest.mark.parametrize(
    ("plan", "kind", "name"),
    [
        ("orders", "failover", "orders-7-switchover"),
        ("orders", "failover", "payments-7-failover"),
        ("orders", "failover", "orders-7-failover-again"),
        ("orders", "failover", "by-hand"),
        ("o.ders", "failover", "orders-7-failover"),
    ],
)
def test_a_name_that_somebody_else_gave_has_no_epoch(plan: str, kind: Kind, name: str) -> None:
    assert epoch_in_name(name, plan, kind) is None
