"""Where a plan stands, as an operator has to know it: looked up whole, and said in lines with the next command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from command.controller import Controller
from command.output import Line
from command.progress import StepProgress, awaited, with_those_to_come
from command.words import ago, moment, table
from failover.decision.log import DecisionRecord, decisions
from failover.decision.rules import PLANNED
from failover.detection.evidence import CANARY, Signal
from failover.detection.signal_store import signals
from failover.documents.execution import Stop
from failover.documents.stops import error_message, last_stop, stop_in_words
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.execution.runs import describe_run
from failover.ledger.records import ExecutionRecord, PlanState, StepRecord
from failover.ledger.topic_tables import load_plan_table
from failover.loss.sample_table import load_samples
from failover.loss.samples import SourceLiveness
from failover.message import one_line
from failover.plan.model import Plan
from failover.readiness.last_look import last_look

FRESH_S: Final = 120.0
"""What a source said longer ago says nothing of now."""
WHY_LIMIT: Final = 120
CAUSE_LIMIT: Final = 600
_VERDICTS: Final = (("lost", True), ("well", False))
Holder = Literal["none", "runs", "asks", "ended", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far the mirrors trail, by the samples that were proven fresh."""

    records: int
    partitions: int
    oldest_at: float
    """When the oldest of the samples was fresh."""
    source_answered: bool | None
    """Whether the active cluster answered at the last look; None: it was not looked at."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Where a plan stands. Times: seconds since 1970."""

    plan: str
    standby: str
    now: float
    state: PlanState
    holder: Holder
    holder_status: str
    """In Step Functions' words."""
    record: ExecutionRecord | None
    """Of the holder of the lease, or of the execution that is looked at; None: none, or it did not claim yet."""
    steps: tuple[StepRecord, ...]
    """Of that one."""
    readiness: dict[str, Any] | None
    """The last that was kept."""
    lag: Lag | None
    """None: no sample was kept, so that nothing is known."""
    signals: tuple[Signal, ...]
    last_decision: DecisionRecord | None
    canary_probe: bool = False
    """Whether every look sends a record the clients' way."""
    alarms: tuple[str, ...] = ()
    """Those that the plan names of the active site."""

    @property
    def unready(self) -> list[dict[str, Any]]:
        """The checks that a failover can't count on."""
        checks = self.readiness["checks"] if self.readiness else []
        return [check for check in checks if check["status"] in ("fail", "unknown")]

    def unready_lines(self) -> Iterator[Line]:
        """The same, a line each, and how old they are: before anything is started."""
        looked = ago(self.readiness["taken_at"], self.now) if self.readiness else ""
        for check in self.unready:
            yield f"NOT READY: {check['name']}: {'; '.join(check['evidence'][:1])} (looked at {looked})", "red"

    @property
    def lost(self) -> list[Signal]:
        """Who says now that the active site is lost."""
        return [signal for signal in self.signals if signal.says_lost and signal.site == self.state.active]

    @property
    def standby_was_lost(self) -> bool:
        """Whether the other site was lost, and is no mirror yet since: only a restore makes it one."""
        return bool(self.state.failovers) and self.state.failovers[-1] == self.state.changed_at

    @property
    def next_command(self) -> str:
        """What to say next, without where the controller is."""
        match self.holder:
            case "asks":
                return f"approve {self.plan}"
            case "runs" if self.lost and self.record is not None and self.record.kind in PLANNED:
                return f"start failover {self.plan} --supersede"
            case "runs":
                return f"status {self.plan} --watch"
            case "ended" | "unknown":
                return f"redrive {self.plan}"
        if self.lost and not self.state.denial:
            return f'start failover {self.plan} --why "{self.state.active} is lost"'
        if self.state.paused or self.state.denial:
            return f"resume {self.plan}"
        if self.standby_was_lost:
            return f"start restore {self.plan} --dry-run --watch"
        if self.unready:
            return f"check {self.plan} --now"
        return f"start failover {self.plan} --dry-run"

    def as_document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "plan": self.plan,
            "active": self.state.active,
            "standby": self.standby,
            "epoch": self.state.epoch,
            "execution": self.state.holder,
            "execution_status": self.holder_status if self.state.holder else None,
            "asks": self.holder == "asks",
            "paused": self.state.paused,
            "denied": asdict(self.state.denial) if self.state.denial else None,
            "changed_at": self.state.changed_at,
            "readiness": self.readiness,
            "lag": asdict(self.lag) if self.lag else None,
            "signals": [asdict(signal) for signal in self.signals],
            "clients": self._clients(),
            "decision": self.last_decision.as_document() if self.last_decision else None,
            "steps": [asdict(step) for step in self.steps],
        }

    @property
    def stop(self) -> Stop | None:
        """Where the execution that is looked at stopped, and was not redriven from."""
        at_work = self.holder in ("runs", "asks")
        return last_stop(self.record.document) if self.record is not None and not at_work else None

    def progress(self) -> list[StepProgress]:
        """How far the execution is that holds the lease, or is looked at."""
        begun = [self.progress_of(step) for step in self.steps]
        stop = self.stop
        if stop and stop["step"] and stop["step"] not in {step.name for step in begun}:
            # Its only call failed, and reported nothing.
            begun.append(StepProgress(name=stop["step"], state="failed", outcome=stop["error"]))
        under_way = self.record is not None and (self.record.status == "running" or self.holder in ("runs", "asks"))
        return with_those_to_come(self.record.kind, begun) if under_way and self.record else begun

    def progress_of(self, step: StepRecord) -> StepProgress:
        """How far one of its steps is."""
        asks = self.holder == "asks" and step.step == "request_approval"
        stop, took = self.stop, step.reported_at - step.started_at
        if stop and step.step == stop["step"]:
            return StepProgress(name=step.step, state="failed", seconds=took, outcome=stop["error"])
        if step.status == "done" and not asks:
            return StepProgress(name=step.step, state="done", seconds=took)
        if stop or (self.holder == "ended" and self.record is not None and self.record.name == self.state.holder):
            return StepProgress(name=step.step, state="cut short", seconds=took, outcome="cut short")
        return StepProgress(
            name=step.step,
            state="running",
            seconds=self.now - step.started_at,
            awaits="a person: approve or deny" if asks else awaited(step.observed),
        )

    def lines(self) -> Iterator[Line]:
        """For people: 20 lines or so, the worst first."""
        yield from self.summary()
        yield from self._steps()

    def summary(self) -> Iterator[Line]:
        """The same without the steps."""
        other = "was lost, and is no mirror yet" if self.standby_was_lost else "stands by"
        standing = f"{self.plan}: clients are led to {self.state.active}, {self.standby} {other}"
        yield f"{standing} (epoch {self.state.epoch})", "bold"
        yield from self._trouble()
        yield from self._table()
        yield from self._reasons()

    def _table(self) -> Iterator[Line]:
        yield from table(
            [
                ("execution", self._execution()),
                ("readiness", self._readiness()),
                ("lag", self._lag()),
                ("decision", self._decision()),
                ("clients", self._clients()),
                ("seen", self._sighting()),
                ("changed", moment(self.state.changed_at) if self.state.changed_at else "never"),
            ]
        )

    def _trouble(self) -> Iterator[Line]:
        if self.lost:
            sources = ", ".join(signal.source for signal in self.lost)
            yield f"  {self.state.active} looks lost to {sources}", "bold red"
        if self.holder == "asks":
            yield f"  {self.state.holder} asks a person: approve or deny it", "bold yellow"
        if self.holder in ("ended", "unknown"):
            yield (
                f"  {self.state.holder} {self._ended()} and keeps the lease: nothing else starts until it is redriven"
                " or superseded",
                "bold red",
            )
            yield from self.cause()
        if wish := self.state.abort_wish:
            yield f"  {self.state.holder} is to be aborted by {wish.by}: it puts back what it changed", "yellow"
        if self.state.paused:
            yield f"  paused by {self.state.paused}: nothing starts by itself", "yellow"
        if denial := self.state.denial:
            yield f"  denied to leave {denial.site}, {ago(denial.at, self.now)}: {denial.why}", "yellow"

    def cause(self) -> Iterator[tuple[str, str]]:
        """Why what stopped has stopped, by its report."""
        document = self.record.document if self.record else {}
        error = document.get("error") or {}
        if stop := self.stop:
            yield f"  {stop_in_words(stop)}: {stop['error']}: {one_line(stop['why'], CAUSE_LIMIT)}", "red"
            yield f"  do: {stop['remedy']}, then redrive it", "bold"
        elif error:
            cause = f"{error.get('Error', '')}: {one_line(error_message(str(error.get('Cause', ''))), CAUSE_LIMIT)}"
            yield f"  in {document.get('stopped_at')}: {cause}", "red"

    def _ended(self) -> str:
        return f"has ended ({self.holder_status})" if self.holder == "ended" else "may have ended (nobody can tell)"

    def _execution(self) -> str:
        if self.state.holder is None:
            return "none"
        began = f", for {self.now - self.steps[0].started_at:.0f} s" if self.steps and self.holder == "runs" else ""
        return f"{self.state.holder_in_words}, {self.holder_status.lower()}{began}"

    def _readiness(self) -> str:
        if self.readiness is None:
            return "never looked at"
        looked = f"looked at {ago(self.readiness['taken_at'], self.now)}"
        if not self.unready:
            return f"ready, {looked}"
        return f"NOT READY: {', '.join(check['name'] for check in self.unready)}; {looked}"

    def _lag(self) -> str:
        if self.lag is None:
            return "not known: no sample was proven fresh"
        silent = "; the active cluster does not answer" if self.lag.source_answered is False else ""
        where = f"over {self.lag.partitions:,} partitions, the oldest sample {ago(self.lag.oldest_at, self.now)}"
        return f"{self.lag.records:,} records {where}{silent}"

    def _decision(self) -> str:
        last = self.last_decision
        return f"{ago(last.at, self.now)}: {last.decision.verdict}, {last.decision.why}" if last else "none yet"

    def _steps(self) -> Iterator[Line]:
        if not self.steps or self.state.holder is None:
            return
        yield ""
        for step in self.progress():
            took = "" if step.seconds is None else f"{step.seconds:6.1f} s"
            style = {"done": "", "to come": "dim", "cut short": "dim", "failed": "red"}.get(step.state, "cyan")
            yield f"  {step.state:<9} {step.name:<28} {took}  {step.outcome or step.waits}".rstrip(), style

    def _sighting(self) -> str:
        """How many sources say what of each site, of those that said it lately."""
        recent = [signal for signal in self.signals if self.now - signal.at < FRESH_S]
        votes: dict[str, list[bool]] = {}
        for signal in recent:
            votes.setdefault(signal.site, []).append(signal.says_lost)
        sites = (
            f"{site} " + ", ".join(f"{word} by {says.count(lost)}" for word, lost in _VERDICTS if lost in says)
            for site, says in sorted(votes.items())
        )
        return "; ".join(sites) or f"nobody said anything in the last {FRESH_S:.0f} s"

    def _clients(self) -> str:
        """What the canary and the alarms that the plan names say of them at the active site."""
        words = [f"{CANARY}: {self._canary()}" if self.canary_probe else "no canary is sent (clients.canary_probe)"]
        last = {signal.source: signal for signal in self.signals if signal.site == self.state.active}
        for name in self.alarms:
            signal = last.get(name)
            if signal is None:
                words.append(f"{name}: no word yet")
            else:
                words.append(f"{name}: {f'in alarm, since {moment(signal.since)}' if signal.says_lost else 'well'}")
        return "; ".join(words if self.alarms else [*words, "the plan names no alarm"])

    def _canary(self) -> str:
        looks = [
            signal
            for signal in self.signals
            if signal.kind == "probe" and signal.site == self.state.active and self.now - signal.at < FRESH_S
        ]
        if not looks:
            return f"no look in the last {FRESH_S:.0f} s"
        failed = [look.vantage for look in looks if look.says_lost and f"{CANARY}: " in look.why]
        if failed:
            return f"no record comes back, says {', '.join(failed)}"
        if all(look.says_lost for look in looks):
            return "not known: the site looks lost otherwise"
        newest = max(look.at for look in looks if not look.says_lost)
        return f"nothing failed, {ago(newest, self.now)}"

    def _reasons(self) -> Iterator[Line]:
        """Why sources say that a site is lost."""
        for signal in (signal for signal in self.signals if signal.says_lost):
            why = f": {one_line(signal.why, WHY_LIMIT)}" if signal.why else ""
            yield f"  {signal.site} lost: {signal.source}, {ago(signal.at, self.now)}{why}", "red"


