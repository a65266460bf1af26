"""Whether hooks could be called once the active site is lost. That they may be called, the dry run asks."""

from __future__ import annotations

from collections.abc import Iterator

from failover.plan.model import Plan
from failover.readiness import Finding, fail, ok, warn


def hooks(plan: Plan, active: str) -> Iterator[Finding]:
    """Each by where it runs: it should not be lost with the site that it is called for."""
    if not plan.hooks:
        yield ok("the plan has no hooks")
    region = plan.site(active).region
    for hook in plan.hooks:
        where = f"hook {hook.name} runs in {hook.region}"
        if hook.region != region:
            yield ok(where)
            continue
        remedy = f"deploy it in {plan.site(plan.other(active)).region}, too, and name that one, or a third region's"
        fact = f"{where}, as {active} does: it may be lost with it"
        yield fail(f"{fact}, and stop the failover", remedy) if hook.on_failure == "stop" else warn(fact, remedy)
