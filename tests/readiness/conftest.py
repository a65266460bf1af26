"""The example plan, as the pure checks take it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.plan.model import Plan, parse
from failover.readiness import Check, Finding, check

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """The example plan with parts of it replaced: `plan(protect={"groups": []})`."""

    def changed(**parts: Any) -> Plan:
        document = yaml.safe_load(PLAN.read_text())
        for name, values in parts.items():
            document[name] = document.get(name, {}) | values if isinstance(values, dict) else values
        return parse(yaml.safe_dump(document))

    return changed


@pytest.fixture
def judged() -> Callable[[Iterable[Finding]], Check]:
    """The sum of findings, as a check."""
    return lambda findings: check("it", findings)
