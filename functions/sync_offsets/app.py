"""sync_offsets: give the protected groups, on the standby, the very offsets that they have on the site that is left.

Behind the fence nobody commits any more, so both are compared and what differs is committed: nobody waits for the next
tick of the link's own sync. A group that has members on the standby commits for itself, and is named.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from failover.documents.steps import OffsetsSynced
from failover.errors import FailoverError, KafkaUnauthorized
from failover.execution.committed_offsets import commit_offsets, committed_offsets
from failover.execution.inventory import inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.offsets import Commit, Spot, in_words
from failover.plan.model import Plan

NAMED: Final = 20
SIDE_BY_SIDE: Final = 8


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A group's offsets on both sites."""

    group: str
    compared: int = 0
    """Partitions that the group has an offset for on the site that is left."""
    differing: dict[Spot, int] = field(default_factory=dict)
    """Where the standby has another offset, or none: the one of the site that is left."""
    unknown: str = ""
    """Why it is not known, now."""
    refused: str = ""
    """Why the controller may not know it, or may not commit."""


def sync(request: Request, plan: Plan) -> Report:
    """Compare, and commit what differs; done when nothing does that can be committed."""
    execution = request.execution
    spots = {
        (topic, partition) for topic, mirror in inventory(ledger(), execution).items() for partition in mirror.lags
    }
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        compared = list(pool.map(lambda group: _compare(request, plan, group, spots), plan.protect.groups))
        differing = [entry for entry in compared if entry.differing]
        commits: list[Commit] = []
        if not execution.dry_run:
            commits = list(
                pool.map(lambda entry: commit_offsets(plan, execution.to_site, entry.group, entry.differing), differing)
            )
    refused = [*(entry.refused for entry in compared), *(entry.refused for entry in commits)]
    pending = [*(entry.unknown for entry in compared), *(entry.retry for entry in commits)]
    observed: OffsetsSynced = {
        "groups": len(compared),
        "compared": sum(entry.compared for entry in compared),
        "differing": [
            f"{entry.group} {in_words(spot)} {offset}"
            for entry in differing
            for spot, offset in sorted(entry.differing.items())
        ][:NAMED],
        "committed": _committed_before(request)
        + sum(len(entry.differing) for entry, commit in zip(differing, commits, strict=False) if commit == Commit()),
        "refused": list(filter(None, refused))[:NAMED],
        "unknown": list(filter(None, pending))[:NAMED],
    }
    to_look_at_again = any(not answer.refused for answer in commits) or any(pending)
    return waiting(**observed) if to_look_at_again and not execution.dry_run else done(**observed)


def _compare(request: Request, plan: Plan, group: str, spots: Collection[Spot]) -> Comparison:
    execution = request.execution
    try:
        there = committed_offsets(plan, execution.from_site, group, spots)
        here = committed_offsets(plan, execution.to_site, group, spots)
    except KafkaUnauthorized as error:
        return Comparison(group=group, refused=f"group {group}: {error}")
    except FailoverError as error:
        return Comparison(group=group, unknown=f"group {group}: {error}")
    active_offsets = {spot: offset for spot, offset in there.by_partition.items() if spot in spots}
    return Comparison(
        group=group,
        compared=len(active_offsets),
        differing={spot: offset for spot, offset in active_offsets.items() if here.by_partition.get(spot) != offset},
        unknown=_of_group(group, there.unknown | here.unknown),
        refused=_of_group(group, there.refused | here.refused),
    )


def _committed_before(request: Request) -> int:
    """What earlier calls committed; for the report only."""
    last = ledger().step(request.execution.plan, request.execution.name, "sync_offsets")
    return int(last.observed["committed"]) if last else 0


def _of_group(group: str, reasons: dict[Spot, str]) -> str:
    named = [f"{in_words(spot)} {why}" for spot, why in sorted(reasons.items())]
    return f"group {group}: {'; '.join(named[:NAMED])}" if named else ""


handler = step("sync_offsets", Request, sync)