def situation(controller: Controller, plan: Plan, execution: str | None = None) -> Situation:
    """Look at a plan, and at the steps of that execution; without one, at those of the holder of the lease.

    Raises:
        LedgerUnavailable
    """
    book = controller.book
    state = book.state(plan.name, plan.home)
    holder, status = _holder(controller, plan.name, state)
    shown = execution or state.holder
    now, standby = time.time(), plan.other(state.active)
    return Situation(
        plan=plan.name,
        standby=standby,
        now=now,
        state=state,
        holder=holder,
        holder_status=status,
        record=book.execution(plan.name, shown) if shown else None,
        steps=tuple(book.steps_of(plan.name, shown)) if shown else (),
        readiness=last_look(book, plan.name, standby=standby, now=now),
        lag=_lag(controller, plan, state),
        signals=tuple(sorted(signals(book, plan.name), key=_worst_first)),
        last_decision=next(iter(decisions(book, plan.name, 1)), None),
        canary_probe=plan.clients.canary_probe,
        alarms=tuple(alarm.name for alarm in plan.site(state.active).alarms),
    )


def _worst_first(signal: Signal) -> tuple[bool, str, str]:
    return not signal.says_lost, signal.site, signal.source


def _holder(controller: Controller, plan: str, state: PlanState) -> tuple[Holder, str]:
    if state.holder is None:
        return "none", ""
    if not state.holder_arn:
        return "unknown", "not known"
    try:
        run = describe_run(state.holder_arn)
    except (ServiceUnavailable, ServiceRejected):
        return "unknown", "not known"
    if not run.under_way:
        return "ended", run.status
    question = controller.book.item(plan, f"approval#{state.holder}")
    waits = question is not None and "answer" not in question
    step = controller.book.step(plan, state.holder, "request_approval") if waits else None
    return ("asks" if step is not None else "runs"), run.status


def _lag(controller: Controller, plan: Plan, state: PlanState) -> Lag | None:
    of_topics = load_samples(controller.book, plan.name, plan.other(state.active))
    samples = [sample for partitions in of_topics.values() for sample in partitions.values()]
    if not samples:
        return None
    watch = SourceLiveness(**load_plan_table(controller.book, plan.name, "watch").get(state.active, {}))
    return Lag(
        records=sum(sample.lag for sample in samples),
        partitions=len(samples),
        oldest_at=min(sample.at for sample in samples),
        source_answered=None if watch.looked_at is None else watch.unanswered_since is None,
    )
