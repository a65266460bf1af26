"""Where identity must be proven, who starts and who answers is the caller that IAM verified, whatever they write."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failover.errors import ServiceRejected, ServiceUnavailable
from failover.ledger.execution import Execution, same_name
from failover.ledger.ledger import Ledger
from tests.functions.heard_events import executions

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
EVENTS = Path(__file__).resolve().parents[2] / "events"
ADA = "arn:aws:sts::123456789012:assumed-role/OnCall/ada@example.com"
BOB = "arn:aws:sts::123456789012:assumed-role/OnCall/bob@example.com"
START = {"plan": "orders", "from": "east", "to": "west", "reason": "east is lost", "name": "by-hand-1"}


def signed(path: str, body: Any, caller: str | None = ADA) -> dict[str, Any]:
    """What Lambda is given of a request that IAM verified; of an unsigned one there is no caller."""
    event: dict[str, Any] = json.loads((EVENTS / "serve_operators.json").read_text())
    if caller is None:
        del event["requestContext"]["authorizer"]
    else:
        event["requestContext"]["authorizer"]["iam"]["userArn"] = caller
    return event | {"rawPath": path, "body": body if isinstance(body, str) else json.dumps(body)}


def asked(call: Call, path: str, body: Any, caller: str | None = ADA) -> tuple[int, dict[str, Any]]:
    response = call("serve_operators", signed(path, body, caller))
    return response["statusCode"], json.loads(response["body"])


def started(aws: Callable[..., Any], arn: str) -> dict[str, Any]:
    return dict(json.loads(aws("stepfunctions").describe_execution(executionArn=arn)["input"]))


def test_a_start_carries_the_callers_arn_and_is_one_execution_a_name(deployed: Any, call: Call) -> None:
    status, answer = asked(call, "/start", START)
    assert (status, answer["execution"]) == (200, "by-hand-1")
    assert started(deployed, answer["arn"])["by"] == ADA
    claimed = call("claim", {"start": started(deployed, answer["arn"]), "execution_name": "by-hand-1"})["execution"]
    assert (claimed["manual"], claimed["started_by"], claimed["reason"]) == (True, ADA, "east is lost")
    assert asked(call, "/start", START) == (200, answer), "again, it is the same start"
    status, answer = asked(call, "/start", START | {"reason": "another"})
    assert (status, answer["error"]) == (403, "Refused")
    assert executions(deployed) == ["by-hand-1"]


@pytest.fixture
def machines(deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The other state machines, by what they do."""
    arns = {}
    for what in ("switchover", "restore", "practice"):
        role = "arn:aws:iam::123456789012:role/states"
        machine = deployed("stepfunctions").create_state_machine(name=what, definition="{}", roleArn=role)
        arns[what] = machine["stateMachineArn"]
        monkeypatch.setenv(f"{what.upper()}_MACHINE_ARN", arns[what])
    return arns


@pytest.mark.parametrize(("kind", "to"), [("switchover", "west"), ("restore", "east")])
def test_whatever_kind_is_started_the_caller_is_who_starts_it(
    deployed: Any, call: Call, machines: dict[str, str], kind: str, to: str
) -> None:
    body = {"plan": "orders", "kind": kind, "to": to, "reason": "as agreed", "name": f"by-hand-{kind}"}
    status, answer = asked(call, "/start", body)
    assert status == 200 and answer["arn"].startswith(machines[kind].replace(":stateMachine:", ":execution:"))
    request = {"start": started(deployed, answer["arn"]), "execution_name": answer["execution"], "kind": kind}
    claimed = call("claim", request)["execution"]
    assert (claimed["kind"], claimed["started_by"]) == (kind, ADA)


def test_a_practice_is_started_by_the_caller_too(deployed: Any, call: Call, machines: dict[str, str]) -> None:
    status, answer = asked(call, "/practice", {"plan": "orders", "reason": "the quarter's", "stay_seconds": 60})
    assert status == 200
    start = started(deployed, answer["arn"])
    assert start == {"plan": "orders", "reason": "the quarter's", "stay_seconds": 60, "by": ADA}
    assert call("run_practice", {"start": start, "practice": answer["execution"]})["status"] == "waiting"
    status, answer = asked(call, "/practice", {"plan": "orders", "reason": "the quarter's", "name": "q4"})
    assert started(deployed, answer["arn"]) == {"plan": "orders", "reason": "the quarter's", "by": ADA}


