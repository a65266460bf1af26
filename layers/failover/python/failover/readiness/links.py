"""The cluster links: their state and tasks, whether offsets and new topics are taken along, and whether there is a way
back. Pure.

A link that syncs nothing reports no error: a task that is NOT_CONFIGURED, or filters that match nobody, are silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from failover.link import ACTIVE, LinkFacts
from failover.plan.model import Plan
from failover.readiness import Finding, fail, listed, ok, unknown, warn
from failover.readiness.filters import BadFilters, read_filters, selects, selects_all

Configs = Mapping[str, str | None]

MODE: Final = "link.mode"
PREFIX: Final = "cluster.link.prefix"
OFFSET_SYNC: Final = "consumer.offset.sync.enable"
GROUP_FILTERS: Final = "consumer.offset.group.filters"
AUTO_CREATE: Final = "auto.create.mirror.topics.enable"
TOPIC_FILTERS: Final = "auto.create.mirror.topics.filters"

_BAD_STATES: Final = {"FAILED", "UNAVAILABLE", "PAUSED"}
_BAD_TASK_STATES: Final = {"IN_ERROR", "NOT_CONFIGURED", "LINK_FAILED", "LINK_UNAVAILABLE", "LINK_PAUSED"}
_TASK_SYNCS: Final = {
    "ConsumerOffsetSync": "consumers' committed offsets",
    "AclSync": "ACLs",
    "TopicConfigsSync": "the topics' configuration",
}


def state(link: LinkFacts) -> Iterator[Finding]:
    """Whether the link works, as its own cluster sees it."""
    if link.error is not None:
        yield fail(f"link {link.name} reports {link.error}", "mend the link: nothing is mirrored until it works")
    if link.state == ACTIVE:
        yield ok(f"link {link.name} is ACTIVE")
    elif link.state in _BAD_STATES:
        yield fail(f"link {link.name} is {link.state}", "mend or resume the link: nothing is mirrored until it works")
    else:
        yield unknown(f"link {link.name} is {link.state or 'in a state it does not tell'}", "look at the link")


def tasks(plan: Plan, link: LinkFacts) -> Iterator[Finding]:
    """Whether what the plan needs is synced. A task that the plan does not ask for is a warning when it is off."""
    by_name = {task.name: task for task in link.tasks}
    needed = {
        "ConsumerOffsetSync": bool(plan.protect.groups),
        "AclSync": plan.protect.acls,
        "TopicConfigsSync": True,
    }
    for name, synced in _TASK_SYNCS.items():
        task, severity = by_name.get(name), fail if needed[name] else warn
        where = f"task {name} of link {link.name}"
        if task is None:
            yield unknown(f"{where} is not told", f"look whether {synced} are synced")
        elif task.state == ACTIVE and not task.errors:
            yield ok(f"{where} is ACTIVE")
        elif task.state in _BAD_TASK_STATES or task.errors:
            why = f": {'; '.join(task.errors)}" if task.errors else ""
            yield severity(f"{where} is {task.state}{why}", f"{_enabling(name)}: without it {synced} are not synced")
        else:
            yield unknown(f"{where} is {task.state}", f"look whether {synced} are synced")


def _enabling(task: str) -> str:
    switch = {"ConsumerOffsetSync": f"{OFFSET_SYNC} and {GROUP_FILTERS}", "AclSync": "acl.sync.enable and acl.filters"}
    return f"look at {switch[task]} of the link" if task in switch else "look at the task's errors"


def offset_sync(plan: Plan, configs: Mapping[str, Configs]) -> Iterator[Finding]:
    """Whether the links' filters select every group the plan protects; by link name."""
    selecting: dict[str, list[str]] = {group: [] for group in plan.protect.groups}
    for link, values in configs.items():
        if not _on(values, OFFSET_SYNC):
            severity = fail if plan.protect.groups else warn
            yield severity(
                f"{OFFSET_SYNC} of link {link} is {values.get(OFFSET_SYNC)}",
                f"set it to true, and {GROUP_FILTERS} again: turning it off has cleared them",
            )
            continue
        try:
            filters = read_filters(values.get(GROUP_FILTERS), "groupFilters")
        except BadFilters as error:
            yield fail(f"{GROUP_FILTERS} of link {link} can't be read: {error}", f"set {GROUP_FILTERS} anew")
            continue
        for group, links in selecting.items():
            if selects(filters, group):
                links.append(link)
    without = [group for group, links in selecting.items() if not links]
    partly = [group for group, links in selecting.items() if links and len(links) < len(configs)]
    if without:
        yield fail(
            f"no filter selects group {listed(without)}",
            f"include them in {GROUP_FILTERS}: their consumers would start anew on the standby",
        )
    if partly:
        yield warn(
            f"not every link's filters select group {listed(partly)}",
            f"include them in {GROUP_FILTERS} of every link whose topics they read",
        )
    if selecting and not without and not partly:
        yield ok(f"{GROUP_FILTERS} select every protected group: {listed(selecting)}")


def new_topics(plan: Plan, configs: Mapping[str, Configs]) -> Iterator[Finding]:
    """Whether a topic that is created tomorrow gets its mirror, or the plan names those that need one."""
    if plan.protect.topics:
        yield ok(f"the plan names the {len(plan.protect.topics)} topics that need a mirror")
        return
    for link, values in configs.items():
        try:
            filters = read_filters(values.get(TOPIC_FILTERS), "topicFilters")
        except BadFilters as error:
            yield fail(f"{TOPIC_FILTERS} of link {link} can't be read: {error}", f"set {TOPIC_FILTERS} anew")
            continue
        if _on(values, AUTO_CREATE) and selects_all(filters):
            yield ok(f"link {link} creates a mirror for every new topic")
            return
    yield warn(
        "the plan protects every topic, and no link creates a mirror for every new one",
        f"set {AUTO_CREATE} and {TOPIC_FILTERS} of a link, or name the topics in protect.topics of the plan",
    )


def way_back(link: str, at: str, configs: Configs) -> Iterator[Finding]:
    """Whether mirrors have their topics' names, and the link can be reversed."""
    if prefix := configs.get(PREFIX):
        yield fail(
            f"link {link} at {at} has the prefix {prefix!r}",
            "create the link anew without one: clients would not find their topics, and there would be no way back",
        )
    mode = configs.get(MODE)
    if mode == "BIDIRECTIONAL":
        yield ok(f"link {link} at {at} is BIDIRECTIONAL")
    else:
        yield fail(
            f"{MODE} of link {link} at {at} is {mode}",
            "create the link anew as BIDIRECTIONAL on both clusters: it can't be converted, and there is no way back",
        )


def peer(link: LinkFacts, at: str, remote_cluster_id: str) -> Iterator[Finding]:
    """Whether the link at a site leads to the plan's other cluster."""
    if link.remote_cluster_id == remote_cluster_id:
        yield ok(f"link {link.name} at {at} leads to {remote_cluster_id}")
    elif link.remote_cluster_id is None:
        yield unknown(f"link {link.name} at {at} does not tell where it leads", "look at the link")
    else:
        yield fail(
            f"link {link.name} at {at} leads to {link.remote_cluster_id}, not {remote_cluster_id}",
            "check links and cluster_id of the plan",
        )


def _on(configs: Configs, name: str) -> bool:
    return str(configs.get(name)).lower() == "true"
