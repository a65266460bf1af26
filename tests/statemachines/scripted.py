"""The deployed failover machine, run by Step Functions on scripted steps."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml

from drill.process import Child, spawn

ROOT = Path(__file__).resolve().parents[2]

STEPS = (
    "Claim",
    "Assess",
    "RequestApproval",
    "Fence",
    "PromoteMirrors",
    "CheckOffsets",
    "CreateGroups",
    "SwitchRoutes",
    "FlipDns",
    "Verify",
    "Conclude",
    "Announce",
)
STEPS_OF_SWITCHOVER = ("CallHooks", "Precheck", "DrainMirrors", "ReverseMirrors", "SyncOffsets")
STEPS_OF_RESTORE = ("PrecheckRestore", "MeasureDivergence", "RescueRecords", "RestoreMirrors")
STEPS_OF_PRACTICE = ("RunPractice",)
EVERY_STEP = (*STEPS, *STEPS_OF_SWITCHOVER, *STEPS_OF_RESTORE, *STEPS_OF_PRACTICE)
RATE = 3.0
"""How much faster than a test's the machines' clock goes, which deadlines and the moments of calls are by."""
DEADLINES = {
    "CallTimeoutSeconds": 10,
    "AssessDeadlineSeconds": 3,
    "HooksDeadlineSeconds": 3,
    "FenceDeadlineSeconds": 2,
    "CheckOffsetsDeadlineSeconds": 2,
    "CreateGroupsDeadlineSeconds": 2,
    "RouteDeadlineSeconds": 3,
    "DnsDeadlineSeconds": 3,
    "RerouteDeadlineSeconds": 2,
    "VerifyDeadlineSeconds": 3,
    "SetRightAfterSeconds": 30,
    "PatienceSeconds": 4,
}
DEADLINES_OF_SWITCHOVER = {
    "CallTimeoutSeconds": 10,
    "PrecheckDeadlineSeconds": 2,
    "HooksDeadlineSeconds": 3,
    "FenceDeadlineSeconds": 2,
    "SyncOffsetsDeadlineSeconds": 2,
    "RouteDeadlineSeconds": 3,
    "DnsDeadlineSeconds": 3,
    "VerifyDeadlineSeconds": 3,
    "LookBackDeadlineSeconds": 2,
    "SetRightAfterSeconds": 30,
    "PatienceSeconds": 4,
}
DEADLINES_OF_RESTORE = {
    "CallTimeoutSeconds": 10,
    "PrecheckDeadlineSeconds": 2,
    "RouteDeadlineSeconds": 3,
    "MeasureDeadlineSeconds": 2,
    "RescueDeadlineSeconds": 3,
    "RestoreDeadlineSeconds": 3,
    "PatienceSeconds": 4,
}
DEADLINES_OF_PRACTICE = {"CallTimeoutSeconds": 30, "PracticeDeadlineSeconds": 1, "PatienceSeconds": 12}
SCRIPTED = '''
import fcntl, json, os, time
def handler(event, context):
    """Do what the script says for this call of this step; the last line of a step goes for all later calls. What is led
    back, or concluded, may have lines of its own."""
    name, folder = context.function_name.split("-")[-1], os.environ["SCRIPTS"]
    execution = event.get("execution_name") or event.get("practice") or event["execution"]["name"]
    with open(os.path.join(folder, execution + ".calls"), "a+") as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.seek(0)
        before = [call for line in calls if (call := json.loads(line))["step"] == name]
        now = time.time() * float(os.environ["RATE"])
        calls.write(json.dumps({"step": name, "event": event, "at": now}) + "\\n")
    script = json.load(open(os.path.join(folder, execution + ".json")))
    case = "back" if event.get("back") else event.get("outcome", "")
    lines = script.get(name + ":" + case, script[name])
    if lines[0].get("for", 0) > (now - before[0]["at"] if before else 0):
        line = lines[0]
    else:
        line = lines[min(len(before), len(lines) - 1)]
    if "raise" in line:
        raise type(line["raise"], (Exception,), {})(line.get("why", 'it says "no"\\nreally'))
    return line["return"]
'''


def done(**observed: Any) -> dict[str, Any]:
    return {"return": {"status": "done", "observed": observed, "retry_after": 1}}


def concluded() -> dict[str, Any]:
    return {"return": {"outcome": "told", "why": "all is well", "report": {"steps": []}}}


def waiting(retry_after: int = 1, **observed: Any) -> dict[str, Any]:
    return {"return": {"status": "waiting", "observed": observed, "retry_after": retry_after}}


def fails(error: str) -> dict[str, Any]:
    return {"raise": error}


def throttled(error: str, seconds: float) -> dict[str, Any]:
    """Fail so for so long, counted from the first call of the step."""
    return fails(error) | {"for": seconds}


def verdict(word: str) -> dict[str, Any]:
    return done(verdict=word, why='because of "this"', votes=[])


@dataclass
class Run:
    """An execution that has ended."""

    status: str
    error: str | None
    cause: str
    output: Any
    calls: list[dict[str, Any]]

    def steps(self) -> list[str]:
        """The steps in the order they were called."""
        return [call["step"] for call in self.calls]

    def of(self, step: str) -> list[dict[str, Any]]:
        """What a step was called with."""
        return [call["event"] for call in self.calls if call["step"] == step]


class Machine:
    """The state machine, and scripts for its steps."""

    def __init__(self, cloud: Child, scripts: Path, resource: str = "Failover") -> None:
        self._scripts = scripts
        self._resource = resource
        self._arn = cloud.ready["resources"][resource]["ref"]
        self.states = boto3.client(
            "stepfunctions",
            region_name="us-west-2",
            endpoint_url=cloud.ready["endpoint"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._count = 0

    @property
    def next_name(self) -> str:
        """The name of the next execution."""
        return f"{self._resource}-{self._count + 1}"

    def start(self, **script: list[dict[str, Any]]) -> tuple[str, str]:
        """Start an execution whose steps follow the script, and all else goes well; its name and ARN."""
        self._count += 1
        name = f"{self._resource}-{self._count}"
        execution = {"plan": "orders", "epoch": 1, "name": name, "kind": "failover", "from": "east", "to": "west"}
        claimed = {
            "execution": execution,
            "superseding": False,
            "predecessor_wait_seconds": 0,
            "fleets_joining": [{"site": "west", "fleet": "west-1"}, {"site": "west", "fleet": "west-2"}],
            "fleets_staying": [],
            "fleets_leaving": [{"site": "east", "fleet": "east-1"}],
            "approval_timeout_seconds": 2,
            "on_approval_timeout": "stand-down",
            "promotion_timeout_seconds": 3,
            "drain_timeout_seconds": 2,
            "discard": False,
            "delete_topics": False,
            "hooks": [],
        }
        lines = {step: [done()] for step in EVERY_STEP}
        lines |= {"Precheck": [verdict("proceed")], "PrecheckRestore": [verdict("proceed")]}
        lines |= {"Claim": [{"return": claimed}], "Assess": [verdict("proceed")]}
        lines |= {"Conclude": [concluded()]} | script
        lines["Claim"] = [line if "raise" in line else {"return": claimed | line["return"]} for line in lines["Claim"]]
        (self._scripts / f"{name}.json").write_text(json.dumps(lines))
        started = self.states.start_execution(
            stateMachineArn=self._arn, name=name, input='{"plan": "orders", "to": "west"}'
        )
        return name, str(started["executionArn"])

    def go_on(self, name: str, arn: str, **script: list[dict[str, Any]]) -> Run:
        """Redrive the execution with another script of some steps, and wait for the end."""
        path = self._scripts / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | script))
        self.states.redrive_execution(executionArn=arn)
        return self.ended(name, arn)

    def ended(self, name: str, arn: str, within: float = 60) -> Run:
        """The execution, once it has ended."""
        deadline = time.monotonic() + within
        while (described := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, self.calls(name)
            time.sleep(0.05)
        output = json.loads(described.get("output") or "null")
        return Run(described["status"], described.get("error"), described.get("cause") or "", output, self.calls(name))

    def calls(self, name: str) -> list[dict[str, Any]]:
        """What was called so far."""
        path = self._scripts / f"{name}.calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def run(self, **script: list[dict[str, Any]]) -> Run:
        """Start, and wait for the end."""
        return self.ended(*self.start(**script))


@contextmanager
def machines(folder: Path) -> Iterator[dict[str, Machine]]:
    """By name: the failover with short deadlines, the one with those that it is deployed with, the other flows."""
    code, scripts = folder / "code", folder / "scripts"
    code.mkdir()
    scripts.mkdir()
    (code / "app.py").write_text(SCRIPTED)
    function = {"Handler": "app.handler", "Runtime": "python3.13", "CodeUri": "code", "Timeout": 10}
    function["Environment"] = {"Variables": {"SCRIPTS": str(scripts), "RATE": str(RATE)}}
    resources: dict[str, Any] = {
        step: {"Type": "AWS::Serverless::Function", "Properties": function} for step in EVERY_STEP
    }
    functions = {f"{step}Function": {"Fn::GetAtt": [step, "Arn"]} for step in EVERY_STEP}
    for name, flow, deadlines in (
        ("Failover", "failover", DEADLINES),
        ("Deployed", "failover", deployed_deadlines()),
        ("Switchover", "switchover", DEADLINES_OF_SWITCHOVER),
        ("Restore", "restore", DEADLINES_OF_RESTORE),
        ("Practice", "practice", DEADLINES_OF_PRACTICE),
    ):
        path = ROOT / "statemachines" / f"{flow}.asl.yaml"
        called = {each: arn for each, arn in functions.items() if f"${{{each}}}" in path.read_text()}
        partition = {"Partition": "aws"}
        properties = {
            "DefinitionUri": str(path),
            "Type": "STANDARD",
            "DefinitionSubstitutions": called | deadlines | partition,
        }
        resources[name] = {"Type": "AWS::Serverless::StateMachine", "Properties": properties}
    (folder / "template.yaml").write_text(json.dumps({"Resources": resources}))
    config: dict[str, Any] = {"region": "us-west-2", "state_clock_rate": RATE}
    config |= {"log_dir": str(folder / "logs"), "template": str(folder / "template.yaml")}
    cloud = spawn("drill.aws.cloud", config, log=folder / "cloud.log")
    try:
        flows = ("Failover", "Deployed", "Switchover", "Restore", "Practice")
        yield {name: Machine(cloud, scripts, name) for name in flows}
    finally:
        cloud.stop()


def deployed_deadlines() -> dict[str, int]:
    """What the template gives the state machine."""

    class Loader(yaml.SafeLoader):
        """Reads what is no short tag of CloudFormation's."""

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=Loader)
    given = template["Resources"]["FailoverStateMachine"]["Properties"]["DefinitionSubstitutions"]
    return {name: given[name] for name in DEADLINES}
