"""What an alarm, AWS Health and a status page say of a plan's sites, read from the events alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from failover.detection.advisories import HealthEvent, StatusPost
from failover.detection.alarm_event import AlarmStateChange
from failover.detection.evidence import ADVISORIES_AT_MOST, WHY_LENGTH, Evidence, Probe, Signal, View
from failover.plan.model import Plan, parse

ROOT = Path(__file__).resolve().parents[2]
CHANGED, FIRST_BAD = "2026-11-29T12:00:30.500+0000", "2026-11-29T12:00:10.250+0000"
AT = datetime(2026, 11, 29, 12, 0, 30, 500_000, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return parse((ROOT / "plans" / "orders.yaml").read_text())


def alarm(state: str = "ALARM", **more: Any) -> AlarmStateChange:
    detail = more.pop("detail", {})
    data = {"alarmName": "east-kafka", "state": {"value": state, "timestamp": CHANGED} | more} | detail
    return AlarmStateChange.model_validate(data)


def heard(change: AlarmStateChange) -> Signal:
    return change.signal("east", "us-west-2", "us-east-1")


def test_an_alarm_has_stood_since_its_first_bad_data_point() -> None:
    told = heard(alarm(reasonData=json.dumps({"startDate": FIRST_BAD}), reason="Threshold crossed"))
    assert (told.says_lost, told.silenced, told.why) == (True, False, "Threshold crossed")
    assert (told.at, told.since) == (AT, AT - 20.25)
    assert (told.site, told.source, told.vantage, told.region, told.kind) == (
        "east",
        "east-kafka",
        "us-west-2",
        "us-east-1",
        "alarm",
    )


@pytest.mark.parametrize("data", [None, "", "x", "[]", "{}", '{"startDate": 1}', '{"startDate": "today"}', {"a": 1}])
def test_an_alarm_that_does_not_say_since_when_stands_since_it_changed(data: Any) -> None:
    assert heard(alarm(reasonData=data)).since == AT


def test_an_alarm_without_a_name_is_none() -> None:
    assert alarm(detail={"alarmName": "a"}).alarm_name == "a"
    with pytest.raises(ValidationError):
        alarm(detail={"alarmName": ""})


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_does_not_stand_is_no_vote_and_silences_nothing(state: str) -> None:
    told = heard(alarm(state, actionsSuppressedBy="WaitPeriod"))
    assert (told.says_lost, told.silenced) == (False, False)
    assert heard(alarm(state)).why == state


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"detail": {"muteDetail": {"mutedByArn": "arn:rule"}}}, "the alarm is muted by arn:rule"),
        ({"detail": {"muteDetail": {}}}, "the alarm is muted by a mute rule"),
        ({"actionsSuppressedBy": "Alarm"}, "the alarm's actions are suppressed: Alarm"),
    ],
)
def test_an_alarm_that_somebody_silenced_stands_and_is_no_vote(change: dict[str, Any], why: str) -> None:
    told = heard(alarm(**change))
    assert (told.says_lost, told.silenced, told.why, told.stands) == (False, True, why, True)


def health(**changes: Any) -> HealthEvent:
    known = {
        "eventArn": "arn:aws:health:us-east-1::event/KAFKA/1",
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE",
        "eventTypeCategory": "issue",
        "startTime": "Fri, 3 Jun 2022 05:01:10 GMT",
        "lastUpdatedTime": "Fri, 3 Jun 2022 06:01:10 GMT",
    }
    return HealthEvent.model_validate(known | changes)


def test_an_issue_is_of_the_sites_in_its_region_until_it_is_closed(plan: Plan) -> None:
    east = plan.site("east").region
    (told,) = health(eventRegion=east, statusCode=None).signals(plan, "elsewhere")
    assert (told.site, told.says_lost, told.kind, told.source) == ("east", True, "advisory", "aws-health/1")
    assert told.at - told.since == 3600 and told.region == east
    assert told.why == f"EC2 in {east}: AWS_EC2_OPERATIONAL_ISSUE is open"
    assert [each.says_lost for each in health(eventRegion=east, statusCode="closed").signals(plan, "")] == [False]
    change = health(eventRegion=east, eventTypeCategory="scheduledChange", lastUpdatedTime=None)
    (told,) = change.signals(plan, "")
    assert (told.says_lost, told.at) == (False, told.since)
    assert [each.site for each in health().signals(plan, plan.site("west").region)] == ["west"]
    assert list(health(eventRegion="mars-1").signals(plan, east)) == []


def incident(**changes: Any) -> StatusPost:
    known = {"id": "7", "name": "Kafka is slow", "status": "investigating", "impact": "major"}
    return StatusPost.model_validate({"incident": known | changes})


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({}, True),
        ({"impact": "none"}, False),
        ({"impact": None}, False),
        ({"status": "resolved"}, False),
        ({"status": "postmortem"}, False),
        ({"status": "scheduled"}, False),
        ({"status": "monitoring"}, True),
    ],
)
def test_an_incident_is_one_while_it_goes_on_and_has_an_impact(plan: Plan, changes: dict[str, Any], lost: bool) -> None:
    assert [(each.site, each.says_lost) for each in incident(**changes).signals(plan)] == [
        ("east", lost),
        ("west", lost),
    ]


def test_an_incident_is_of_the_sites_that_it_or_its_components_name(plan: Plan) -> None:
    west = plan.site("west").region
    begun, updated = "2026-11-29T12:00:00Z", "2026-11-29T12:01:00Z"
    (told,) = incident(components=[{"name": f"AWS {west}"}], created_at=begun, updated_at=updated).signals(plan)
    assert (told.site, told.at - told.since, told.source) == ("west", 60, "confluent-status/7")
    (told,) = incident(name=f"Trouble in {west}", created_at=begun).signals(plan)
    assert (told.site, told.at) == ("west", told.since)


@pytest.mark.parametrize(("status", "lost"), [("major_outage", True), ("operational", False)])
def test_a_components_update_is_told_of_its_sites(plan: Plan, status: str, lost: bool) -> None:
    update = {"component_id": "c1", "new_status": status, "created_at": "2026-11-29T12:00:00Z"}
    by_id = list(StatusPost.model_validate({"component_update": update}).signals(plan))
    assert [(each.site, each.says_lost, each.source) for each in by_id] == [
        ("east", lost, "confluent-status/component-c1"),
        ("west", lost, "confluent-status/component-c1"),
    ]
    assert by_id[0].why == f"a component is {status}" and by_id[0].at == by_id[0].since
    named = {"id": "c2", "name": plan.site("east").region, "status": status}
    (told,) = StatusPost.model_validate({"component_update": update, "component": named}).signals(plan)
    assert (told.site, told.says_lost, told.source) == ("east", lost, "confluent-status/component-c2")
    assert list(StatusPost.model_validate({"component": named}).signals(plan)) == []


def probe(service: str, healthy: bool | None, site: str = "east", **more: Any) -> Probe:
    return Probe(site=site, service=service, healthy=healthy, took_seconds=0.1, why=f"{service} is so", **more)


@pytest.mark.parametrize(
    ("probes", "lost", "why"),
    [
        ((probe("kafka", False), probe("rest", False)), True, "kafka: kafka is so; rest: rest is so"),
        ((probe("gateway", False), probe("kafka", True)), True, "gateway: gateway is so"),
        ((probe("canary", False),), True, "canary: canary is so"),
        ((probe("rest", False), probe("kafka", True)), False, "rest: rest is so"),
        ((probe("kafka", None),), False, ""),
    ],
)
def test_a_site_looks_lost_if_clients_could_not_work_there(probes: tuple[Probe, ...], lost: bool, why: str) -> None:
    well = probe("kafka", True, site="west")
    east, west = View(vantage="here", at=7.0, probes=(*probes, well)).signals()
    assert (east.says_lost, east.why, east.at, east.since, east.source) == (lost, why, 7.0, 7.0, "probe/here")
    assert (west.site, west.says_lost, west.kind, west.vantage) == ("west", False, "probe", "here")
    isolated = View(vantage="here", at=7.0, probes=probes, isolated_because="it is cut off").signals()
    assert [(each.says_lost, each.why) for each in isolated] == [(False, "it is cut off")]


@pytest.mark.parametrize(
    ("seen", "answers"),
    [(probe("kafka", True), True), (probe("kafka", False, refused=True), True), (probe("kafka", None), False)],
)
def test_whoever_refuses_is_there(seen: Probe, answers: bool) -> None:
    assert seen.answers is answers


def test_evidence_is_written_down_with_all_votes_and_the_newest_advisories() -> None:
    def said(number: int, kind: Any) -> Signal:
        known = {"site": "east", "source": f"{kind}-{number}", "says_lost": True, "since": 0.0, "kind": kind}
        return Signal(at=float(number), why="y" * (WHY_LENGTH + 1), **known)

    advisories = tuple(said(number, "advisory") for number in range(ADVISORIES_AT_MOST + 2))
    votes = tuple(said(number, "alarm") for number in range(ADVISORIES_AT_MOST + 2))
    document = Evidence(lost_site="east", standby_site="west", signals=(*advisories, *votes)).as_document()
    kept = [(each["kind"], each["at"]) for each in document["signals"]]
    assert kept[: len(votes)] == [("alarm", float(number)) for number in range(len(votes))]
    assert kept[len(votes) :] == [("advisory", float(number)) for number in range(ADVISORIES_AT_MOST + 1, 1, -1)]
    assert document["advisories_left_out"] == 2 and {len(each["why"]) for each in document["signals"]} == {WHY_LENGTH}
    assert Evidence(lost_site="east", standby_site="west").as_document()["advisories_left_out"] == 0
