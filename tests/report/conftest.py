"""The pages of executions and questions that are made up."""

from __future__ import annotations

import pytest

from report import answer_page, approval_page, execution_page
from tests.report import sample


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """Every kind of page, by its name."""
    wholes = {
        "failover": sample.whole(),
        "dry run": sample.dry_run(),
        "stopped": sample.stopped(),
        "refused": sample.stopped(stops=[sample.stop()], steps=sample.whole()["report"]["steps"][:4]),
        "redriven": sample.redriven(),
        "stood down": sample.whole(outcome="stood-down", recovery_seconds=None, loss=None, approval=None),
        "switchover": sample.switchover(),
        "restore": sample.restore(),
    }
    question = approval_page(
        plan="orders",
        execution="orders-7-failover",
        start={"kind": "failover", "from": "east", "to": "west", "by": "dana@example.com", "reason": "a storm"},
        decision=sample.whole()["observed"]["assess"] | {"expected_loss": sample.whole()["report"]["loss"]},
        until=sample.LOST + 900,
        now=sample.LOST + 480,
    )
    asking = {"question": question, "answer": answer_page("approve by Ada", "Your answer was taken.")}
    return {name: execution_page(whole) for name, whole in wholes.items()} | asking
