"""A name that leads to every location at all times: nothing is flipped; who is dead is left out by its health check."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover.dns import NameState
from failover.dns.route53_latency import LatencyRecords, leads_nobody_to
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import Route53Record
from failover.plan.model import Plan, parse
from tests.fleets_near_clients import of_both_sites
from tests.names.test_route53_records import EAST, HOSTNAME, WEST, Route53, record

WELL, DEAD = [True] * 16, [True, True, *[False] * 14]
"""What sixteen checkers say: 2 of 16 is 12.5 %, and more than 18 % make an endpoint healthy."""


class Checked(Route53):
    """A zone whose records have health checks, and what their checkers say."""

    def __init__(self, *records: dict[str, Any], **configs: Any) -> None:
        super().__init__(*records)
        self.answers: dict[str, list[bool]] = {"check-east": WELL, "check-west": WELL}
        self.configs = {name: {"Type": "TCP", "RequestInterval": 10, "FailureThreshold": 3} for name in self.answers}

    def get_health_check(self, HealthCheckId: str) -> dict[str, Any]:  # noqa: N803
        return {"HealthCheck": {"HealthCheckConfig": self.configs[HealthCheckId]}}

    def get_health_check_status(self, HealthCheckId: str) -> dict[str, Any]:  # noqa: N803
        if self.configs[HealthCheckId]["Type"] not in ("TCP", "HTTP"):
            raise ClientError({"Error": {"Code": "InvalidInput", "Message": "no"}}, "GetHealthCheckStatus")
        words = {True: "Success: TCP connection", False: "Failure: Connection timed out"}
        reports = [{"StatusReport": {"Status": words[answer]}} for answer in self.answers[HealthCheckId]]
        return {"HealthCheckObservations": reports}


@pytest.fixture
def plan() -> Plan:
    return parse(json.dumps(of_both_sites()))


@pytest.fixture
def zone() -> Checked:
    return Checked(
        record(EAST, "east", Region="us-east-2", HealthCheckId="check-east"),
        record(WEST, "west", Region="us-west-2", HealthCheckId="check-west"),
    )


@pytest.fixture
def name(plan: Plan, zone: Checked) -> LatencyRecords:
    assert isinstance(plan.dns, Route53Record)
    return LatencyRecords(plan, plan.dns, zone)  # type: ignore[arg-type]


def test_who_is_dead_is_left_out_unless_everybody_is(name: LatencyRecords, zone: Checked) -> None:
    assert name.unhealthy_targets() == frozenset()
    zone.answers["check-east"] = DEAD
    assert name.unhealthy_targets() == {EAST}
    zone.answers["check-west"] = DEAD
    assert name.unhealthy_targets() == frozenset(), "Route 53 then answers all of them"
    zone.answers["check-east"] = [True] * 4 + [False] * 12
    assert name.unhealthy_targets() == {WEST}, "a quarter of the checkers is enough to be healthy"
    zone.answers["check-west"] = [True] * 9 + [False] * 41
    assert name.unhealthy_targets() == {WEST}, "18 % of them are not more than 18 %"
    zone.answers["check-west"] = [True] * 10 + [False] * 40
    assert name.unhealthy_targets() == frozenset()


def test_what_is_not_known_is_no_proof(name: LatencyRecords, zone: Checked) -> None:
    zone.answers |= {"check-east": DEAD, "check-west": []}
    assert name.unhealthy_targets() == frozenset()
    zone.configs["check-east"] = {"Type": "CLOUDWATCH_METRIC"}
    zone.answers["check-west"] = WELL
    assert name.unhealthy_targets() == frozenset()
    zone.error = "Throttling"
    with pytest.raises(DnsUnavailable):
        name.unhealthy_targets()


def test_a_record_without_a_check_is_always_answered(name: LatencyRecords, zone: Checked) -> None:
    del zone.held[1]["HealthCheckId"]
    zone.answers["check-east"] = DEAD
    assert name.unhealthy_targets() == {EAST}
    (obstacle,) = [each for each in name.obstacles("east") if "has no health check" in each.what]
    assert WEST in obstacle.what


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Disabled": True}, "disabled or inverted"),
        ({"Inverted": True}, "disabled or inverted"),
        ({"RequestInterval": 30}, "takes 90 s"),
        ({"Type": "CLOUDWATCH_METRIC"}, "can't be told in a failover"),
        ({"FullyQualifiedDomainName": "gw.example.com"}, "looks at gw.example.com"),
    ],
)
def test_a_health_check_that_would_mislead_is_an_obstacle(
    name: LatencyRecords, zone: Checked, config: dict[str, Any], words: str
) -> None:
    zone.configs["check-west"] |= {"FullyQualifiedDomainName": WEST}
    assert name.obstacles("east") == []
    zone.configs["check-east"] |= config
    (obstacle,) = name.obstacles("east")
    assert words in obstacle.what and "check-east" in obstacle.what


def test_a_health_check_that_says_nothing_of_its_pace_asks_thrice_in_half_a_minute_each(
    name: LatencyRecords, zone: Checked
) -> None:
    zone.configs["check-east"] = {"Type": "TCP"}
    (obstacle,) = name.obstacles("east")
    assert "takes 90 s to find a dead fleet" in obstacle.what


def test_a_check_that_fails_now_and_one_that_two_share_are_obstacles(name: LatencyRecords, zone: Checked) -> None:
    zone.answers["check-west"] = DEAD
    assert [each.what for each in name.obstacles("east")] == [
        f"the health check check-west of {WEST} fails: no client is led there"
    ]
    zone.held[0]["HealthCheckId"] = "check-west"
    assert sum("another location's" in each.what for each in name.obstacles("east")) == 2


def test_records_of_another_routing_or_of_other_targets_are_refused(name: LatencyRecords, zone: Checked) -> None:
    zone.held[1]["ResourceRecords"] = [{"Value": "elsewhere.example.com"}]
    with pytest.raises(DnsRejected, match="one latency record for each"):
        name.unhealthy_targets()
    del zone.held[1]["Region"]
    with pytest.raises(DnsRejected, match="another routing"):
        name.unhealthy_targets()
    with pytest.raises(DnsRejected, match="not to west alone"):
        name.point_to("west")
    assert zone.writes == []


@pytest.fixture
def plan_text() -> str:
    return json.dumps(of_both_sites())


def test_the_flip_sees_where_the_name_leads_and_changes_nothing(
    deployed: Any, call: Any, plan: Plan, zone: Checked, name: LatencyRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    request = {"execution": call("claim", started)["execution"]}
    answers = {"192.0.2.53": EAST}
    monkeypatch.setattr("failover.dns.route53_latency.ask", lambda *_: answers)
    monkeypatch.setattr("failover.dns.client_name_of", lambda _: name)
    report = call("flip_dns", request)
    assert report["status"] == "done" and "nothing is flipped" in report["observed"]["why"]
    answers["192.0.2.53"] = "elsewhere.example.com"
    assert call("flip_dns", request)["status"] == "waiting"
    answers["192.0.2.53"], zone.error = WEST, "Throttling"
    report = call("flip_dns", request)
    assert report["status"] == "done", "Route 53's control plane is not needed"
    assert "Throttling" in report["observed"]["unreached"][0] and zone.writes == []


def test_only_a_name_that_leads_everywhere_leaves_anybody_out(
    plan: Plan, zone: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.answers["check-east"] = DEAD
    monkeypatch.setattr("failover.dns.route53.client", lambda *_, **__: zone)
    assert leads_nobody_to(plan, "east") and not leads_nobody_to(plan, "west")
    simple = parse(json.dumps(of_both_sites() | {"dns": {"kind": "route53-record", "hosted_zone_id": "Z1"}}))
    assert not leads_nobody_to(simple, "east")


def test_answers_of_every_server_count() -> None:
    state = NameState(record=None, answers={"a": EAST, "b": WEST}, in_sync=True)
    assert state.answers_one_of([EAST, WEST]) and not state.answers_one_of([EAST])
    assert not NameState(record=None, answers={}, in_sync=True).answers_one_of([EAST]), "nobody answered"
    assert HOSTNAME not in (EAST, WEST)
