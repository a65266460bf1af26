"""What an execution's own tables in the ledger say of its loss: before the promotion, and after it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from failover.documents.execution import Loss, MeasuredLoss, PartitionLoss
from failover.execution.inventory import Inventory, inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, load_plan_table, save_execution_table
from failover.loss.divergence import divergence, failovers_before
from failover.loss.estimate import Offsets, losses, peak_rate, summary
from failover.loss.samples import Samples, SourceLiveness, from_rows


def expected_loss(book: Ledger, execution: Execution, mirrors: Inventory) -> Loss:
    """What a failover decided now is expected to strand.

    Raises:
        LedgerUnavailable
    """
    samples, lost_by = _samples(book, execution), _lost_by(book, execution)
    return summary(losses(_lags(mirrors), samples, {}, lost_by), lost_by, execution.from_site)


def final_loss(book: Ledger, execution: Execution) -> Loss:
    """What is known of the loss once the mirrors are STOPPED; keeps the whole table, by partition, in the ledger.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    samples, lost_by = _samples(book, execution), _lost_by(book, execution)
    by_partition = losses(_lags(inventory(book, execution)), samples, _log_ends(book, execution), lost_by)
    rows: dict[str, list[PartitionLoss]] = {}
    for loss in by_partition:
        rows.setdefault(loss.topic, []).append(loss.as_row())
    save_execution_table(book, execution, "loss", rows)
    return summary(by_partition, lost_by, execution.from_site) | {
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
    unmeasured = max(0, loss["partitions"] - len(by_spot))
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


def _samples(book: Ledger, execution: Execution) -> Samples:
    return from_rows(load_plan_table(book, execution.plan, f"lag-{execution.to_site}"))


def _lost_by(book: Ledger, execution: Execution) -> float:
    """The first moment at which the lost site is known not to have answered; at the latest, when it was claimed."""
    row = load_plan_table(book, execution.plan, "watch").get(execution.from_site) or {}
    since = SourceLiveness(**row).unanswered_since
    return execution.claimed_at if since is None else min(since, execution.claimed_at)


def _lags(mirrors: Inventory) -> dict[str, Mapping[int, int | None]]:
    return {topic: entry.lags for topic, entry in mirrors.items()}


def _log_ends(book: Ledger, execution: Execution) -> Offsets:
    return {
        topic: {int(partition): int(end) for partition, end in ends}
        for topic, ends in load_execution_table(book, execution, "log-ends").items()
    }
