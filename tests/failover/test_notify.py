"""What is told is told at least once, whatever fails on the way, and no caller meets an error that is not ours."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from failover.aws import notify
from failover.aws.clients import client
from failover.aws.events import SIZE_LIMIT, put_event_at_most_once, sized_json
from failover.aws.notify import notify_at_least_once, put_event_at_least_once, subject_line
from failover.decision.case import Decision
from failover.decision.log import DecisionRecord
from failover.decision.notices import notify_withheld
from failover.errors import ServiceRejected, ServiceUnavailable, TransientError
from failover.message import Message
from tests.notifications import an_hour_passes

URL = "https://sns.us-west-2.amazonaws.com"


def throttled() -> ClientError:
    answer: Any = {"Error": {"Code": "Throttled", "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 429}}
    return ClientError(answer, "Publish")


FAULTS: dict[str, Callable[[], Exception]] = {
    "connection error": lambda: EndpointConnectionError(endpoint_url=URL),
    "throttled": throttled,
    "timeout": lambda: ReadTimeoutError(endpoint_url=URL),
}


class Teller:
    """Messages that SNS or EventBridge took, with a fault for the first call: before its effect, or after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self.fault: tuple[str, Callable[[], Exception]] | None = None
        monkeypatch.setattr(client("sns", attempts=1), "publish", self._publish)
        monkeypatch.setattr(client("events", None, attempts=1), "put_events", self._put_events)

    def _publish(self, **message: Any) -> dict[str, Any]:
        return self._take(message["Subject"], {"MessageId": "1"})

    def _put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return self._take(Entries[0]["DetailType"], {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})

    def _take(self, what: str, answer: dict[str, Any]) -> dict[str, Any]:
        when, fault = self.fault or ("", None)
        self.fault = None
        if when == "before" and fault:
            raise fault()
        self.taken.append(what)
        if when == "after" and fault:
            raise fault()
        return answer


