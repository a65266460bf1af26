"""Promotion whatever the mirrors and the REST API do: nobody is held back by another, nothing is called done that is
not STOPPED, and what is left is named with what keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.errors import PromotionRejected
from failover.execution.inventory import Listed, inventory, save_inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
pytestmark = pytest.mark.slow
KEY, SECRET = fixture_plan.API_KEYS["west"]
MIRRORS = 600


@dataclass(frozen=True)
class Rest:
    """The REST API of the standby, and what the drill can do to it."""

    child: Child

    def put(self, path: str, **body: Any) -> None:
        plain.put(f"{self.child.ready['control']}/{path}", json=body).raise_for_status()

    def post(self, path: str, **body: Any) -> None:
        plain.post(f"{self.child.ready['control']}/{path}", json=body).raise_for_status()

    def states(self, link: str = fixture_plan.LINK) -> dict[str, str]:
        return dict(plain.get(f"{self.child.ready['control']}/links/{link}", timeout=20).json()["mirrors"])

    def mirror(self, topic: str) -> dict[str, Any]:
        """A mirror as the API shows it."""
        url = f"{self.child.ready['url']}/kafka/v3/clusters/lkc-west01/links/{fixture_plan.LINK}/mirrors/{topic}"
        query = {"include_state_transition_errors": "true"}
        return dict(plain.get(url, params=query, auth=(KEY, SECRET)).raise_for_status().json())

    def create_link(self, name: str, *topics: str, prefix: str | None = None) -> None:
        """A second link, with mirrors in the API only."""
        url = f"{self.child.ready['url']}/kafka/v3/clusters/lkc-west01/links"
        configs = {"cluster.link.prefix": prefix} if prefix else {}
        body = {
            "source_cluster_id": "lkc-east01",
            "configs": [{"name": key, "value": value} for key, value in configs.items()],
        }
        query = {"link_name": name, "validate_link": "false"}
        plain.post(url, params=query, json=body, auth=(KEY, SECRET)).raise_for_status()
        self.post("mirrors", link=name, topics=list(topics))

    def promote(self, topic: str) -> None:
        """Begin a planned promotion, which needs the source to end."""
        url = f"{self.child.ready['url']}/kafka/v3/clusters/lkc-west01/links/{fixture_plan.LINK}/mirrors:promote"
        plain.post(url, json={"mirror_topic_names": [topic]}, auth=(KEY, SECRET)).raise_for_status()

    def asked(self, operation: str = "updateKafkaMirrorTopicsFailover") -> int:
        counts = plain.get(f"{self.child.ready['control']}/requests").json()
        return int(counts.get(operation, {}).get("count", 0))


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[Rest]:
    config = {
        "site": "west",
        "cluster_id": "lkc-west01",
        "api_key": KEY,
        "api_secret": SECRET,
        "link": {"name": fixture_plan.LINK, "remote_cluster_id": "lkc-east01"},
        "rest_only_mirrors": {"count": MIRRORS, "pattern": "t{n:04d}"},
        "stop_delay_s": 0.1,
    }
    child = spawn("drill.confluent.cluster_rest", config, log=tmp_path / "rest.log")
    yield Rest(child)
    child.stop()


@pytest.fixture
def policy() -> dict[str, Any]:
    return {}


@pytest.fixture
def plan_text(rest: Rest, policy: dict[str, Any], links: list[str]) -> str:
    nowhere = "127.0.0.1:9"
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}01", bootstrap=nowhere, rest=rest.child.ready["url"], balancer=nowhere
        )
        for site in ("east", "west")
    }
    plan = fixture_plan.plan_document(
        addresses, client_bootstrap=nowhere, nameserver=nowhere, zone_id="Z1", policy=policy
    )
    return yaml.safe_dump(plan | {"links": [{"name": link} for link in links]})


@pytest.fixture
def links() -> list[str]:
    """The plan's links."""
    return [fixture_plan.LINK]


