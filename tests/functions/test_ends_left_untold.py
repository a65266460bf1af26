"""Who stops an execution between its end in the ledger and its announcement keeps that end from nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.container import forget
from failover.ledger.ledger import Ledger
from tests.functions.conftest import Message
from tests.functions.heard_events import sighting

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the execution's own announcement."""
    monkeypatch.setattr("failover.execution.announcement.OWN_ANNOUNCEMENT_S", 0.0, raising=False)
    monkeypatch.setattr("failover.execution.announcement.TRIED_AGAIN_S", 0.0, raising=False)


def ended(call: Call, name: str = "by-hand", outcome: str = "succeeded", **start: Any) -> dict[str, Any]:
    request = {"start": {"plan": "orders", "to": "west", "by": "Ada"} | start, "execution_name": name}
    execution = dict(call("claim", request)["execution"])
    call("conclude", {"execution": execution, "outcome": outcome, "why": "by policy"})
    return execution


def look(call: Call) -> dict[str, Any]:
    """All is well, as one vantage point sees it."""
    return dict(call("judge", sighting("us-west-2", lost=()))["judged"][0])


def test_an_end_that_its_execution_did_not_tell_is_told_once_by_the_next_judgement(
    book: Ledger, call: Call, messages: Messages, at_once: None
) -> None:
    ended(call)
    for _ in range(3):
        look(call)
    assert ["failed over in" in message.subject for message in messages()] == [True]
    assert book.state("orders", "east").unannounced == frozenset()


def test_an_end_is_told_though_all_was_well_a_moment_ago(
    book: Ledger, call: Call, messages: Messages, at_once: None
) -> None:
    look(call)
    assert look(call)["why"] == "all is well"
    ended(call)
    look(call)
    assert len(messages()) == 1


def test_every_end_is_told_though_another_execution_ended_since(
    book: Ledger, call: Call, messages: Messages, at_once: None
) -> None:
    ended(call, "first", "stood-down")
    ended(call, "second", "stood-down")
    assert book.state("orders", "east").unannounced == {"first", "second"}
    look(call)
    assert sorted(message.body["execution"] for message in messages()) == ["first", "second"]


def test_an_execution_that_tells_of_its_end_itself_is_left_to_do_so(
    book: Ledger, call: Call, messages: Messages
) -> None:
    execution = ended(call)
    look(call)
    assert messages() == []
    call("announce", {"execution": execution})
    assert len(messages()) == 1
    assert book.state("orders", "east").unannounced == frozenset()


def test_a_topic_that_refuses_holds_no_judgement_up_and_is_tried_again(
    book: Ledger, call: Call, messages: Messages, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(call)
    with monkeypatch.context() as broken:
        broken.setenv("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:gone")
        assert "0 of 2 votes" in look(call)["why"]
    assert book.state("orders", "east").unannounced == {"by-hand"}
    forget()
    look(call)
    assert len(messages()) == 1


def test_a_dry_run_leaves_nothing_to_tell(book: Ledger, call: Call, messages: Messages, at_once: None) -> None:
    ended(call, "dry", to="standby", dry_run=True)
    look(call)
    assert messages() == []
