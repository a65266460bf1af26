"""A person's answer: the link is shown and changes nothing, the button answers once, no other link does anything."""

from __future__ import annotations

import base64
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from failover.errors import MalformedEvent, ServiceRejected
from failover.execution.approval import NoQuestion, Question, SamePerson, link
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from tests.functions.conftest import Message
from tests.markup import mistakes

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
EVENTS = Path(__file__).resolve().parents[2] / "events"
TOKEN = "the-task-token"
ASSESSED = {
    "why": "the mirrors trail by 900 records, above the limit of 100",
    "votes": ["failover-orders-east-kafka", "own probes (kafka)"],
    "evidence": {
        "lost_site": "east",
        "standby_site": "west",
        "probes": [
            {"site": "east", "service": "kafka", "healthy": False, "why": "refused <script>"},
            {"site": "west", "service": "kafka", "healthy": True, "why": ""},
            {"site": "west", "service": "rest", "healthy": None},
        ],
    },
    "known_unready": ["capacity:east fail 40 s ago: 1 instance"],
    "expected_loss": {"label": "estimated", "records": {"low": 900, "high": 1500}, "unknown_partitions": 2},
}


class States:
    """Step Functions, as far as it takes answers; moto does not know task tokens of its own making."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def send_task_success(self, **answer: Any) -> None:
        self._take(answer)

    def send_task_failure(self, **answer: Any) -> None:
        self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        if self.error:
            raise self.error
        self.taken.append(answer)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> States:
    import failover.execution.approval
    from failover.aws.clients import client

    states = States()
    monkeypatch.setattr(
        failover.execution.approval,
        "client",
        lambda service, *rest: states if service == "stepfunctions" else client(service),
    )
    return states


@pytest.fixture
def asked(deployed: Any, call: Call, states: States, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A claimed execution that asked a person; the request that its link makes."""
    deployed("secretsmanager").create_secret(Name="link-key", SecretString="k" * 64)
    monkeypatch.setenv("APPROVAL_URL", "https://abc.lambda-url.us-west-2.on.aws/")
    monkeypatch.setenv("APPROVAL_KEY_SECRET", "link-key")
    queue = deployed("sqs").create_queue(QueueName="people")["QueueUrl"]
    topic = deployed("sns").list_topics()["Topics"][0]["TopicArn"]
    deployed("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-west-2:123456789012:people",
        Attributes={"RawMessageDelivery": "true"},
    )
    start = {"plan": "orders", "to": "west", "epoch": 1, "by": "judge/us-west-2", "reason": "both say so"}
    started = {"start": start, "execution_name": "orders-1-failover"}
    execution = call("claim", started)["execution"]
    book = Ledger(deployed("dynamodb"), "ledger")
    book.record_step(Execution.model_validate(execution), "assess", "done", ASSESSED, time.time())
    call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    (sent,) = deployed("sqs").receive_message(QueueUrl=queue)["Messages"]
    message = json.loads(sent["Body"])
    assert TOKEN not in sent["Body"]
    assert message["expected_to_be_stranded"]["records"] == {"low": 900, "high": 1500}
    assert "aws lambda invoke" in message["or_from_the_command_line"]
    return request(message["answer_at"])


def request(address: str) -> dict[str, Any]:
    """What Lambda is given when the link is opened."""
    event: dict[str, Any] = json.loads((EVENTS / "answer_approval-link.json").read_text())
    event["rawQueryString"] = urlsplit(address).query
    event["queryStringParameters"] = dict(parse_qsl(urlsplit(address).query))
    return event


def pressed(event: dict[str, Any], answer: str, by: str = "Ada", why: str = "") -> dict[str, Any]:
    """What Lambda is given when the button is pressed."""
    event = copy.deepcopy(event)
    event["requestContext"]["http"]["method"] = "POST"
    body = urlencode({"answer": answer, "by": by, "why": why}).encode()
    return event | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def test_opening_the_link_shows_the_evidence_and_changes_nothing(asked: Any, call: Call, states: States) -> None:
    for _ in range(3):
        page = call("answer_approval", asked)
    assert page["statusCode"] == 200
    for shown in (
        "above the limit of 100",
        "900 to 1,500 records",
        "2 partitions unknown",
        "east to west",
        "capacity:east",
        "judge/us-west-2",
        "both say so",
        "refused &lt;script&gt;",
        "does not answer",
        "not known",
        "Approve it",
        "Deny it",
    ):
        assert shown in page["body"]
    assert "<script>" not in page["body"] and "default-src 'none'" in page["headers"]["Content-Security-Policy"]
    assert mistakes(page["body"]) == [] and "checked" not in page["body"], "nothing is chosen beforehand"
    assert states.taken == []


