"""Every function may do what its code does and nothing else: its rights are held to the calls in its source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.aws_calls import Reach
from tests.deployment.templates import MACHINES, RESOURCES, ROOT, SIGNALS, TEMPLATE, of_type, statements

FUNCTIONS = "AWS::Serverless::Function"
STATE_MACHINES = "AWS::Serverless::StateMachine"
PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas", "stepfunctions": "states"}
"""Of a service's actions, where it is not the name of its client."""
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""What IAM calls an operation, where it has a name of its own
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)."""
BESIDE = {
    "iam:PassRole": "ecs:UpdateService",
    "kms:GenerateDataKey": "s3:PutObject",
    "kms:Decrypt": "s3:GetObject",
}
"""A right that AWS asks for beside that of an operation."""
FOR_ANYBODY = {"sts:GetCallerIdentity"}
NEVER = {
    ("Fence", "ecs:TagResource"): "a fence turns no listener",
    ("Fence", "elasticloadbalancing:ModifyListener"): "a fence turns no listener",
    ("Precheck", "route53:GetChange"): "who only looks has no change to ask for",
    ("PrecheckRestore", "route53:GetChange"): "who only looks has no change to ask for",
    ("CheckReadiness", "route53:GetChange"): "who only looks has no change to ask for",
    ("SwitchRoutes", "dynamodb:Query"): "name servers are queried there",
    ("Verify", "dynamodb:Query"): "name servers are queried there",
    ("StartRounds of signals.yaml", "lambda:InvokeFunction"): "nothing is judged there",
}
"""What the source can't be seen to leave out, and why it is never called."""


def called(function: dict[str, Any]) -> set[str]:
    """The actions of a function's code."""
    reach = Reach(ROOT / function["CodeUri"] / "app.py")
    return {_action(service, operation) for service, operation in reach.calls} - FOR_ANYBODY


def _action(service: str, operation: str) -> str:
    camel = "".join(word[:1].upper() + word[1:] for word in operation.split("_"))
    action = f"{PREFIXES.get(service, service)}:{camel}"
    return ACTIONS.get(action, action)


def allowed(function: dict[str, Any]) -> set[str]:
    return {action for statement in statements(function) for action in statement["Action"]}


EVERY_FUNCTION = of_type(FUNCTIONS) | {
    f"{name} of signals.yaml": each for name, each in of_type(FUNCTIONS, SIGNALS).items()
}


@pytest.mark.parametrize("name", EVERY_FUNCTION)
def test_a_function_may_do_what_its_code_does_and_nothing_else(name: str) -> None:
    function = EVERY_FUNCTION[name]
    never = {action for of, action in NEVER if of == name}
    calls, may = called(function), allowed(function)
    beside = {action for action, with_it in BESIDE.items() if with_it in calls}
    assert calls - may == never, f"{name} calls what it may not; or what is never called, is"
    assert may - calls <= beside, f"{name} may do what it never does"


def test_the_code_of_every_right_is_seen_where_it_stands(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "from failover.aws.clients import client\n"
        "from failover.fleets import fleets_of\n"
        "class Kept:\n"
        "    def __init__(self): self._table = client('dynamodb')\n"
        "    def forget(self, key): self._table.delete_item(TableName='t', Key=key)\n"
        "    def unused(self): self._table.scan(TableName='t')\n"
        "def handler(event, context):\n"
        "    call = Kept().forget\n"
        "    call({})\n"
        "    client('s3').get_paginator('list_objects_v2')\n"
        "    for _, fleet in fleets_of('east'):\n"
        "        fleet.route('west')\n"
    )
    calls = {_action(*call) for call in Reach(app).calls}
    assert {"dynamodb:DeleteItem", "s3:ListBucket", "ecs:UpdateService", "elasticloadbalancing:ModifyListener"} <= calls
    assert "dynamodb:Scan" not in calls


def test_only_who_starts_rounds_and_who_calls_hooks_may_invoke_a_function() -> None:
    may = {name: allowed(each) for name, each in of_type(FUNCTIONS).items()}
    assert {name for name, actions in may.items() if "lambda:InvokeFunction" in actions} == {"StartRounds", "CallHooks"}


def test_a_state_machine_may_invoke_the_functions_that_it_calls_and_no_other() -> None:
    for template in (TEMPLATE, SIGNALS):
        for name, machine in of_type(STATE_MACHINES, template).items():
            assert _may_invoke(machine) == {_called_by(machine, each) for each in _functions(machine)}, name


def _called_by(machine: dict[str, Any], substitution: str) -> str:
    """The function that a substitution stands for, with `:*` where it is a version."""
    value = machine["DefinitionSubstitutions"][substitution]
    return f"{value['Ref'].removesuffix('.Version')}:*" if "Ref" in value else value["GetAtt"].removesuffix(".Arn")


def _may_invoke(machine: dict[str, Any]) -> set[str]:
    by_template = [policy["LambdaInvokePolicy"] for policy in machine["Policies"] if "LambdaInvokePolicy" in policy]
    resources = [
        resource["Sub"]
        for policy in machine["Policies"]
        for statement in policy.get("Statement", ())
        if statement["Action"] == ["lambda:InvokeFunction"]
        for resource in statement["Resource"]
    ]
    return {each["FunctionName"]["Ref"] for each in by_template} | {
        re.sub(r"\$\{(\w+)\.Arn\}", r"\1", resource) for resource in resources
    }


def _functions(machine: dict[str, Any]) -> set[str]:
    """The substitutions that are functions in a state machine's definition."""
    (path,) = (path for path in MACHINES if machine["DefinitionUri"].endswith(path.name))
    return set(re.findall(r"FunctionName: \$\{(\w+)\}", path.read_text()))


def test_only_roles_under_the_stacks_pattern_are_taken_on() -> None:
    for template in (TEMPLATE, SIGNALS):
        for name, each in of_type(FUNCTIONS, template).items():
            for statement in statements(each):
                if "sts:AssumeRole" in statement["Action"]:
                    assert statement["Resource"] == {"Sub": "arn:${AWS::Partition}:iam::${PlanRoles}"}, name
        assert template["Parameters"]["PlanRoles"]["Default"] == "000000000000:role/none"


def test_every_role_has_room_for_its_managed_policies() -> None:
    """IAM attaches ten to a role; SAM adds those for logs, X-Ray and a VPC."""
    for name, each in of_type(FUNCTIONS).items():
        assert sum("Ref" in policy for policy in each.get("Policies", [])) + 3 <= 10, name


def test_composite_alarms_are_read_too() -> None:
    """CloudWatch shows them only to who may describe all of them
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html)."""
    reads = [
        statement
        for each in of_type(FUNCTIONS).values()
        for statement in statements(each)
        if "cloudwatch:DescribeAlarms" in statement["Action"]
    ]
    assert len(reads) == 3 and all(statement["Resource"] == "*" for statement in reads)
    assert RESOURCES["AlarmsPolicy"]["Properties"]["PolicyDocument"]["Statement"][1]["Resource"] != "*"


def test_every_api_that_is_called_is_on_the_page_of_private_networks() -> None:
    """A network without a way out needs an endpoint for each."""
    page = (ROOT / "docs/private-networks.md").read_text()
    (table,) = re.findall(r"\| endpoint \| of which region .*?\n\n", page, re.DOTALL)
    named = set(re.findall(r"`([a-z0-9-]+)`", "".join(line.split("|")[1] for line in table.strip().splitlines())))
    asked = {action.partition(":")[0] for function in EVERY_FUNCTION.values() for action in called(function)}
    assert named - {"monitoring"} == asked
