from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.patience import eventually

from .conftest import Aws, task


def output(described: dict[str, Any]) -> Any:
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def one(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state}}


def evaluated(aws: Aws, expression: str, given: Any = None) -> Any:
    return output(aws.run(one({"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}), given))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("6/2", 3),
        ("10/4", 2.5),
        ("$states.input.none", None),
        ("$exists($states.input.absent)", False),
        ("$map([1..3], function($v) { $v * 2 })", [2, 4, 6]),
        ("$merge([$states.input.object, {'b': 2}])", {"a": None, "b": 2}),
        ("$states.input.text & '!'", 'quo"te\nline\\!'),
        ("$partition([1..5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 4, 2)", [0, 2, 4]),
        ("$hash('a', 'SHA-256')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("$string({'a': 1})", '{"a":1}'),
        ("$length($uuid())", 36),
        ("$millis() > 1700000000000", True),
    ],
)
def test_jsonata_gives_json(aws: Aws, expression: str, value: Any) -> None:
    given = {"none": None, "object": {"a": None}, "text": 'quo"te\nline\\'}
    assert evaluated(aws, expression, given) == value


def test_variables_keep_whatever_text_they_hold(aws: Aws) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"kept": "{% $states.input.text %}"}, "Next": "Give"},
        "Give": {"Type": "Pass", "Output": {"kept": "{% $kept %}"}, "End": True},
    }
    text = 'quo"te\n\\ {% é'
    assert output(aws.run({"StartAt": "Keep", "States": states}, {"text": text})) == {"kept": text}


