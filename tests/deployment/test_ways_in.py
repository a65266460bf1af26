"""What calls the controller beside events: the stack's schedule, and people whom IAM verified."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from typing import get_args

from failover.ledger.execution import Kind
from tests.deployment.templates import RESOURCES, of_type, statements


def test_what_is_known_is_judged_again_every_minute_for_as_long_as_votes_may_be_too_young() -> None:
    functions = of_type("AWS::Serverless::Function")
    again = functions["StartRounds"]["Events"]["EveryMinute"]["Properties"]
    assert (again["ScheduleExpression"], json.loads(again["Input"])) == (
        "rate(1 minute)",
        {"due": "rounds", "scheduled_at": "<aws.scheduler.scheduled-time>"},
    )
    assert functions["StartRounds"]["Environment"]["Variables"]["JUDGE_FUNCTION"] == {"Ref": "Judge"}
    assert functions["Judge"]["Timeout"] == 60


def test_what_operators_ask_for_is_verified_by_iam() -> None:
    operators = RESOURCES["ServeOperators"]
    assert operators["Properties"]["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}
    may = {action for statement in statements(operators["Properties"]) for action in statement["Action"]}
    assert "states:StartExecution" in may
    public = of_type("AWS::Serverless::Function")["AnswerApproval"]
    assert not any("states:StartExecution" in statement["Action"] for statement in statements(public))


def test_judge_may_announce_every_end_that_an_execution_left_untold() -> None:
    judge = of_type("AWS::Serverless::Function")["Judge"]
    (puts,) = [each for each in statements(judge) if each["Action"] == ["events:PutEvents"]]
    patterns = puts["Condition"]["StringLike"]["events:detail-type"]
    for kind in get_args(Kind):
        for outcome in ("succeeded", "stood-down"):
            assert any(fnmatch(f"{kind.capitalize()} {outcome}", pattern) for pattern in patterns)
