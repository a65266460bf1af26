"""Readiness of detection: whether the loss of the active site would be noticed, and by enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.detection.evidence import Signal
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan
from failover.readiness import Check, Finding, check
from failover.readiness.detection import CloudWatchAlarm, CloudWatchAlarms, unheard, votes
from failover.readiness.snapshot import PlanSnapshot
from tests.alarms import put_alarm

NOW = 1_000_000.0
Changed = Callable[..., Plan]


def spoke(vantage: str, ago: float = 2.0, **changes: Any) -> Signal:
    at = NOW - ago
    return replace(
        Signal(
            site="east",
            source=f"probe/{vantage}",
            says_lost=False,
            at=at,
            since=at,
            why="",
            kind="probe",
            vantage=vantage,
        ),
        **changes,
    )


SPEAKING = (spoke("us-west-2"), spoke("us-east-1"))


def seen(plan: Plan, **changes: Any) -> CloudWatchAlarms:
    """Every alarm of the plan, well; `changes`: of each."""
    one = replace(CloudWatchAlarm(region="us-west-2", state="OK", actions_enabled=True), **changes)
    return CloudWatchAlarms({alarm.name: (one,) for site in plan.sites.values() for alarm in site.alarms})


def of(findings: Any) -> Check:
    return check("detection", findings)


def facts(found: Check, status: str) -> str:
    assert found.status == status, found
    return " / ".join(found.evidence)


def test_vantage_points_that_speak_and_alarms_that_exist_are_ready(plan: Changed) -> None:
    orders = plan()
    assert "5 can say that east is lost" in facts(of(votes(orders, "east", SPEAKING, seen(orders), NOW)), "pass")


@pytest.mark.parametrize(("signals", "said"), [((), "never heard"), ((spoke("us-east-1", 91),), "last heard 91 s ago")])
def test_a_vantage_point_that_is_silent_is_named(plan: Changed, signals: tuple[Signal, ...], said: str) -> None:
    found = of(votes(plan(), "east", (SPEAKING[0], *signals), seen(plan()), NOW))
    assert f"vantage point us-east-1 was {said}" in facts(found, "fail")


def test_vantage_points_that_nobody_named_are_a_warning_and_do_not_speak_for_those_that_are(plan: Changed) -> None:
    anybody = plan(vantage_points=[])
    assert "whoever may put events" in facts(of(votes(anybody, "east", SPEAKING, seen(anybody), NOW)), "warn")
    named = of(votes(plan(), "east", (SPEAKING[0], spoke("mars")), seen(plan()), NOW))
    assert "mars" not in facts(named, "fail")


def test_an_alarm_that_does_not_exist_is_named(plan: Changed) -> None:
    orders = plan()
    there = {name: each for name, each in seen(orders).by_name.items() if name != "failover-orders-west-kafka"}
    found = of(votes(orders, "east", SPEAKING, CloudWatchAlarms(there), NOW))
    assert "there is no alarm failover-orders-west-kafka" in facts(found, "fail")
    silent = CloudWatchAlarms(there, {"us-east-1": "EndpointConnectionError"})
    assert "is not known: us-east-1" in facts(of(votes(orders, "east", SPEAKING, silent, NOW)), "unknown")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"actions_enabled": False}, "are disabled"), ({"state": "INSUFFICIENT_DATA"}, "too little data")],
)
def test_an_alarm_that_can_be_no_vote_now_is_a_warning(plan: Changed, changes: dict[str, Any], said: str) -> None:
    orders = plan(policy={"fast_path": True})
    assert said in facts(of(votes(orders, "east", SPEAKING, seen(orders, **changes), NOW)), "warn")


def test_a_quorum_that_can_not_be_met_by_those_who_are_there_is_told(plan: Changed) -> None:
    orders = plan(policy={"quorum": 3, "signals": ["probe/*", "failover-*"]})
    found = of(votes(orders, "west", SPEAKING[:1], CloudWatchAlarms(), NOW))
    assert "1 can say that west is lost (probe/us-west-2), and policy wants 3" in facts(found, "fail")


def test_votes_from_too_few_vantage_points_are_told(plan: Changed) -> None:
    orders = plan(vantage_points=[])
    west = {name: each for name, each in seen(orders).by_name.items() if "health-check" not in name}
    found = of(votes(orders, "east", SPEAKING[:1], CloudWatchAlarms(west), NOW))
    assert "can be seen from 1 vantage points" in facts(found, "fail")


def test_probes_alone_are_too_few_where_an_alarm_must_be_among_the_votes(plan: Changed) -> None:
    orders = plan(policy={"fast_path": False})
    found = of(votes(orders, "east", SPEAKING, seen(orders, actions_enabled=False), NOW))
    assert "does not let probes decide alone" in facts(found, "fail")


def test_whose_clock_is_ahead_is_told(plan: Changed) -> None:
    ahead = (SPEAKING[0], spoke("us-east-1", clock_ahead=59))
    found = facts(of(votes(plan(), "east", ahead, seen(plan()), NOW)), "warn")
    assert "the clock of probe/us-east-1 is 59 s ahead" in found


def test_alarms_that_no_rule_of_the_stack_hears_are_named(plan: Changed, judged: Callable[..., Check]) -> None:
    name = "kafka-orders-east-health-check"
    found: list[Finding] = list(unheard(plan(), ["none"]))
    assert name in found[0].fact and found[0].status == "fail"
    assert name not in " ".join(each.fact for each in unheard(plan(), [name, "none"]))


def test_alarms_are_looked_for_in_every_region_where_they_may_live(
    aws: Callable[..., Any], plan: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(name: str, region: str) -> None:
        put_alarm(aws("cloudwatch", region), name)

    put("failover-orders-east-kafka", "us-west-2")
    put("kafka-orders-east-health-check", "us-east-1")
    put("failover-orders-east-gateway", "eu-west-1")
    found = PlanSnapshot(plan(), Ledger(client("dynamodb"), "ledger"), NOW).alarms()
    assert {name: [each.region for each in places] for name, places in found.by_name.items()} == {
        "failover-orders-east-kafka": ["us-west-2"],
        "kafka-orders-east-health-check": ["us-east-1"],
    }
    assert found.unreadable_regions == {}
    client.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    silent = PlanSnapshot(plan(), Ledger(client("dynamodb"), "ledger"), NOW).alarms()
    assert set(silent.unreadable_regions) == {"us-west-2", "us-east-1", "us-east-2"}
