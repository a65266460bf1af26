"""The links: state, tasks, filters, the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failover.link import LinkFacts, Task
from failover.plan.model import Plan
from failover.readiness import links

MakePlan = Callable[..., Plan]
Judged = Callable[..., Any]
WELL = (Task("ConsumerOffsetSync", "ACTIVE"), Task("AclSync", "ACTIVE"), Task("TopicConfigsSync", "ACTIVE"))


def link(state: str | None = "ACTIVE", error: str | None = None, tasks: tuple[Task, ...] = WELL) -> LinkFacts:
    return LinkFacts(name="orders-link", state=state, error=error, remote_cluster_id="lkc-east01", tasks=tasks)


def with_task(name: str, state: str, *errors: str) -> LinkFacts:
    return link(tasks=(*(task for task in WELL if task.name != name), Task(name, state, errors)))


def filters(*rows: tuple[str, str, str], kind: str = "groupFilters") -> str:
    named = [{"name": name, "patternType": pattern, "filterType": filter_} for name, pattern, filter_ in rows]
    return json.dumps({kind: named})


@pytest.mark.parametrize(
    ("state", "error", "status"),
    [
        ("ACTIVE", None, "pass"),
        ("PAUSED", None, "fail"),
        ("UNAVAILABLE", None, "fail"),
        ("FAILED", None, "fail"),
        ("ACTIVE", "AUTHENTICATION_ERROR", "fail"),
        (None, None, "unknown"),
        ("UNKNOWN", None, "unknown"),
        ("A_STATE_OF_NEXT_YEAR", None, "unknown"),
    ],
)
def test_the_state_of_a_link(judged: Judged, state: str | None, error: str | None, status: str) -> None:
    assert judged(links.state(link(state, error))).status == status


@pytest.mark.parametrize(
    ("task", "state", "protect", "status"),
    [
        ("ConsumerOffsetSync", "NOT_CONFIGURED", {"groups": ["fulfilment"]}, "fail"),
        ("ConsumerOffsetSync", "NOT_CONFIGURED", {"groups": []}, "warn"),
        ("ConsumerOffsetSync", "IN_ERROR", {"groups": ["fulfilment"]}, "fail"),
        ("ConsumerOffsetSync", "LINK_UNAVAILABLE", {"groups": ["fulfilment"]}, "fail"),
        ("ConsumerOffsetSync", "UNKNOWN", {"groups": ["fulfilment"]}, "unknown"),
        ("AclSync", "NOT_CONFIGURED", {"acls": True}, "fail"),
        ("AclSync", "NOT_CONFIGURED", {"acls": False}, "warn"),
        ("TopicConfigsSync", "NOT_CONFIGURED", {}, "fail"),
        ("TopicConfigsSync", "LINK_PAUSED", {}, "fail"),
        ("TopicConfigsSync", "ACTIVE", {}, "pass"),
    ],
)
def test_a_task_that_is_needed_must_be_active(
    plan: MakePlan, judged: Judged, task: str, state: str, protect: dict[str, Any], status: str
) -> None:
    assert judged(links.tasks(plan(protect=protect), with_task(task, state))).status == status


def test_an_active_task_with_errors_is_not_well_and_they_are_quoted(plan: MakePlan, judged: Judged) -> None:
    made = judged(links.tasks(plan(), with_task("ConsumerOffsetSync", "ACTIVE", "CONSUMER_GROUP_IN_USE_ERROR")))
    assert made.status == "fail" and "CONSUMER_GROUP_IN_USE_ERROR" in made.evidence[0]


def test_tasks_that_are_not_told_are_unknown(plan: MakePlan, judged: Judged) -> None:
    assert judged(links.tasks(plan(), link(tasks=()))).status == "unknown"


def synced(*rows: tuple[str, str, str], on: str = "true") -> dict[str, str | None]:
    return {links.OFFSET_SYNC: on, links.GROUP_FILTERS: filters(*rows)}


ALL = ("*", "LITERAL", "INCLUDE")
OURS = ("fulfilment", "LITERAL", "INCLUDE")


@pytest.mark.parametrize(
    ("configs", "status"),
    [
        ([synced(ALL)], "pass"),
        ([synced(OURS)], "pass"),
        ([synced(("ful", "PREFIXED", "INCLUDE"))], "pass"),
        ([synced(("ful", "LITERAL", "INCLUDE"))], "fail"),
        ([synced(ALL, ("ful", "PREFIXED", "EXCLUDE"))], "fail"),
        ([synced()], "fail"),
        ([synced(ALL, on="false")], "fail"),
        ([{}], "fail"),
        ([{links.OFFSET_SYNC: "true", links.GROUP_FILTERS: "rubbish"}], "fail"),
        ([synced(ALL), synced(OURS)], "pass"),
        ([synced(ALL), synced(("other", "LITERAL", "INCLUDE"))], "warn"),
    ],
)
def test_the_filters_must_select_every_protected_group(
    plan: MakePlan, judged: Judged, configs: list[dict[str, str | None]], status: str
) -> None:
    by_link = {f"link-{number}": values for number, values in enumerate(configs)}
    assert judged(links.offset_sync(plan(), by_link)).status == status


def test_offset_sync_that_nobody_needs_is_a_warning_when_it_is_off(plan: MakePlan, judged: Judged) -> None:
    assert judged(links.offset_sync(plan(protect={"groups": []}), {"orders-link": synced(on="false")})).status == "warn"


def creating(*rows: tuple[str, str, str], on: str = "true") -> dict[str, str | None]:
    return {links.AUTO_CREATE: on, links.TOPIC_FILTERS: filters(*rows, kind="topicFilters")}


@pytest.mark.parametrize(
    ("topics", "configs", "status"),
    [
        (["orders"], {}, "pass"),
        ([], creating(ALL), "pass"),
        ([], creating(ALL, on="false"), "warn"),
        ([], creating(("orders", "PREFIXED", "INCLUDE")), "warn"),
        ([], creating(ALL, ("tmp", "PREFIXED", "EXCLUDE")), "warn"),
        ([], {}, "warn"),
        ([], {links.AUTO_CREATE: "true", links.TOPIC_FILTERS: "rubbish"}, "fail"),
    ],
)
def test_new_topics_are_taken_along_or_the_plan_names_its_own(
    plan: MakePlan, judged: Judged, topics: list[str], configs: dict[str, str | None], status: str
) -> None:
    assert judged(links.new_topics(plan(protect={"topics": topics}), {"orders-link": configs})).status == status


@pytest.mark.parametrize(
    ("configs", "status"),
    [
        ({links.MODE: "BIDIRECTIONAL", links.PREFIX: ""}, "pass"),
        ({links.MODE: "BIDIRECTIONAL"}, "pass"),
        ({links.MODE: "DESTINATION"}, "fail"),
        ({}, "fail"),
        ({links.MODE: "BIDIRECTIONAL", links.PREFIX: "east-"}, "fail"),
    ],
)
def test_a_way_back_needs_a_bidirectional_link_without_a_prefix(
    judged: Judged, configs: dict[str, str | None], status: str
) -> None:
    assert judged(links.way_back("orders-link", "west", configs)).status == status


@pytest.mark.parametrize(("remote", "status"), [("lkc-east01", "pass"), ("lkc-west01", "fail"), (None, "unknown")])
def test_a_link_leads_to_the_plans_other_cluster(judged: Judged, remote: str | None, status: str) -> None:
    facts = LinkFacts(name="orders-link", state="ACTIVE", error=None, remote_cluster_id=remote)
    assert judged(links.peer(facts, "west", "lkc-east01")).status == status
