"""show_board: every plan in a line, from what the ledger has of it: a custom widget of the controller's dashboard, as
whoever opens it invokes
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard.html).
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.clients import client
from failover.detection.evidence import Signal
from failover.detection.signal_store import signals
from failover.errors import BadPlan, FailoverError
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from failover.loss.lag_record import LagRecord, load_lag
from failover.plan.model import Plan
from failover.plan.store import deployed_plans
from failover.readiness.store import SavedReadiness, load

AT_ONCE: Final = 16
HEAD: Final = ("plan", "active site", "last execution", "readiness", "standby lacks", "seen from")
DESCRIPTION: Final = "Every plan of this controller: active site, last execution, readiness, lag, vantage points."

logger = Logger(service="failover")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | str:
    """The table, in Markdown; or what this widget is, if CloudWatch asks for that.

    Raises:
        LedgerUnavailable
    """
    if event.get("describe"):
        return DESCRIPTION
    book, plans = Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"]), deployed_plans()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        rows = pool.map(lambda name: _row(book, name, plans[name]), sorted(plans))
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return {"markdown": "\n".join(f"| {' | '.join(line)} |" for line in lines)}


def _row(book: Ledger, name: str, plan: Plan | BadPlan) -> tuple[str, ...]:
    """A line; of a plan that can't be read, why."""
    if isinstance(plan, BadPlan):
        return name, "**bad plan**", *("",) * (len(HEAD) - 2)
    try:
        return _cells(book, plan)
    except FailoverError as error:
        return name, f"**{type(error).__name__}**", *("",) * (len(HEAD) - 2)


def _cells(book: Ledger, plan: Plan) -> tuple[str, ...]:
    state, now = book.state(plan.name, plan.home), time.time()
    return (
        plan.name,
        _active(plan, state, now),
        _last_execution(book, plan.name, state, now),
        _readiness(load(book, plan.name), now),
        _lag(load_lag(book, plan, state.active), now),
        _observed(signals(book, plan.name, "signal#"), now),
    )


def _active(plan: Plan, state: PlanState, now: float) -> str:
    since = "" if state.changed_at is None else f", since {_ago(state.changed_at, now)}"
    away = "" if state.active == plan.home else " (not its home)"
    return f"{state.active}{away}{since}" + ("; **paused**" if state.paused else "")


def _last_execution(book: Ledger, plan: str, state: PlanState, now: float) -> str:
    """The last that changed anything, dry runs left out; bold while it holds the plan."""
    name = state.holder or state.last_execution
    if name is None:
        return ""
    record, shown = book.execution(plan, name), f"**{name}**" if state.holder else name
    if record is None:
        return shown
    return f"{shown} {record.status}, {_ago(record.ended_at or record.started_at, now)} ago"


def _readiness(saved: SavedReadiness | None, now: float) -> str:
    if saved is None:
        return "**never looked at**"
    checks = saved.document["checks"]
    failing = [check["name"] for check in checks if check["status"] in ("fail", "unknown")]
    verdict = f"**{len(failing)} of {len(checks)} not ready**: {', '.join(failing)}" if failing else "ready"
    return f"{verdict}, {_ago(saved.document['taken_at'], now)} ago"


def _lag(record: LagRecord, now: float) -> str:
    """Of the partitions whose lag was ever proven fresh, which may not be all of them."""
    samples = [sample for of_topic in record.samples.values() for sample in of_topic.values()]
    if record.watch.looked_at is None or not samples:
        return "not known"
    silent = record.watch.unanswered_since
    frozen = "" if silent is None else f"; **the source is silent since {_ago(silent, now)}**"
    return f"{sum(sample.lag for sample in samples):,} records, of {len(samples):,} sampled partitions{frozen}"


def _observed(heard: list[Signal], now: float) -> str:
    """What each vantage point said last, and how long ago."""
    probes = [signal for signal in heard if signal.kind == "probe"]
    lost = {signal.vantage: signal.site for signal in probes if signal.says_lost}
    last = {vantage: max(s.at for s in probes if s.vantage == vantage) for vantage in {s.vantage for s in probes}}
    words = [
        f"{at_} {_ago(last[at_], now)}" + (f" **{lost[at_]} lost**" if at_ in lost else "") for at_ in sorted(last)
    ]
    return ", ".join(words) or "**nowhere**"


def _ago(at: float, now: float) -> str:
    seconds = max(0.0, now - at)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
