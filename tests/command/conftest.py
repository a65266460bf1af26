"""A stack as `sam deploy` leaves it, and the command line as its operator types it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from command import controller
from command.__main__ import main
from command.controller import Controller
from failover.aws.clients import client
from failover.container import forget
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

ARN = "arn:aws:states:us-west-2:123456789012:execution:failover:"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Failover = Callable[..., Ended]


@pytest.fixture
def stack(deployed: Callable[..., Any], call: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The account, with a stack of which only the outputs matter; its functions run in this process."""
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    outputs = {
        "LedgerTable": "ledger",
        "StateMachineArn": machine,
        "SwitchoverStateMachineArn": machine,
        "RestoreStateMachineArn": machine,
        "PracticeStateMachineArn": machine,
        "AnswerFunction": "answer_approval",
        "CheckReadinessFunction": "check_readiness",
    }
    described: dict[str, Any] = {
        "StackName": "failover",
        "CreationTime": datetime(2026, 11, 23, tzinfo=UTC),
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    cloudformation = boto3.client("cloudformation", region_name="us-west-2")
    stubber = Stubber(cloudformation)
    for _ in range(20):
        stubber.add_response("describe_stacks", {"Stacks": [described]}, {"StackName": "failover"})
    stubber.activate()
    monkeypatch.setattr(controller, "boto3", SimpleNamespace(client=lambda *_, **__: cloudformation))
    monkeypatch.setattr(Controller, "invoke", lambda _, function, event: call(function, dict(event)))
    return deployed


@pytest.fixture
def failover(stack: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Failover:
    """Types a line, where nobody sits at a terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def failover(*words: str) -> Ended:
        forget()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return failover


@pytest.fixture
def book(stack: Any) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def claimed(stack: Any, book: Ledger) -> Execution:
    """An execution that holds the plan's lease, and runs."""
    machine = stack("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = stack("stepfunctions").start_execution(stateMachineArn=machine, name="orders-1-failover")["executionArn"]
    execution = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-failover",
        arn=arn,
        controller="us-west-2",
        kind="failover",
        from_site="east",
        to_site="west",
        claimed_at=1_795_426_265.0,
    )
    book.claim(execution, "east")
    book.record_step(execution, "claim", "done", {}, execution.claimed_at)
    book.record_step(execution, "assess", "done", {"why": "east is lost"}, execution.claimed_at + 1)
    return execution
