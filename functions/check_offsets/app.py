"""check_offsets: between promotion and DNS, before any client is let in. Record where each partition of the standby
ends, the anchor of every later figure of loss; then look for committed offsets of the protected groups that are beyond
that end: offsets are synced apart from records, and can be ahead of them. A consumer would go on from there and skip
what is written until then, so they are clamped, unless policy says to report them only. What the cluster does not tell
yet is waited for, until the step's deadline; what it refuses to tell is not. Both are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from failover.documents.steps import OffsetsChecked
from failover.errors import FailoverError, KafkaUnauthorized, LinkRejected, LinkUnavailable
from failover.execution.committed_offsets import commit_offsets, committed_offsets
from failover.execution.inventory import inventory, listed
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Commit, Offsets, Spot, in_words, log_ends
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.link.factory import links_at
from failover.plan.model import Plan

NAMED: Final = 20
SIDE_BY_SIDE: Final = 16
"""Clients wait for the groups: each is asked in a connection of its own."""


@dataclass(frozen=True, order=True, kw_only=True)
class Ahead:
    """A committed offset beyond the end of its partition."""

    group: str
    spot: Spot
    committed: int
    log_end: int

    def __str__(self) -> str:
        return f"{self.group} {in_words(self.spot)} {self.committed} > {self.log_end}"


@dataclass(frozen=True)
class UntoldGroups:
    """Groups whose offsets are not known, or not all of them: in words, by group."""

    unknown: dict[str, str] = field(default_factory=dict)
    """Because the cluster does not tell them now."""
    refused: dict[str, str] = field(default_factory=dict)
    """Because the controller may not look at them."""

    def __or__(self, other: UntoldGroups) -> UntoldGroups:
        return UntoldGroups(self.unknown | other.unknown, self.refused | other.refused)


def check(request: Request, plan: Plan) -> Report:
    """Done when every partition and group is told that the controller may look at, and no offset is ahead that is to be
    clamped and can be."""
    execution, site = request.execution, request.execution.to_site
    partitions = _partitions(request, plan)
    ends = _log_ends(plan, site, partitions)
    if not execution.dry_run:
        _record_log_ends(request, ends.by_partition)
    with ThreadPoolExecutor() as pool:
        open_transactions = pool.submit(_open_transactions, plan, site, ends)
        offset_sync_seconds = pool.submit(_offset_sync_seconds, plan, site)
        ahead, groups = _ahead(plan, site, plan.protect.groups if ends.by_partition else (), ends)
    clamping = plan.policy.on_offsets_ahead == "clamp" and not execution.dry_run
    commits = _clamp(plan, site, ahead) if clamping else {}
    still_ahead = ahead
    if commits:
        still_ahead, again = _ahead(plan, site, commits, ends)
        groups = groups | again
    pending = [*_in_lines(ends.unknown), *groups.unknown.values()]
    unknown = [*pending, *_in_lines(ends.refused), *groups.refused.values()]
    observed: OffsetsChecked = {
        "partitions": len(ends.by_partition),
        "unknown": unknown[:NAMED],
        "unknown_count": len(unknown),
        "groups": list(plan.protect.groups),
        "offset_sync_seconds": offset_sync_seconds.result(),
        "open_transactions": open_transactions.result()[:NAMED],
        "ahead": list(map(str, still_ahead[:NAMED])),
        "ahead_count": len(still_ahead),
        "clamped": [*_clamped_before(request), *(str(offset) for offset in ahead if offset not in still_ahead)][:NAMED],
        "refused": [attempt.refused for attempt in commits.values() if attempt.refused],
        "retried": [attempt.retry for attempt in commits.values() if attempt.retry],
    }
    to_clamp = [offset for offset in still_ahead if clamping and not commits[offset.group].refused]
    if (pending or to_clamp) and not execution.dry_run:
        return waiting(**observed)
    return done(**observed)


def _partitions(request: Request, plan: Plan) -> list[Spot]:
    """Of every mirror of the inventory; a dry run takes none, so of those that are listed now."""
    execution = request.execution
    if not execution.dry_run:
        mirrors = inventory(ledger(), execution)
    else:
        links = links_at(plan, execution.to_site)
        mirrors = {topic: mirror for link in links for topic, mirror in listed(link.name, link.mirrors()).items()}
    return [(topic, partition) for topic, mirror in mirrors.items() for partition in mirror.lags]


def _log_ends(plan: Plan, site: str, partitions: Sequence[Spot]) -> Offsets:
    """Where the partitions end; of a cluster that can't be asked at all, why it is not known of each."""
    try:
        return as_controller(plan, site, lambda settings: log_ends(settings, partitions))
    except FailoverError as error:
        return Offsets(unknown=dict.fromkeys(partitions, str(error)))


