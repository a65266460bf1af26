"""The whole failover, with the deployed state machine and functions, while the mirrors or the REST API are in trouble.

No clients and no alarms: the site is lost, the execution is started, something is done to the standby's API in the
middle; the end is what the ledger and the cluster say. What is `exhaustive` here the step itself meets in
tests/functions/test_promotion.py, and the state machine, step by step, in tests/statemachines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from drill import fixture_plan
from drill.fixture_plan import HOME, STANDBY
from drill.ledger_reader import ControllerAccount
from drill.network.plain_http import plain
from drill.timing import Timing
from drill.world import World
from drill.world_settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
LIMIT_S = 180.0


class Failover:
    """One execution in a world, and what can be seen of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        self._states = world.aws("stepfunctions")
        self._arn = ""

    def start(self, **more: Any) -> None:
        """By hand, or as judge_alarm does, with an epoch."""
        started = self._states.start_execution(
            stateMachineArn=self.world.resource("FailoverStateMachine"),
            name="orders-1-failover",
            input=json.dumps({"plan": fixture_plan.PLAN, "to": STANDBY, "reason": "a test", **more}),
        )
        self._arn = started["executionArn"]

    def ended(self) -> str:
        """The state machine's own word, once it has ended."""
        self.until(lambda: self.status() != "RUNNING", "the end of the execution")
        return self.status()

    def status(self) -> str:
        return str(self._states.describe_execution(executionArn=self._arn)["status"])

    def cause(self) -> str:
        return str(self._states.describe_execution(executionArn=self._arn).get("cause"))

    def until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; steps: {self.steps()}"
            time.sleep(0.05)

    def steps(self) -> dict[str, str]:
        found = self.account.failover()
        return {step.name: step.status for step in found.steps} if found else {}

    def observed(self, step: str) -> dict[str, Any]:
        found = self.account.failover()
        return next((each.observed for each in found.steps if each.name == step), {}) if found else {}

    def document(self) -> dict[str, Any]:
        found = self.account.failover()
        assert found is not None
        return found.document

    def put(self, path: str, **body: Any) -> None:
        plain.put(f"{self.world.rest_control(STANDBY)}/{path}", json=body).raise_for_status()

    def post(self, path: str, **body: Any) -> None:
        plain.post(f"{self.world.rest_control(STANDBY)}/{path}", json=body, timeout=30).raise_for_status()

    def mirrors(self) -> dict[str, str]:
        return dict(plain.get(f"{self.world.rest_control(STANDBY)}/link", timeout=30).json()["mirrors"])

    def fill_every_partition(self) -> None:
        """Write to the active site until no mirror's lag is unknown."""
        addresses = self.world.addresses(STANDBY)
        url = f"{addresses.rest}/kafka/v3/clusters/{addresses.cluster_id}/links/{fixture_plan.LINK}/mirrors"
        producer = Producer({"bootstrap.servers": self.world.cluster(HOME)["bootstrap"]})
        for topic in fixture_plan.TOPICS:
            for partition in range(fixture_plan.PARTITIONS):
                producer.produce(topic, b"record", partition=partition)
        assert producer.flush(20) == 0

        def every_lag_is_known() -> bool:
            rows = plain.get(url, auth=fixture_plan.API_KEYS[STANDBY]).json()["data"]
            return all(lag["last_source_fetch_offset"] > 0 for row in rows for lag in row["mirror_lags"])

        self.until(every_lag_is_known, "the link's first fetches")

    def name_leads_to(self) -> str:
        """Where the client hostname points, by Route 53."""
        records = self.world.aws("route53").list_resource_record_sets(HostedZoneId=self.world.zone_id)
        found = [r for r in records["ResourceRecordSets"] if r["Type"] == "CNAME"]
        return str(found[0]["ResourceRecords"][0]["Value"])


@contextmanager
def failover(tmp_path: Path, promotion_s: float = 1.5, **settings: Any) -> Iterator[Failover]:
    timing = Timing(promotion_s=promotion_s)
    with World(Settings(directory=tmp_path, instances=1, watch=False, timing=timing, **settings)) as world:
        yield Failover(world)


def promoting(run: Failover) -> bool:
    return "promote_mirrors" in run.steps()


def test_a_stuck_mirror_stops_it_before_dns_and_a_redrive_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    with failover(tmp_path, policy={"promotion_timeout_seconds": 5}) as run:
        run.put("link", stuck=["payments"])
        run.world.lose(HOME)
        run.start()
        assert run.ended() == "FAILED"
        assert "payments PENDING_STOPPED" in run.cause()
        assert run.mirrors() == {"orders": "STOPPED", "payments": "PENDING_STOPPED", "shipments": "STOPPED"}
        assert run.name_leads_to() == fixture_plan.dns_target(HOME)
        run.put("link", stuck=[])
        run.world.aws("stepfunctions").redrive_execution(executionArn=run._arn)
        run.until(lambda: run.account.active_site() == STANDBY, "the failover after the redrive")
        assert run.name_leads_to() == fixture_plan.dns_target(STANDBY)


