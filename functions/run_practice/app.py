"""run_practice: practise a switchover and back, and keep the report of it as evidence.

Each call looks in the ledger how far the two switchovers are, and starts what comes next; they hold the plan's lease
themselves, this holds nothing. Whatever else leads clients meanwhile ends the practice: it never leads anybody back
from where somebody else led them. With two controllers each starts the way that is its turn, and waits for the other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final, Literal

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.documents.practice import PracticeReport
from failover.errors import LedgerRejected, ServiceRejected
from failover.execution.practice import way_there, ways_back
from failover.execution.runs import describe_run, run_arn, start_run
from failover.execution.step import Report, done, ledger, waiting
from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord, PlanState
from failover.ledger.topic_tables import load_plan_table
from failover.loss.samples import SourceLiveness
from failover.plan.model import Plan
from failover.plan.store import plan_named
from failover.readiness.practice import load_practice
from failover.readiness.practice_report import (
    announce_practice,
    load_report,
    practice_report,
    practices,
    save_report,
)
from failover.validation import read

STAY_S: Final = 300
"""Where neither the start nor the plan says otherwise."""
BETWEEN_ATTEMPTS_S: Final = 60.0
LATER_S: Final = 60
"""Until a practice that is due, and held back, looks whether it may begin."""
DAY_S: Final = 86_400

logger = Logger(service="failover")


class PracticeStart(BaseModel):
    """The input of the state machine, by start_rounds or by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    by: str | None = Field(default=None, min_length=1, max_length=2048)
    """Who starts it."""
    reason: str = Field(default="", max_length=300)
    stay_seconds: int | None = Field(default=None, ge=0, le=21_600)
    """How long clients stay at the other site."""
    scheduled: bool = False
    """It is started by the plan's schedule, and only begins if it is due."""


class PracticeRequest(BaseModel):
    """The start, and the execution's own name. `last_chance`: what is not over by now has failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: PracticeStart
    practice: str = Field(max_length=72)
    last_chance: bool = False


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Go on; done once the outcome is kept and told.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan: the start can't be carried out.
        LedgerUnavailable, ServiceUnavailable, ServiceRejected
    """
    request = read(PracticeRequest, event)
    logger.append_keys(plan=request.start.plan, practice=request.practice)
    book = ledger()
    report = _Practice(request, plan_named(request.start.plan), book).go_on()
    logger.info(report.status, observed=report.observed)
    return report.model_dump(mode="json")


