"""judge: one execution an outage, whatever EventBridge delivers; silence and rubbish start nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.decision.log import DecisionRecord, decisions
from failover.detection.signal_store import signals
from failover.errors import BadPlan, MalformedEvent, ServiceRejected
from failover.ledger.ledger import Ledger
from tests.alarms import put_alarm
from tests.conftest import Context
from tests.functions.heard_events import EVENTS, event, executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def standing() -> dict[tuple[str, str], bool]:
    """What each source last said of each site."""
    known = signals(Ledger(client("dynamodb"), "ledger"), "orders")
    return {(signal.site, signal.source): signal.says_lost for signal in known}


def test_an_alarm_nobody_watches_beside_starts_one_execution_named_by_the_epoch(deployed: Any, call: Call) -> None:
    told, now = event("alarm-metric"), time.time()
    answer = call("judge", told)
    assert answer["judged"][0]["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    run = deployed("stepfunctions").list_executions(stateMachineArn=machine)["executions"][0]
    started = json.loads(deployed("stepfunctions").describe_execution(executionArn=run["executionArn"])["input"])
    assert (started["from"], started["to"], started["epoch"]) == ("east", "west", 1)
    assert now - started["outage_started_at"] == pytest.approx(15, abs=5)
    assert started["by"] == "judge/us-west-2"
    assert started["reason"] == f"east is lost: {event('alarm-metric')['detail']['alarmName']}"


def test_the_same_event_again_and_a_second_alarm_of_the_outage_are_the_same_execution(
    deployed: Any, call: Call
) -> None:
    for name in ("alarm-metric", "alarm-metric", "alarm-route53-health-check", "alarm-composite"):
        call("judge", event(name))
    assert executions(deployed) == ["orders-1-failover"]


def test_many_deliveries_at_once_start_one_execution(deployed: Any, call: Call, function: Any) -> None:
    function("judge")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: call("judge", event("alarm-metric")), range(8)))
    assert executions(deployed) == ["orders-1-failover"]


def test_two_vantage_points_that_go_on_seeing_a_site_lost_start_a_failover(deployed: Any, call: Call) -> None:
    first = time.time() - 5
    for later in (0.0, 2.0, 5.0):
        for vantage in ("us-west-2", "us-east-1"):
            assert executions(deployed) == []
            answer = call("judge", sighting(vantage, at=first + later))
    assert answer["judged"][0]["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]


def test_one_vantage_point_alone_starts_nothing_however_long_it_insists(deployed: Any, call: Call) -> None:
    for ago in (60.0, 50.0, 40.0, 30.0, 20.0, 10.0, 0.0):
        answer = call("judge", sighting("us-west-2", ago=ago))
        call("judge", sighting("us-east-1", lost=(), ago=ago))
    assert executions(deployed) == []
    assert answer["judged"][0]["why"] == "1 of 2 votes say east is lost"


def test_a_vantage_point_that_is_ill_takes_its_vote_back(deployed: Any, call: Call) -> None:
    call("judge", sighting("us-east-1", ago=6))
    assert standing()["east", "probe/us-east-1"] is True
    call("judge", sighting("us-east-1", lost=("east", "west"), isolated_because="cut off itself"))
    assert standing()["east", "probe/us-east-1"] is False


def test_probes_alone_start_nothing_where_policy_wants_an_alarm_too(deployed: Any, call: Call, plan_text: str) -> None:
    slow = yaml.safe_load(plan_text)
    slow["policy"]["fast_path"] = False
    put_plan(deployed, yaml.safe_dump(slow))
    for ago in (6.0, 3.0, 0.0):
        for vantage in ("us-west-2", "us-east-1"):
            call("judge", sighting(vantage, ago=ago))
    assert executions(deployed) == []
    call("judge", event("alarm-metric"))
    assert executions(deployed) == ["orders-1-failover"]


def health_event(status: str = "open", region: str = "us-east-2", **changes: Any) -> dict[str, Any]:
    sample = dict(json.loads((EVENTS / "aws-health.json").read_text()))
    sample["detail"] |= {"statusCode": status, "eventRegion": region, **changes}
    return sample


def incident(
    status: str = "investigating", name: str = "Elevated errors in us-east-2", **changes: Any
) -> dict[str, Any]:
    sample = dict(json.loads((EVENTS / "confluent-status.json").read_text()))
    sample["detail"]["incident"] |= {"status": status, "name": name, **changes}
    return sample


@pytest.mark.parametrize("advice", [health_event(), incident()])
def test_an_advisory_is_kept_of_the_site_it_names_and_is_no_vote(
    deployed: Any, call: Call, advice: dict[str, Any]
) -> None:
    answer = call("judge", advice)
    assert answer["judged"][0]["why"] == "nothing says that east is lost"
    assert list(standing().items()) == [(("east", next(iter(standing()))[1]), True)]
    assert executions(deployed) == []


def test_an_advisory_that_is_over_says_so_whatever_comes_late(deployed: Any, call: Call) -> None:
    call("judge", health_event("closed", lastUpdatedTime="Mon, 23 Nov 2026 10:00:00 GMT"))
    call("judge", health_event("open", lastUpdatedTime="Mon, 23 Nov 2026 09:00:00 GMT"))
    call("judge", incident("resolved"))
    assert set(standing().values()) == {False} and len(standing()) == 2


def test_an_advisory_of_other_regions_or_of_none_is_nobodys_or_of_both_sites(deployed: Any, call: Call) -> None:
    assert call("judge", health_event(region="eu-west-1"))["judged"] == []
    call("judge", incident(name="Elevated errors everywhere"))
    assert {site for site, _ in standing()} == {"east", "west"}


def kept() -> list[DecisionRecord]:
    return decisions(Ledger(client("dynamodb"), "ledger"), "orders", 50)


def test_every_evaluation_is_kept_with_its_reason_and_evidence_also_those_that_did_nothing(
    deployed: Any, call: Call
) -> None:
    call("judge", sighting("us-west-2", lost=(), ago=10))
    call("judge", event("alarm-ok"))
    for ago in (5.0, 0.0):
        for vantage in ("us-west-2", "us-east-1"):
            call("judge", sighting(vantage, ago=ago))
    nobody, one, both = (), ("probe/us-west-2",), ("probe/us-east-1", "probe/us-west-2")
    assert [(each.decision.verdict, tuple(sorted(each.decision.votes)), each.times) for each in kept()] == [
        ("proceed", both, 1),
        ("wait", both, 2),
        ("wait", one, 1),
        ("wait", nobody, 2),
    ]
    last = kept()[0]
    assert {each.by for each in kept()} == {"judge/us-west-2"}
    assert last.started == "orders-1-failover" and last.on == ("probe/us-east-1",)
    assert {signal["source"] for signal in last.evidence["signals"]} >= {"probe/us-west-2", "probe/us-east-1"}


@pytest.fixture
def told(deployed: Any) -> Callable[[], list[dict[str, Any]]]:
    """The events of decisions, and the messages to people, since it was last asked."""
    sqs, region = deployed("sqs"), "us-west-2"
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = f"arn:aws:sqs:{region}:123456789012:told"
    pattern = {"source": ["kafka.failover"], "detail-type": ["Failover Decision"]}
    deployed("events").put_rule(Name="told", EventPattern=json.dumps(pattern))
    deployed("events").put_targets(Rule="told", Targets=[{"Id": "queue", "Arn": arn}])
    topic = deployed("sns").list_topics()["Topics"][0]["TopicArn"]
    deployed("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    def read() -> list[dict[str, Any]]:
        found = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    return read


def test_systems_are_told_of_a_decision_that_is_another_than_the_last(
    deployed: Any, call: Call, told: Callable[[], list[dict[str, Any]]]
) -> None:
    for ago in (6.0, 5.0, 4.0, 0.0):
        for vantage in ("us-west-2", "us-east-1"):
            call("judge", sighting(vantage, ago=ago))
    details = [each["detail"] for each in told()]
    assert [(each["verdict"], each["guard"], each["started"]) for each in details] == [
        ("wait", "quorum_not_met", None),
        ("wait", "quorum_not_met", None),
        ("proceed", "", "orders-1-failover"),
    ]
    assert [len(each["votes"]) for each in details] == [1, 2, 2]


def test_people_are_told_once_that_a_site_is_lost_and_policy_holds_the_failover_back(
    deployed: Any, call: Call, told: Callable[[], list[dict[str, Any]]]
) -> None:
    Ledger(client("dynamodb"), "ledger").pause("orders", "anna: we look first")
    for ago in (6.0, 5.0, 2.0, 1.0, 0.0):
        for vantage in ("us-west-2", "us-east-1"):
            call("judge", sighting(vantage, ago=ago))
    messages = [each for each in told() if "detail" not in each]
    assert [(each["guard"], each["why"]) for each in messages] == [
        ("paused", "the plan is paused: anna: we look first")
    ]
    assert executions(deployed) == []


def test_that_all_is_well_is_judged_and_kept_once_a_minute_until_it_is_not(deployed: Any, function: Any) -> None:
    judge = function("judge").handler

    def hears(*lost: str, ago: float) -> str:
        return str(judge(sighting("us-west-2", lost, ago), Context())["judged"][0]["why"])

    assert hears(ago=4) == "0 of 2 votes say east is lost"
    assert [hears(ago=3), hears(ago=2)] == ["all is well"] * 2
    assert [(each.decision.votes, each.times) for each in kept()] == [((), 1)]
    hears("east", ago=1)
    assert hears(ago=0) == "0 of 2 votes say east is lost", "that it is well again is news"
    assert [(each.decision.votes, each.times) for each in kept()] == [((), 1), (("probe/us-west-2",), 1), ((), 1)]
    assert standing() == {("east", "probe/us-west-2"): False, ("west", "probe/us-west-2"): False}


def test_that_all_is_well_takes_one_look_at_the_plan_beside_the_signals(deployed: Any, call: Call) -> None:
    call("judge", sighting("us-west-2", lost=(), ago=4))
    sorts: list[str] = []
    keys = client("dynamodb").meta.events
    keys.register("before-call.dynamodb.GetItem", lambda params, **_: sorts.append(_sort_key(params)), unique_id="all")
    answer = call("judge", sighting("us-west-2", lost=(), ago=2))
    keys.unregister("before-call.dynamodb.GetItem", unique_id="all")
    assert answer["judged"][0]["why"] == "all is well"
    assert [sort for sort in sorts if not sort.startswith("deployed#")] == ["state"]


def _sort_key(params: Any) -> str:
    return str(json.loads(params["body"])["Key"]["sk"]["S"])


def test_a_sighting_that_comes_late_does_not_overwrite_a_newer_one(deployed: Any, call: Call) -> None:
    call("judge", sighting("us-west-2", lost=()))
    assert call("judge", sighting("us-west-2", ago=4))["judged"][0]["kept"] is False
    assert standing()["east", "probe/us-west-2"] is False


def test_a_watched_site_that_is_seen_well_is_not_failed_over_from_for_one_alarm(deployed: Any, call: Call) -> None:
    call("judge", sighting("us-east-1", lost=()))
    assert call("judge", event("alarm-metric"))["judged"][0]["why"] == "1 of 2 votes say east is lost"
    assert executions(deployed) == []


@pytest.mark.parametrize("name", ["alarm-suppressed", "alarm-muted", "alarm-ok"])
def test_a_silenced_or_quiet_alarm_starts_nothing_and_is_no_vote(deployed: Any, call: Call, name: str) -> None:
    answer = call("judge", event(name))
    assert answer["judged"][0]["started"] is None
    assert answer["judged"][0]["why"] == "nothing says that east is lost"
    assert executions(deployed) == []
    assert not any(standing().values())


def test_an_alarm_of_no_plan_changes_nothing_and_says_so(deployed: Any, call: Call) -> None:
    unknown = event("alarm-metric")
    unknown["detail"]["alarmName"] = "somebody-elses"
    answer = call("judge", unknown)
    assert answer["judged"] == [] and "no plan names this alarm" in answer["why"]
    assert executions(deployed) == []


def test_an_alarm_on_the_standby_starts_nothing(deployed: Any, call: Call) -> None:
    standby = event("alarm-metric")
    standby["detail"]["alarmName"] = "failover-orders-west-kafka"
    assert call("judge", standby)["judged"][0]["why"] == "nothing says that east is lost"
    assert standing() == {("west", "failover-orders-west-kafka"): True}
    assert executions(deployed) == []


def test_nothing_is_started_while_an_execution_holds_the_lease(deployed: Any, call: Call) -> None:
    call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand"})
    assert "left to by-hand, which held the lease" in call("judge", event("alarm-metric"))["judged"][0]["why"]
    assert executions(deployed) == []


@pytest.mark.parametrize("name", ["alarm-metric", "alarm-metric-math", "alarm-composite", "alarm-multi-time-series"])
def test_every_documented_shape_is_understood(deployed: Any, call: Call, name: str) -> None:
    assert call("judge", event(name))["source"] == event(name)["detail"]["alarmName"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"source": "aws.cloudwatch"},
        {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}},
        {
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "detail": {"alarmName": "failover-orders-east-kafka"},
        },
        {"source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:x", "alarmData": {"alarmName": "a"}},
        {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": None},
        {"source": "kafka.failover", "detail-type": "Site Sighting", "detail": {"plan": "orders", "view": {}}},
        {"source": "kafka.failover", "detail-type": "Site Sighting", "detail": {}},
    ],
)
def test_a_malformed_event_raises_so_that_it_ends_in_the_dead_letter_queue(
    deployed: Any, call: Call, broken: dict[str, Any]
) -> None:
    with pytest.raises(MalformedEvent):
        call("judge", {"account": "123456789012", "region": "us-west-2"} | broken)
    assert executions(deployed) == []


def test_a_sighting_of_another_controllers_plan_is_none_of_ours(deployed: Any, call: Call) -> None:
    answer = call("judge", sighting("us-west-2", plans=("unheard-of",)))
    assert (answer["judged"], answer["why"]) == ([], "no plan 'unheard-of' is deployed here")


def test_a_bad_plan_does_not_hide_a_good_one(deployed: Any, call: Call) -> None:
    put_plan(deployed, "name: broken", "broken")
    assert call("judge", event("alarm-metric"))["judged"][0]["started"] == "orders-1-failover"


def test_an_alarm_only_a_bad_plan_could_name_is_not_swallowed(deployed: Any, call: Call, plan_text: str) -> None:
    broken = yaml.safe_load(plan_text)
    del broken["home"]
    put_plan(deployed, yaml.safe_dump(broken))
    with pytest.raises(BadPlan, match="home: is missing"):
        call("judge", event("alarm-metric"))


def test_an_old_alarm_delivered_late_does_not_overwrite_a_newer_one(deployed: Any, call: Call) -> None:
    call("judge", event("alarm-ok"))
    judged = call("judge", event("alarm-metric", ago=60))["judged"][0]
    assert judged["kept"] is False
    assert judged["started"] is None
    assert executions(deployed) == []


def test_an_old_alarm_that_cloudwatch_does_not_know_starts_nothing(deployed: Any, call: Call) -> None:
    assert call("judge", event("alarm-metric", ago=400))["judged"][0]["why"] == "nothing says that east is lost"
    assert executions(deployed) == []


def in_alarm(deployed: Any, name: str, state: str = "ALARM") -> dict[str, Any]:
    """The sample event's alarm as CloudWatch has it now; answers the event."""
    told = event(name, ago=400)
    cloudwatch, alarm = deployed("cloudwatch", told["region"]), told["detail"]["alarmName"]
    put_alarm(cloudwatch, alarm)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="as it was set")
    return told