def _record_log_ends(request: Request, ends: Mapping[Spot, int]) -> None:
    """Record each partition's end as this execution first saw it: later ones hold clients' own records."""
    rows = load_execution_table(ledger(), request.execution, "log-ends")
    recorded = {(topic, partition): end for topic, row in rows.items() for partition, end in row}
    if ends.keys() <= recorded.keys():
        return
    merged: dict[str, list[tuple[int, int]]] = {}
    for (topic, partition), end in sorted((dict(ends) | recorded).items()):
        merged.setdefault(topic, []).append((partition, end))
    save_execution_table(ledger(), request.execution, "log-ends", merged)


def _open_transactions(plan: Plan, site: str, ends: Offsets) -> list[str]:
    """Partitions whose last stable offset is below their end: readers of committed records stop there until somebody
    aborts the transaction that its source left open."""
    try:
        stable = as_controller(plan, site, lambda settings: log_ends(settings, ends.by_partition, stable=True))
    except FailoverError as error:
        return [f"not known: {error}"] if ends.by_partition else []
    below = [
        f"{in_words(spot)} {offset} < {ends.by_partition[spot]}"
        for spot, offset in sorted(stable.by_partition.items())
        if offset < ends.by_partition[spot]
    ]
    undisclosed = _in_lines(stable.unknown | stable.refused)
    return below + [f"not known: {reason}" for reason in undisclosed]


def _ahead(plan: Plan, site: str, groups: Iterable[str], ends: Offsets) -> tuple[list[Ahead], UntoldGroups]:
    """Offsets of the groups beyond the ends; and the groups of which that is not known, or not for every partition."""
    ahead: list[Ahead] = []
    untold = UntoldGroups()

    def ask(group: str) -> Offsets:
        return committed_offsets(plan, site, group, ends.by_partition)

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        answers = {group: pool.submit(ask, group) for group in groups}
    for group, answer in answers.items():
        try:
            offsets = answer.result()
        except KafkaUnauthorized as error:
            untold.refused[group] = f"group {group}: {error}"
            continue
        except FailoverError as error:
            untold.unknown[group] = f"group {group}: {error}"
            continue
        for spot, offset in offsets.by_partition.items():
            if offset > ends.by_partition.get(spot, offset):
                ahead.append(Ahead(group=group, spot=spot, committed=offset, log_end=ends.by_partition[spot]))
        if offsets.unknown:
            untold.unknown[group] = f"group {group}: {'; '.join(_in_lines(offsets.unknown)[:NAMED])}"
        if offsets.refused:
            untold.refused[group] = f"group {group}: {'; '.join(_in_lines(offsets.refused)[:NAMED])}"
    return ahead, untold


def _clamp(plan: Plan, site: str, ahead: list[Ahead]) -> dict[str, Commit]:
    """What became of setting them back to the ends, by group."""
    ends: dict[str, dict[Spot, int]] = {}
    for offset in ahead:
        ends.setdefault(offset.group, {})[offset.spot] = offset.log_end

    def set_back(group: str) -> Commit:
        return commit_offsets(plan, site, group, ends[group])

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        return dict(zip(ends, pool.map(set_back, ends), strict=True))


def _offset_sync_seconds(plan: Plan, site: str) -> float | None:
    """How far committed offsets may trail: the longest of the links' sync intervals; None if one is not told."""
    try:
        intervals = [link.configs().get("consumer.offset.sync.ms") for link in links_at(plan, site)]
        return max(float(str(interval)) for interval in intervals) / 1000
    except (LinkUnavailable, LinkRejected, ValueError):
        return None


def _clamped_before(request: Request) -> list[str]:
    """What an earlier call of this step clamped; for the report only."""
    last = ledger().step(request.execution.plan, request.execution.name, "check_offsets")
    return list(last.observed.get("clamped", [])) if last else []


def _in_lines(reasons: Mapping[Spot, str]) -> list[str]:
    return [f"{in_words(spot)}: {why}" for spot, why in sorted(reasons.items())]


handler = step("check_offsets", Request, check)
