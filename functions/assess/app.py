"""assess: read the evidence anew, weigh it against the plan's policy, and decide; then list what is to be promoted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from failover.alarm_check import still_standing
from failover.decision import Case, Decision, decide
from failover.errors import LinkRejected, LinkUnavailable
from failover.evidence import Evidence
from failover.link import STOPPED, Mirror, by_status, trailing
from failover.link.of_plan import links_at
from failover.plan import Plan
from failover.probes import probe_sites
from failover.step import Report, Request, done, ledger, step, waiting

BATCH = 500
ASK_AGAIN_S = 5


class AssessRequest(Request):
    """`last_chance`: waiting longer is no option, so what is not proven by now stands down."""

    last_chance: bool = False


def assess(request: AssessRequest, plan: Plan) -> Report:
    """Probe both sites, read signals and mirrors, decide; on `proceed` and `ask` keep the mirrors as an inventory."""
    execution, book = request.execution, ledger()
    with ThreadPoolExecutor(max_workers=3) as pool:
        mirrors_read = pool.submit(_mirrors, plan, execution.to_site)
        signals_read = pool.submit(still_standing, plan, book.signals(plan.name, execution.from_site))
        probes = probe_sites(plan, (execution.from_site, execution.to_site))
        mirrors, signals = mirrors_read.result(), signals_read.result()
    evidence = Evidence(
        execution.from_site, execution.to_site, tuple(signals), probes, trailing(mirrors), by_status(mirrors)
    )
    case = Case(evidence, plan.policy, book.state(plan.name, plan.home), execution.manual, time.time())
    decision = decide(case)
    observed = _document(evidence, decision)
    if execution.dry_run:
        return done(**observed | {"would": decision.verdict, "verdict": "proceed", "batches": 1})
    if decision.verdict == "wait":
        if not request.last_chance:
            return waiting(ASK_AGAIN_S, **observed)
        return done(**observed | {"verdict": "stand-down"})
    if decision.verdict == "stand-down":
        return done(**observed)
    names = sorted(mirror.topic for mirror in mirrors if mirror.status != STOPPED)
    batches = [names[first : first + BATCH] for first in range(0, len(names), BATCH)]
    book.keep_inventory(execution, batches)
    return done(**observed | {"batches": len(batches)})


def _mirrors(plan: Plan, site: str) -> list[Mirror]:
    """The mirrors, or none where REST does not answer: the guards then find the standby unfit."""
    try:
        return [mirror for link in links_at(plan, site) for mirror in link.mirrors()]
    except (LinkUnavailable, LinkRejected):
        return []


def _document(evidence: Evidence, decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "why": decision.why,
        "votes": list(decision.votes),
        "evidence": evidence.as_document(),
        "batches": 0,
    }


handler = step("assess", AssessRequest, assess)
