"""Two stacks may stand in one region of an account."""

from __future__ import annotations

import re

from tests.deployment.templates import ROOT, SIGNALS, TEMPLATE, of_type, yaml_of


def test_a_second_stack_in_the_region_finds_no_name_taken() -> None:
    for template in (TEMPLATE, SIGNALS):
        for kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
            for name, each in of_type(kind, template).items():
                for event in each.get("Events", {}).values():
                    if event["Type"] == "ScheduleV2":
                        assert event["Properties"].get("OmitName") is True, name


def test_no_template_gives_a_name_that_a_second_stack_would_give_too() -> None:
    templates = [path for folder in (ROOT, ROOT / "command") for path in folder.glob("*.yaml")]
    named = []
    for path in templates:
        for name, resource in yaml_of(path).get("Resources", {}).items():
            for key, value in resource.get("Properties", {}).items():
                if re.fullmatch(r"(\w+)?Name|Id", key) and key not in ("MetricName", "DisplayName"):
                    named.append(key)
                    by_parameter = "Ref" in value if isinstance(value, dict) else False
                    assert by_parameter or "${" in str(value), f"{path.name}, {name}: {key} is {value}"
    assert {"AlarmName", "TableName", "LogGroupName"} <= set(named)