@pytest.mark.exhaustive
def test_policy_goes_on_without_a_stuck_mirror_and_the_report_names_it(tmp_path: Path) -> None:
    policy = {"promotion_timeout_seconds": 5, "on_stuck_mirrors": "go-on"}
    with failover(tmp_path, policy=policy) as run:
        run.put("link", stuck=["payments"])
        run.world.lose(HOME)
        run.start()
        assert run.ended() == "SUCCEEDED"
        assert [each.split(",")[0] for each in run.document()["left_behind"]] == ["payments PENDING_STOPPED"]
        assert run.name_leads_to() == fixture_plan.dns_target(STANDBY)


@pytest.mark.exhaustive
def test_a_failed_mirror_is_made_writable_with_the_others(tmp_path: Path) -> None:
    with failover(tmp_path) as run:
        run.put("link", fail={"shipments": "SOURCE_TOPIC_MAY_BE_DELETED"})
        run.world.lose(HOME)
        run.start()
        assert run.ended() == "SUCCEEDED"
        assert set(run.mirrors().values()) == {"STOPPED"}


@pytest.mark.exhaustive
def test_a_mirror_created_during_the_failover_is_promoted_too(tmp_path: Path) -> None:
    with failover(tmp_path, promotion_s=3.0) as run:
        run.world.lose(HOME)
        run.start()
        run.until(lambda: promoting(run), "the promotion")
        run.post("mirrors", topics=["late"], wired=True)
        assert run.ended() == "SUCCEEDED"
        assert run.mirrors()["late"] == "STOPPED"
        assert ("late", 0) in run.account.loss_table("orders-1-failover")


@pytest.mark.exhaustive
def test_a_rest_api_that_is_down_for_20_seconds_in_the_middle_delays_it_and_no_more(tmp_path: Path) -> None:
    with failover(tmp_path, promotion_s=3.0) as run:
        run.world.lose(HOME)
        run.start()
        run.until(lambda: promoting(run), "the promotion")
        run.put("rest", down="refuse", seconds=20)
        assert run.ended() == "SUCCEEDED"
        assert set(run.mirrors().values()) == {"STOPPED"}
        assert run.observed("promote_mirrors")["left_behind"] == []


@pytest.mark.exhaustive
def test_a_storm_of_429_delays_it_and_no_more(tmp_path: Path) -> None:
    with failover(tmp_path, promotion_s=3.0) as run:
        run.world.lose(HOME)
        run.start()
        run.until(lambda: promoting(run), "the promotion")
        run.post("faults", kind="html429", times=None, lasts_s=8)
        assert run.ended() == "SUCCEEDED"
        assert set(run.mirrors().values()) == {"STOPPED"}


@pytest.mark.exhaustive
def test_a_lag_above_the_limit_asks_a_person_and_shows_the_expected_loss(tmp_path: Path) -> None:
    policy = {"quorum": 1, "min_vantage_points": 1, "hold_seconds": 0, "fast_path": True, "rpo_limit_records": 100}
    with failover(tmp_path, policy=policy, rest_only_mirrors=50) as run:
        run.fill_every_partition()
        run.put("link", lag={"*": 40})
        run.world.lose(HOME)
        run.start(epoch=1)
        run.until(lambda: "request_approval" in run.steps(), "the question")
        assert run.observed("assess")["verdict"] == "ask"
        assert "above the limit of 100" in run.observed("assess")["why"]
        assert run.observed("assess")["expected_loss"]["at_least"] >= 4000
        assert "STOPPED" not in run.mirrors().values()
        token = run.account.approval_token("orders-1-failover")
        run.world.aws("stepfunctions").send_task_success(taskToken=token, output="{}")
        assert run.ended() == "SUCCEEDED"


def test_a_source_that_comes_back_in_the_middle_changes_nothing_and_its_fleet_is_led_to_the_standby(
    tmp_path: Path,
) -> None:
    with failover(tmp_path, promotion_s=4.0) as run:
        run.world.freeze(HOME)
        run.start()
        run.until(lambda: promoting(run), "the promotion")
        run.world.thaw(HOME)
        assert run.ended() == "SUCCEEDED"
        assert set(run.mirrors().values()) == {"STOPPED"}
        assert run.account.active_site() == STANDBY
        service = run.world.aws("ecs", fixture_plan.REGIONS[HOME]).describe_services(
            cluster="gateways", services=[f"gateway-{HOME}"]
        )["services"][0]
        assert service["taskDefinition"] == fixture_plan.task_definition(HOME, STANDBY)
        assert run.steps()[f"switch_routes:gateway-{HOME}"] == "done", "no task of before the loss is waited for"


@pytest.mark.exhaustive
def test_300_topics_on_the_wire_and_10000_in_the_api_are_promoted_by_the_state_machine(tmp_path: Path) -> None:
    with failover(tmp_path, more_topics=300, rest_only_mirrors=10_000) as run:
        run.world.lose(HOME)
        run.start()
        assert run.ended() == "SUCCEEDED"
        observed = run.observed("promote_mirrors")
        assert observed["by_status"] == {"STOPPED": 10_303}
        assert len(json.dumps(run.document())) < 50_000
        assert run.document()["loss"]["partitions"] == 4 * 303 + 2 * 10_000
        assert run.observed("check_offsets")["partitions"] >= 4 * 303