class _Practice:
    """A practice of a plan, as far as it is."""

    def __init__(self, request: PracticeRequest, plan: Plan, book: Ledger) -> None:
        self.request, self.start, self.plan, self.book = request, request.start, plan, book

    def go_on(self) -> Report:
        """Look how far it is, and start what comes next."""
        if (before := load_report(self.book, self.plan.name, self.request.practice)) is not None:
            return self._announced(before)
        there = self.book.execution(self.plan.name, way_there(self.request.practice))
        if there is None:
            return self._begin()
        if there.status != "succeeded":
            return self._unfinished(there)
        return self._lead_back(there)

    def _begin(self) -> Report:
        """Start the way there, unless there is a reason not to."""
        state = self._state()
        if self.start.scheduled:
            now = time.time()
            if why := reason_not_due(self.plan, self.book, now):
                return done(outcome="stood-down", why=why)
            if why := reason_to_wait(self.plan, state, now):
                return done(outcome="stood-down", why=why) if self.request.last_chance else waiting(LATER_S, why=why)
        name = way_there(self.request.practice)
        if state.holder not in (None, name):
            return self._end("stood-down", f"{state.holder_in_words} holds the lease")
        return self._lead([name], state.active)

    def _lead_back(self, there: ExecutionRecord) -> Report:
        """Start the way back once clients have stayed long enough; after one that was given up, another."""
        names = ways_back(self.request.practice)
        records = [self.book.execution(self.plan.name, name) for name in names]
        tried = [record for record in records if record is not None]
        last = tried[-1] if tried else there
        untried = names[names.index(last.name) + 1 :] if tried else names
        if last.status == "succeeded" and tried:
            if self._state().holder == last.name:
                return self._wait(f"{last.name} gives the lease back")
            return self._end("succeeded", "clients were led away, and back")
        if last.status not in ("succeeded", "stood-down"):
            return self._unfinished(last)
        state = self._state()
        if state.holder == last.name:
            return self._wait(f"{last.name} gives the lease back")
        if (state.active, state.epoch) != (there.to_site, last.epoch):
            return self._end("failed", "another execution led clients meanwhile, or holds the lease: see the history")
        if last is not there and (not untried or _by_a_person(last)):
            return self._end("failed", f"{last.name} stood down: {last.document.get('why')}")
        if why := self._too_early(there, last, state):
            return self._wait(why)
        return self._lead(untried, there.to_site)

    def _too_early(self, there: ExecutionRecord, last: ExecutionRecord, state: PlanState) -> str:
        """Why clients stay where they are for now; empty: nothing speaks against leading them back."""
        now, policy = time.time(), self.plan.policy
        stay = self.start.stay_seconds
        if stay is None:
            stay = self.plan.practice.stay_seconds if self.plan.practice else STAY_S
        if now < (there.ended_at or now) + stay:
            return f"clients work on {there.to_site} for {stay} s"
        if last is not there and now < (last.ended_at or now) + BETWEEN_ATTEMPTS_S:
            return f"{last.name} stood down a moment ago: {last.document.get('why')}"
        if state.paused:
            return f"the plan is paused: {state.paused}"
        if there.from_site == self.plan.home and policy.failback_after_seconds:
            looks = SourceLiveness(**load_plan_table(self.book, self.plan.name, "watch").get(there.to_site, {}))
            low_for = 0.0 if looks.low_since is None else now - looks.low_since
            if low_for < policy.failback_after_seconds:
                return f"mirrors at {there.from_site} are known to trail by little for {low_for:.0f} s only"
        return ""

    def _lead(self, names: Sequence[str], lost: str) -> Report:
        """Start a switchover away from a site, under the first of the names that is not used up by one that claimed
        nothing; who started it before finds out here what became of it."""
        if turn := deferred_to(self.plan, lost, current_region(), controller_regions()):
            return self._wait(turn)
        machine = os.environ["SWITCHOVER_MACHINE_ARN"]
        request = {
            "plan": self.plan.name,
            "from": lost,
            "to": self.plan.other(lost),
            "by": self.start.by or f"the practice of {self.plan.name}",
            "reason": f"practice, there and back: {self.start.reason or 'as scheduled'}",
            "practice": self.request.practice,
        }
        why = ""
        for execution in names:
            if start_run(execution, request, machine):
                return self._wait(f"{execution} is started")
            run = describe_run(run_arn(execution, machine))
            if run.under_way or self.book.execution(self.plan.name, execution) is not None:
                return self._wait(f"{execution} begins")
            why = f"the start of {execution} was refused ({run.status})"
            if run.status == "ABORTED":  # A person's no.
                break
            if execution != names[-1] and time.time() < (run.ended_at or 0.0) + BETWEEN_ATTEMPTS_S:
                return self._wait(why)
        led_away = way_there(self.request.practice) not in names
        return self._end("failed" if led_away else "stood-down", why)

    def _unfinished(self, way: ExecutionRecord) -> Report:
        """A way that is under way, that stopped, or that another execution took over."""
        if way.status in ("running", "failed"):
            return self._wait(f"{way.name} is {'under way' if way.status == 'running' else 'stopped'}")
        if way.status == "superseded":
            return self._end("failed", f"{way.superseded_by} took over from {way.name}")
        return self._end("stood-down", f"{way.name} stood down: {way.document.get('why')}")

    def _wait(self, why: str) -> Report:
        return self._end("failed", f"not over in time: {why}") if self.request.last_chance else waiting(why=why)

    def _end(self, outcome: Literal["succeeded", "stood-down", "failed"], why: str) -> Report:
        """Keep how it ended, and tell; a call that is made again tells nothing twice."""
        report: PracticeReport = {
            "version": 1,
            "plan": self.plan.name,
            "practice": self.request.practice,
            "scheduled": self.start.scheduled,
            "started_by": self.start.by or "",
            "reason": self.start.reason,
            "outcome": outcome,
            "why": why,
            "ended_at": time.time(),
            "active": self._state().active,
            "there": None,
            "back": None,
        }
        return self._announced(save_report(self.book, practice_report(self.book, report)))

    def _state(self) -> PlanState:
        return self.book.state(self.plan.name, self.plan.home)

    def _announced(self, report: PracticeReport) -> Report:
        try:
            announce_practice(report, home=self.plan.home)
        except (ServiceRejected, LedgerRejected) as error:
            logger.error("the end is kept, and not told", why=str(error))
        return done(outcome=report["outcome"], why=report["why"])


def reason_not_due(plan: Plan, book: Ledger, now: float) -> str:
    """Why the schedule of a plan starts nothing in this window; empty: it is due."""
    schedule = plan.practice
    if schedule is None or schedule.open_until(now) is None:
        return "no window of the plan's practice is open"
    back = load_practice(book, plan.name).back
    if back is not None and now - back.ended_at < schedule.every_days * DAY_S:
        return f"practised {(now - back.ended_at) / DAY_S:.0f} days ago"
    return _refused_lately(plan, book, since=now - schedule.every_days * DAY_S)


def reason_to_wait(plan: Plan, state: PlanState, now: float) -> str:
    """Why a practice that is due does not begin now, as it may while the window is still open; empty: it may."""
    if state.paused:
        return f"the plan is paused: {state.paused}"
    if plan.policy.maintained_until(now):
        return "a window of maintenance is open"
    return "" if state.active == plan.home else f"clients are not at home, but on {state.active}"


def _refused_lately(plan: Plan, book: Ledger, since: float) -> str:
    """That a person did not want the last practice, if that is so: the schedule does not ask again until the next would
    be due. By hand it can be started at any time."""
    last = next(iter(practices(book, plan.name)), None)
    way = None if last is None else book.execution(plan.name, way_there(last["practice"]))
    if last is None or way is None or last["ended_at"] < since or not _by_a_person(way):
        return ""
    return f"a person did not want the last one: {last['why']}"


def _by_a_person(way: ExecutionRecord) -> bool:
    """Whether a person wanted a switchover given up: no is no."""
    error, answer = way.document.get("error") or {}, way.document.get("approval") or {}
    return error.get("Error") == "AbortRequested" or answer.get("answer") == "deny"
