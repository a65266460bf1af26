"""assess: read the evidence anew, weigh it against the plan's policy, and decide; then list what is to be promoted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from failover.decision.case import Case
from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.log import decision_record, record_decision
from failover.decision.rules import decide, stands_until_resumed
from failover.detection.alarm_recheck import current_signals
from failover.detection.evidence import Evidence
from failover.detection.probes import probe_sites
from failover.detection.signal_store import merge_observation
from failover.documents.steps import Assessed
from failover.errors import LinkRejected, LinkUnavailable
from failover.execution.fenced_fleets import fenced_fleets
from failover.execution.inventory import listed, save_inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.ledger.execution import Execution
from failover.link import Mirror, by_status, prefixed, trailing
from failover.link.factory import links_at
from failover.loss.record import expected_loss
from failover.plan.model import Plan
from failover.plan.policy import Policy
from failover.readiness.store import last_unready

ASK_AGAIN_S = 3


class AssessRequest(Request):
    """`last_chance`: waiting longer is no option, so what is not proven by now stands down."""

    last_chance: bool = False


def assess(request: AssessRequest, plan: Plan) -> Report:
    """Probe both sites, read signals and mirrors, decide; on `proceed` and `ask` keep the mirrors as an inventory."""
    execution, book = request.execution, ledger()
    with ThreadPoolExecutor(max_workers=3) as pool:
        mirrors_read = pool.submit(_mirrors, plan, execution.to_site)
        signals_read = pool.submit(current_signals, book, plan.name)
        view = probe_sites(plan, lost_site=None if execution.manual else execution.from_site)
        by_link, stored = mirrors_read.result(), signals_read.result()
    mirrors = [mirror for of_link in (by_link or {}).values() for mirror in of_link]
    evidence = Evidence(
        lost_site=execution.from_site,
        standby_site=execution.to_site,
        signals=merge_observation(book, plan.name, stored=stored, view=view, gap=plan.policy.probe_max_age_seconds),
        probes=view.probes,
        lag=trailing(mirrors),
        mirrors_by_status=None if by_link is None else by_status(mirrors),
        prefixed_mirrors=prefixed(mirrors),
        isolated_because=view.isolated_because,
    )
    turn = deferred_to(plan, execution.from_site, current_region(), controller_regions())
    state = book.state(plan.name, plan.home)
    case = Case(
        evidence=evidence,
        policy=_policy(plan, execution),
        state=state,
        manual=execution.manual,
        forced=execution.forced or execution.dry_run,
        dry_run=execution.dry_run,
        leads_back=execution.leads_back,
        gateways_fenced=_gateways_are_fenced(plan, execution, state.superseded),
        now=time.time(),
        deferred_to=turn,
    )
    decision = decide(case)
    record_decision(book, decision_record(plan.name, case, decision, by=execution.name))
    listing = {
        topic: entry for name, of_link in (by_link or {}).items() for topic, entry in listed(name, of_link).items()
    }
    observed: Assessed = {
        "verdict": decision.verdict,
        "why": decision.why,
        "votes": list(decision.votes),
        "guard": decision.guard,
        "stands_until_resumed": stands_until_resumed(decision),
        "evidence": evidence.as_document(),
        "expected_loss": expected_loss(book, execution, listing),
        "known_unready": list(last_unready(plan)),
    }
    if execution.dry_run:
        observed["would"] = decision.verdict
    if decision.verdict == "wait":
        if not request.last_chance:
            return waiting(ASK_AGAIN_S, **observed)
        return done(**{**observed, "verdict": "stand-down"})
    if decision.verdict == "stand-down":
        return done(**observed)
    if execution.dry_run:
        return done(**{**observed, "verdict": "proceed"})
    save_inventory(book, execution, listing)
    return done(**observed)


def _policy(plan: Plan, execution: Execution) -> Policy:
    """A dry run is nobody's failover: who may start one by hand does not matter, what the standby is does."""
    return plan.policy.model_copy(update={"by_hand": "allow"}) if execution.dry_run else plan.policy


def _gateways_are_fenced(plan: Plan, execution: Execution, superseded: str | None) -> bool:
    """Whether the execution that a person has this one take over from fenced every gateway of the standby."""
    if not (execution.manual and superseded):
        return False
    fenced = fenced_fleets(ledger(), plan.name, superseded)
    return fenced.issuperset(fleet.name for fleet in plan.site(execution.to_site).fleets)


def _mirrors(plan: Plan, site: str) -> dict[str, list[Mirror]] | None:
    """The mirrors by link, or None where REST does not answer: the guards then wait for it."""
    try:
        return {link.name: link.mirrors() for link in links_at(plan, site)}
    except (LinkUnavailable, LinkRejected):
        return None


handler = step("assess", AssessRequest, assess)
