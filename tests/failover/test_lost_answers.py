"""The SDK repeats a write whose answer is lost: what it finds then is its own doing, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.endpoint import Endpoint
from botocore.exceptions import ReadTimeoutError

from failover.aws.clients import client
from failover.errors import LeaseLost
from failover.execution import approval
from failover.ledger.ledger import Ledger
from failover.ledger.records import Outcome
from tests.failover.test_ledger import execution

Lose = Callable[..., None]


@pytest.fixture
def ledger(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """The answer of the next write that has this in it is lost, after its effect; then something happens."""
    answered = Endpoint._get_response  # type: ignore[attr-defined]

    def lose(text: str, then: Callable[[], object] = lambda: None) -> None:
        pending = [text.encode()]

        def answer(self: Any, request: Any, model: Any, context: Any) -> Any:
            response = answered(self, request, model, context)
            if not pending or model.name != "UpdateItem" or pending[0] not in request.body:
                return response
            pending.clear()
            then()
            return None, ReadTimeoutError(endpoint_url="https://dynamodb")

        monkeypatch.setattr(Endpoint, "_get_response", answer)

    return lose


@pytest.mark.parametrize(("outcome", "active"), [("succeeded", "west"), ("stood-down", "east")])
def test_an_end_whose_release_is_not_answered_is_that_end(
    ledger: Ledger, lose: Lose, outcome: Outcome, active: str
) -> None:
    ledger.claim(execution(), "east")
    lose("REMOVE")
    ledger.conclude(execution(), outcome, {"n": 1})
    state, kept = ledger.state("orders", "east"), ledger.execution("orders", "orders-1-failover")
    assert (state.active, state.holder) == (active, None)
    assert kept is not None and (kept.status, kept.document) == (outcome, {"n": 1})


def test_who_claims_a_plan_that_was_just_given_back_does_not_take_it_from_anybody(ledger: Ledger, lose: Lose) -> None:
    ledger.claim(execution(1), "east")
    lose("REMOVE", lambda: ledger.claim(execution(2), "east"))
    ledger.conclude(execution(1), "stood-down", {})
    kept = ledger.execution("orders", "orders-1-failover")
    assert kept is not None and kept.status == "stood-down"
    assert ledger.state("orders", "east").holder == "orders-2-failover"


def test_who_is_superseded_before_the_release_does_not_take_it_for_its_own(ledger: Ledger, lose: Lose) -> None:
    ledger.claim(execution(1), "east")
    lose("ended_at", lambda: ledger.claim(execution(2), "east", supersedes="orders-1-failover"))
    with pytest.raises(LeaseLost):
        ledger.conclude(execution(1), "succeeded", {})
    state, kept = ledger.state("orders", "east"), ledger.execution("orders", "orders-1-failover")
    assert (state.active, state.holder) == ("east", "orders-2-failover")
    assert kept is not None and kept.status == "superseded"


def test_an_answer_that_was_written_is_said_to_be_taken_by_this_very_call(
    ledger: Ledger, lose: Lose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "_hand_over", lambda *_: None)
    ledger.claim(execution(), "east")
    ledger.save_approval_token(execution(), "token")
    lose("answered_by")
    assert approval.answer(ledger, "orders", "orders-1-failover", "approve", "bob", "").now
    again = approval.answer(ledger, "orders", "orders-1-failover", "deny", "carol", "")
    assert (again.answer, again.by, again.now) == ("approve", "bob", False)
