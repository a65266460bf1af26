"""The drill makes of SAM's resources what AWS's own translator makes of them: rules, schedules, functions, retries."""

from __future__ import annotations

import json
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from drill import stacks
from drill.aws.lambda_functions import Function
from drill.aws.template import Stack
from tests.deployment.test_sam import ENVIRONMENT, ROOT, SAM

TRANSLATE = """
import json, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

class NoPolicies:
    def load(self):
        return {}

document = yaml_parse(open(sys.argv[1]).read())
for resource in document["Resources"].values():
    # What is on this disk is uploaded first, so that the translator is given where it lies then.
    for name in {"CodeUri", "ContentUri", "DefinitionUri"} & resource.get("Properties", {}).keys():
        resource["Properties"][name] = "s3://artefacts/key"
parameters = {name: value for name, value in json.loads(sys.argv[2]).items() if name in document["Parameters"]}
print(json.dumps(transform(document, parameters, NoPolicies())["Resources"]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SAM.exists(), reason="AWS's translator is in the SAM CLI's environment, made by `make test`"
    ),
]


class Deployed:
    """A template brought to life in the drill, with what it asked of AWS; and what AWS's translator makes of it."""

    def __init__(self, template: Path, parameters: dict[str, str], directory: Path) -> None:
        self.aws = MagicMock()
        self.functions: dict[str, Function] = {}
        runtime: Any = MagicMock()
        runtime.add = lambda function: self.functions.update({function.name: function})
        clients: Any = MagicMock()
        clients.of.return_value = self.aws
        self.aws.create_state_machine.side_effect = lambda **made: {"stateMachineArn": f"arn:{made['name']}"}
        self.stack = Stack(
            template,
            parameters,
            name="failover",
            account="123456789012",
            region="us-west-2",
            clients=clients,
            runtime=runtime,
            dependencies_path=(directory,),
        )
        self.stack.load()
        command = [str(SAM.with_name("python")), "-c", TRANSLATE, str(template), json.dumps(parameters)]
        result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
        self.translated: dict[str, dict[str, Any]] = json.loads(result.stdout)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The properties of each translated resource of a type, for those whose condition holds here."""
        return [
            self.stack.intrinsics.resolve(_without(resource["Properties"]))
            for resource in self.translated.values()
            if resource["Type"] == kind
            and ("Condition" not in resource or self.stack.intrinsics.condition(resource["Condition"]))
        ]


def _without(properties: dict[str, Any]) -> dict[str, Any]:
    """Without what refers to roles and layers that the translator made: nothing of the drill looks at them."""
    shown = {name: value for name, value in properties.items() if name not in ("Layers", "Role", "RoleArn", "Tags")}
    return shown | ({"Target": _without(shown["Target"])} if "Target" in shown else {})


@pytest.fixture(scope="module", params=["template.yaml", "signals.yaml"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    template = ROOT / request.param
    own = stacks.parameters(1)
    if request.param == "signals.yaml":
        signals, *_ = stacks.more(ROOT / "template.yaml", 1)
        own = signals["parameters"]
    return Deployed(template, own, tmp_path_factory.mktemp("dependencies"))


def calls(method: Any) -> list[dict[str, Any]]:
    """The arguments of each call."""
    return [call.kwargs for call in method.call_args_list]


def in_order(values: list[Any]) -> list[str]:
    """As texts that can be compared whatever the order of what they describe."""
    return sorted(json.dumps(value, sort_keys=True, default=str) for value in values)


def test_rules_have_the_patterns_and_targets_that_aws_gives_them(deployed: Deployed) -> None:
    rules = deployed.of_type("AWS::Events::Rule")
    assert in_order([json.loads(rule["EventPattern"]) for rule in calls(deployed.aws.put_rule)]) == in_order(
        [rule["EventPattern"] for rule in rules]
    )
    targets = [target for call in calls(deployed.aws.put_targets) for target in call["Targets"]]
    assert in_order([_target(target) for target in targets]) == in_order(
        [_target(target) for rule in rules for target in rule["Targets"]]
    )


def _target(target: dict[str, Any]) -> dict[str, Any]:
    """Without its name, and with numbers for figures: YAML may have made text of them."""
    shown = {name: value for name, value in target.items() if name not in ("Id", "RoleArn")}
    if "RetryPolicy" in shown:
        shown["RetryPolicy"] = {name: int(value) for name, value in shown["RetryPolicy"].items()}
    return shown


def test_schedules_are_those_that_aws_makes(deployed: Deployed) -> None:
    made = calls(deployed.aws.create_schedule)
    assert made, "the templates have schedules"
    assert in_order([_schedule(schedule) for schedule in made]) == in_order(
        [_schedule(schedule) for schedule in deployed.of_type("AWS::Scheduler::Schedule")]
    )


def _schedule(schedule: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in schedule.items() if name not in ("Name", "Description")}
    return {"State": "ENABLED"} | shown | {"Target": _target(schedule["Target"])}


def test_functions_have_the_settings_that_aws_gives_them(deployed: Deployed) -> None:
    translated = {
        (
            properties["Handler"],
            float(properties["Timeout"]),
            int(properties["MemorySize"]),
            json.dumps({name: str(value) for name, value in properties["Environment"]["Variables"].items()}),
            properties["LoggingConfig"]["LogGroup"],
        )
        for properties in deployed.of_type("AWS::Lambda::Function")
    }
    assert translated == {
        (function.handler, function.timeout_s, function.memory_mb, json.dumps(dict(function.environment)), log)
        for function in deployed.functions.values()
        for log in [function.log_group]
    }


def test_what_is_invoked_asynchronously_is_retried_and_given_up_as_aws_does(deployed: Deployed) -> None:
    settings = {each["FunctionName"]: each for each in deployed.of_type("AWS::Lambda::EventInvokeConfig")}
    assert settings.keys() <= deployed.functions.keys()
    for name, function in deployed.functions.items():
        properties = settings.get(name, {})
        assert function.max_retries == int(properties.get("MaximumRetryAttempts", 2))
        assert function.on_failure == properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")


NAMES = {
    "AlarmName",
    "BucketName",
    "DashboardName",
    "FunctionName",
    "LayerName",
    "LogGroupName",
    "ManagedPolicyName",
    "Name",
    "QueueName",
    "RoleName",
    "StateMachineName",
    "TableName",
    "TopicName",
}


def test_a_second_stack_finds_no_name_taken(deployed: Deployed) -> None:
    for logical_id, resource in deployed.translated.items():
        if resource["Type"] == "AWS::Lambda::Alias":
            continue  # its name is one of its function's
        for key in NAMES & resource.get("Properties", {}).keys():
            name = json.dumps(resource["Properties"][key])
            assert "AWS::StackName" in name or '"Ref"' in name, f"{logical_id}: {key} is {name}"


def test_every_role_has_a_boundary_and_by_the_stacks_own_a_function_writes_to_the_stacks_logs_alone(
    deployed: Deployed,
) -> None:
    roles = {name: each for name, each in deployed.translated.items() if each["Type"] == "AWS::IAM::Role"}
    boundary = {"Ref": "PermissionsBoundary"}
    unbounded = {"Fn::If": ["OwnBoundary", {"Ref": "AWS::NoValue"}, boundary]}
    logs_alone = {"Fn::If": ["OwnBoundary", {"Ref": "LogsBoundary"}, boundary]}
    functions = {
        each["Properties"]["Role"]["Fn::GetAtt"][0]
        for each in deployed.translated.values()
        if each["Type"] == "AWS::Lambda::Function"
    }
    assert functions < roles.keys()
    for name, role in roles.items():
        assert role["Properties"]["PermissionsBoundary"] == (logs_alone if name in functions else unbounded), name
    policy = deployed.translated["LogsBoundary"]["Properties"]["PolicyDocument"]["Statement"]
    (everything, own) = policy
    assert everything["NotAction"] == ["logs:*"] and own["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    groups = deployed.stack.intrinsics.resolve(own["Resource"])
    named = [group["LogGroupName"] for group in deployed.of_type("AWS::Logs::LogGroup")]
    of_functions = [group for group in named if not group.startswith("/aws/vendedlogs/")]
    assert of_functions and all(
        fnmatch(f"x:log-group:{group}", f"x:{groups.split(':', 5)[5]}") for group in of_functions
    )


def test_no_partition_is_taken_for_granted(deployed: Deployed) -> None:
    definitions = [path.read_text() for path in (ROOT / "statemachines").glob("*.asl.yaml")]
    for text in (deployed.stack.path.read_text(), *definitions):
        assert "arn:aws:" not in text
