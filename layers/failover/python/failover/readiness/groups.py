"""The protected groups' committed offsets: whether the standby has them, and how old they are. Pure.

A commit carries no time that can be read. So what the active cluster has committed is sampled, and a sample older than
two sync intervals must have been reached by the standby: that is how old its offsets are, at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from failover.readiness import Finding, fail, listed, ok, unknown, warn

Offsets = Mapping[tuple[str, int], int]
"""Committed offsets by topic and partition."""
SYNC_S: Final = 30.0
"""Confluent's default of `consumer.offset.sync.ms`, in seconds."""
_IDLE: Final = {"EMPTY", "DEAD", "UNKNOWN"}


@dataclass(frozen=True)
class Sample:
    """What groups had committed on the active cluster, by group. `at`: seconds since 1970."""

    at: float
    offsets: Mapping[str, Offsets]


@dataclass(frozen=True)
class Sampled:
    """The two last samples. The newer one is judged by once it is older than two sync intervals."""

    older: Sample | None = None
    newer: Sample | None = None

    def to_judge_by(self, now: float, limit_s: float) -> Sample | None:
        """The newest sample that the standby must have reached by now."""
        return next((sample for sample in (self.newer, self.older) if sample and now - sample.at >= limit_s), None)

    def after(self, offsets: Mapping[str, Offsets], now: float, limit_s: float) -> Sampled:
        """The samples after another look; a look that comes soon after one that is kept replaces nothing."""
        if self.newer is not None and now - self.newer.at < limit_s:
            return self
        return Sampled(self.newer, Sample(now, offsets))


@dataclass(frozen=True, kw_only=True)
class GroupOffsets:
    """A group on both clusters, its offsets of mirrored topics only."""

    group: str
    active: Offsets
    standby: Offsets
    state: str | None = None
    """On the standby; None where it is not told."""


def offset_age(observed: GroupOffsets, sample: Sample | None, limit_s: float, now: float) -> Iterator[Finding]:
    """Whether the standby has the group's offsets, and of when. `sample`: what it must have reached."""
    group = observed.group
    if observed.state is not None and observed.state not in _IDLE:
        yield fail(
            f"group {group} is {observed.state} on the standby",
            "stop its consumers there: its offsets are not synced while it is active on the standby",
        )
    if not observed.active:
        yield warn(
            f"group {group} has committed nothing for a mirrored topic on the active cluster",
            "check protect.groups of the plan",
        )
        return
    behind = _behind(observed.active, observed.standby)
    if not behind:
        yield ok(f"group {group} has the same offsets on both clusters ({len(observed.active):,} partitions)")
        return
    if sample is None or group not in sample.offsets:
        yield unknown(
            f"group {group} is behind on {len(behind):,} of {len(observed.active):,} partitions of the standby; for how"
            " long, a second look will tell",
            f"look again in {limit_s:,.0f} s",
        )
        return
    # Who resets a group's offsets back has them back on the standby, too.
    due = {spot: min(offset, observed.active.get(spot, offset)) for spot, offset in sample.offsets[group].items()}
    late = _behind(due, observed.standby)
    if late:
        never = sum(spot not in observed.standby for spot in late)
        yield fail(
            f"group {group} does not have on the standby what it had committed {now - sample.at:,.0f} s ago, for"
            f" {len(late):,} of {len(observed.active):,} partitions, {never:,} of them never:"
            f" {listed(f'{topic}[{partition}]' for topic, partition in late)}",
            "look at ConsumerOffsetSync and its filters: consumers would read that much again",
        )
    else:
        yield ok(f"group {group} has on the standby what it had committed {now - sample.at:,.0f} s ago, or later")


def _behind(active: Offsets, standby: Offsets) -> list[tuple[str, int]]:
    return [spot for spot, offset in active.items() if standby.get(spot, -1) < offset]


def of_mirrored(offsets: Offsets, topics: Collection[str]) -> dict[tuple[str, int], int]:
    """Without what the link can't sync: offsets of topics that have no mirror."""
    return {spot: offset for spot, offset in offsets.items() if spot[0] in topics}
