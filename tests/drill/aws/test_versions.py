"""What is published goes on being there while something else is deployed: versions of functions, definitions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drill.aws.lambda_functions import Function, Published, UnknownFunction

from .conftest import Aws, task
from .test_step_functions import one, output

ARN = "arn:aws:lambda:us-west-2:123456789012:function:claim"


def test_a_version_is_found_by_its_number_and_without_one_the_newest() -> None:
    published = Published()
    before = Function(name="claim", arn=ARN, region="us-west-2", handler="app.handler", code=Path("before"))
    assert [published.add(before), published.add(replace(before, code=Path("after")))] == ["1", "2"]
    assert published.find(f"{ARN}:1").code == Path("before")
    for newest in (f"{ARN}:2", ARN, "claim", "claim:live"):
        assert published.find(newest).code == Path("after")
    for unknown in (f"{ARN}:3", f"{ARN}:0", "assess:1"):
        with pytest.raises(UnknownFunction):
            published.find(unknown)


def test_a_version_is_invoked_by_its_arn(aws: Aws) -> None:
    error, answer = aws.invoke("arn:aws:lambda:us-west-2:123456789012:function:test-Step:1", {"act": "path"})
    assert error is None and answer["environment"]["AWS_LAMBDA_FUNCTION_VERSION"] == "1"
    client = aws.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="test-Step:2", Payload=b"{}")


def test_an_execution_is_redriven_by_the_definition_that_it_began_with(aws: Aws, tmp_path: Path) -> None:
    call = task({"act": "raise-until", "file": str(tmp_path / "calls"), "times": 1}, Next="Answer")
    answer = {"Type": "Pass", "Output": "before", "End": True}
    machine = aws.machine({"StartAt": "Call", "States": {"Call": call, "Answer": answer}})
    execution = aws.start(machine)
    assert aws.ended(execution)["status"] == "FAILED"
    states = aws.client("stepfunctions")
    after = {"QueryLanguage": "JSONata", **one({"Type": "Pass", "Output": "after", "End": True})}
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(after))
    states.redrive_execution(executionArn=execution)
    assert output(aws.ended(execution)) == "before"
    assert output(aws.ended(aws.start(machine))) == "after"
