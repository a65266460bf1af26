"""Every step converges on the real wire: called twice it leaves the state of one call, a crash between its effect and
its answer is made good by the next call, and a lost lease stops it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from drill import fixture_plan
from failover.errors import LeaseLost, LinkUnavailable
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table
from failover.loss.sample_table import load_samples
from failover.loss.samples import Sample
from tests.functions.polled_steps import until_done
from tests.functions.wire.conftest import Call, Sites, crash_before_the_answer
from tests.plans import plan_text_of, put_plan

EVENTS = Path(__file__).resolve().parents[3] / "events"
pytestmark = pytest.mark.slow


def test_mirrors_are_asked_for_once_and_are_all_stopped_in_the_end(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    until_done(call, "promote_mirrors", {"execution": execution})
    assert set(sites.mirrors().values()) == {"STOPPED"}
    until_done(call, "promote_mirrors", {"execution": execution})
    assert sites.asked("updateKafkaMirrorTopicsFailover") == 1


def test_a_promotion_that_crashed_after_its_effect_is_taken_up_without_a_second_one(
    sites: Sites, execution: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash_before_the_answer(crash)
        with pytest.raises(MemoryError):
            call("promote_mirrors", {"execution": execution})
    until_done(call, "promote_mirrors", {"execution": execution})
    assert set(sites.mirrors().values()) == {"STOPPED"}
    assert sites.asked("updateKafkaMirrorTopicsFailover") == 1


def test_a_promotion_whose_answer_was_lost_on_the_way_is_looked_at_before_it_is_repeated(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    sites.fault(match="mirrors:failover", kind="drop_after_apply", times=1)
    report = call("promote_mirrors", {"execution": execution})
    assert report["status"] == "waiting" and len(report["observed"]["unreachable"]) == 1
    until_done(call, "promote_mirrors", {"execution": execution})
    assert sites.asked("updateKafkaMirrorTopicsFailover") == 1


@pytest.mark.parametrize("kind", ["html429", "malformed", "drop"])
def test_a_rest_api_in_trouble_is_waited_for_until_the_last_chance(
    sites: Sites, execution: dict[str, Any], call: Call, kind: str
) -> None:
    sites.fault(match="listKafkaMirrorTopicsUnderLink", kind=kind, times=None)
    assert call("promote_mirrors", {"execution": execution})["status"] == "waiting"
    with pytest.raises(LinkUnavailable, match="orders-link"):
        call("promote_mirrors", {"execution": execution, "last_chance": True})
    sites.no_faults()
    until_done(call, "promote_mirrors", {"execution": execution})


def test_unknown_states_and_extra_fields_do_not_crash_the_promotion(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    sites.fault(match="listKafkaMirrorTopicsUnderLink", kind="unknown_status", times=1)
    assert call("promote_mirrors", {"execution": execution})["status"] == "waiting"
    sites.fault(match="*", kind="extra_fields", times=3)
    until_done(call, "promote_mirrors", {"execution": execution})


def test_a_dry_run_that_would_stand_down_stands_down(sites: Sites, execution: dict[str, Any], call: Call) -> None:
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    from_the_standby = dry["execution"] | {"from": "west", "to": "east"}
    observed = call("assess", {"execution": from_the_standby})["observed"]
    assert observed["verdict"] == observed["would"] == "stand-down" and "is the standby" in observed["why"]
    observed = call("assess", {"execution": dry["execution"]})["observed"]
    assert observed["verdict"] == observed["would"] == "proceed"


@pytest.mark.parametrize("policy", [{"by_hand": "refuse"}])
def test_who_may_start_by_hand_is_asked_of_a_failover_and_of_no_dry_run(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    assert call("assess", {"execution": dry["execution"]})["observed"]["would"] == "proceed"
    by_hand = call("assess", {"execution": execution | {"manual": True}})["observed"]
    assert by_hand["verdict"] == "stand-down" and "would" not in by_hand


def test_a_dry_run_promotes_nothing(sites: Sites, execution: dict[str, Any], call: Call) -> None:
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    report = call("promote_mirrors", {"execution": dry["execution"]})
    assert report["observed"]["would_promote"] == 3
    time.sleep(0.5)
    assert set(sites.mirrors().values()) == {"ACTIVE"}


def test_no_write_reaches_a_mirror_before_it_is_stopped(sites: Sites, execution: dict[str, Any], call: Call) -> None:
    errors: list[Any] = []
    producer = Producer({"bootstrap.servers": sites.west.ready["bootstrap"]})
    producer.produce("orders", b"too early", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0].name() == "INVALID_REQUEST"
    until_done(call, "promote_mirrors", {"execution": execution})
    producer.produce("orders", b"in time", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[1] is None


def test_assessing_keeps_the_inventory_and_decides_the_same_twice(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    execution["manual"] = True
    first, second = (call("assess", {"execution": execution})["observed"] for _ in range(2))
    assert first["verdict"] == second["verdict"] == "proceed"
    until_done(call, "promote_mirrors", {"execution": execution})
    assert set(sites.mirrors().values()) == {"STOPPED"}


def test_one_vote_of_two_waits_and_stands_down_at_the_last_chance(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    assert call("assess", {"execution": execution})["status"] == "waiting"
    report = call("assess", {"execution": execution, "last_chance": True})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "stand-down")


def test_a_standby_that_is_gone_is_never_failed_over_to(sites: Sites, execution: dict[str, Any], call: Call) -> None:
    sites.west.kill()
    asked = {"execution": execution | {"manual": True}}
    assert call("assess", asked)["status"] == "waiting"
    report = call("assess", asked | {"last_chance": True})
    assert report["observed"]["verdict"] == "stand-down"
    assert "standby west" in report["observed"]["why"]


def test_the_proof_fails_on_the_wrong_cluster_and_holds_on_the_right_one(
    deployed: Any, sites: Sites, execution: dict[str, Any], call: Call, replan: Callable[[str], None]
) -> None:
    deployed("ecs").create_cluster(clusterName="gateways")
    for target in ("west", "east", "fenced"):
        container = {"name": "gateway", "image": "gateway", "memory": 128}
        deployed("ecs").register_task_definition(
            family=fixture_plan.task_family("west", target), containerDefinitions=[container]
        )
    deployed("ecs").create_service(
        cluster="gateways",
        serviceName="gateway-west",
        taskDefinition=fixture_plan.task_definition("west", "west"),
        desiredCount=1,
    )
    until_done(call, "promote_mirrors", {"execution": execution})
    report = call("verify", sample("verify"))
    assert [each.split(":")[0] for each in report["observed"]["unproven"]] == ["fleet gateway-west has no instance"]
    ways = ("through fleet gateway-west", "through the client hostname")
    assert all(any(f"read back {way}" in each for each in report["observed"]["proven"]) for way in ways)
    wrong = yaml.safe_load(plan_text_of(deployed))
    wrong["bootstrap"] = sites.east.ready["bootstrap"]
    replan(yaml.safe_dump(wrong))
    report = call("verify", {"execution": execution})
    assert report["status"] == "waiting"
    assert any("answers, not" in each for each in report["observed"]["unproven"])


def test_a_lease_that_is_lost_in_the_middle_stops_the_promotion(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    taking_over = {"plan": "orders", "to": "west", "epoch": 2, "supersedes": "orders-1-failover"}
    call("claim", {"start": taking_over, "execution_name": "orders-2-failover"})
    with pytest.raises(LeaseLost):
        call("promote_mirrors", {"execution": execution})
    assert set(sites.mirrors().values()) == {"ACTIVE"}
    assert sites.asked("updateKafkaMirrorTopicsFailover") == 0


def sample(name: str) -> dict[str, Any]:
    """A sample event, as `sam local invoke -e events/<name>.json` gives it."""
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def test_the_sample_events_work_on_their_handlers(
    deployed: Any, sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    assert call("claim", sample("claim"))["execution"]["name"] == execution["name"]
    assert call("assess", sample("assess"))["observed"]["verdict"] == "proceed"
    assert call("request_approval", sample("request_approval"))["status"] == "done"
    until_done(call, "promote_mirrors", sample("promote_mirrors"))
    assert until_done(call, "check_offsets", sample("check_offsets"))["status"] == "done"
    assert call("sample_lag", sample("sample_lag"))["plans"][0]["sampled"] is False
    (seen_of_orders,) = call("watch_site", sample("watch_site"))["plans"]
    probes = seen_of_orders["probes"]
    seen = {(probe["site"], probe["service"]): probe["healthy"] for probe in probes}
    assert seen["west", "kafka"] is True and seen["east", "kafka"] is False
    assert call("conclude", sample("conclude"))["outcome"] == "succeeded"


@pytest.mark.parametrize("name", ["manual-start", "manual-dry-run"])
def test_the_sample_inputs_of_the_state_machine_are_accepted(
    deployed: Any, sites: Sites, call: Call, name: str
) -> None:
    claimed = call("claim", {"start": sample(name), "execution_name": "by-hand"})
    assert claimed["execution"]["to"] == "west"
    assert claimed["execution"]["manual"] is True


def test_lag_is_sampled_while_the_source_answers_and_is_not_overwritten_once_it_is_gone(
    deployed: Any, sites: Sites, plan_text: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.loss.lag_record.WRITTEN_EVERY_S", 0.0)
    plan = yaml.safe_load(plan_text)
    plan["sites"]["east"]["kafka"]["bootstrap"] = sites.east.ready["bootstrap"]
    put_plan(deployed, yaml.safe_dump(plan))
    for site, (key, secret) in fixture_plan.API_KEYS.items():
        document = f'{{"key": "{key}", "secret": "{secret}"}}'
        deployed("secretsmanager").create_secret(Name=f"failover/orders/{site}", SecretString=document)
    book = Ledger(deployed("dynamodb"), "ledger")
    producer = Producer({"bootstrap.servers": sites.east.ready["bootstrap"]})

    def look() -> dict[str, Any]:
        (answer,) = call("sample_lag", {"plans": ["orders"]})["plans"]
        return dict(answer)

    def samples() -> dict[str, dict[int, Sample]]:
        return load_samples(book, "orders", "west")

    def sample_until(wanted: Callable[[dict[str, Any]], bool]) -> dict[str, dict[int, Sample]]:
        deadline = time.monotonic() + 90
        while not wanted(look()):
            assert time.monotonic() < deadline
            producer.produce("orders", b"record", partition=0)
            producer.poll(0.1)
        return samples()

    seen = sample_until(lambda said: bool(said["source_answers"] and samples()))
    again = sample_until(lambda said: samples()["orders"][0].fetched_to > seen["orders"][0].fetched_to)
    assert again["orders"][0].at > seen["orders"][0].at
    assert "payments" not in again, "nothing was ever fetched of it: unknown, not 0"
    sites.east.kill()
    said = look()
    assert (said["sampled"], said["source_answers"]) == (True, False)
    kept = samples()["orders"][0]
    assert kept.at <= load_plan_table(book, "orders", "watch")["east"]["answered_at"] + 0.001
    assert load_plan_table(book, "orders", "watch")["east"]["unanswered_since"] is not None
