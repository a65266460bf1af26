"""One fault at any outgoing call of what comes before and after a failover: called again, it ends as without it.

A fault is a call that is not made, one whose answer is lost after its effect, one that is throttled, and a container
that dies before or after it. What is called again is the same step with the same input, as the state machine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from failover.aws.clients import client
from failover.errors import TransientError
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from tests.functions.conftest import Message

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]
THROTTLED = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
CALLED_AGAIN_AT_MOST = 6
CALLS_AT_MOST = 40


class Killed(BaseException):
    """The container is gone; nothing in it can catch that."""


def refused() -> Exception:
    return EndpointConnectionError(endpoint_url="https://aws")


FAULTS: dict[str, tuple[bool, Callable[[], BaseException]]] = {
    "refused": (False, refused),
    "throttled": (False, lambda: ClientError(THROTTLED, "Any")),  # type: ignore[arg-type]
    "timeout after its effect": (True, lambda: ReadTimeoutError(endpoint_url="https://aws")),
    "killed before": (False, Killed),
    "killed after": (True, Killed),
}
"""By name: whether the call has its effect, and what becomes of its answer."""


@contextmanager
def fault_at(number: int, fault: str) -> Iterator[list[str]]:
    """The call of that number, from 0, goes wrong; gives the operations that were called."""
    calls, real = list[str](), BaseClient._make_api_call  # type: ignore[attr-defined]
    has_effect, error = FAULTS[fault]

    def make(self: Any, operation: str, arguments: Any) -> Any:
        calls.append(operation)
        if len(calls) - 1 != number:
            return real(self, operation, arguments)
        if has_effect:
            real(self, operation, arguments)
        raise error()

    BaseClient._make_api_call = make  # type: ignore[attr-defined]
    try:
        yield calls
    finally:
        BaseClient._make_api_call = real  # type: ignore[attr-defined]


def until_answered(call: Call, step: str, event: dict[str, Any]) -> dict[str, Any]:
    """Call a step as the state machine does: again after a transient error, and after a container that died."""
    for _ in range(CALLED_AGAIN_AT_MOST):
        try:
            return call(step, event)
        except (TransientError, Killed):
            time.sleep(0.01)
    raise AssertionError(f"{step} did not answer in {CALLED_AGAIN_AT_MOST} calls")


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def start(name: str, **more: Any) -> dict[str, Any]:
    return {"start": {"plan": "orders", "to": "west"} | more, "execution_name": name}


def standing() -> dict[str, Any]:
    """What the ledger says of the plan and of both executions, without the times."""
    state = book().state("orders", "east")
    records = {name: record for name in ("old", "new") if (record := book().execution("orders", name))}
    return {
        "active": state.active,
        "epoch": state.epoch,
        "holder": state.holder,
        "denial": state.denial is not None,
        "status": {name: record.status for name, record in records.items()},
        "outcome": {name: record.document.get("outcome") for name, record in records.items()},
    }


Prepared = tuple[str, dict[str, Any]]


def _claim(call: Call) -> Prepared:
    return "claim", start("new")


def _claim_superseding(call: Call) -> Prepared:
    call("claim", start("old"))
    return "claim", start("new", supersedes="old")


def _request_approval(call: Call) -> Prepared:
    execution = call("claim", start("new"))["execution"]
    return "request_approval", {"execution": execution, "task_token": "t", "assessed": {"why": "policy"}}


def _conclude(call: Call) -> Prepared:
    return "conclude", {"execution": call("claim", start("new"))["execution"], "outcome": "succeeded"}


def _conclude_denied(call: Call) -> Prepared:
    execution = call("claim", start("new", epoch=1))["execution"]
    asked = {"verdict": "ask", "why": "policy", "stands_until_resumed": True}
    book().record_step(Execution.model_validate(execution), "assess", "done", asked, time.time())
    return "conclude", {"execution": execution, "outcome": "stood-down", "why": "denied"}


def _announce(call: Call) -> Prepared:
    step, event = _conclude(call)
    call(step, event)
    return "announce", {"execution": event["execution"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault in ("throttled", "killed after") else pytest.mark.exhaustive)
        for fault in FAULTS
    ],
)
@pytest.mark.parametrize(
    "prepare", [_claim, _claim_superseding, _request_approval, _conclude, _conclude_denied, _announce]
)
def test_a_single_fault_changes_no_end(
    deployed: Any,
    call: Call,
    messages: Messages,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Call], Prepared],
    fault: str,
) -> None:
    # A call that was killed while it told holds the next one up for as long as it may still tell.
    monkeypatch.setattr("failover.aws.notify.ATTEMPT_MS", 300)
    step, event = prepare(call)
    with fault_at(-1, fault) as calls:
        until_answered(call, step, event)
    expected, told = standing(), len(messages())
    assert 0 < len(calls) < CALLS_AT_MOST
    for number, operation in enumerate(calls):
        _empty(deployed)
        step, event = prepare(call)
        messages()
        with fault_at(number, fault):
            until_answered(call, step, event)
        assert standing() == expected, f"{fault} at call {number}, {operation}"
        # Who dies between the telling and its record has it told again: at least once, and twice at most.
        assert told <= len(messages()) <= 2 * told, f"{fault} at call {number}, {operation}"


def _empty(deployed: Any) -> None:
    table = deployed("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})
    from failover.container import forget

    forget()
