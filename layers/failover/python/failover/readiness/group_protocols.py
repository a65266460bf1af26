"""By which protocol the protected groups work: kept, since it must be known once the active cluster is lost."""

from __future__ import annotations

from collections.abc import Iterator

from failover.errors import FailoverError, KafkaUnavailable
from failover.execution.group_protocols import load_group_protocols, save_group_protocols
from failover.kafka.factory import as_controller
from failover.kafka.groups import group_protocols, unreadable_groups
from failover.readiness import Finding, fail, ok, unknown, unreadable
from failover.readiness.snapshot import PlanSnapshot


def protocols(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether it is known of each group; keeps it for the failover."""
    plan, groups = snapshot.plan, snapshot.plan.protect.groups
    if not groups:
        yield ok("the plan protects no group")
        return
    try:
        observed = as_controller(plan, snapshot.active, lambda settings: group_protocols(settings, groups))
    except FailoverError as error:
        yield unreadable(error)
        return
    save_group_protocols(snapshot.book, plan.name, observed)
    protocols = load_group_protocols(snapshot.book, plan.name)
    for group in groups:
        if group not in protocols:
            yield unknown(
                f"{snapshot.active} does not tell by which protocol group {group} works",
                "look whether the group is there, and the controller may describe it; members of the new protocol"
                " (group.protocol=consumer) end for good on a standby that does not know their group",
            )
        elif protocols[group] == "consumer":
            yield ok(f"group {group} works by the new protocol: a failover makes it on the standby before clients come")
        else:
            yield ok(f"group {group} works by the classic protocol")
    yield from _readable(snapshot, [group for group in groups if protocols.get(group) == "consumer"])


def _readable(snapshot: PlanSnapshot, consumer_groups: list[str]) -> Iterator[Finding]:
    """Whether a failover may make those of the new protocol on the standby, by joining them. A standby that describes
    none of them says nothing of it."""
    try:
        refused = as_controller(
            snapshot.plan, snapshot.standby, lambda settings: unreadable_groups(settings, consumer_groups)
        )
    except KafkaUnavailable:
        return
    except FailoverError as error:
        yield unreadable(error)
        return
    for group in refused:
        yield fail(
            f"the controller may not read group {group} on {snapshot.standby}: it can't make it there",
            "allow the controller's principal to READ the group on both clusters",
        )