@pytest.fixture
def execution(deployed: Callable[..., Any], call: Call) -> dict[str, Any]:
    deployed("secretsmanager").create_secret(
        Name="failover/orders/west", SecretString=f'{{"key": "{KEY}", "secret": "{SECRET}"}}'
    )
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(deployed("dynamodb"), "ledger")


def promote(call: Call, execution: dict[str, Any], limit_s: float = 90, **more: Any) -> dict[str, Any]:
    """Call as the state machine does, until it is done."""
    deadline = time.monotonic() + limit_s
    while True:
        report = call("promote_mirrors", {"execution": execution, **more})
        if report["status"] == "done":
            return dict(report["observed"])
        assert time.monotonic() < deadline, report
        time.sleep(0.1)


def until_only(rest: Rest, call: Call, execution: dict[str, Any], *left: str) -> None:
    """Call until every mirror but these is STOPPED."""
    deadline = time.monotonic() + 90
    while {topic for topic, state in rest.states().items() if state != "STOPPED"} != set(left):
        assert time.monotonic() < deadline
        assert call("promote_mirrors", {"execution": execution})["status"] == "waiting"
        time.sleep(0.1)


def test_many_mirrors_are_asked_for_in_few_batches_and_no_list_of_them_is_in_the_state(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    observed = promote(call, execution)
    assert set(rest.states().values()) == {"STOPPED"}
    assert rest.asked() == 3
    assert observed["by_status"] == {"STOPPED": MIRRORS}
    assert len(str(observed)) < 500


def test_a_stuck_mirror_holds_no_other_back_and_stops_it_at_the_last_chance_with_its_errors_quoted(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    rest.put("link", stuck=["t0007"])
    until_only(rest, call, execution, "t0007")
    deadline = time.monotonic() + 90
    while not rest.mirror("t0007").get("mirror_state_transition_errors"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(PromotionRejected) as stopped:
        call("promote_mirrors", {"execution": execution, "last_chance": True})
    said = str(stopped.value)
    assert f"1 of {MIRRORS} mirrors" in said and "t0007 PENDING_STOPPED" in said and "go-on" in said
    assert "t0007 PENDING_STOPPED, INTERNAL_ERROR The mirror topic can't be stopped" in said


@pytest.mark.parametrize("policy", [{"on_stuck_mirrors": "go-on"}])
def test_policy_can_leave_a_stuck_mirror_behind_and_it_is_named(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    rest.put("link", stuck=["t0007", "t0008"])
    until_only(rest, call, execution, "t0007", "t0008")
    report = call("promote_mirrors", {"execution": execution, "last_chance": True})
    assert report["status"] == "done"
    assert report["observed"]["left_behind_count"] == 2
    assert [each.split(",")[0] for each in report["observed"]["left_behind"]] == [
        "t0007 PENDING_STOPPED",
        "t0008 PENDING_STOPPED",
    ]


@pytest.mark.parametrize("policy", [{"on_stuck_mirrors": "go-on"}])
def test_a_standby_with_nothing_writable_is_never_left_behind_as_a_whole(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    rest.put("link", stuck=list(rest.states()))
    call("promote_mirrors", {"execution": execution})
    with pytest.raises(PromotionRejected) as stopped:
        call("promote_mirrors", {"execution": execution, "last_chance": True})
    assert f"and {MIRRORS - 20} more" in str(stopped.value)


def test_a_failed_mirror_is_failed_over_too(rest: Rest, execution: dict[str, Any], call: Call) -> None:
    rest.put("link", fail={"t0003": "UNEXPECTED_TRUNCATION"})
    promote(call, execution)
    assert rest.states()["t0003"] == "STOPPED"


def test_a_promotion_that_lost_its_source_is_ended_by_the_failover(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    rest.put("link", reachable=False)
    rest.promote("t0003")
    assert rest.states()["t0003"] == "PENDING_STOPPED"
    promote(call, execution)
    assert rest.states()["t0003"] == "STOPPED"


def test_a_mirror_that_appears_in_the_middle_is_found_promoted_and_kept_in_the_inventory(
    rest: Rest, execution: dict[str, Any], call: Call, book: Ledger
) -> None:
    call("promote_mirrors", {"execution": execution})
    rest.post("mirrors", topics=["late"])
    observed = promote(call, execution)
    assert rest.states()["late"] == "STOPPED"
    assert observed["mirrors"] == MIRRORS + 1
    assert "late" in inventory(book, Execution.model_validate(execution))


def test_a_mirror_that_vanished_is_missed_and_named(
    rest: Rest, execution: dict[str, Any], call: Call, book: Ledger
) -> None:
    promote(call, execution)
    save_inventory(book, Execution.model_validate(execution), {"gone": Listed(fixture_plan.LINK, "ACTIVE", {0: 0})})
    with pytest.raises(PromotionRejected, match="gone is not listed any more"):
        call("promote_mirrors", {"execution": execution, "last_chance": True})


@pytest.mark.parametrize("down", ["refuse", "hang"])
def test_a_rest_api_that_is_down_in_the_middle_is_waited_for(
    rest: Rest, execution: dict[str, Any], call: Call, down: str
) -> None:
    call("promote_mirrors", {"execution": execution})
    rest.put("rest", down=down, seconds=3)
    report = call("promote_mirrors", {"execution": execution})
    assert report["status"] == "waiting" or set(rest.states().values()) == {"STOPPED"}
    promote(call, execution)
    assert set(rest.states().values()) == {"STOPPED"}


def test_a_storm_of_429_is_waited_out_without_hammering(rest: Rest, execution: dict[str, Any], call: Call) -> None:
    rest.post("faults", kind="html429", times=None, lasts_s=2.5)
    assert call("promote_mirrors", {"execution": execution})["status"] == "waiting"
    promote(call, execution)
    assert set(rest.states().values()) == {"STOPPED"}


def test_one_call_in_three_failing_ends_in_the_same_state(rest: Rest, execution: dict[str, Any], call: Call) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": "html429"},
        {"kind": "status", "status": 503},
        {"kind": "drop_after_apply"},
    ]
    for number, fault in enumerate(faults):
        rest.post("faults", **fault, times=None, probability=0.12, seed=number)
    promote(call, execution)
    assert set(rest.states().values()) == {"STOPPED"}


def test_a_dry_run_asks_for_validation_of_every_batch_and_changes_nothing(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    dry = {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"}
    report = call("promote_mirrors", {"execution": call("claim", dry)["execution"]})
    assert (report["status"], report["observed"]["would_promote"]) == ("done", MIRRORS)
    assert set(rest.states().values()) == {"ACTIVE"}
    assert rest.asked() == 3


@pytest.mark.parametrize("links", [[fixture_plan.LINK, "payments-link"]])
def test_every_link_of_the_plan_is_promoted_and_none_that_is_not(
    rest: Rest, execution: dict[str, Any], call: Call, book: Ledger
) -> None:
    rest.create_link("payments-link", "payments")
    rest.create_link("somebody-elses", "elsewhere")
    observed = promote(call, execution)
    assert observed["by_status"] == {"STOPPED": MIRRORS + 1}
    assert rest.states("payments-link") == {"payments": "STOPPED"}
    assert rest.states("somebody-elses") == {"elsewhere": "ACTIVE"}
    assert inventory(book, Execution.model_validate(execution))["payments"].link == "payments-link"


@pytest.mark.parametrize("links", [["prefixed"]])
def test_a_link_with_a_prefix_is_refused_before_anything_is_changed(
    rest: Rest, execution: dict[str, Any], call: Call
) -> None:
    rest.create_link("prefixed", "east.orders", prefix="east.")
    observed = call("assess", {"execution": execution | {"manual": True}, "last_chance": True})["observed"]
    assert (observed["verdict"], observed["evidence"]["prefixed_mirrors"]) == ("stand-down", 1)
    assert rest.states("prefixed") == {"east.orders": "ACTIVE"}
