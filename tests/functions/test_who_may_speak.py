"""judge listens to whom the plan names, in its own account, and reads whatever they may send."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.detection.evidence import Signal
from failover.detection.signal_store import signals
from failover.errors import MalformedEvent
from failover.ledger.ledger import Ledger
from tests.functions.heard_events import EVENTS, event, executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def known() -> list[Signal]:
    return signals(Ledger(client("dynamodb"), "ledger"), "orders")


def deploy(deployed: Any, plan: dict[str, Any]) -> None:
    text = yaml.safe_dump(plan)
    put_plan(deployed, text)


def test_an_event_of_another_account_is_nobodys(deployed: Any, call: Call) -> None:
    for foreign in (event("alarm-metric"), sighting("us-west-2"), event_file("aws-health")):
        answer = call("judge", foreign | {"account": "999999999999"})
        assert (answer["judged"], "999999999999" in answer["why"]) == ([], True)
    assert known() == [] and executions(deployed) == []


def test_vantage_points_that_the_plan_does_not_name_start_nothing(deployed: Any, call: Call) -> None:
    for ago in (5.0, 0.0):
        for invented in ("mars", "venus"):
            answer = call("judge", sighting(invented, ago=ago))
            assert (answer["judged"], "vantage_points" in answer["why"]) == ([], True)
    assert known() == [] and executions(deployed) == []


def test_where_no_vantage_point_is_named_every_one_counts(deployed: Any, call: Call, plan_text: str) -> None:
    plan = yaml.safe_load(plan_text)
    del plan["vantage_points"]
    deploy(deployed, plan)
    call("judge", sighting("anywhere"))
    assert {signal.vantage for signal in known()} == {"anywhere"}


@pytest.mark.parametrize(("region", "counts"), [("us-east-2", True), ("us-east-1", True), ("eu-west-1", False)])
def test_an_alarm_from_a_region_that_no_alarm_of_the_plan_is_in_is_no_vote(
    deployed: Any, call: Call, region: str, counts: bool
) -> None:
    answer = call("judge", event("alarm-metric") | {"region": region})
    assert bool(answer["judged"]) is counts
    assert bool(known()) is counts


def test_an_alarm_may_say_in_which_region_it_lives(deployed: Any, call: Call, plan_text: str) -> None:
    plan, told = yaml.safe_load(plan_text), event("alarm-metric")
    plan["sites"]["east"]["alarms"] = [{"name": told["detail"]["alarmName"], "region": "eu-west-1"}]
    deploy(deployed, plan)
    assert call("judge", told | {"region": "us-east-2"})["judged"] == []
    assert call("judge", told | {"region": "eu-west-1"})["judged"] != []


def test_what_is_told_from_the_future_counts_from_its_receipt_and_blinds_nobody(deployed: Any, call: Call) -> None:
    before = time.time()
    call("judge", sighting("us-west-2", lost=(), ago=-59))
    of_east = next(signal for signal in known() if signal.site == "east")
    assert before <= of_east.at <= time.time() and of_east.clock_ahead in (58, 59)
    call("judge", sighting("us-west-2"))
    of_east = next(signal for signal in known() if signal.site == "east")
    assert (of_east.says_lost, of_east.clock_ahead) == (True, 0)


def test_clocks_that_differ_a_little_are_taken_at_their_word(deployed: Any, call: Call) -> None:
    told = sighting("us-west-2", ago=-3)
    call("judge", told)
    assert [signal.at for signal in known()] == pytest.approx(
        [told["detail"]["observations"][0]["view"]["at"]] * 2, abs=0.001
    )


@pytest.mark.parametrize(
    "data", ["", "rehearsal CHG-4711", "[1]", "null", '{"startDate": 7}', "{}", '{"startDate": ""}']
)
def test_the_reason_data_of_an_alarm_costs_no_vote(deployed: Any, call: Call, data: str) -> None:
    told = event("alarm-metric", ago=3)
    told["detail"]["state"]["reasonData"] = data
    call("judge", told)
    (signal,) = known()
    assert (signal.says_lost, signal.since) == (True, signal.at)


def event_file(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def status_post(**detail: Any) -> dict[str, Any]:
    return event_file("confluent-status") | {"detail": {"page": {"id": "p1"}} | detail}


COMPONENT = {"id": "c1", "name": "us-east-2 Kafka", "status": "major_outage", "created_at": "2020-01-01T00:00:00Z"}
UPDATE = {"created_at": "2026-11-23T09:31:06Z", "new_status": "major_outage", "component_id": "c1"}


@pytest.mark.parametrize(
    ("status", "lost"), [("major_outage", True), ("under_maintenance", False), ("operational", False)]
)
def test_a_status_page_may_tell_of_a_component(deployed: Any, call: Call, status: str, lost: bool) -> None:
    call("judge", status_post(component=COMPONENT | {"status": status}, component_update=UPDATE))
    (signal,) = known()
    assert (signal.site, signal.kind, signal.says_lost) == ("east", "advisory", lost)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"impact": "maintenance", "status": "scheduled"}, False),
        ({"components": []}, True),
        ({"updated_at": None}, True),
        ({"components": None, "impact": None, "name": None, "status": "resolved"}, False),
        ({"created_at": None, "components": [{"name": None, "status": None}]}, True),
    ],
)
def test_an_incident_of_any_kind_is_read(deployed: Any, call: Call, change: dict[str, Any], lost: bool) -> None:
    incident = event_file("confluent-status")["detail"]["incident"]
    call("judge", status_post(incident=incident | change))
    assert {signal.says_lost for signal in known()} == {lost}


def test_a_status_page_that_tells_of_neither_is_no_dead_letter(deployed: Any, call: Call) -> None:
    assert call("judge", status_post())["judged"] == []


def test_a_status_page_may_tell_of_a_component_by_its_id_alone(deployed: Any, call: Call) -> None:
    call("judge", status_post(component=None, component_update=UPDATE | {"created_at": None}))
    assert {(signal.site, signal.source, signal.says_lost) for signal in known()} == {
        (site, "confluent-status/component-c1", True) for site in ("east", "west")
    }


def test_health_may_leave_out_what_it_does_not_know(deployed: Any, call: Call) -> None:
    told = event_file("aws-health")
    told["detail"] |= {"startTime": None, "lastUpdatedTime": None, "eventRegion": "us-east-2", "statusCode": None}
    call("judge", told)
    (signal,) = known()
    assert (signal.site, signal.says_lost) == ("east", True)


def test_an_alarm_that_can_not_be_read_is_a_dead_letter_only_if_a_plan_may_mean_it(deployed: Any, call: Call) -> None:
    told = event("alarm-metric")
    told["detail"]["state"] = {"value": "A_STATE_OF_TOMORROW"}
    with pytest.raises(MalformedEvent):
        call("judge", told)
    told["detail"]["alarmName"] = "of-somebody-else"
    assert call("judge", told)["judged"] == []


def test_an_alarm_that_no_plan_names_is_no_dead_letter_though_a_plan_can_not_be_read(deployed: Any, call: Call) -> None:
    put_plan(deployed, "name: broken", "broken")
    told = event("alarm-metric")
    told["detail"]["alarmName"] = "of-somebody-else"
    assert call("judge", told)["judged"] == []


def test_an_alarm_whose_name_is_a_pattern_matches_itself(deployed: Any, call: Call, plan_text: str) -> None:
    name, plan = "[prod] kafka orders-east lost", yaml.safe_load(plan_text)
    plan["sites"]["east"]["alarms"] = [name]
    plan["policy"] |= {"signals": [name], "quorum": 1, "min_vantage_points": 1, "hold_seconds": 0}
    deploy(deployed, plan)
    told = event("alarm-metric")
    told["detail"]["alarmName"] = name
    assert call("judge", told)["judged"][0]["started"] == "orders-1-failover"


def test_an_outage_began_when_the_first_of_its_votes_did_and_the_start_says_why(deployed: Any, call: Call) -> None:
    first = time.time() - 6
    for vantage, since in (("us-west-2", 0.0), ("us-east-1", 1.0)):
        for later in (0.0, 2.5, 5.0):
            call("judge", sighting(vantage, at=first + since + later))
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:orders-1-failover"
    start = json.loads(deployed("stepfunctions").describe_execution(executionArn=arn)["input"])
    assert start["outage_started_at"] == pytest.approx(first, abs=0.01)
    assert start["reason"] == "east is lost: probe/us-east-1, probe/us-west-2"
