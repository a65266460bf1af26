"""check_offsets: between promotion and DNS, before any client is let in. Record where each partition of the standby
ends, the anchor of every later figure of loss; then look for committed offsets of the protected groups that are beyond
that end: offsets are synced apart from records, and can be ahead of them. A consumer would go on from there and skip
what is written until then, so they are clamped, unless policy says to report them only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failover.aws.secrets import with_credentials
from failover.errors import LinkRejected, LinkUnavailable
from failover.execution.inventory import Inventory, inventory, listed
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka import Settings, settings
from failover.kafka.offsets import Spot, commit, committed, log_ends
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.link.factory import cluster_at, links_at
from failover.plan.model import Plan

NAMED = 20


@dataclass(frozen=True)
class Ahead:
    """A committed offset beyond the end of its partition."""

    group: str
    spot: Spot
    committed: int
    log_end: int

    def __str__(self) -> str:
        topic, partition = self.spot
        return f"{self.group} {topic}[{partition}] {self.committed} > {self.log_end}"


def check(request: Request, plan: Plan) -> Report:
    """Look at ends and offsets; clamp what is ahead if policy says so; done when none is ahead, or none is to be."""
    kafka = plan.site(request.execution.to_site).kafka
    return with_credentials(
        kafka.credentials,
        lambda held: _checked(request, plan, settings(kafka.bootstrap, kafka.security_protocol, held)),
    )


def _checked(request: Request, plan: Plan, as_controller: Settings) -> Report:
    ends = log_ends(as_controller, _spots(request, plan))
    _keep_first(request, ends)
    ahead = _ahead(plan, request, as_controller, ends)
    clamping = plan.policy.on_offsets_ahead == "clamp" and not request.execution.dry_run
    refused = _clamp(as_controller, ahead) if clamping else []
    left = _ahead(plan, request, as_controller, ends) if ahead and clamping else ahead
    observed: dict[str, Any] = {
        "partitions": len(ends),
        "groups": list(plan.protect.groups),
        "offset_sync_seconds": _offset_sync_seconds(plan, request.execution.to_site),
        "ahead": list(map(str, left[:NAMED])),
        "ahead_count": len(left),
        "clamped": _clamped_before(request) + [str(each) for each in ahead if each not in left][:NAMED],
        "refused": refused,
    }
    return waiting(**observed) if left and clamping and not refused else done(**observed)


def _spots(request: Request, plan: Plan) -> list[Spot]:
    execution = request.execution
    known = _listed_now(plan, execution.to_site) if execution.dry_run else inventory(ledger(), execution)
    return [(topic, number) for topic, entry in known.items() for number in entry.lags]


def _keep_first(request: Request, ends: Mapping[Spot, int]) -> None:
    """Keep the ends as this execution first saw them: later ones hold clients' own records."""
    execution, book = request.execution, ledger()
    if execution.dry_run or not ends or load_execution_table(book, execution, "log-ends"):
        return
    rows: dict[str, list[tuple[int, int]]] = {}
    for (topic, partition), end in sorted(ends.items()):
        rows.setdefault(topic, []).append((partition, end))
    save_execution_table(book, execution, "log-ends", rows)


def _ahead(plan: Plan, request: Request, as_controller: Settings, ends: Mapping[Spot, int]) -> list[Ahead]:
    return [
        Ahead(group, spot, offset, ends[spot])
        for group in plan.protect.groups
        for spot, offset in _committed(plan, request, as_controller, group, ends).items()
        if spot in ends and offset > ends[spot]
    ]


def _listed_now(plan: Plan, site: str) -> Inventory:
    """A dry run takes no inventory."""
    return {topic: entry for link in links_at(plan, site) for topic, entry in listed(link.name, link.mirrors()).items()}


def _committed(
    plan: Plan, request: Request, as_controller: Settings, group: str, ends: Mapping[Spot, int]
) -> dict[Spot, int]:
    """Over REST where this cluster tells it there, else over the Kafka protocol."""
    try:
        rows = cluster_at(plan, request.execution.to_site).group_offsets(group)
    except (LinkUnavailable, LinkRejected):
        rows = None
    if rows is not None:
        return {(row.topic, row.partition): row.committed for row in rows}
    return committed(as_controller, group, ends)


def _offset_sync_seconds(plan: Plan, site: str) -> float | None:
    """How far committed offsets may trail: the longest of the links' sync intervals; None if one is not told."""
    try:
        told = [link.configs().get("consumer.offset.sync.ms") for link in links_at(plan, site)]
        return max(float(str(each)) for each in told) / 1000
    except (LinkUnavailable, LinkRejected, ValueError):
        return None


def _clamp(as_controller: Settings, ahead: list[Ahead]) -> list[str]:
    """Why it was refused, group by group."""
    by_group: dict[str, dict[Spot, int]] = {}
    for each in ahead:
        by_group.setdefault(each.group, {})[each.spot] = each.log_end
    return [why for group, offsets in by_group.items() if (why := commit(as_controller, group, offsets))]


def _clamped_before(request: Request) -> list[str]:
    """What an earlier call of this step clamped; for the report only."""
    last = ledger().step(request.execution, "check_offsets")
    return list(last.observed.get("clamped", [])) if last else []


handler = step("check_offsets", Request, check)
