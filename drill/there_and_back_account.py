"""The account of a way there and back: what clients saw of a failover and of the failback, and where every record is
that was ever acknowledged. Pure.

In the end a record is in the log of the active cluster or, if it was stranded on the lost site, in the rescue.
What can't be told is None, never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict

from drill.clients.read_log import ClusterLog
from drill.clients.record_log import ProducerLog
from drill.execution_times import ExecutionTimes
from drill.fixture_plan import HOME
from drill.switchover_account import ClientsAccount, Gaps


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rescued(_Part):
    """What was stranded on the lost site, and what of it was saved; records."""

    diverged: int | None
    """As the restore measured it."""
    saved: int | None
    """As the restore reports it."""
    read_back: int
    """Read in the rescue's bucket, with a number of the drill's writers."""
    sent_again: int | None
    """Of these, in the active cluster's log, too: their writer had no answer before the loss, and sent them again."""


class ThereAndBackReport(_Part):
    """The drill, as `report.json` has it. Figures are of the clients with recommended settings, but for `rescued`,
    `missing`, and those in `by_settings`."""

    scenario: str
    fleet: str
    timing: str
    """Whose delays it ran with: the drill's own, or those of AWS."""
    rto: float | None
    """Seconds from the loss until records of the writer were acknowledged again."""
    switchover: Gaps
    """Of the failback."""
    rescued: Rescued
    estimated_loss: dict[str, Any] | None
    """As the failover's report had it at first: records, from low to high."""
    measured_loss: int | None
    """As that report has it since the restore."""
    lost: int | None
    """Acknowledged at any time, and neither in the active cluster's log nor in the rescue."""
    out_of_order: int | None
    twice: int | None
    missing: int | None
    """As `lost`, of all clients."""
    active_site: str | None
    mirrors_back: int | None
    """How many topics the site that was left for home mirrors by now."""
    executions: list[ExecutionTimes]
    """The failover, the restore and the failback."""
    by_settings: list[ClientsAccount]
    """Their `lost`: not in the active cluster's log, rescued or not."""

    @property
    def complete(self) -> bool:
        """Whether clients are home again, all that was stranded is saved, and no record is missing or out of order."""
        succeeded = [execution.outcome for execution in self.executions] == ["succeeded"] * 3
        saved = self.rescued.diverged is not None and self.rescued.saved == self.rescued.diverged
        return succeeded and saved and self.active_site == HOME and self.missing == 0 and self.out_of_order == 0


def missing_records(
    written: Mapping[str, ProducerLog], active: ClusterLog | None, rescued: Collection[int]
) -> dict[str, int | None]:
    """How many acknowledged records are neither in the active cluster's log nor among the `rescued` numbers, by the
    settings of their writer."""
    if active is None:
        return dict.fromkeys(written)
    safe = {record.n for record in active.records}.union(rescued)
    return {settings: len({record.n for record in log.acknowledged} - safe) for settings, log in written.items()}


def recovery_time(written: ProducerLog, lost_at: float, failback_at: float) -> float | None:
    """Seconds from the loss to the first record that was acknowledged after the longest standstill before the failback;
    None without one."""
    moments = sorted(record.at for record in written.acknowledged if record.at < failback_at)
    standstills = [(after - before, after) for before, after in pairwise(moments) if after >= lost_at]
    return max(standstills)[1] - lost_at if standstills else None