def test_the_page_says_what_kind_of_execution_asks(asked: Any, deployed: Any, call: Call) -> None:
    call("conclude", json.loads((EVENTS / "conclude.json").read_text()) | {"outcome": "stood-down"})
    start = {"start": {"plan": "orders", "to": "west", "by": "Ada"}, "execution_name": "a", "kind": "switchover"}
    execution = Execution.model_validate(call("claim", start)["execution"])
    Ledger(deployed("dynamodb"), "ledger").record_step(execution, "precheck", "done", ASSESSED, time.time())
    page = call("answer_approval", request(link(Question("orders", "a", int(time.time()) + 60)) or ""))
    assert "Clients work on east until somebody answers." in page["body"]


def test_who_opens_the_link_after_it_was_answered_is_told_so_and_asked_nothing(
    asked: Any, call: Call, states: States
) -> None:
    call("answer_approval", pressed(asked, "deny"))
    page = call("answer_approval", asked)
    assert page["statusCode"] == 200 and "deny by Ada" in page["body"] and "<form" not in page["body"]


def test_the_button_approves_once(asked: Any, call: Call, states: States) -> None:
    first = call("answer_approval", pressed(asked, "approve"))
    again = call("answer_approval", pressed(asked, "deny", by="Bob"))
    assert "approve by Ada" in first["body"] and "was taken" in first["body"]
    assert "approve by Ada" in again["body"] and "changed nothing" in again["body"]
    assert states.taken == [{"taskToken": TOKEN, "output": "{}"}] * 2, "the answer that was written down, again"


def test_a_denial_says_who_and_why(asked: Any, call: Call, states: States) -> None:
    call("answer_approval", pressed(asked, "deny", why="a drill elsewhere"))
    assert states.taken == [{"taskToken": TOKEN, "error": "ApprovalDenied", "cause": "Ada: a drill elsewhere"}]


def test_an_answer_that_step_functions_did_not_get_can_be_given_again(asked: Any, call: Call, states: States) -> None:
    from botocore.exceptions import EndpointConnectionError

    states.error = EndpointConnectionError(endpoint_url="https://states")
    assert call("answer_approval", pressed(asked, "approve"))["statusCode"] == 503
    states.error = None
    assert call("answer_approval", pressed(asked, "approve"))["statusCode"] == 200
    assert len(states.taken) == 1


def refusal(code: str, status: int = 400) -> ClientError:
    """What Step Functions answers, with the token in its words."""
    answer = {"Error": {"Code": code, "Message": f"no: {TOKEN}"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendTaskSuccess")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_who_answers_too_late_is_told_so(asked: Any, call: Call, states: States, code: str) -> None:
    states.error = refusal(code)
    page = call("answer_approval", pressed(asked, "approve"))
    assert page["statusCode"] == 403 and "does not wait for an answer any more" in page["body"]
    direct = {"plan": "orders", "execution": "orders-1-failover", "answer": "deny", "by": "Bob"}
    assert call("answer_approval", direct) | {"at": 0} == {"answer": "approve", "by": "Ada", "at": 0, "now": False}
    assert states.taken == []


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500)])
def test_an_answer_that_step_functions_had_no_time_for_is_given_again(
    asked: Any, call: Call, states: States, code: str, status: int
) -> None:
    states.error = refusal(code, status)
    page = call("answer_approval", pressed(asked, "deny"))
    assert page["statusCode"] == 503 and TOKEN not in page["body"]
    states.error = None
    assert "deny by Ada" in call("answer_approval", pressed(asked, "deny"))["body"]
    assert [answer["error"] for answer in states.taken] == ["ApprovalDenied"]


