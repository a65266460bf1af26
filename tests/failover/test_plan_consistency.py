"""What can't be meant is refused, what most likely is not meant is a warning, and each says what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.errors import BadPlan
from failover.plan.consistency import FASTEST_WATCH_S, warnings
from failover.plan.model import Plan, parse
from failover.readiness import check
from failover.readiness.controller import plan_itself

ROOT = Path(__file__).resolve().parents[2]
ORDERS = ROOT / "plans" / "orders.yaml"
Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> str:
    document = yaml.safe_load(ORDERS.read_text())
    change(document)
    return json.dumps(document)


def refused(change: Change) -> dict[str, str]:
    with pytest.raises(BadPlan) as error:
        parse(changed(change))
    return dict(error.value.problems)


def warned(change: Change) -> dict[str, str]:
    return dict(warnings(parse(changed(change))))


def policy(**parts: Any) -> Change:
    return lambda plan: plan["policy"].update(parts)


def only_alarms(plan: dict[str, Any], *alarms: Any, **parts: Any) -> None:
    """No probes: the named alarms of the home site are all that may vote."""
    plan["sites"]["east"]["alarms"] = list(alarms)
    plan["policy"] |= {"signals": ["failover-*"], "fast_path": False} | parts


def test_the_example_plan_gives_no_warning() -> None:
    assert list(warnings(parse(ORDERS.read_text()))) == []


def test_clients_that_bootstrap_to_another_name_than_the_one_that_is_flipped_are_not_moved() -> None:
    wrong = refused(lambda plan: plan.update(bootstrap="kafka.orders.example.com:9092,kafka.example.com:9092"))
    assert "kafka.example.com" in wrong["bootstrap"] and "write kafka.orders.example.com" in wrong["bootstrap"]


def test_where_no_name_is_flipped_any_bootstrap_will_do() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan |= {"bootstrap": "kafka.example.com:9092", "dns": {"kind": "none"}}

    assert warned(change) == {}


def test_a_bootstrap_by_address_is_a_warning() -> None:
    assert (
        "write kafka.orders.example.com"
        in warned(lambda plan: plan.update(bootstrap="[2001:db8::1]:9092"))["bootstrap"]
    )


def test_both_sites_in_one_region_is_a_warning() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["west"] |= {"region": "us-east-2", "fleets": plan["sites"]["east"]["fleets"]}

    assert "us-east-2" in warned(change)["sites.west.region"]


@pytest.mark.parametrize(
    ("arn", "right"),
    [
        ("arn:aws:ecs:us-west-2:123456789012:task-definition/gateway-fenced:1", "us-east-2"),
        ("arn:aws:ecs:us-east-2:210987654321:task-definition/gateway-fenced:1", "account 210987654321"),
    ],
)
def test_a_task_definition_of_another_region_or_account_than_its_sites_is_a_warning(arn: str, right: str) -> None:
    given = warned(lambda plan: plan["sites"]["east"]["fleets"][0]["task_definitions"].update(fenced=arn))
    assert right in given["sites.east.fleets[0].task_definitions.fenced"]


def test_a_task_definition_without_its_revision_is_refused() -> None:
    arn = "arn:aws:ecs:us-east-2:123456789012:task-definition/gateway-fenced"
    wrong = refused(lambda plan: plan["sites"]["east"]["fleets"][0]["task_definitions"].update(fenced=arn))
    assert "with its revision" in wrong["sites.east.fleets[0].task_definitions.fenced"]


def test_probes_that_age_out_between_two_looks_are_refused() -> None:
    assert "write 5" in refused(policy(probe_max_age_seconds=4))["policy.probe_max_age_seconds"]
    assert parse(changed(policy(probe_max_age_seconds=5)))


def test_the_fastest_watch_is_the_one_that_can_be_deployed() -> None:
    for template in ("template.yaml", "signals.yaml"):
        (line,) = [
            line
            for line in (ROOT / template).read_text().partition("  WatchSeconds:")[2].splitlines()[:6]
            if "AllowedValues" in line
        ]
        assert min(yaml.safe_load(line)["AllowedValues"]) == FASTEST_WATCH_S


def test_readiness_knows_how_often_the_sites_are_looked_at_and_tells_the_plans_warnings() -> None:
    plan = parse(changed(policy(probe_max_age_seconds=15)))
    assert check("plan", plan_itself(plan, 2.0)).status == "pass"
    rarely = check("plan", plan_itself(plan, 10.0))
    assert rarely.status == "fail" and "every 10 s" in rarely.evidence[0] and "WatchSeconds" in rarely.remedy
    lonely = parse(changed(policy(signals=["failover-orders-east-*", "probe/*"])))
    told = check("plan", plan_itself(lonely, 2.0))
    assert told.status == "warn" and any("sites.west.alarms[0]" in fact for fact in told.evidence)


def test_an_alarm_whose_name_has_brackets_is_heard_by_its_name() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["east"]["alarms"] = ["[prod] kafka lost"]
        plan["policy"] |= {"signals": ["[prod] kafka lost", "probe/*"]}

    plan = parse(changed(change))
    assert plan.policy.listens_to("[prod] kafka lost") and plan.policy.listens_to("probe/us-east-1")
    assert not plan.policy.listens_to("[test] kafka lost")


def test_a_pattern_that_matches_none_of_the_plans_sources_is_refused_with_the_nearest() -> None:
    wrong = refused(policy(signals=["failover-orders-east-kafkas", "probe/*"]))
    assert "did you mean failover-orders-east-kafka?" in wrong["policy.signals[0]"]
    assert "probe/*" in refused(policy(signals=["probes/*", "*"]))["policy.signals[0]"]


@pytest.mark.parametrize("pattern", ["*", "p*", "probe/us-*", "probe/us-east-1", "[p]robe/*", "*east*"])
def test_a_pattern_that_probes_may_match_is_taken(pattern: str) -> None:
    assert parse(changed(policy(signals=[pattern, "failover-*"])))


def test_an_alarm_that_no_pattern_matches_is_a_warning() -> None:
    assert "kafka-orders-east-health-check" in warned(policy(signals=["failover-*", "probe/*"]))["sites.east.alarms[2]"]


def test_a_quorum_that_the_plans_sources_can_never_meet_is_refused_with_the_one_they_can() -> None:
    wrong = refused(lambda plan: only_alarms(plan, "failover-1", "failover-2", quorum=3))
    assert wrong["policy.quorum"].startswith("is 3, and at most 2 votes") and "write 2" in wrong["policy.quorum"]


def test_vantage_points_that_the_plans_sources_can_never_have_are_refused() -> None:
    alarms = [{"name": f"failover-{number}", "vantage": "route53"} for number in (1, 2)]
    wrong = refused(lambda plan: only_alarms(plan, *alarms, min_vantage_points=2))
    assert "votes from 1 vantage points" in wrong["policy.min_vantage_points"]
    elsewhere = {"name": "failover-3", "vantage": "us-east-1"}
    assert parse(changed(lambda plan: only_alarms(plan, *alarms, elsewhere)))


def test_probes_that_policy_hears_by_name_count_as_one_vote_each() -> None:
    assert set(refused(policy(signals=["probe/us-east-1"], quorum=2, min_vantage_points=2))) == {
        "policy.quorum",
        "policy.min_vantage_points",
    }
    assert parse(changed(policy(signals=["probe/us-east-1", "probe/us-west-2"], quorum=2, min_vantage_points=2)))


def test_vantage_points_that_the_plan_names_are_all_there_will_be() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["east"]["alarms"] = []
        plan["vantage_points"] = ["us-west-2"]

    assert {"policy.quorum", "policy.min_vantage_points"} <= set(refused(change))
    assert "policy.signals[0]" in refused(policy(signals=["probe/eu-west-1", "probe/us-*"]))


def test_votes_that_need_an_alarm_and_have_none_are_refused() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["east"]["alarms"] = []
        plan["policy"]["fast_path"] = False

    assert "sites.east.alarms" in refused(change)["policy.fast_path"]


def test_what_can_never_be_decided_of_the_other_site_or_is_only_observed_is_a_warning() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["west"]["alarms"] = []
        plan["policy"]["fast_path"] = False

    assert "sites.west.alarms" in warned(change)["policy.fast_path"]
    observed = parse(changed(lambda plan: only_alarms(plan, "failover-1", quorum=3, mode="observe")))
    assert any(
        path == "policy.quorum" and "east is lost (failover-1): write 1" in what for path, what in warnings(observed)
    )


def test_a_stored_plan_with_warnings_is_taken_by_every_step() -> None:
    plan: Plan = parse(changed(policy(signals=["failover-*", "probe/*"])))
    assert list(warnings(plan)) and plan.name == "orders"


def test_what_looks_at_a_site_from_its_own_region_is_no_vote_once_that_is_lost_and_a_warning_says_so() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["vantage_points"] = ["us-east-2", "us-west-2"]
        plan["sites"]["east"]["alarms"] = [{"name": "failover-orders-east", "region": "us-east-2"}]
        plan["policy"] |= {"quorum": 2, "min_vantage_points": 2, "fast_path": True}

    told = warned(change)
    assert "1 votes can say that east is lost once all of us-east-2 is, and" in told["policy.quorum"]
    assert "failover-orders-east, probe/us-east-2 with it (probe/us-west-2)" in told["policy.quorum"]
    assert "write 1" in told["policy.min_vantage_points"]


def in_us_east_1(plan: dict[str, Any]) -> None:
    """The example, with its first site where Route 53's control plane is."""
    plan["sites"]["east"] = json.loads(json.dumps(plan["sites"]["east"]).replace("us-east-2", "us-east-1"))
    plan["anchors"] = []


