"""The report of an execution with what the ledger has beside it: what its page is made of."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from failover.documents.execution import ExecutionReport, PartitionLoss


class WholeReport(TypedDict):
    """All that is kept of an execution that has ended."""

    version: Literal[1]
    report: ExecutionReport
    observed: dict[str, dict[str, Any]]
    """By step, what it last saw and did."""
    partitions: list[PartitionLoss]
    """Every partition; in the report are the worst."""
