"""A hook that is lost with the site it is called for is told before the disaster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from failover.plan.model import Plan
from failover.readiness import Check, Finding
from failover.readiness.hooks import hooks


@pytest.mark.parametrize(
    ("region", "on_failure", "status"),
    [
        ("us-west-2", "stop", "pass"),
        ("us-east-1", "stop", "pass"),
        ("us-east-2", "go-on", "warn"),
        ("us-east-2", "stop", "fail"),
    ],
)
def test_a_hook_should_not_run_where_the_active_site_is(
    plan: Callable[..., Plan],
    judged: Callable[[Iterable[Finding]], Check],
    region: str,
    on_failure: str,
    status: str,
) -> None:
    hook: dict[str, Any] = {"name": "registry", "when": ["after-promotion"], "on_failure": on_failure}
    hook["function"] = f"arn:aws:lambda:{region}:123456789012:function:registry"
    check = judged(hooks(plan(hooks=[hook]), "east"))
    assert check.status == status
    assert region in check.evidence[0]


def test_a_plan_without_hooks_is_ready(plan: Callable[..., Plan], judged: Callable[[Iterable[Finding]], Check]) -> None:
    assert judged(hooks(plan(), "east")).status == "pass"