def test_who_aborts_is_the_caller_and_what_goes_forward_only_is_refused(deployed: Any, call: Call) -> None:
    for name, kind in (("by-hand-1", "switchover"), ("by-hand-2", "failover")):
        start = {"plan": "orders", "to": "west", "by": ADA} | (
            {"supersedes": "by-hand-1"} if kind == "failover" else {}
        )
        call("claim", {"start": start, "execution_name": name, "kind": kind})
        body = {"plan": "orders", "execution": name, "why": "wrong day"}
        status, answer = asked(call, "/abort", body, BOB)
        wish = Ledger(deployed("dynamodb"), "ledger").state("orders", "east").abort_wish
        if kind == "switchover":
            assert status == 200 and wish is not None and (wish.by, wish.why) == (BOB, "wrong day")
        else:
            assert (status, answer["error"], wish) == (403, "AbortRefused", None)


def test_the_sample_is_a_start_with_a_name_of_its_own(deployed: Any, call: Call) -> None:
    sample = json.loads((EVENTS / "serve_operators.json").read_text())
    names = {json.loads(call("serve_operators", copy.deepcopy(sample))["body"])["execution"] for _ in range(2)}
    assert len(names) == 2 and all(name.startswith("orders-by-hand-") for name in names)


@pytest.mark.parametrize("claim", [{"by": "Bob"}, {"epoch": 7}, {"reason": ""}, {"name": "a b"}, {"plan": "../x"}])
def test_nobody_says_who_they_are_nor_passes_for_a_judge(deployed: Any, call: Call, claim: dict[str, Any]) -> None:
    status, answer = asked(call, "/start", START | claim)
    assert (status, answer["error"]) == (403, "MalformedEvent")
    assert next(iter(claim)) in answer["why"]


@pytest.mark.parametrize(
    ("path", "body", "caller"),
    [("/start", START, None), ("/", START, ADA), ("/start", "{", ADA), ("/start", [], ADA), ("/answer", {}, ADA)],
)
def test_what_is_not_signed_or_not_written_as_it_must_be_is_refused(
    deployed: Any, call: Call, path: str, body: Any, caller: str | None
) -> None:
    assert asked(call, path, body, caller)[0] == 403


@pytest.mark.parametrize("event", [{}, {"requestContext": None}, {"requestContext": {"authorizer": None}}])
def test_whatever_else_it_is_invoked_with_is_refused(deployed: Any, call: Call, event: dict[str, Any]) -> None:
    assert call("serve_operators", event)["statusCode"] == 403


def test_a_body_in_base64_is_the_same_request(deployed: Any, call: Call) -> None:
    event = signed("/start", START)
    event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}
    assert call("serve_operators", event)["statusCode"] == 200
    assert executions(deployed) == ["by-hand-1"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ServiceUnavailable("Step Functions: ThrottlingException"), 503, "ask again"),
        (ServiceRejected("Step Functions: AccessDeniedException"), 400, "AccessDenied"),
    ],
)
def test_who_asks_while_aws_does_not_answer_is_told_to_ask_again_and_who_may_not_is_told_why(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    def fails(*_: Any) -> bool:
        raise error

    monkeypatch.setattr("failover.execution.runs.start_run", fails)
    code, answer = asked(call, "/start", START)
    assert (code, answer["error"]) == (status, type(error).__name__) and words in answer["why"]


def test_a_get_changes_nothing(deployed: Any, call: Call) -> None:
    event = signed("/start", START)
    event["requestContext"]["http"]["method"] = "GET"
    assert call("serve_operators", event)["statusCode"] == 403


class States:
    """Step Functions, as far as it takes answers."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def send_task_success(self, **answer: Any) -> None:
        self.taken.append(answer)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> States:
    states = States()
    monkeypatch.setattr("failover.execution.approval.client", lambda *_: states)
    return states


def test_the_second_person_is_another_caller_than_the_first(deployed: Any, call: Call, states: States) -> None:
    start = {"plan": "orders", "to": "west", "by": ADA}
    execution = Execution.model_validate(call("claim", {"start": start, "execution_name": "by-hand-1"})["execution"])
    Ledger(deployed("dynamodb"), "ledger").save_approval_token(execution, "the-task-token")
    approval = {"plan": "orders", "execution": "by-hand-1", "answer": "approve"}
    status, answer = asked(call, "/answer", approval)
    assert (status, answer["error"], states.taken) == (403, "SamePerson", [])
    status, answer = asked(call, "/answer", approval, BOB)
    assert (status, answer["by"], answer["now"]) == (200, BOB, True)
    assert states.taken == [{"taskToken": "the-task-token", "output": "{}"}]


def test_one_person_in_two_roles_or_by_a_name_of_their_own_is_one_person() -> None:
    other_role = "arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com"
    assert same_name(ADA, other_role) and same_name(ADA, " Ada@example.com")
    assert not same_name(ADA, BOB)
    assert not same_name("judge/ada", "ada")