def test_an_answer_that_may_not_be_handed_over_is_not_said_to_be_taken(asked: Any, call: Call, states: States) -> None:
    states.error = refusal("AccessDeniedException")
    page = call("answer_approval", pressed(asked, "approve"))
    assert page["statusCode"] == 500 and "was taken" not in page["body"] and TOKEN not in page["body"]
    with pytest.raises(ServiceRejected, match="refused") as refused:
        call("answer_approval", {"plan": "orders", "execution": "orders-1-failover", "answer": "approve", "by": "Bob"})
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"execution": "orders-2-failover"},
        {"plan": "payments"},
        {"expires": "99999999999"},
        {"signature": "00"},
        {"signature": "é"},
        {"expires": "soon"},
    ],
)
def test_a_link_that_was_changed_is_refused(asked: Any, call: Call, states: States, change: dict[str, str]) -> None:
    asked["queryStringParameters"] |= change
    assert call("answer_approval", asked)["statusCode"] == 403
    assert call("answer_approval", pressed(asked, "approve"))["statusCode"] == 403
    assert states.taken == []


def test_a_link_that_is_not_whole_is_refused(asked: Any, call: Call, states: States) -> None:
    for missing in ("plan", "execution", "expires", "signature"):
        broken = copy.deepcopy(asked)
        del broken["queryStringParameters"][missing]
        assert call("answer_approval", broken)["statusCode"] == 403
    assert call("answer_approval", asked | {"queryStringParameters": None})["statusCode"] == 403