@pytest.fixture
def teller(deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Teller:
    monkeypatch.setattr(notify, "ATTEMPT_MS", 400)
    return Teller(monkeypatch)


def tell() -> None:
    notify_at_least_once(key="k", message=Message(subject="S", what_happened="H"), document={"a": 1})


def put() -> None:
    put_event_at_least_once(key="k", detail_type="S", detail={"a": 1})


def until_told(act: Callable[[], None]) -> int:
    for failed in range(5):
        try:
            act()
        except TransientError:
            continue
        return failed
    raise AssertionError("never told")


@pytest.mark.parametrize("act", [tell, put])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_call_has_it_told_at_least_once_and_then_not_again(
    teller: Teller, act: Callable[[], None], when: str, fault: str
) -> None:
    teller.fault = (when, FAULTS[fault])
    assert until_told(act) == 1
    act()
    assert teller.taken == ["S"] * (2 if when == "after" else 1)


@pytest.mark.parametrize("operation", ["put_item", "update_item"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_ledger_has_it_told_at_least_once(
    teller: Teller, monkeypatch: pytest.MonkeyPatch, operation: str, when: str, fault: str
) -> None:
    ledger, calls = client("dynamodb"), []
    real = getattr(ledger, operation)

    def faulty(**arguments: Any) -> Any:
        calls.append(operation)
        if len(calls) > 1:
            return real(**arguments)
        if when == "after":
            real(**arguments)
        raise FAULTS[fault]()

    monkeypatch.setattr(ledger, operation, faulty)
    until_told(tell)
    assert calls and teller.taken == ["S"]


def test_a_call_that_was_killed_while_it_told_delays_the_next_by_one_attempt_at_most(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(**_: Any) -> AWSResponse:
        raise Killed

    alive = client("sns", attempts=1).publish
    monkeypatch.setattr(client("sns", attempts=1), "publish", killed)
    with pytest.raises(Killed):
        tell()
    monkeypatch.setattr(client("sns", attempts=1), "publish", alive)
    monkeypatch.setattr(notify, "LOOK_AGAIN_S", ())
    with pytest.raises(ServiceUnavailable, match="another call is telling 'k'"):
        tell()
    time.sleep(notify.ATTEMPT_MS / 1000)
    tell()
    assert teller.taken == ["S"]


def test_a_killed_call_costs_a_few_seconds() -> None:
    assert notify.ATTEMPT_MS <= 5_000


def test_another_key_tells_again(teller: Teller) -> None:
    for attempt in (0, 0, 1):
        message = Message(subject=f"S{attempt}", what_happened="H")
        notify_at_least_once(key=f"orders-1-failover:approval:{attempt}", message=message, document={})
    assert teller.taken == ["S0", "S1"]


def test_what_is_told_hourly_is_told_again_an_hour_after_the_last_time_whatever_the_clock_says(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    by_protocol = notify._by_protocol

    def listed(text: str, document: dict[str, Any]) -> str:
        keys.append(document["key"])
        return by_protocol(text, document)

    monkeypatch.setattr(notify, "_by_protocol", listed)
    decision = Decision(verdict="wait", why="the plan is paused: anna", guard="paused", votes=())
    record = DecisionRecord(plan="orders", at=3599.0, by="judge", site="east", decision=decision)
    for at in (3599.0, 3601.0):
        notify_withheld(replace(record, at=at), 7)
    assert len(teller.taken) == 1, "the clock's hour turned, and nothing else"
    an_hour_passes()
    monkeypatch.setattr(notify, "time", SimpleNamespace(time=lambda: time.time() + 3601, sleep=time.sleep))
    notify_withheld(replace(record, at=7202.0), 7)
    assert len(teller.taken) == 2 and len(set(keys)) == 2, "machines tell the two apart"


def test_an_event_that_the_bus_does_not_take_is_noticed(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate"}]}
    monkeypatch.setattr(client("events", None, attempts=1), "put_events", lambda **_: refused)
    with pytest.raises(ServiceUnavailable, match="ThrottlingException"):
        put()
    assert "ThrottlingException" in str(put_event_at_most_once("S", {}))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_at_most_once_is_one_attempt_that_says_why_it_may_have_failed(teller: Teller, when: str, fault: str) -> None:
    teller.fault = (when, FAULTS[fault])
    assert put_event_at_most_once("S", {})
    assert teller.taken == (["S"] if when == "after" else [])
    assert put_event_at_most_once("T", {}) is None


def test_what_one_function_told_no_other_tells_again(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[list[str]] = []
    for function in ("failover-Conclude", "failover-Judge"):
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
        notify._guarded.cache_clear()  # another container
        of_this = Teller(monkeypatch)
        tell()
        put()
        taken.append(of_this.taken)
    assert taken == [["S", "S"], []]


def test_a_refusal_of_sns_is_no_foreign_error(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
    teller.fault = ("before", lambda: denied)
    with pytest.raises(ServiceRejected):
        tell()


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("CHG-4711\nnetwork work\r\n\tuntil 14:00\x00\x7f", "CHG-4711 network work until 14:00"),
        ("a\u2028b\u0085c", "a b c"),
        ("  \n", "Failover controller"),
        ("x" * 61, "x" * 57 + "..."),
        ("x" * 60, "x" * 60),
        (
            "orders: east looks lost, nothing is done: the plan is paused: anna, until the new switch is there",
            "orders: east looks lost, nothing is done: the plan is paused",
        ),
        (f"orders: STOPPED, a person is needed: orders-{'n' * 40}", "orders: STOPPED, a person is needed"),
        (f"orders: {'n' * 80}", f"orders: {'n' * 49}..."),
    ],
)
def test_a_subject_is_one_line_that_sns_takes(text: str, subject: str) -> None:
    assert subject_line(text) == subject


def test_a_message_that_is_too_long_is_told_without_its_longest_part() -> None:
    text = sized_json({"why": "it is lost", "partitions": ["é" * 100] * 3_000, "plan": "orders"}, indent=2)
    assert len(text.encode()) <= SIZE_LIMIT
    assert json.loads(text) == {"why": "it is lost", "plan": "orders", "left_out": ["partitions"]}
