"""create_groups: make the protected groups of the new protocol on the standby, before any client is let in.

A member of such a group that comes to a cluster which does not know the group ends for good (GROUP_ID_NOT_FOUND). Which
groups these are was kept by readiness, while the active cluster could tell. A group that is there already is left as it
is; one that can't be made is named, and holds nothing up beyond the step's deadline.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.documents.steps import GroupsCreated
from failover.errors import FailoverError, KafkaUnauthorized
from failover.execution.group_protocols import load_group_protocols
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.groups import create_group, group_protocols
from failover.plan.model import Plan

SIDE_BY_SIDE: Final = 16
NAMED: Final = 20


def create(request: Request, plan: Plan) -> Report:
    """Done when each group of the new protocol is there, or can't be made."""
    site, protocols = request.execution.to_site, load_group_protocols(ledger(), plan.name)
    consumer_groups = [group for group in plan.protect.groups if protocols.get(group) == "consumer"]
    untold = [group for group in plan.protect.groups if group not in protocols]
    observed: GroupsCreated = {"groups": len(consumer_groups), "protocol_unknown": untold[:NAMED]}
    if not consumer_groups:
        return done(**observed)
    there = _there(plan, site, consumer_groups)
    missing = [group for group in consumer_groups if group not in there]
    if request.execution.dry_run:
        return done(**observed, would_create=missing[:NAMED])
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        errors = list(pool.map(lambda group: _create(plan, site, group), missing))
    failed = {group: error for group, error in zip(missing, errors, strict=True) if error is not None}
    observed |= {
        "created": [group for group in missing if group not in failed][:NAMED],
        "failed": [f"group {group}: {error}" for group, error in failed.items()][:NAMED],
        "failed_count": len(failed),
    }
    may_pass = any(not isinstance(error, KafkaUnauthorized) for error in failed.values())
    return (waiting if may_pass else done)(**observed)


def _there(plan: Plan, site: str, groups: list[str]) -> set[str]:
    """Those that the standby has by the new protocol; none if it does not tell: joining one that is there does no
    harm."""
    try:
        protocols = as_controller(plan, site, lambda settings: group_protocols(settings, groups))
    except FailoverError:
        return set()
    return {group for group, protocol in protocols.items() if protocol == "consumer"}


def _create(plan: Plan, site: str, group: str) -> FailoverError | None:
    topic = plan.clients.canary_topic
    try:
        as_controller(plan, site, lambda settings: create_group(settings, group, topic))
    except FailoverError as error:
        return error
    return None


handler = step("create_groups", Request, create)
