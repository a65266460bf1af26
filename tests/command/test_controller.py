"""Which controller a command speaks to, wherever in the line that is said, and what it says where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from botocore.stub import Stubber

from command.__main__ import main, options_first
from command.controller import Options, connected
from command.errors import NotDone
from drill.operator_access import controller_file
from failover.aws.clients import client

OUTPUTS = {
    "LedgerTable": "ledger",
    "StateMachineArn": "arn:aws:states:us-west-2:123456789012:stateMachine:failover",
    "AnswerFunction": "answer",
    "CheckReadinessFunction": "check",
}


def context(**options: Any) -> typer.Context:
    return type("Context", (), {"obj": Options(**options)})()  # type: ignore[no-any-return]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a drill's files, and an environment of its own."""
    client.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    (tmp_path / "drill-reports/20261129-up").mkdir(parents=True)
    return tmp_path / "drill-reports/20261129-up"


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("status orders --drill", "--drill status orders"),
        ("status --stack a orders --debug", "--stack a --debug status orders"),
        ("--region=eu-west-1 pause --why --stack", "--region=eu-west-1 --stack pause --why"),
        ("status -- --drill", "status -- --drill"),
        ("status --profile", "--profile status"),
    ],
)
def test_where_the_controller_is_may_be_said_anywhere(line: str, first: str) -> None:
    assert " ".join(options_first(line.split())) == first


def test_a_running_drill_is_spoken_to_with_all_it_needs_and_no_more_once_it_is_over(here: Path) -> None:
    with controller_file(here, "http://127.0.0.1:4566", OUTPUTS):
        controller = connected(context(drill=True))
        assert (controller.answer_function, os.environ["LEDGER_TABLE"]) == ("answer", "ledger")
        assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
        assert controller.command("status orders") == "failover status orders --drill"
    with pytest.raises(NotDone, match="no drill runs here") as error:
        connected(context(drill=True))
    assert "python -m drill up" in error.value.remedy


def test_a_drill_that_was_killed_is_none(here: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (here / "controller.json").write_text(json.dumps({"pid": ended.pid, "environment": {}, "outputs": OUTPUTS}))
    with pytest.raises(NotDone, match="no drill runs here"):
        connected(context(drill=True))


def test_without_a_region_nothing_is_asked(here: Path) -> None:
    with pytest.raises(NotDone, match="no region") as error:
        connected(context())
    assert "--region" in error.value.remedy


def test_what_is_to_be_pasted_leads_to_the_same_controller() -> None:
    assert Options(stack="x", region="eu-west-1", profile="p").suffix == " --stack x --region eu-west-1 --profile p"
    assert Options().suffix == ""


@pytest.mark.parametrize(
    ("outputs", "words"),
    [(None, "the stack 'other' was not found in us-west-2"), ({"LedgerTable": "x"}, "has no output StateMachineArn")],
)
def test_a_stack_that_is_none_of_a_controller_is_said_with_what_to_do(
    here: Path, outputs: dict[str, str] | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation = boto3.client("cloudformation", "us-west-2")
    stubber = Stubber(cloudformation)
    if outputs is None:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id other does not exist")
    else:
        listed = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
        stack = {"StackName": "other", "CreationTime": 0, "StackStatus": "CREATE_COMPLETE", "Outputs": listed}
        stubber.add_response("describe_stacks", {"Stacks": [stack]})
    stubber.activate()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: cloudformation)
    with pytest.raises(NotDone) as error:
        connected(context(stack="other", region="us-west-2"))
    assert words in str(error.value) and "--stack" in error.value.remedy


def test_an_error_is_one_line_and_what_to_do_another_and_no_traceback(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "orders", "--drill"])
    what, do = capsys.readouterr().err.splitlines()
    assert (ended.value.code, what) == (2, "no drill runs here") and do.startswith("next: ")
    with pytest.raises(NotDone):
        main(["status", "orders", "--drill", "--debug"])


def test_a_drill_whose_ledger_does_not_answer_says_how_its_region_comes_back(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with controller_file(here, "http://127.0.0.1:9", OUTPUTS), pytest.raises(SystemExit) as ended:
        main(["status", "--drill"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "did not answer" in said
    assert "python -m drill outage --over" in said and "--profile" not in said
