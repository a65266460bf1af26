"""One process that answers for AWS, with a small stack of its own, for all tests of this room."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import pytest
from botocore.config import Config

from drill.process import Child, spawn
from tests.patience import eventually

REGION = "us-west-2"
ACCOUNT = "123456789012"

HANDLERS = """
import decimal, json, os, sys, time
import boto3_stand_in  # of the shared layer


class LinkUnavailable(Exception):
    pass


def handler(event, context):
    act = event.get("act") if isinstance(event, dict) else None
    if act == "raise":
        raise LinkUnavailable("no answer")
    if act == "raise-until":
        with open(event["file"], "a+") as file:
            file.seek(0)
            count = len(file.readlines())
            file.write("called\\n")
        if count < event["times"]:
            raise LinkUnavailable("not yet")
    if act == "sleep":
        time.sleep(event["seconds"])
    if act == "exit":
        os._exit(3)
    if act == "unserialisable":
        return {"value": object()}
    if act == "decimal":
        return {"value": decimal.Decimal("3"), "half": decimal.Decimal("0.5")}
    if act == "metric":
        print(json.dumps({
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{
                "Namespace": "Failover", "Dimensions": [["plan", "site"]],
                "Metrics": [{"Name": "SiteHealthy", "Unit": "None", "StorageResolution": 1}]}]},
            "plan": "orders", "site": "east", "SiteHealthy": 0}))
    if act == "record":
        with open(event["file"], "a") as file:
            file.write(json.dumps(event) + "\\n")
    if act == "token":
        with open(event["file"], "w") as file:
            file.write(event["token"])
    if act == "path":
        return {"path": sys.path, "modules": sorted(sys.modules), "environment": dict(os.environ)}
    if act == "context":
        return {
            "name": context.function_name, "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
            "request_id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
            "group": context.log_group_name,
        }
    return {"event": event, "pid": os.getpid()}
"""

FURNISHED = """
import pathlib, sys
import room  # of a layer that is built of the package


def handler(event, context):
    return {"word": room.WORD, "beside": str(pathlib.Path(room.__file__).parent.parent), "path": sys.path}
"""

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Plan: {Type: String}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  Never: !Equals [!Ref Plan, nothing]
Globals:
  Function:
    Handler: app.handler
    Timeout: 2
    Layers: [!Ref Shared]
    Environment:
      Variables: {PLAN: !Ref Plan, TABLE: !Ref Ledger}
Resources:
  Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: shared}}
  Room: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: room}}
  Ledger:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Letters: {Type: AWS::SQS::Queue}
  Reports: {Type: AWS::S3::Bucket}
  ReportsPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Reports
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Deny
            Principal: "*"
            Action: s3:*
            Resource: [!GetAtt Reports.Arn, !Sub "${Reports.Arn}/*"]
            Condition: {Bool: {aws:SecureTransport: "false"}}
  Step:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: step
      Environment: {Variables: {QUEUE: !GetAtt Letters.QueueName, MACHINE: !Ref Machine}}
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Letters.Arn}}
      Events:
        Alarm:
          Type: EventBridgeRule
          Properties:
            Pattern: {source: [test.record]}
            InputPath: $.detail
            RetryPolicy: {MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 60}
            DeadLetterConfig: {Arn: !GetAtt Letters.Arn}
  Furnished: {Type: AWS::Serverless::Function, Properties: {CodeUri: furnished, Layers: [!Ref Room]}}
  Moved: {Type: AWS::Serverless::Function, Properties: {CodeUri: step}}
  Broken: {Type: AWS::Serverless::Function, Properties: {CodeUri: broken}}
  NotThere: {Type: AWS::Serverless::Function, Condition: Never, Properties: {CodeUri: nowhere}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.asl.yaml
      DefinitionSubstitutions: {Answer: 42}
  Gone:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [test.gone]}
      Targets:
        - Id: a
          Arn: !Sub "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:nobody"
          DeadLetterConfig: {Arn: !GetAtt Letters.Arn}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
Outputs:
  Joined: {Value: !Join ["-", [!Ref Plan, !Select [1, !Ref Zones]]]}
  Role: {Value: !GetAtt Role.Arn}
"""

MACHINE = """
QueryLanguage: JSONata
StartAt: Answer
States:
  Answer: {Type: Pass, Output: {answer: "{% ${Answer} %}"}, End: true}
"""


class Aws:
    """The process, as a test uses it."""

    def __init__(self, child: Child, root: Path) -> None:
        self.child = child
        self.root = root
        self.endpoint: str = child.ready["endpoint"]

    def client(self, service: str, region: str = REGION, read_timeout: float = 60) -> Any:
        make: Any = boto3.client
        return make(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )

    def drill(self, path: str, method: str = "GET") -> Any:
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/drill/{path}", method=method)) as answer:
            return json.load(answer)

    def invoke(self, name: str, event: Any) -> tuple[str | None, Any]:
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def machine(self, definition: dict[str, Any], kind: str = "STANDARD") -> str:
        name = f"m{time.time_ns()}"
        role = f"arn:aws:iam::{ACCOUNT}:role/test"
        text = json.dumps({"QueryLanguage": "JSONata", **definition})
        created = self.client("stepfunctions").create_state_machine(name=name, definition=text, roleArn=role, type=kind)
        return str(created["stateMachineArn"])

    def start(self, machine: str, given: Any = None, name: str | None = None) -> str:
        named = {"name": name} if name else {}
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps(given or {}), **named
        )
        return str(started["executionArn"])

    def ended(self, execution: str, timeout_s: float = 90.0) -> dict[str, Any]:
        states = self.client("stepfunctions")

        def over() -> Any:
            described = states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return dict(eventually(over, timeout_s))

    def run(self, definition: dict[str, Any], given: Any = None) -> dict[str, Any]:
        return self.ended(self.start(self.machine(definition), given))

    def letters(self) -> list[dict[str, Any]]:
        sqs = self.client("sqs")
        url = self.child.ready["resources"]["Letters"]["ref"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in messages.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(messages.get("Messages", []))


def task(payload: Any, **more: Any) -> dict[str, Any]:
    """A task state that invokes the stack's function."""
    arguments = {"FunctionName": "test-Step", "Payload": payload}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, **more}


def write_stack(root: Path, template: str = TEMPLATE) -> Path:
    for path, text in {
        "template.yaml": template,
        "machine.asl.yaml": MACHINE,
        "step/app.py": HANDLERS,
        "broken/app.py": "import nothing_like_it\n",
        "shared/python/boto3_stand_in.py": "",
        "room/__init__.py": "WORD = 'found'",
        "furnished/app.py": FURNISHED,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text))
    return root / "template.yaml"


def start_aws(root: Path, **more: Any) -> Aws:
    config = {
        "region": REGION,
        "log_dir": str(root / "logs"),
        "stack_name": "test",
        "template": str(root / "template.yaml"),
        "parameters": {"Plan": "orders"},
        "python": sys.executable,
        "async_retry_delays_s": [0.1, 0.1],
        **more,
    }
    return Aws(spawn("drill.aws.cloud", config, log=root / "logs" / "cloud.log"), root)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    root = tmp_path_factory.mktemp("aws")
    write_stack(root)
    started = start_aws(root)
    yield started
    started.child.stop()
