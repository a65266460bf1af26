"""Reading what the protected groups have committed on both clusters, and sampling it, for `groups.offset_age`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from failover.errors import FailoverError, LinkRejected, LinkUnavailable
from failover.execution.committed_offsets import committed_offsets
from failover.kafka.offsets import Offsets as CommittedOffsets
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table
from failover.link.factory import cluster_at
from failover.plan.model import Plan
from failover.readiness import Finding, ok, unknown, unreadable
from failover.readiness.groups import SYNC_S, GroupOffsets, Offsets, Sample, Sampled, of_mirrored, offset_age
from failover.readiness.snapshot import PlanSnapshot

_AT: Final = "at"


def group_offsets(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether the standby has the groups' offsets, and of when; keeps a sample for the next time."""
    plan, groups = snapshot.plan, snapshot.plan.protect.groups
    if not groups:
        yield ok("the plan protects no group")
        return
    partitions = {mirror.source_topic or mirror.topic: len(mirror.lags) for mirror in snapshot.mirrors()}
    spots = [(topic, number) for topic, count in partitions.items() for number in range(count)]
    states, limit = _states(plan, snapshot.standby), _limit(snapshot)
    sampled = load_samples(snapshot.book, plan.name, snapshot.active)
    sample, now = sampled.to_judge_by(snapshot.now, limit), dict[str, Offsets]()
    for group in groups:
        try:
            active, standby = (
                committed_offsets(plan, site, group, spots) for site in (snapshot.active, snapshot.standby)
            )
        except FailoverError as error:
            yield unreadable(error)
            continue
        if untold := [*_untold(snapshot.active, group, active), *_untold(snapshot.standby, group, standby)]:
            yield from untold
            continue
        observed = GroupOffsets(
            group=group,
            active=of_mirrored(active.by_partition, partitions),
            standby=of_mirrored(standby.by_partition, partitions),
            state=states.get(group),
        )
        now[group] = observed.active
        yield from offset_age(observed, sample, limit, snapshot.now)
    after = sampled.after(now, snapshot.now, limit)
    if after is not sampled:
        keep_samples(snapshot.book, plan.name, snapshot.active, after)


def _untold(site: str, group: str, offsets: CommittedOffsets) -> Iterator[Finding]:
    """A part of a group's offsets is not judged by: what is missing may be what is behind."""
    for spot, why in [*offsets.refused.items(), *offsets.unknown.items()][:1]:
        count = len(offsets.refused) + len(offsets.unknown)
        yield unknown(
            f"{site} does not tell the offsets of group {group} for {count:,} partitions: {spot[0]}[{spot[1]}] {why}",
            "look whether that partition has a leader, and the controller may read the group and the topic",
        )


def _states(plan: Plan, site: str) -> dict[str, str]:
    """The groups' states on the standby, where they are told: only an active one matters, and only as a hint."""
    try:
        return {group.name: group.state for group in cluster_at(plan, site).groups()}
    except (LinkUnavailable, LinkRejected):
        return {}


def _limit(snapshot: PlanSnapshot) -> float:
    """Two sync intervals, in seconds; of Confluent's default where the links do not tell theirs."""
    intervals = []
    for link in snapshot.plan.links:
        try:
            intervals.append(
                float(snapshot.configs(snapshot.standby, link.name).get("consumer.offset.sync.ms") or "") / 1000
            )
        except (FailoverError, ValueError):
            intervals.append(SYNC_S)
    return 2 * max(intervals)


def load_samples(book: Ledger, plan: str, site: str) -> Sampled:
    """The samples of a site's groups.

    Raises:
        LedgerUnavailable
    """
    older, newer = (_sample(load_plan_table(book, plan, _name(site, which))) for which in ("older", "newer"))
    return Sampled(older, newer)


def keep_samples(book: Ledger, plan: str, site: str, sampled: Sampled) -> None:
    """Keep the samples of a site's groups, in place of those before; the older one first, so that none is ever lost.

    Raises:
        LedgerUnavailable
    """
    for which, sample in (("older", sampled.older), ("newer", sampled.newer)):
        if sample is not None:
            save_plan_table(book, plan, _name(site, which), _rows(sample))


def _name(site: str, which: str) -> str:
    return f"offsets-{site}-{which}"


def _rows(sample: Sample) -> dict[str, Any]:
    """A row a group and topic."""
    rows: dict[str, Any] = {_AT: sample.at}
    for group, committed_there in sample.offsets.items():
        for (topic, partition), offset in sorted(committed_there.items()):
            rows.setdefault(f"{group}\t{topic}", []).append([partition, offset])
    return rows


def _sample(rows: Mapping[str, Any]) -> Sample | None:
    if _AT not in rows:
        return None
    by_group: dict[str, dict[tuple[str, int], int]] = {}
    for key, row in rows.items():
        group, _, topic = key.rpartition("\t")
        if group:
            by_group.setdefault(group, {}).update({(topic, int(partition)): int(offset) for partition, offset in row})
    return Sample(float(rows[_AT]), by_group)