def test_an_expired_link_is_refused(asked: Any, call: Call, states: States, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("failover.execution.approval.time.time", lambda: 2_000_000_000.0)
    page = call("answer_approval", pressed(asked, "approve"))
    assert page["statusCode"] == 403 and "expired" in page["body"]
    assert states.taken == []


def test_the_command_line_answers_without_a_link(asked: Any, call: Call, states: States) -> None:
    sample = json.loads((EVENTS / "answer_approval.json").read_text())
    assert call("answer_approval", sample)["now"] is True
    assert call("answer_approval", sample)["now"] is False
    assert [each["taskToken"] for each in states.taken] == [TOKEN, TOKEN]


def test_nobody_can_answer_what_nobody_asked(deployed: Any, call: Call, states: States) -> None:
    sample = json.loads((EVENTS / "answer_approval.json").read_text())
    with pytest.raises(NoQuestion, match=r"asks nobody$"):
        call("answer_approval", sample)
    assert states.taken == []


@pytest.mark.parametrize(
    "form", [{}, {"by": "Ada"}, {"by": "Ada", "answer": "maybe"}, {"answer": "deny"}, {"answer": "approve", "by": " "}]
)
def test_a_form_without_a_button_or_a_name_is_no_answer(
    asked: Any, call: Call, states: States, form: dict[str, str]
) -> None:
    event = pressed(asked, "deny")
    page = call("answer_approval", event | {"body": urlencode(form), "isBase64Encoded": False})
    assert (page["statusCode"], states.taken) == (400, [])
    assert "approve by Ada" in call("answer_approval", pressed(asked, "approve"))["body"], "the question stands"


def test_who_started_by_hand_cannot_be_the_second_person(deployed: Any, call: Call, states: States) -> None:
    start = {"plan": "orders", "to": "west", "by": "Ada Lovelace", "reason": "a walk-through"}
    execution = call("claim", {"start": start, "execution_name": "by-hand"})["execution"]
    call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    answer = {"plan": "orders", "execution": "by-hand", "answer": "approve"}
    for name in ("Ada Lovelace", " ada  LOVELACE "):
        with pytest.raises(SamePerson, match="another person"):
            call("answer_approval", answer | {"by": name})
    assert states.taken == []
    assert call("answer_approval", answer | {"by": "Grace"})["by"] == "Grace"
    assert len(states.taken) == 1


def test_who_started_by_hand_may_deny_it(deployed: Any, call: Call, states: States) -> None:
    start = {"plan": "orders", "to": "west", "by": "Ada"}
    execution = call("claim", {"start": start, "execution_name": "by-hand"})["execution"]
    call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    call("answer_approval", {"plan": "orders", "execution": "by-hand", "answer": "deny", "by": "Ada"})
    assert [answer["error"] for answer in states.taken] == ["ApprovalDenied"]


def test_a_question_names_who_started_and_why(deployed: Any, call: Call, messages: Callable[[], list[Message]]) -> None:
    start = {"plan": "orders", "to": "west", "by": "Ada", "reason": "a walk-through"}
    execution = call("claim", {"start": start, "execution_name": "by-hand"})["execution"]
    call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    (message,) = messages()
    assert (message.body["started_by"], message.body["reason"]) == ("Ada", "a walk-through")
    for words in (
        "started by Ada: a walk-through",
        "says that east is lost: own probes (kafka)",
        "not ready: capacity:east fail 40 s ago",
        "if you approve: 900 to 1,500 records (estimated), 2 partitions unknown",
    ):
        assert words in message.body["text"], words


@pytest.mark.parametrize(
    ("kind", "to", "words"),
    [
        ("failover", "west", "if east is lost, they can't work until somebody answers"),
        ("switchover", "west", "they work on east until somebody answers"),
        ("restore", "east", "they work on east, whatever you answer"),
    ],
)
def test_a_question_says_what_clients_feel_while_nobody_answers(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, kind: str, to: str, words: str
) -> None:
    texts: list[str] = []
    monkeypatch.setattr(
        "failover.aws.notify.notify_at_least_once", lambda *, key, message, document: texts.append(message.text())
    )
    start = {"start": {"plan": "orders", "to": to, "by": "Ada"}, "execution_name": "by-hand", "kind": kind}
    execution = call("claim", start)["execution"]
    call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    assert words in texts[0] and "without an answer it will stand down" in texts[0]


@pytest.mark.parametrize(
    "rubbish", [{}, {"plan": "orders"}, {"plan": "orders", "execution": "x", "answer": "maybe", "by": "a"}]
)
def test_rubbish_is_refused_by_name(deployed: Any, call: Call, rubbish: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        call("answer_approval", rubbish)


def test_without_links_the_message_has_none(deployed: Any, call: Call) -> None:
    assert link(Question("orders", "orders-1-failover", 1)) is None


def test_a_redriven_execution_asks_again_with_a_link_that_is_good_for_as_long_as_the_first(
    deployed: Any, call: Call, messages: Callable[[], list[Message]]
) -> None:
    execution = call("claim", {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "a"})[
        "execution"
    ]
    for token in ("first", "first", "of the redrive"):
        call("request_approval", {"execution": execution, "task_token": token, "assessed": ASSESSED})
    assert len(messages()) == 2


def test_a_question_that_can_not_be_told_stands_all_the_same(
    deployed: Any, call: Call, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:gone")
    monkeypatch.setenv("APPROVAL_URL", "https://abc.lambda-url.us-west-2.on.aws/")
    monkeypatch.setenv("APPROVAL_KEY_SECRET", "no-such-secret")
    start = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    execution = call("claim", start)["execution"]
    report = call("request_approval", {"execution": execution, "task_token": TOKEN, "assessed": ASSESSED})
    assert report["status"] == "done" and "SNS" in report["observed"]["untold"]
    call("answer_approval", {"plan": "orders", "execution": "orders-1-failover", "answer": "approve", "by": "Ada"})
    assert states.taken == [{"taskToken": TOKEN, "output": "{}"}]


def test_the_answer_to_one_execution_is_none_to_another_whose_name_begins_alike(
    deployed: Any, call: Call, states: States
) -> None:
    start = {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand-10"}
    execution = call("claim", start)["execution"]
    call("request_approval", {"execution": execution, "task_token": "of the tenth", "assessed": ASSESSED})
    other = {"plan": "orders", "execution": "by-hand-1", "answer": "approve", "by": "Ada"}
    with pytest.raises(NoQuestion):
        call("answer_approval", other)
    assert states.taken == []


def test_who_approved_and_why_is_in_the_report_and_the_token_is_not(asked: Any, call: Call, states: States) -> None:
    call("answer_approval", pressed(asked, "approve", why="seen on the status page"))
    execution = json.loads((EVENTS / "conclude.json").read_text())
    report = call("conclude", execution)["report"]
    assert report["approval"] | {"at": 0} == {
        "answer": "approve",
        "by": "Ada",
        "at": 0,
        "why": "seen on the status page",
    }
    assert TOKEN not in json.dumps(report)
