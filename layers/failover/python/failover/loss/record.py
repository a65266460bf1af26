"""What an execution's own tables in the ledger say of its loss: before the promotion, and after it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set

from failover.documents.execution import Loss, MeasuredLoss
from failover.documents.execution import PartitionLoss as PartitionLossRow
from failover.execution.inventory import Inventory, inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.succession import succession
from failover.ledger.topic_tables import load_execution_table, load_plan_table, load_table, save_execution_table
from failover.link import STOPPED
from failover.loss.divergence import divergence, failovers_before
from failover.loss.estimate import Offsets, PartitionLoss, losses, peak_rate, summary
from failover.loss.led_back import BASIS, samples_led_back
from failover.loss.sample_table import load_samples
from failover.loss.samples import Samples, SourceLiveness
from failover.rescue.stranded import Spot


def expected_loss(book: Ledger, execution: Execution, mirrors: Inventory) -> Loss:
    """What a failover decided now is expected to strand.

    Raises:
        LedgerUnavailable
    """
    samples, lost_by = _samples(book, execution), _lost_by(book, execution)
    by_partition = losses(_lags(execution, mirrors, samples), samples, {}, lost_by)
    return _summary(execution, by_partition, lost_by)


def final_loss(book: Ledger, execution: Execution) -> Loss:
    """What is known of the loss once the mirrors are STOPPED; keeps the whole table, by partition, in the ledger.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    samples, lost_by = _samples(book, execution), _lost_by(book, execution)
    lags = _lags(execution, inventory(book, execution), samples)
    by_partition = losses(lags, samples, _log_ends(book, execution), lost_by)
    rows: dict[str, list[PartitionLossRow]] = {}
    for loss in by_partition:
        rows.setdefault(loss.topic, []).append(loss.as_row())
    save_execution_table(book, execution, "loss", rows)
    return _summary(execution, by_partition, lost_by) | {
        "table": f"table#{execution.name}#loss",
        "peak_rate": peak_rate(by_partition),
    }


def keep_measured_loss(book: Ledger, execution: Execution) -> None:
    """Turn the estimate of the failover that a restore follows into what the restore measured; again: the same. Of
    partitions that could not be measured any more it stays an estimate.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    by_spot = {stranded.spot: stranded.offsets for stranded in divergence(book, execution)}
    failovers = failovers_before(book, execution)
    if not by_spot or not failovers or not (loss := failovers[0].document.get("loss")):
        return
    unmeasured = _unmeasured(book, execution.plan, loss, by_spot.keys())
    measured: MeasuredLoss = {
        "records": sum(by_spot.values()),
        "partitions": len(by_spot),
        "unmeasured_partitions": unmeasured,
        "at": time.time(),
        "execution": execution.name,
    }
    because = f"{unmeasured} partitions could not be measured any more" if unmeasured else ""
    amended = loss | {"measured": measured, "not_measured_because": because}
    amended |= {} if unmeasured else {"label": "measured"}
    book.hold(execution)
    book.amend_report(execution.plan, failovers[0].name, failovers[0].document | {"loss": amended})


def _summary(execution: Execution, by_partition: list[PartitionLoss], lost_by: float) -> Loss:
    loss = summary(by_partition, lost_by, execution.from_site)
    return loss | {"basis": BASIS} if execution.leads_back else loss


def _unmeasured(book: Ledger, plan: str, loss: Loss, measured: Set[Spot]) -> int:
    """How many partitions of a loss were not measured. Those that came since, and were, stand for none of them."""
    rows = load_table(book, plan, loss["table"]) if "table" in loss else {}
    spots = {(topic, int(row["partition"])) for topic, of_topic in rows.items() for row in of_topic}
    return len(spots - measured) if spots else max(0, loss["partitions"] - len(measured))


def _samples(book: Ledger, execution: Execution) -> Samples:
    if execution.leads_back:
        return samples_led_back(book, execution)
    return load_samples(book, execution.plan, execution.to_site)


def _lost_by(book: Ledger, execution: Execution) -> float:
    """The first moment at which the lost site is known not to have answered; at the latest, when it was claimed."""
    row = load_plan_table(book, execution.plan, "watch").get(execution.from_site) or {}
    since = SourceLiveness(**row).unanswered_since
    return execution.claimed_at if since is None else min(since, execution.claimed_at)


def _lags(execution: Execution, mirrors: Inventory, samples: Samples) -> dict[str, Mapping[int, int | None]]:
    """Of the mirrors; where clients are led back, of every topic that may have been written to elsewhere, mirrored back
    or not, and a mirror that is STOPPED is of an earlier time."""
    if not execution.leads_back:
        return {topic: entry.lags for topic, entry in mirrors.items()}
    mirrored_back = {topic: entry.lags for topic, entry in mirrors.items() if entry.status != STOPPED}
    let_in = {topic: dict.fromkeys(partitions) for topic, partitions in samples.items()}
    return let_in | {topic: {**let_in.get(topic, {}), **lags} for topic, lags in mirrored_back.items()}


def _log_ends(book: Ledger, execution: Execution) -> Offsets:
    """As they were recorded first, by this execution or by one that it took over from: later ones hold clients' own."""
    ends: dict[str, dict[int, int]] = {}
    for name, record in succession(book, execution.plan, execution.name):
        if record is None or (record.kind, record.to_site) != ("failover", execution.to_site):
            continue
        recorded = load_execution_table(book, execution.model_copy(update={"name": name}), "log-ends")
        for topic, rows in recorded.items():
            of_topic = ends.setdefault(topic, {})
            of_topic |= {
                int(partition): min(int(end), of_topic.get(int(partition), int(end))) for partition, end in rows
            }
    return ends
