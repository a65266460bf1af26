"""Stranded ranges, what is saved of them, and whether they may be truncated. Pure.

A range is of offsets, not of records: markers of transactions take offsets, and compaction leaves gaps. So a partition
is saved when every offset of its range is accounted for: read as a record, or passed over by a reader that was shown
a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from failover.errors import RescueIncomplete

Spot = tuple[str, int]
"""Topic and partition."""
NAMED = 20


@dataclass(frozen=True, kw_only=True, order=True)
class StrandedRange:
    """What one partition of the returned site holds beyond what the active one got."""

    topic: str
    partition: int
    begin: int
    """The first stranded offset, at which the partition is cut."""
    end: int
    """The end of the log: the offset after the last stranded one."""

    @property
    def spot(self) -> Spot:
        """Its topic and partition."""
        return self.topic, self.partition

    @property
    def offsets(self) -> int:
        """How many offsets diverged; there are at most so many records."""
        return self.end - self.begin


@dataclass(frozen=True)
class Stranded:
    """What a restore measured on the returned site: every partition that diverged; none, if none did."""

    site: str
    """The returned site, on whose cluster the ranges are."""
    ranges: tuple[StrandedRange, ...]


@dataclass(frozen=True, kw_only=True)
class Saved:
    """How far the range of one partition is saved."""

    begin: int
    """Where it was begun: the first offset of the range."""
    next_offset: int
    """Every offset from `begin` up to here is accounted for."""
    records: int = 0
    """Read, and in S3."""
    without_record: int = 0
    """Offsets at which there is none: a transaction's marker, or compacted away."""
    gone: int = 0
    """Offsets that the site does not have any more: retention deleted them, or somebody the topic."""
    size: int = 0
    """Bytes in S3."""
    objects: int = 0


def unsaved(stranded: Stranded, saved: Mapping[Spot, Saved], *, without_gone: bool = False) -> list[str]:
    """Why the ranges may not be truncated, by partition; nothing, if they may. `without_gone`: the plan wants to go on
    without offsets that the site does not have any more."""
    reasons = []
    for stranded_range in sorted(stranded.ranges):
        where = f"{stranded_range.topic}[{stranded_range.partition}]"
        progress = saved.get(stranded_range.spot)
        if progress is None or progress.begin > stranded_range.begin:
            reasons.append(f"{where}: nothing of {stranded_range.offsets:,} offsets is saved")
            continue
        accounted = progress.records + progress.without_record + (progress.gone if without_gone else 0)
        if progress.gone and not without_gone:
            reasons.append(f"{where}: {progress.gone:,} offsets are not on {stranded.site} any more")
        elif progress.next_offset < stranded_range.end:
            reasons.append(f"{where}: {stranded_range.end - progress.next_offset:,} offsets are not saved yet")
        elif accounted != progress.next_offset - progress.begin:
            diverged = progress.next_offset - progress.begin
            reasons.append(f"{where}: {accounted:,} offsets are accounted for, {diverged:,} diverged")
    return reasons


def refuse_unsaved(reasons: Iterable[str]) -> None:
    """To be called before anything is truncated, with what `unsaved` says.

    Raises:
        RescueIncomplete: if it says anything.
    """
    if lines := list(reasons):
        more = f", and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
        raise RescueIncomplete(
            f"{len(lines)} partitions are not saved, and nothing was truncated: {'; '.join(lines[:NAMED])}{more}"
        )
