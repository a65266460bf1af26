"""A plan's small stack of alarms is rendered from the plan, and its alarms are those that the plan names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command.alarms import TEMPLATE
from drill.aws.intrinsics import read_yaml
from failover.plan.model import parse
from tests.command.conftest import Failover
from tests.deployment.templates import yaml_of


def test_the_rendered_template_is_the_plans_and_otherwise_the_one_that_is_tested(
    failover: Failover, plan_text: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(plan_text)
    rendered = read_yaml(failover("plans", "alarms", str(tmp_path / "plan.yaml")).out)
    defaults = {name: each.pop("Default") for name, each in rendered["Parameters"].items() if "Default" in each}
    own = {"PlanName": "orders", "HomeSite": "east", "OtherSite": "west"}
    template: dict[str, Any] = read_yaml(TEMPLATE.read_text())
    assert own.items() <= defaults.items() and "NotificationTopicArn" not in defaults
    for each in template["Parameters"].values():
        each.pop("Default", None)
    assert rendered == template


def test_its_alarms_have_the_names_under_which_the_example_plan_has_them_as_votes(plan_text: str) -> None:
    plan = parse(plan_text)
    resources = yaml_of(TEMPLATE)["Resources"].values()
    names = {each["Properties"]["AlarmName"]["Sub"] for each in resources if "AlarmName" in each["Properties"]}
    of_plan = {"${PlanName}": plan.name, "${HomeSite}": plan.home, "${OtherSite}": plan.other(plan.home)}
    for placeholder, value in of_plan.items():
        names = {name.replace(placeholder, value) for name in names}
    named = {alarm.name for site in plan.sites.values() for alarm in site.alarms}
    assert len(names) == 4 and names & named