def test_votes_from_one_place_remain_where_the_others_are_in_the_sites_own_region() -> None:
    shortfalls = [what for path, what in warnings(parse(changed(in_us_east_1))) if path == "policy.min_vantage_points"]
    assert [what.partition("with it")[0].rpartition(" is, and ")[2] for what in shortfalls] == [
        "kafka-orders-east-health-check, probe/us-east-1 ",
        "probe/us-west-2 ",
    ]


def test_a_vantage_point_in_a_sites_own_region_is_no_warning_where_enough_others_remain() -> None:
    def change(plan: dict[str, Any]) -> None:
        in_us_east_1(plan)
        plan["vantage_points"].append("eu-west-1")

    assert "policy.min_vantage_points" not in warned(change)


@pytest.mark.parametrize(
    ("dns", "warns"),
    [
        ({"kind": "route53-record"}, True),
        ({"kind": "route53-record", "routing": "weighted"}, True),
        ({"kind": "route53-record", "routing": "latency"}, False),
        ({"kind": "route53-health-check", "beacons": [{"bucket": "one", "key": "k", "region": "us-west-2"}]}, False),
    ],
)
def test_a_record_that_is_changed_in_a_sites_own_region_is_lost_with_it(dns: dict[str, Any], warns: bool) -> None:
    def change(plan: dict[str, Any]) -> None:
        in_us_east_1(plan)
        plan["dns"] = {"hosted_zone_id": "Z0123456789ORDERS"} | dns

    remedy = "the region of site east: both are lost together; write route53-health-check"
    assert (remedy in warned(change).get("dns.kind", "")) is warns


