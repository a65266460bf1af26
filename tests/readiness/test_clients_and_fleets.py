"""What clients meet on the day: ACLs, credentials, fleets, the name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from failover.dns import NameState
from failover.errors import Obstacle, ServiceUnavailable
from failover.fleets import FleetState, Instance
from failover.link import Acl, Rejection
from failover.plan.model import Plan
from failover.plan.policy import Policy
from failover.readiness import acls, client_name, credentials, gateways, ok, quotas
from failover.readiness.snapshot import PlanSnapshot

MakePlan = Callable[..., Plan]
Judged = Callable[..., Any]
READ = Acl(
    resource_type="TOPIC",
    resource_name="orders",
    pattern_type="LITERAL",
    principal="User:sa-1",
    host="*",
    operation="READ",
    permission="ALLOW",
)
WRITE = replace(READ, operation="WRITE")
DENY = replace(WRITE, permission="DENY")


@pytest.mark.parametrize(
    ("active", "standby", "wanted", "status"),
    [
        ({READ, WRITE}, {READ, WRITE}, True, "pass"),
        (set(), set(), True, "pass"),
        ({READ, WRITE}, {READ}, True, "fail"),
        ({READ, WRITE}, {READ}, False, "warn"),
        ({READ}, {READ, WRITE}, True, "pass"),
        ({READ, WRITE}, {READ, WRITE, DENY}, True, "warn"),
    ],
)
def test_what_clients_may_do_they_may_do_on_the_standby(
    plan: MakePlan, judged: Judged, active: set[Acl], standby: set[Acl], wanted: bool, status: str
) -> None:
    made = judged(acls.difference(plan(protect={"acls": wanted}), frozenset(active), frozenset(standby)))
    assert made.status == status


@pytest.mark.parametrize(
    ("asked", "codes", "status"),
    [
        (3, [], "pass"),
        (3, [400], "fail"),
        (3, [40301, 50003], "fail"),
        (3, [50003], "unknown"),
        (3, [429], "unknown"),
        (0, [], "unknown"),
    ],
)
def test_the_call_that_promotes_would_be_accepted(judged: Judged, asked: int, codes: list[int], status: str) -> None:
    rejected = [Rejection(f"topic-{code}", code, "why") for code in codes]
    assert judged(credentials.promotion("orders-link", asked, rejected)).status == status


def test_a_client_meets_the_cluster_it_should(judged: Judged) -> None:
    assert judged(credentials.reached("fleet gw", "lkc-1", "lkc-1")).status == "pass"
    assert judged(credentials.reached("fleet gw", "lkc-2", "lkc-1")).status == "fail"


@pytest.mark.parametrize(
    ("target", "settled", "targets", "status"),
    [
        ("east", True, ("east",), "pass"),
        ("east", True, ("west", "east"), "pass"),
        ("west", True, ("east",), "fail"),
        ("fenced", True, ("west", "east"), "fail"),
        (None, True, ("west", "east"), "fail"),
        ("east", False, ("east",), "warn"),
    ],
)
def test_a_fleet_is_routed_where_the_plan_says(
    judged: Judged, target: str | None, settled: bool, targets: tuple[str, ...], status: str
) -> None:
    state = FleetState(target=target, settled=settled, instances=(), detail="2 of 2 tasks")
    assert judged(gateways.route("gateway-east", state, targets)).status == status


def test_a_fleet_that_will_not_settle_by_itself_is_a_failure(judged: Judged) -> None:
    state = FleetState(
        target="east",
        settled=False,
        instances=(),
        detail="1 of 2 pods",
        stalled_because="the operator refused the change",
    )
    made = judged(gateways.route("gateway-east", state, ("east",)))
    assert made.status == "fail" and "refused" in made.evidence[0]


def test_what_would_keep_a_fleet_from_being_routed_is_a_failure(judged: Judged) -> None:
    assert list(gateways.unobstructed("gateway-east", [])) == []
    made = judged(gateways.unobstructed("gateway-east", [Obstacle("the operator is blocked", "unblock it")]))
    assert (made.status, made.remedy) == ("fail", "unblock it") and "blocked" in made.evidence[0]


def instances(*zones: str | None) -> tuple[Instance, ...]:
    return tuple(Instance(name=f"task-{number}", bootstrap=None, zone=zone) for number, zone in enumerate(zones))


@pytest.mark.parametrize(
    ("zones", "needed", "status"),
    [
        ((), 1, "fail"),
        (("a",), 1, "warn"),
        (("a", "b"), 1, "pass"),
        (("a", "a"), 1, "warn"),
        (("a", None), 1, "warn"),
        (("a", "b", "c"), 2, "pass"),
        (("a", "a", "b"), 2, "warn"),
        (("a", "b"), 2, "warn"),
        (("a", "b"), 3, "fail"),
    ],
)
def test_a_site_carries_all_clients_with_an_instance_or_a_zone_less(
    judged: Judged, zones: tuple[str | None, ...], needed: int, status: str
) -> None:
    assert judged(gateways.capacity("west", instances(*zones), needed)).status == status


@pytest.mark.parametrize(("active", "needed"), [(0, 1), (1, 1), (2, 1), (6, 5)])
def test_what_all_clients_need_is_what_the_active_site_has_less_one_to_spare(active: int, needed: int) -> None:
    assert gateways.needed(instances(*["a"] * active)) == needed


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({"a": "lkc-1", "b": "lkc-1"}, "pass"),
        ({"a": "lkc-1", "b": "lkc-2"}, "fail"),
        ({"a": "lkc-1", "b": None}, "unknown"),
        ({"a": "lkc-2", "b": None}, "fail"),
        ({}, "unknown"),
    ],
)
def test_every_instance_is_on_its_cluster_and_one_that_is_mute_is_unknown(
    judged: Judged, found: dict[str, str | None], status: str
) -> None:
    assert judged(gateways.clusters("gateway-west", found, "lkc-1")).status == status


GW = "gw-east.orders.example.com"
SILENT = "no answer (Timeout)"


@pytest.mark.parametrize(
    ("record", "answers", "ttl", "status"),
    [
        (GW, {"ns1": GW, "ns2": GW}, 5, "pass"),
        (GW, {"ns1": GW}, 1, "pass"),
        (GW, {"ns1": GW}, 300, "fail"),
        (GW, {"ns1": GW}, None, "unknown"),
        (GW, {"ns1": GW, "ns2": SILENT}, 5, "unknown"),
        (GW, {"ns1": GW, "ns2": "gw-west.orders.example.com"}, 5, "fail"),
        (GW, {"ns1": "no such record"}, 5, "fail"),
        (GW, {}, 5, "unknown"),
        ("gw-west.orders.example.com", {"ns1": "gw-west.orders.example.com"}, 5, "fail"),
        (None, {"ns1": "no such record"}, None, "fail"),
    ],
)
def test_the_name_leads_to_the_active_site_within_its_ttl(
    judged: Judged, record: str | None, answers: dict[str, str], ttl: int | None, status: str
) -> None:
    state = NameState(record=record, answers=answers, in_sync=True, ttl=ttl)
    assert judged(client_name.leads_to("kafka.orders.example.com", f"{GW}.", 5, state)).status == status


@pytest.mark.parametrize(
    ("size", "needed", "policy", "status"),
    [
        (3, 3, "raise", "pass"),
        (4, 3, "go-on", "pass"),
        (2, 3, "raise", "warn"),
        (2, 3, "go-on", "warn"),
        (2, None, "raise", "unknown"),
        (None, 3, "raise", "unknown"),
    ],
)
def test_a_fleet_that_a_failover_would_have_to_raise_is_warned_of(
    judged: Judged, size: int | None, needed: int | None, policy: Any, status: str
) -> None:
    state = FleetState(target="west", settled=True, instances=(), detail="as it is", size=size)
    made = judged(gateways.size("gateway-west", state, needed, Policy(on_smaller_fleet=policy)))
    assert made.status == status
    assert ("a failover asks for them first, and waits up to 60 s" in made.evidence[0]) is (
        (size, needed, policy) == (2, 3, "raise")
    )


@pytest.mark.parametrize(
    ("recorded_at", "status"), [(None, "unknown"), (100_000.0, "pass"), (100_000.0 - gateways.SIZE_OLD_S - 1, "warn")]
)
def test_what_nobody_has_seen_of_a_fleet_is_unknown_and_what_is_old_is_told(
    judged: Judged, recorded_at: float | None, status: str
) -> None:
    findings = [*gateways.size_recorded("gateway-east", recorded_at, 100_000.0), ok("")]
    assert judged(findings).status == status


@pytest.mark.parametrize(("limit", "status"), [(6.0, "fail"), (8.0, "warn"), (16.0, "pass")])
def test_what_the_fleets_take_of_fargate_is_within_what_the_account_may_have(
    judged: Judged, limit: float, status: str
) -> None:
    assert judged(quotas.fargate("west", limit, 8.0)).status == status


@pytest.mark.parametrize(("count", "status"), [(960, "pass"), (961, "warn"), (1000, "warn")])
def test_what_the_account_has_too_few_of_is_told(judged: Judged, count: int, status: str) -> None:
    assert judged(quotas.used("roles", count, 1000, spare=40)).status == status


def test_what_no_failover_needs_and_nobody_may_read_is_a_warning_at_most(judged: Judged) -> None:
    def refused() -> tuple[int, int]:
        raise ServiceUnavailable("IAM can't be reached")

    plan = SimpleNamespace(carrying=lambda site: {})
    snapshot = SimpleNamespace(plan=plan, standby="west", health_checks=lambda: (1, 200), roles=refused)
    assert judged(quotas.quotas(cast("PlanSnapshot", snapshot))).status == "warn"