@pytest.mark.parametrize(("state", "started"), [("ALARM", "orders-1-failover"), ("OK", None)])
def test_an_alarm_is_a_vote_while_it_stands_though_it_was_told_only_once(
    deployed: Any, call: Call, plan_text: str, state: str, started: str | None
) -> None:
    plan = yaml.safe_load(plan_text)
    plan["policy"] |= {"fast_path": False, "hold_seconds": 0}
    put_plan(deployed, yaml.safe_dump(plan))
    ledger = Ledger(client("dynamodb"), "ledger")
    ledger.pause("orders", "network maintenance")
    assert call("judge", in_alarm(deployed, "alarm-metric", state))["judged"][0]["started"] is None
    ledger.resume("orders")
    for vantage in ("us-west-2", "us-east-1"):
        answer = call("judge", sighting(vantage))["judged"][0]
    assert answer["started"] == started
    assert executions(deployed) == ([started] if started else [])


def test_what_was_read_of_an_alarm_is_kept_and_overtaken_by_its_next_change(deployed: Any, call: Call) -> None:
    told = in_alarm(deployed, "alarm-metric")
    call("judge", told)
    name = told["detail"]["alarmName"]
    (signal,) = signals(Ledger(client("dynamodb"), "ledger"), "orders")
    assert (signal.source, signal.says_lost) == (name, True)
    assert time.time() - signal.at > 300 and time.time() - signal.confirmed_at < 60
    call("judge", event("alarm-ok"))
    assert standing()["east", name] is False


def test_an_event_whose_first_delivery_died_before_the_start_still_starts(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = event("alarm-metric")
    with monkeypatch.context() as crash:
        crash.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-west-2:123456789012:stateMachine:gone")
        with pytest.raises(ServiceRejected, match="StateMachineDoesNotExist"):
            call("judge", alarm)
    assert call("judge", alarm)["judged"][0]["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]
