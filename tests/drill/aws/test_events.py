from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from tests.patience import eventually

from .conftest import ACCOUNT, REGION, Aws, start_aws, task, write_stack

NOBODY = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody"
STEP = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:test-Step"


def put(aws: Aws, source: str, detail: dict[str, Any], **more: Any) -> dict[str, Any]:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail), **more}
    return dict(aws.client("events").put_events(Entries=[entry])["Entries"][0])


def rule(aws: Aws, source: str, target: dict[str, Any], region: str = REGION, **more: Any) -> None:
    events = aws.client("events", region)
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}), **more)
    events.put_targets(Rule=source, Targets=[{"Id": "a", **target}])


def queue(aws: Aws, name: str, region: str = REGION) -> tuple[str, str]:
    url = aws.client("sqs", region).create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"


def received(aws: Aws, url: str, region: str = REGION) -> list[dict[str, Any]]:
    messages = aws.client("sqs", region).receive_message(QueueUrl=url, MessageAttributeNames=["All"])
    return list(messages.get("Messages", []))


def test_an_event_reaches_the_function_of_its_rule(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "seen"
    put(aws, "test.record", {"act": "record", "file": str(file), "mark": 1})
    assert json.loads(eventually(lambda: file.read_text() if file.exists() else ""))["mark"] == 1


def test_an_event_gets_the_envelope_of_aws(aws: Aws) -> None:
    url, arn = queue(aws, "envelope")
    rule(aws, "test.envelope", {"Arn": arn})
    event_id = put(aws, "test.envelope", {"a": [1]}, Resources=["r"])["EventId"]
    event = json.loads(eventually(lambda: received(aws, url))[0]["Body"])
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": event_id,
        "source": "test.envelope",
        "detail-type": "Test",
        "account": ACCOUNT,
        "region": REGION,
        "resources": ["r"],
        "detail": {"a": [1]},
    }
    assert event_id in {seen["id"] for seen in aws.drill("events")}


def test_an_input_transformer_fills_its_template(aws: Aws) -> None:
    url, arn = queue(aws, "transformed")
    template = '{"name": <name>, "text": "of <name>", "all": <all>, "none": <none>, "rule": "<aws.events.rule-name>"}'
    paths = {"name": "$.detail.names[1]", "all": "$.detail", "none": "$.detail.absent"}
    rule(aws, "test.transform", {"Arn": arn, "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}})
    detail = {"names": ["x", 'quo"te']}
    put(aws, "test.transform", detail)
    body = json.loads(eventually(lambda: received(aws, url))[0]["Body"])
    assert body == {"name": 'quo"te', "text": 'of quo"te', "all": detail, "none": None, "rule": "test.transform"}


def test_an_event_nobody_can_take_is_a_dead_letter(aws: Aws) -> None:
    aws.letters()
    event_id = put(aws, "test.gone", {"mark": "gone"})["EventId"]
    letter = eventually(aws.letters)[0]
    attributes = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"])["id"] == event_id
    assert attributes["TARGET_ARN"] == NOBODY
    assert attributes["ERROR_CODE"] == "RESOURCE_NOT_FOUND"
    assert "rule/test-Gone" in attributes["RULE_ARN"]


def test_an_event_for_a_lost_region_is_tried_again_until_its_policy_is_used_up(aws: Aws) -> None:
    url, dead = queue(aws, "lost-letters")
    _, arn = queue(aws, "far", "eu-west-1")
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    rule(aws, "test.far", {"Arn": arn, "RetryPolicy": policy, "DeadLetterConfig": {"Arn": dead}})
    aws.drill("regions/eu-west-1/lose", "POST")
    try:
        put(aws, "test.far", {})
        letter = eventually(lambda: received(aws, url))[0]
    finally:
        aws.drill("regions/eu-west-1/restore", "POST")
    attributes = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert attributes["RETRY_ATTEMPTS"] == "1"
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


def test_a_disabled_rule_does_not_deliver(aws: Aws) -> None:
    url, arn = queue(aws, "disabled")
    other, other_arn = queue(aws, "enabled")
    rule(aws, "test.disabled", {"Arn": arn}, State="DISABLED")
    aws.client("events").put_rule(Name="beside", EventPattern=json.dumps({"source": ["test.disabled"]}))
    aws.client("events").put_targets(Rule="beside", Targets=[{"Id": "a", "Arn": other_arn}])
    put(aws, "test.disabled", {})
    eventually(lambda: received(aws, other))
    assert received(aws, url) == []


def test_an_event_crosses_to_another_region_s_bus_as_it_is(aws: Aws) -> None:
    url, arn = queue(aws, "crossed")
    rule(aws, "test.cross", {"Arn": arn})
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    rule(aws, "test.cross", {"Arn": bus}, region="us-east-1")
    entry = {"Source": "test.cross", "DetailType": "Test", "Detail": "{}"}
    aws.client("events", "us-east-1").put_events(Entries=[entry])
    event = json.loads(eventually(lambda: received(aws, url))[0]["Body"])
    assert event["region"] == "us-east-1"


def test_an_event_starts_a_state_machine(aws: Aws) -> None:
    machine = aws.machine({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    rule(aws, "test.start", {"Arn": machine, "InputPath": "$.detail"})
    put(aws, "test.start", {"plan": "orders"})
    states = aws.client("stepfunctions")
    execution = eventually(lambda: states.list_executions(stateMachineArn=machine)["executions"])[0]
    assert json.loads(aws.ended(execution["executionArn"])["output"]) == {"plan": "orders"}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": "aws.cloudwatch"}, "NotAuthorizedForSourceException"),
        ({"Detail": "no json"}, "MalformedDetail"),
        ({"Detail": "[]"}, "MalformedDetail"),
        ({"Source": ""}, "InvalidArgument"),
    ],
)
def test_an_entry_that_aws_refuses_is_refused(aws: Aws, entry: dict[str, str], code: str) -> None:
    answer = aws.client("events").put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}", **entry}])
    assert answer["Entries"][0]["ErrorCode"] == code


def test_a_lost_region_does_not_answer_and_the_others_do(aws: Aws) -> None:
    aws.drill("regions/us-east-1/lose", "POST")
    try:
        with pytest.raises(BotoCoreError):
            aws.client("dynamodb", "us-east-1").list_tables()
        with pytest.raises(BotoCoreError):
            aws.client("route53", "us-east-1").list_hosted_zones()
        assert "test-Ledger" in aws.client("dynamodb").list_tables()["TableNames"]
        aws.drill("regions/us-east-1/lose?keep=route53", "POST")
        assert aws.client("route53", "us-east-1").list_hosted_zones()["HostedZones"] == []
        with pytest.raises(BotoCoreError):
            aws.client("dynamodb", "us-east-1").list_tables()
    finally:
        aws.drill("regions/us-east-1/restore", "POST")
    assert aws.client("dynamodb", "us-east-1").list_tables()["TableNames"] == []


def test_a_schedule_fires_at_once(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "fired"
    given = {"act": "record", "file": str(file), "execution": "<aws.scheduler.execution-id>"}
    aws.client("scheduler").create_schedule(
        Name="often",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": STEP, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/test", "Input": json.dumps(given)},
    )
    fired = json.loads(eventually(lambda: file.read_text() if file.exists() else ""))
    assert len(fired["execution"]) == 36
    time.sleep(0.5)
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.slow
def test_schedules_can_wait_to_be_started(tmp_path: Path) -> None:
    write_stack(tmp_path)
    aws = start_aws(tmp_path, schedules=False)
    try:
        aws.client("scheduler").create_schedule(
            Name="later",
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": STEP, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/test", "Input": "{}"},
        )
        time.sleep(0.5)
        assert aws.drill("invocations") == []
        for _ in range(2):
            aws.drill("schedules/start", "POST")
        eventually(lambda: aws.drill("invocations"))
        time.sleep(0.3)
        assert len(aws.drill("invocations")) == 1
    finally:
        aws.child.stop()


