"""What is known of the loss where clients are led back from a site that was lost as it took over from this one.

Behind a switchover's fence both logs of every partition ended alike. So the moment from which on clients may have been
let in on the other site is as good as a sample of a lag of 0; what came in there since, at the rate at which records
came in before, and was not mirrored back, is stranded on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from failover.execution.inventory import inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord
from failover.ledger.succession import succession
from failover.ledger.topic_tables import load_execution_table
from failover.loss.divergence import SOURCE_ENDS
from failover.loss.sample_table import load_samples
from failover.loss.samples import Sample

BASIS: Final = (
    "both logs ended alike before clients could be let in on the lost site; low: the lag of the mirrors that led back,"
    " frozen; high: what came in there since, at its peak rate of before, without what was mirrored back"
)
_LETS_IN: Final = ("reverse_mirrors", "promote_mirrors")
"""No client is led over before one of these is recorded as done."""


def samples_led_back(book: Ledger, execution: Execution) -> dict[str, dict[int, Sample]]:
    """Every partition that the switchover was about; none where what it takes over from began as none, or both logs
    were not seen to end alike.

    Raises:
        LedgerUnavailable
    """
    leaving = [
        record
        for _, record in succession(book, execution.plan, execution.name)
        if record is not None and record.from_site == execution.to_site
    ]
    if not leaving or leaving[-1].kind != "switchover":
        return {}
    switchover = execution.model_copy(update={"name": leaving[-1].name})
    let_in_at = _let_in_at(book, execution.plan, leaving)
    drained = book.step(execution.plan, switchover.name, "drain_mirrors")
    if drained is not None and drained.status == "done":
        rows = load_execution_table(book, switchover, SOURCE_ENDS).items()
        ends = {topic: {int(partition): int(end) for partition, end in row["ends"]} for topic, row in rows}
    elif let_in_at is None:
        ends = {topic: dict.fromkeys(entry.lags, 0) for topic, entry in inventory(book, switchover).items()}
    else:
        return {}
    before = load_samples(book, execution.plan, execution.from_site)
    return {
        topic: {
            partition: Sample(
                at=leaving[-1].started_at if let_in_at is None else let_in_at,
                lag=0,
                fetched_to=end,
                rate=0.0 if let_in_at is None else _rate(before.get(topic, {}).get(partition)),
                proof="both logs ended alike",
                last_fetched_to=end,
            )
            for partition, end in of_topic.items()
        }
        for topic, of_topic in ends.items()
    }


def _let_in_at(book: Ledger, plan: str, leaving: Sequence[ExecutionRecord]) -> float | None:
    """From when on clients may have been led over at the earliest; None: they were not."""
    steps = (book.step(plan, record.name, name) for record in leaving for name in _LETS_IN)
    return min((step.started_at for step in steps if step is not None and step.status == "done"), default=None)


def _rate(before: Sample | None) -> float | None:
    return before.rate if before is not None else None
