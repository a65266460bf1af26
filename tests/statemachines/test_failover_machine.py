"""The deployed failover machine under every turn of events: its own file, run by Step Functions, its steps scripted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from drill.process import Child, spawn

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("failover-machine")]

STEPS = (
    "Claim",
    "Assess",
    "RequestApproval",
    "Fence",
    "PromoteMirrors",
    "CheckOffsets",
    "SwitchRoutes",
    "FlipDns",
    "Verify",
    "Conclude",
)
DEADLINES = {
    "CallTimeoutSeconds": 10,
    "AssessDeadlineSeconds": 3,
    "FenceDeadlineSeconds": 2,
    "CheckOffsetsDeadlineSeconds": 2,
    "RouteDeadlineSeconds": 3,
    "DnsDeadlineSeconds": 3,
    "RerouteDeadlineSeconds": 2,
    "VerifyDeadlineSeconds": 3,
}
SCRIPTED = '''
import fcntl, json, os
def handler(event, context):
    """Do what the script says for this call of this step; the last line of a step goes for all later calls."""
    name, folder = context.function_name.split("-")[-1], os.environ["SCRIPTS"]
    execution = event.get("execution_name") or event["execution"]["name"]
    with open(os.path.join(folder, execution + ".calls"), "a+") as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.seek(0)
        before = [json.loads(line)["step"] for line in calls]
        calls.write(json.dumps({"step": name, "event": event}) + "\\n")
    lines = json.load(open(os.path.join(folder, execution + ".json")))[name]
    line = lines[min(before.count(name), len(lines) - 1)]
    if "raise" in line:
        raise type(line["raise"], (Exception,), {})(line.get("why", 'it says "no"\\nreally'))
    return line["return"]
'''


def done(**observed: Any) -> dict[str, Any]:
    return {"return": {"status": "done", "observed": observed, "retry_after": 1}}


def waiting(**observed: Any) -> dict[str, Any]:
    return {"return": {"status": "waiting", "observed": observed, "retry_after": 1}}


def fails(error: str) -> dict[str, Any]:
    return {"raise": error}


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

    def __init__(self, cloud: Child, scripts: Path) -> None:
        self._scripts = scripts
        self._arn = cloud.ready["resources"]["Failover"]["ref"]
        self.states = boto3.client(
            "stepfunctions",
            region_name="us-west-2",
            endpoint_url=cloud.ready["endpoint"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._count = 0

    def start(self, **script: list[dict[str, Any]]) -> tuple[str, str]:
        """Start an execution whose steps follow the script, and all else goes well; its name and ARN."""
        self._count += 1
        name = f"run-{self._count}"
        execution = {"plan": "orders", "epoch": 1, "name": name, "kind": "failover", "from": "east", "to": "west"}
        claimed = {
            "execution": execution,
            "fleets_here": ["west-1", "west-2"],
            "fleets_lost": ["east-1"],
            "approval_timeout_seconds": 2,
            "on_approval_timeout": "stand-down",
            "promotion_timeout_seconds": 3,
        }
        lines = {step: [done()] for step in STEPS} | {"Claim": [{"return": claimed}], "Assess": [verdict("proceed")]}
        lines |= {"Conclude": [{"return": {"outcome": "told"}}]} | script
        (self._scripts / f"{name}.json").write_text(json.dumps(lines))
        started = self.states.start_execution(
            stateMachineArn=self._arn, name=name, input='{"plan": "orders", "to": "west"}'
        )
        return name, str(started["executionArn"])

    def ended(self, name: str, arn: str) -> Run:
        """The execution, once it has ended."""
        deadline = time.monotonic() + 60
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


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    code, scripts = folder / "code", folder / "scripts"
    code.mkdir()
    scripts.mkdir()
    (code / "app.py").write_text(SCRIPTED)
    function = {"Handler": "app.handler", "Runtime": "python3.13", "CodeUri": "code", "Timeout": 10}
    function["Environment"] = {"Variables": {"SCRIPTS": str(scripts)}}
    substitutions: dict[str, Any] = {f"{step}Function": {"Fn::GetAtt": [step, "Arn"]} for step in STEPS} | DEADLINES
    definition = {"DefinitionUri": str(ROOT / "statemachines" / "failover.asl.yaml"), "Type": "STANDARD"}
    resources: dict[str, Any] = {step: {"Type": "AWS::Serverless::Function", "Properties": function} for step in STEPS}
    properties = definition | {"DefinitionSubstitutions": substitutions}
    resources["Failover"] = {"Type": "AWS::Serverless::StateMachine", "Properties": properties}
    (folder / "template.yaml").write_text(json.dumps({"Resources": resources}))
    config = {"region": "us-west-2", "log_dir": str(folder / "logs"), "template": str(folder / "template.yaml")}
    cloud = spawn("drill.aws.cloud", config, log=folder / "cloud.log")
    yield Machine(cloud, scripts)
    cloud.stop()


def test_all_goes_well_and_nothing_that_carries_clients_moves_before_the_standby_is_writable(machine: Machine) -> None:
    run = machine.run(PromoteMirrors=[waiting(), waiting(), done()], Verify=[waiting(), done()])
    assert run.status == "SUCCEEDED"
    steps = run.steps()
    assert steps[:3] == ["Claim", "Assess", "Fence"]
    last_promotion = max(n for n, step in enumerate(steps) if step == "PromoteMirrors")
    moved = [n for n, call in enumerate(run.calls) if call["step"] == "FlipDns" or call["event"].get("best_effort")]
    assert min(moved) > last_promotion
    assert steps[-1] == "Conclude" and run.of("Conclude")[0]["outcome"] == "succeeded"
    checked, flipped = steps.index("CheckOffsets"), steps.index("FlipDns")
    assert last_promotion < checked < flipped
    assert {event["fleet"] for event in run.of("SwitchRoutes")} == {"west-1", "west-2", "east-1"}


def test_a_duplicate_ends_well_and_changes_nothing(machine: Machine) -> None:
    run = machine.run(Claim=[fails("DuplicateExecution")])
    assert (run.status, run.steps()) == ("SUCCEEDED", ["Claim"])


@pytest.mark.parametrize("error", ["WrongDirection", "UnknownPlan", "BadPlan", "MalformedEvent"])
def test_a_start_that_cannot_be_carried_out_fails_by_its_name_and_changes_nothing(machine: Machine, error: str) -> None:
    run = machine.run(Claim=[fails(error)])
    assert (run.status, run.error, run.steps()) == ("FAILED", error, ["Claim"])


def test_a_stand_down_says_why_and_changes_nothing(machine: Machine) -> None:
    run = machine.run(Assess=[verdict("stand-down")])
    assert (run.status, run.steps()) == ("SUCCEEDED", ["Claim", "Assess", "Conclude"])
    assert run.of("Conclude")[0] | {"execution": None} == {
        "execution": None,
        "outcome": "stood-down",
        "why": 'because of "this"',
    }


def test_an_open_decision_is_asked_again_until_its_last_chance(machine: Machine) -> None:
    run = machine.run(Assess=[waiting(verdict="wait"), waiting(verdict="wait"), verdict("stand-down")])
    assert run.of("Assess")[0]["last_chance"] is False
    late = machine.run(Assess=[waiting(verdict="wait")] * 4 + [verdict("stand-down")])
    assert late.of("Assess")[-1]["last_chance"] is True
    assert run.status == late.status == "SUCCEEDED"


def test_transient_errors_are_retried_by_name(machine: Machine) -> None:
    run = machine.run(
        PromoteMirrors=[fails("LinkUnavailable"), fails("LedgerUnavailable"), done()],
        FlipDns=[fails("DnsUnavailable"), done()],
        SwitchRoutes=[fails("FleetUnavailable"), done()],
        Verify=[fails("KafkaUnavailable"), done()],
    )
    assert run.status == "SUCCEEDED"


def test_a_fence_that_takes_too_long_holds_nothing_up(machine: Machine) -> None:
    run = machine.run(Fence=[waiting()])
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()


def test_promotion_is_told_its_last_chance_and_what_it_raises_stops_it_before_anything_moves(machine: Machine) -> None:
    run = machine.run(
        PromoteMirrors=[waiting()] * 4 + [fails("PromotionRejected")], Conclude=[fails("FailoverStopped")]
    )
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")
    assert "FlipDns" not in run.steps() and "CheckOffsets" not in run.steps()
    chances = [event["last_chance"] for event in run.of("PromoteMirrors")]
    assert (chances[0], chances[-1]) == (False, True)
    told = run.of("Conclude")[-1]
    assert (told["outcome"], told["stopped_at"]) == ("failed", "PromoteAndPrepare")
    assert told["error"]["Error"] == "PromotionRejected"


@pytest.mark.parametrize("script", [[waiting()], [fails("KafkaUnavailable")], [fails("SomethingElse")]])
def test_offsets_that_cannot_be_checked_hold_nothing_up(machine: Machine, script: list[dict[str, Any]]) -> None:
    run = machine.run(CheckOffsets=script)
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()


def test_the_standbys_fleet_must_be_routed_before_anything_moves(machine: Machine) -> None:
    run = machine.run(SwitchRoutes=[waiting()], Conclude=[fails("FailoverStopped")])
    assert run.status == "FAILED" and "FlipDns" not in run.steps()
    last = [event["fleet"] for event in run.of("SwitchRoutes") if event["last_chance"]]
    assert last and len(last) == len(set(last)), "told once to a fleet"


def test_a_lost_fleet_that_never_settles_holds_nothing_up(machine: Machine) -> None:
    run = machine.run(SwitchRoutes=[done(), done(), waiting()])
    assert run.status == "SUCCEEDED"
    assert len([event for event in run.of("SwitchRoutes") if event.get("best_effort")]) >= 2


@pytest.mark.parametrize("step", ["Assess", "Fence", "PromoteMirrors", "CheckOffsets", "FlipDns", "Verify", "Conclude"])
def test_a_lost_lease_ends_it_at_once_and_tells_nobody(machine: Machine, step: str) -> None:
    run = machine.run(**{step: [fails("LeaseLost")]})
    assert (run.status, run.error) == ("FAILED", "LeaseLost")
    assert run.steps()[-1] == step or step in ("PromoteMirrors", "CheckOffsets", "FlipDns")
    assert len(run.of("Conclude")) == (1 if step == "Conclude" else 0)


@pytest.mark.parametrize(
    ("step", "stopped_at"),
    [
        ("Assess", "BeginAssess"),
        ("Fence", "BeginFence"),
        ("PromoteMirrors", "PromoteAndPrepare"),
        ("FlipDns", "FlipAndReroute"),
        ("Verify", "BeginVerify"),
    ],
)
def test_any_other_error_is_recorded_with_where_it_stopped_and_a_redrive_goes_on_there(
    machine: Machine, step: str, stopped_at: str
) -> None:
    goes_on = {"return": {"resume": stopped_at}}
    script = {step: [fails("SomethingElse"), done(verdict="proceed", why="", votes=[])]}
    if step == "PromoteMirrors":
        script[step].insert(0, fails("SomethingElse"))
    name, arn = machine.start(**script, Conclude=[fails("FailoverStopped"), goes_on, {"return": {"outcome": "told"}}])
    run = machine.ended(name, arn)
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")
    told = run.of("Conclude")[0]
    assert (told["stopped_at"], told["redrives"], told["error"]["Error"]) == (stopped_at, 0, "SomethingElse")
    machine.states.redrive_execution(executionArn=arn)
    again = machine.ended(name, arn)
    assert again.status == "SUCCEEDED"
    assert again.of("Conclude")[1]["redrives"] == 1
    assert again.steps().count("Claim") == 1


def test_a_proof_that_is_not_had_in_time_stops_it(machine: Machine) -> None:
    run = machine.run(Verify=[waiting(unproven=["no canary"])], Conclude=[fails("FailoverStopped")])
    assert run.error == "FailoverStopped"
    assert "no canary" in run.of("Conclude")[0]["error"]["Cause"]


def approve(machine: Machine, name: str) -> str:
    """The task token, once it was asked for."""
    deadline = time.monotonic() + 20
    while not (asked := [call["event"] for call in machine.calls(name) if call["step"] == "RequestApproval"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(asked[0]["task_token"])


def test_a_person_approves(machine: Machine) -> None:
    name, arn = machine.start(Assess=[verdict("ask")])
    machine.states.send_task_success(taskToken=approve(machine, name), output="{}")
    run = machine.ended(name, arn)
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()


def test_a_person_denies(machine: Machine) -> None:
    name, arn = machine.start(Assess=[verdict("ask")])
    machine.states.send_task_failure(
        taskToken=approve(machine, name), error="ApprovalDenied", cause="a drill elsewhere"
    )
    run = machine.ended(name, arn)
    assert run.status == "SUCCEEDED" and "Fence" not in run.steps()
    assert run.of("Conclude")[0]["why"] == "a person denied it: a drill elsewhere"


def test_nobody_answers(machine: Machine) -> None:
    run = machine.run(Assess=[verdict("ask")])
    assert run.status == "SUCCEEDED" and "Fence" not in run.steps()
    assert run.of("Conclude")[0]["why"].startswith("nobody answered in time")