def test_executions_of_one_machine_side_by_side_keep_what_is_theirs(aws: Aws) -> None:
    mapped = {
        "Type": "Map",
        "Items": "{% [$own, $own] %}",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **one({"Type": "Pass", "End": True})},
        "End": True,
    }
    states = {
        "Keep": {"Type": "Pass", "Assign": {"own": "{% $states.input.own %}"}, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Give"},
        "Give": mapped,
    }
    machine = aws.machine({"StartAt": "Keep", "States": states})
    started = [aws.start(machine, {"own": number}) for number in range(4)]
    assert [output(aws.ended(execution)) for execution in started] == [[number, number] for number in range(4)]


@pytest.mark.parametrize("expression", ["$states.input.absent", "$nothing()", "$error('no')", "$sum"])
def test_an_expression_without_a_value_is_a_query_error(aws: Aws, expression: str) -> None:
    ended = aws.run(one({"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize("seconds", ["0.5", "-1", "'1'", "null"])
def test_a_wait_takes_whole_seconds_only(aws: Aws, seconds: str) -> None:
    ended = aws.run(one({"Type": "Wait", "Seconds": f"{{% {seconds} %}}", "End": True}))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_a_wait_waits(aws: Aws) -> None:
    started = time.monotonic()
    assert aws.run(one({"Type": "Wait", "Seconds": "{% 2 / 2 %}", "End": True}))["status"] == "SUCCEEDED"
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("seconds", ["0", "1.5"])
def test_a_timeout_takes_whole_seconds_only(aws: Aws, seconds: str) -> None:
    ended = aws.run(one(task({}, TimeoutSeconds=f"{{% {seconds} %}}", End=True)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_a_whole_machine_of_map_parallel_choice_retry_and_catch(aws: Aws, tmp_path: Path) -> None:
    retried = tmp_path / "retried"
    retry = [{"ErrorEquals": ["LinkUnavailable"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1.0}]
    catch = [{"ErrorEquals": ["LinkUnavailable"], "Assign": {"error": "{% $states.errorOutput %}"}, "Next": "Caught"}]
    item = one(task({"n": "{% $states.input.n %}"}, Output="{% $states.result.Payload.event.n * 10 %}", End=True))
    mapped = {
        "Type": "Map",
        "Items": "{% [1..4] %}",
        "ItemSelector": {"n": "{% $states.context.Map.Item.Value %}"},
        "MaxConcurrency": 2,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **item},
        "End": True,
    }
    flaky = task({"act": "raise-until", "times": 1, "file": str(retried)}, Retry=retry, Output="flaky", End=True)
    parallel = {"Type": "Parallel", "Branches": [one(mapped), one(flaky)], "Assign": {"both": "{% $states.result %}"}}
    machine = {
        "StartAt": "Both",
        "States": {
            "Both": {**parallel, "Next": "Choose"},
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $sum($both[0]) = 100 %}", "Next": "Fail"}],
                "Default": "Never",
            },
            "Never": {"Type": "Fail", "Error": "Wrong"},
            "Fail": task({"act": "raise"}, Catch=catch, Next="Never"),
            "Caught": {"Type": "Pass", "Output": {"error": "{% $error.Error %}", "both": "{% $both %}"}, "End": True},
        },
    }
    assert output(aws.run(machine)) == {"error": "LinkUnavailable", "both": [[10, 20, 30, 40], "flaky"]}
    assert retried.read_text().splitlines() == ["called", "called"]


def test_a_task_that_takes_too_long_is_a_timeout_by_name(aws: Aws) -> None:
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
    states = {
        "Slow": task({"act": "sleep", "seconds": 1.8}, TimeoutSeconds=1, Catch=catch, End=True),
        "Late": {"Type": "Pass", "Output": "late", "End": True},
    }
    assert output(aws.run({"StartAt": "Slow", "States": states})) == "late"


def waiting(tmp_path: Path, **more: Any) -> tuple[dict[str, Any], Path]:
    file = tmp_path / "token"
    payload = {"act": "token", "file": str(file), "token": "{% $states.context.Task.Token %}"}
    state = task(payload, TimeoutSeconds=20, Output="{% $states.result %}", End=True)
    state |= {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    return one(state | more), file


def token_in(file: Path) -> str:
    return str(eventually(lambda: file.exists() and file.read_text()))


def test_a_token_answers_its_task(aws: Aws, tmp_path: Path) -> None:
    definition, file = waiting(tmp_path)
    execution = aws.start(aws.machine(definition))
    states = aws.client("stepfunctions")
    states.send_task_success(taskToken=token_in(file), output='{"approved": true}')
    assert output(aws.ended(execution)) == {"approved": True}
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_success(taskToken=token_in(file), output="{}")


def test_a_token_fails_its_task_with_error_and_cause(aws: Aws, tmp_path: Path) -> None:
    definition, file = waiting(tmp_path)
    execution = aws.start(aws.machine(definition))
    aws.client("stepfunctions").send_task_failure(taskToken=token_in(file), error="ApprovalDenied", cause="not now")
    ended = aws.ended(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "ApprovalDenied", "not now")


def test_a_token_nobody_answers_times_out_and_is_refused_then(aws: Aws, tmp_path: Path) -> None:
    definition, file = waiting(tmp_path, TimeoutSeconds=1)
    ended = aws.run(definition)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    states = aws.client("stepfunctions")
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_success(taskToken=token_in(file), output="{}")


@pytest.mark.slow
def test_the_same_start_while_running_is_the_same_execution(aws: Aws) -> None:
    machine = aws.machine(one({"Type": "Wait", "Seconds": 2, "End": True}))
    states = aws.client("stepfunctions")
    first, again = (aws.start(machine, {"plan": "orders"}, "orders-1-failover") for _ in range(2))
    assert first == again
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        aws.start(machine, {"plan": "other"}, "orders-1-failover")
    aws.ended(first)
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        aws.start(machine, {"plan": "orders"}, "orders-1-failover")
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_a_start_without_a_name_gets_one_each_time(aws: Aws) -> None:
    machine = aws.machine(one({"Type": "Pass", "End": True}))
    assert aws.start(machine) != aws.start(machine)


@pytest.mark.parametrize("name", ["has space", "a" * 81, "a:b"])
def test_a_name_that_aws_refuses_is_refused(aws: Aws, name: str) -> None:
    machine = aws.machine(one({"Type": "Pass", "End": True}))
    with pytest.raises(ClientError, match="InvalidName"):
        aws.client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input="{}")


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ({"Only": {"Type": "Pass", "Next": "Nowhere"}}, "Nowhere"),
        ({"Only": {"Type": "Pass", "End": True}, "Lost": {"Type": "Succeed"}}, "Lost"),
        ({"Only": {"Type": "Pass", "Output": "{% $map( %}", "End": True}}, "JSONata"),
        ({"Only": {"Type": "Pass", "Output": "{% $$ %}", "End": True}}, "JSONata"),
        ({"Only": {"Type": "Pass"}}, ""),
    ],
)
def test_a_definition_that_aws_refuses_is_refused(aws: Aws, states: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError, match=f"InvalidDefinition.*{why}"):
        aws.machine({"StartAt": "Only", "States": states})


def test_a_redriven_execution_goes_on_from_the_failed_state(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "calls"
    record = {"act": "record", "file": str(tmp_path / "before")}
    states = {
        "Before": task(record, Assign={"kept": "{% $states.input.plan %}"}, Output="given", Next="Flaky"),
        "Flaky": task(
            {"act": "raise-until", "times": 1, "file": str(file)}, Output="{% $states.input %}", Next="After"
        ),
        "After": {
            "Type": "Pass",
            "Output": ["{% $kept %}", "{% $states.input %}", "{% $states.context.Execution.RedriveCount %}"],
            "End": True,
        },
    }
    client = aws.client("stepfunctions")
    execution = aws.start(aws.machine({"StartAt": "Before", "States": states}), {"plan": "orders"})
    assert aws.ended(execution)["error"] == "LinkUnavailable"
    client.redrive_execution(executionArn=execution)
    ended = aws.ended(execution)
    assert output(ended) == ["orders", "given", 1]
    assert ended["redriveCount"] == 1
    assert len((tmp_path / "before").read_text().splitlines()) == 1
    kinds = [event["type"] for event in client.get_execution_history(executionArn=execution)["events"]]
    assert "ExecutionRedriven" in kinds
    with pytest.raises(client.exceptions.ExecutionNotRedrivable):
        client.redrive_execution(executionArn=execution)


def test_a_redriven_parallel_state_runs_again(aws: Aws, tmp_path: Path) -> None:
    flaky = task({"act": "raise-until", "times": 1, "file": str(tmp_path / "calls")}, Output="flaky", End=True)
    steady = {"Type": "Pass", "Output": "{% $kept %}", "End": True}
    states = {
        "Keep": {"Type": "Pass", "Assign": {"kept": "kept"}, "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": [one(flaky), one(steady)], "End": True},
    }
    execution = aws.start(aws.machine({"StartAt": "Keep", "States": states}))
    assert aws.ended(execution)["error"] == "LinkUnavailable"
    aws.client("stepfunctions").redrive_execution(executionArn=execution)
    assert output(aws.ended(execution)) == ["flaky", "kept"]


@pytest.mark.slow
def test_many_starts_of_one_name_at_once_are_one_execution(aws: Aws) -> None:
    machine = aws.machine(one({"Type": "Wait", "Seconds": 2, "End": True}))
    with ThreadPoolExecutor(8) as pool:
        arns = set(pool.map(lambda _: aws.start(machine, {}, "orders-2-failover"), range(16)))
    assert len(arns) == 1
    assert len(aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]) == 1


def test_service_integrations_take_and_give_pascal_case(aws: Aws) -> None:
    put: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Next": "List"}
    put |= {"Arguments": {"TableName": "test-Ledger", "Item": {"pk": {"S": "sfn"}}}, "Output": {}}
    listed = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines",
        "Arguments": {},
        "End": True,
    }
    ended = aws.run({"StartAt": "Put", "States": {"Put": put, "List": listed}})
    machines = output(ended)["StateMachines"]
    assert "test-Machine" in {machine["Name"] for machine in machines}
    assert all(machine["CreationDate"].endswith("Z") for machine in machines)


def test_a_standard_execution_tells_eventbridge_how_it_ends(aws: Aws) -> None:
    execution = aws.start(aws.machine(one({"Type": "Fail", "Error": "Stopped", "Cause": "of the test"})))
    aws.ended(execution)

    def changes() -> Any:
        details = [event["detail"] for event in aws.drill("events") if event["source"] == "aws.states"]
        ours = [detail for detail in details if detail["executionArn"] == execution]
        return sorted((d["status"], d["error"], d["stopDate"] is None) for d in ours) if len(ours) > 1 else None

    assert eventually(changes) == [("FAILED", "Stopped", False), ("RUNNING", None, True)]
