"""What EventBridge says of an execution is read as far as it goes, whatever somebody started it with."""

from __future__ import annotations

from typing import Any

import pytest

from failover.errors import MalformedEvent
from failover.execution.status_change import StatusChange, status_change

ARN = "arn:aws:states:us-west-2:123456789012:execution:failover:by-hand"


def event(**detail: Any) -> dict[str, Any]:
    return {"detail": {"name": "by-hand", "executionArn": ARN} | detail}


@pytest.mark.parametrize(
    ("start", "plan", "dry_run"),
    [
        ('{"plan": "orders"}', "orders", False),
        ('{"plan": "orders", "dry_run": true}', "orders", True),
        ('{"plan": "orders", "dry_run": false}', "orders", False),
        ('{"plan": "orders", "dry_run": "yes"}', "orders", False),
        ('{"plan": 3}', "", False),
        ("{}", "", False),
        ('["orders"]', "", False),
        ("not json", "", False),
        ("", "", False),
        (None, "", False),
    ],
)
def test_a_start_of_any_kind_is_of_its_plan_or_of_none(start: str | None, plan: str, dry_run: bool) -> None:
    assert status_change(event(input=start)) == StatusChange(execution="by-hand", arn=ARN, plan=plan, dry_run=dry_run)


def test_an_input_that_was_too_long_to_tell_is_none() -> None:
    assert status_change({"detail": {"name": "x"}}) == StatusChange(execution="x", arn="", plan="", dry_run=False)


@pytest.mark.parametrize("rubbish", [{}, {"detail": {}}, {"detail": {"name": 3}}, None])
def test_what_is_no_such_event_is_refused(rubbish: Any) -> None:
    with pytest.raises(MalformedEvent):
        status_change(rubbish)
