"""A plan is a resource of a stack, or of a Terraform configuration: what these send is what the controller takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drill.aws.intrinsics import read_yaml
from failover.plan.store import current_revision
from tests.command.conftest import Failover
from tests.functions.test_deploy_plan import Stacks, stacks
from tests.functions.test_plan_changes import changed, payments

__all__ = ["changed", "payments", "stacks"]
ROOT = Path(__file__).resolve().parents[2]
MODULE = (ROOT / "plans/terraform/main.tf").read_text()


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n", "\n# a comment: with {{braces}}, ${dollars}\n\n  \n"])
def test_a_rendered_stack_puts_the_plan_as_it_is_written(
    failover: Failover, stacks: Stacks, payments: str, tmp_path: Path, ending: str
) -> None:
    text = payments.rstrip("\n") + ending
    (tmp_path / "plan.yaml").write_text(text)
    rendered = read_yaml(failover("plans", "stack", str(tmp_path / "plan.yaml")).out)
    (plan,) = rendered["Resources"].values()
    assert plan["Type"] == "Custom::FailoverPlan"
    properties = plan["Properties"] | {
        "ServiceToken": "arn",
        "ServiceTimeout": str(plan["Properties"]["ServiceTimeout"]),
    }
    answer = stacks.ask("Create", properties["Document"], ResourceProperties=properties)
    assert answer["Status"] == "SUCCESS" and {"Revision"} == rendered["Outputs"].keys() <= answer["Data"].keys()
    revision = current_revision("payments")
    assert revision is not None and revision.document == text


def test_a_bad_plan_is_not_rendered(failover: Failover, payments: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(payments.replace("home: east", "home: north"))
    refused = failover("plans", "stack", str(tmp_path / "plan.yaml"))
    assert refused.code == 2 and refused.out == ""


def setting(name: str) -> str:
    """What the module's resource says."""
    (value,) = re.findall(rf'^  {name} += "(.+)"$', MODULE, re.MULTILINE)
    return str(value)


def test_the_terraform_module_sends_what_the_controller_takes(
    deployed: Any, call: Callable[..., Any], payments: str
) -> None:
    assert setting("lifecycle_scope") == "CRUD", "else nothing is changed, and nothing removed"
    (fields,) = re.findall(r"input = jsonencode\(\{\n(.*?)\n  \}\)", MODULE, re.DOTALL)
    values = dict(re.findall(r"^    (\w+) += (\S+)$", fields, re.MULTILINE))
    assert len(values) == len(fields.splitlines())
    whole = {"file(var.plan_file)": payments, "var.origin": "terraform/kafka-plans"}
    sent = {name: whole[value] for name, value in values.items()}
    for action, before in (("create", None), ("update", sent), ("delete", sent)):
        answer = call("deploy_plan", sent | {setting("terraform_key"): {"action": action, "prev_input": before}})
        assert json.loads(json.dumps(answer))["revision"] > 0
    revision = current_revision("payments")
    assert revision is not None and revision.document is None
