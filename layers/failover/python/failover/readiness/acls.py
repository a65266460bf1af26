"""The ACLs of both clusters: what clients may do today, and on the day after. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from failover.link import Acl
from failover.plan.model import Plan
from failover.readiness import Finding, fail, listed, ok, warn


def difference(plan: Plan, active: frozenset[Acl], standby: frozenset[Acl]) -> Iterator[Finding]:
    """Whether the standby lets clients do what the active cluster does. What only the standby has may be its own; but
    what it denies by itself, clients meet on the day."""
    missing, denied = active - standby, {acl for acl in standby - active if acl.permission == "DENY"}
    severity = fail if plan.protect.acls else warn
    if missing:
        yield severity(
            f"{len(missing):,} of {len(active):,} ACLs are not on the standby: {listed(map(_described, missing))}",
            "sync them with acl.sync.enable and acl.filters of the link, or add them there",
        )
    if denied:
        yield warn(
            f"{len(denied):,} ACLs deny on the standby only: {listed(map(_described, denied))}",
            "check whether they are meant",
        )
    extra = len(standby - active)
    yield ok(f"{len(active & standby):,} ACLs are on both clusters, {extra:,} on the standby only")


def _described(acl: Acl) -> str:
    return (
        f"{acl.principal} {acl.permission} {acl.operation} {acl.resource_type} {acl.resource_name}"
        f" ({acl.pattern_type}) from {acl.host}"
    )