@pytest.mark.parametrize(
    "anchor",
    [
        "sts.us-east-2.amazonaws.com:443",
        "pkc-west01.us-west-2.aws.confluent.cloud:443",
        "gw-east.orders.example.com:9092",
    ],
)
def test_an_anchor_that_is_lost_with_a_site_is_a_warning(anchor: str) -> None:
    assert "is lost with site" in warned(lambda plan: plan["anchors"].append(anchor))["anchors[3]"]


def test_maintenance_that_never_ends_is_a_warning() -> None:
    nights = {"begins": "18:00", "ends": "06:00"}
    assert warned(policy(maintenance=[nights, {"begins": "06:00", "ends": "17:59"}])) == {}
    assert (
        "no time at all"
        in warned(policy(maintenance=[nights, {"begins": "06:00", "ends": "18:00"}]))["policy.maintenance"]
    )


def test_a_plan_by_which_nothing_can_ever_be_started_is_a_warning() -> None:
    assert "nothing can ever" in warned(policy(mode="observe", by_hand="refuse"))["policy.by_hand"]


@pytest.mark.parametrize("topic", ["orders", "__consumer_offsets"])
def test_canary_records_go_to_no_topic_that_is_somebody_elses(topic: str) -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["protect"]["topics"], plan["clients"]["canary_topic"] = ["orders"], topic

    assert topic in refused(change)["clients.canary_topic"]


def test_a_site_is_not_called_as_that_which_leads_nowhere() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["fenced"] = plan["sites"].pop("east")

    assert "another name" in refused(change)["sites.fenced"]


def test_a_record_leads_to_a_name_and_to_another_one_for_each_site() -> None:
    wrong = refused(lambda plan: plan["sites"]["west"].update(dns_target="10.0.0.1"))
    assert "a CNAME leads to a name" in wrong["sites.west.dns_target"]
    wrong = refused(lambda plan: plan["sites"]["west"].update(dns_target="GW-East.orders.example.com."))
    assert "of site east too" in wrong["sites.west.dns_target"]
