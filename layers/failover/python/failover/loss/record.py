"""What an execution's own tables in the ledger say of its loss: before the promotion, and after it."""

from __future__ import annotations

from collections.abc import Mapping

from failover.documents.execution import Loss, PartitionLoss
from failover.execution.inventory import Inventory, inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, load_plan_table, save_execution_table
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