@pytest.mark.slow
def test_an_event_delivered_twice_starts_one_execution(tmp_path: Path) -> None:
    write_stack(tmp_path)
    code = tmp_path / "step" / "app.py"
    code.write_text(
        "import json, os, urllib.request\n"
        "def handler(event, context):\n"
        "    start = {'stateMachineArn': os.environ['MACHINE'], 'name': 'orders-1-failover', 'input': '{}'}\n"
        "    body = json.dumps(start)\n"
        "    scope = 'Credential=x/20260101/us-west-2/states/aws4_request'\n"
        "    request = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'], data=body.encode(), headers={\n"
        "        'Authorization': 'AWS4-HMAC-SHA256 ' + scope + ', SignedHeaders=host, Signature=x',\n"
        "        'X-Amz-Target': 'AWSStepFunctions.StartExecution', 'Content-Type': 'application/x-amz-json-1.0'})\n"
        "    return json.load(urllib.request.urlopen(request))\n"
    )
    (tmp_path / "machine.asl.yaml").write_text(
        "QueryLanguage: JSONata\nStartAt: A\nStates: {A: {Type: Wait, Seconds: '{% ${Answer} - 40 %}', End: true}}\n"
    )
    aws = start_aws(tmp_path, event_copies=2)
    try:
        put(aws, "test.record", {})
        eventually(lambda: len([each for each in aws.drill("invocations") if each["function"] == "test-Step"]) == 2)
        assert [each["error"] for each in aws.drill("invocations")] == [None, None]
        machine = aws.child.ready["resources"]["Machine"]["ref"]
        executions = aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        assert [each["name"] for each in executions] == ["orders-1-failover"]
    finally:
        aws.child.stop()


def test_a_task_in_a_lost_region_is_an_error_of_the_task(aws: Aws) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/test"
    arguments = {"FunctionName": STEP, "Payload": {}}
    state = {**task({}, End=True), "Arguments": arguments}
    definition = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}}
    states = aws.client("stepfunctions", "eu-west-1")
    machine = states.create_state_machine(name="lost", definition=json.dumps(definition), roleArn=role)
    aws.drill("regions/eu-west-1/lose", "POST")
    try:
        with pytest.raises((BotoCoreError, ClientError)):
            states.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")
    finally:
        aws.drill("regions/eu-west-1/restore", "POST")


def test_a_silent_region_neither_answers_nor_refuses_what_it_keeps_neither(aws: Aws) -> None:
    aws.drill("regions/us-east-1/lose?silent=true&keep=ecs", "POST")
    try:
        for service, ask in (("dynamodb", "list_tables"), ("ecs", "list_clusters")):
            with pytest.raises(ReadTimeoutError):
                getattr(aws.client(service, "us-east-1", 0.3), ask)()
        assert "test-Ledger" in aws.client("dynamodb").list_tables()["TableNames"]
    finally:
        aws.drill("regions/us-east-1/restore", "POST")
    assert aws.client("dynamodb", "us-east-1").list_tables()["TableNames"] == []
