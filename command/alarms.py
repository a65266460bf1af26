"""`failover plans alarms`: the small stack of alarms that a plan may have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from command.output import show_exactly
from command.plan_files import File, readable_text
from failover.plan.model import Plan, parse

TEMPLATE: Final = Path(__file__).with_name("alarms.yaml")


def alarms(file: File) -> None:
    """Print a CloudFormation template of a plan's alarms, for a controller's region. They have their metrics, and are
    votes, only if the plan names them."""
    show_exactly(rendered_alarms(parse(readable_text(file))))


def rendered_alarms(plan: Plan) -> str:
    """The template, with what the plan says as the defaults of its parameters."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for parameter, value in (("PlanName", plan.name), ("HomeSite", plan.home), ("OtherSite", plan.other(plan.home))):
        text = re.sub(rf"(?m)^  {parameter}:\n    Type: String\n", rf"\g<0>    Default: {value}\n", text)
    return text
