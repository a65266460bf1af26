"""What a restore refuses before it changes anything: whoever works on the returned site is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import yaml

from failover.aws.clients import client
from failover.container import forget
from failover.detection.evidence import Probe, View
from failover.dns import NameState
from failover.errors import FleetUnavailable
from failover.execution.claimed_plan import renew_plan
from failover.execution.inventory import inventory
from failover.kafka.groups import GroupStates
from failover.kafka.offsets import Offsets
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.link import Group, GroupOffset, LinkFacts, Mirror, PartitionLag, Topic, Truncation
from tests.functions.test_fleets_out_of_reach import Fleet, state
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
TOPICS = ("orders", "payments")
WELL = tuple(
    Probe(site=site, service=service, healthy=True, took_seconds=0.0)
    for site in ("east", "west")
    for service in ("kafka", "gateway", "rest")
)


def stopped(topic: str, status: str = "STOPPED") -> Mirror:
    return Mirror(topic=topic, status=status, lags=(PartitionLag(0, 0),))


@dataclass
class Sites:
    """Everything that a precheck looks at, as it has to be; a test changes what it is about."""

    probes: tuple[Probe, ...] = WELL
    mode: str = "BIDIRECTIONAL"
    remote: str | None = None
    """The cluster that east's link leads from, if it tells."""
    east: list[str] = field(default_factory=lambda: list(TOPICS))
    west: list[str] = field(default_factory=lambda: list(TOPICS))
    mirrors: dict[str, list[Mirror]] = field(
        default_factory=lambda: {"east": [], "west": [stopped(topic) for topic in TOPICS]}
    )
    groups: list[Group] = field(default_factory=lambda: [Group("fulfilment", "EMPTY")])
    offsets: list[GroupOffset] | None = field(default_factory=list)
    described: GroupStates = field(default_factory=lambda: GroupStates({}, {}))
    written: list[str] = field(default_factory=list)
    untold_at_first: list[str] = field(default_factory=list)
    fleet: Any = field(default_factory=lambda: state("west"))
    name: str = "gw-west.orders.example.com"


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> Sites:
    sites, looks = Sites(), [0]

    @dataclass(frozen=True)
    class Link:
        site: str
        name: str = "orders-link"

        def mirrors(self) -> list[Mirror]:
            return sites.mirrors[self.site]

        def configs(self) -> dict[str, str | None]:
            return {"link.mode": sites.mode}

        def facts(self) -> LinkFacts:
            return LinkFacts(name=self.name, state="ACTIVE", error=None, remote_cluster_id=sites.remote)

        def truncate_and_restore(self, topics: list[str], **_: Any) -> list[Truncation]:
            return [Truncation(topic=topic, messages=0, partitions=((0, 10, 0),)) for topic in topics]

    @dataclass(frozen=True)
    class Cluster:
        site: str

        def topics(self) -> list[Topic]:
            return [Topic(name, 1) for name in getattr(sites, self.site)]

        def groups(self) -> list[Group]:
            return sites.groups

        def group_offsets(self, _: str) -> list[GroupOffset] | None:
            return sites.offsets

    class Name:
        def look(self, _: str | None) -> NameState:
            return NameState(record=sites.name, answers={}, in_sync=True)

    def log_ends(_: object, spots: Iterable[tuple[str, int]]) -> Offsets:
        looks[0] += 1
        untold = {spot: "no leader" for spot in spots if looks[0] % 2 and spot[0] in sites.untold_at_first}
        ends = {spot: 10 + (looks[0] if spot[0] in sites.written else 0) for spot in spots if spot not in untold}
        return Offsets(ends, untold)

    monkeypatch.setattr(
        "failover.detection.probes.probe_sites", lambda *_: View(vantage="us-west-2", at=0.0, probes=sites.probes)
    )
    monkeypatch.setattr("failover.link.factory.links_at", lambda _, site: (Link(site),))
    monkeypatch.setattr("failover.link.factory.cluster_at", lambda _, site: Cluster(site))
    monkeypatch.setattr("failover.kafka.factory.as_controller", lambda *arguments: arguments[2](None))
    monkeypatch.setattr("failover.kafka.offsets.log_ends", log_ends)
    monkeypatch.setattr("failover.kafka.groups.group_states", lambda *_: sites.described)
    monkeypatch.setattr("failover.decision.doubts.client_name_of", lambda *_: Name())
    monkeypatch.setattr(
        "failover.decision.doubts.targets_of", lambda _: dict.fromkeys(("east", "west"), "gw-west.orders.example.com")
    )
    monkeypatch.setattr("failover.decision.doubts.fleets_of", lambda _: [("gateway-west", Fleet(sites.fleet))])
    monkeypatch.setattr("time.sleep", lambda _: None)
    return sites


@pytest.fixture
def execution(deployed: Any, call: Call) -> dict[str, Any]:
    """A claimed restore of east, which was failed over from."""
    failed_over = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    before = call("claim", failed_over)["execution"]
    call("conclude", {"execution": before, "outcome": "succeeded"})
    started = {"start": {"plan": "orders", "to": "west", "by": "anna"}, "execution_name": "orders-2-restore"}
    return dict(call("claim", started | {"kind": "restore"})["execution"])


def test_where_nothing_is_in_doubt_it_proceeds_with_what_both_sites_have(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.mirrors["west"].append(stopped("deleted-meanwhile"))
    report = call("precheck_restore", {"execution": execution})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "proceed"), report
    assert report["observed"]["deleted"] == ["deleted-meanwhile"]
    kept = inventory(Ledger(client("dynamodb"), "ledger"), Execution.model_validate(execution))
    assert {topic: sorted(entry.lags) for topic, entry in kept.items()} == {topic: [0] for topic in TOPICS}


@pytest.mark.parametrize(("by_hand", "verdict"), [("allow", "proceed"), ("approve", "ask"), ("refuse", "stand-down")])
def test_policy_says_whether_people_may_start_it_and_a_dry_run_is_nobodys_start(
    call: Call,
    execution: dict[str, Any],
    sites: Sites,
    plan_text: str,
    replan: Callable[[str], None],
    by_hand: str,
    verdict: str,
) -> None:
    document = yaml.safe_load(plan_text)
    document["policy"]["by_hand"] = by_hand
    replan(yaml.safe_dump(document))
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == verdict
    dry = {"execution": execution | {"dry_run": True}}
    assert call("precheck_restore", dry)["observed"]["verdict"] == "proceed"


def test_a_controller_in_the_region_of_the_returned_site_leaves_it_to_the_other(
    call: Call, execution: dict[str, Any], sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.decision.controllers.current_region", lambda: "us-east-2")
    monkeypatch.setattr("failover.decision.controllers.controller_regions", lambda: ["us-east-2", "us-west-2"])
    observed = call("precheck_restore", {"execution": execution})["observed"]
    assert observed["verdict"] == "stand-down" and "the controller in us-west-2 acts" in observed["why"]


def test_a_topic_that_either_site_deleted_is_no_mirror_again_unless_it_may_be_mirrored_anew(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.west.remove("payments")
    observed = call("precheck_restore", {"execution": execution})["observed"]
    assert (observed["verdict"], observed["topics"], observed["deleted"]) == ("proceed", 1, ["payments"])
    sites.west, sites.east, sites.mode = list(TOPICS), ["orders"], "DESTINATION"
    observed = call("precheck_restore", {"execution": execution, "delete_topics": True})["observed"]
    assert (observed["verdict"], observed["topics"], observed["to_be_deleted"]) == ("proceed", 2, 1)
    sites.mode = "BIDIRECTIONAL"
    observed = call("precheck_restore", {"execution": execution, "delete_topics": True})["observed"]
    assert (observed["topics"], observed["to_be_deleted"], observed["deleted_count"]) == (1, 0, 1)


def test_a_link_that_leads_from_elsewhere_than_the_active_site_is_a_doubt(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.mode, sites.remote = "DESTINATION", "lkc-elsewhere"
    observed = call("precheck_restore", {"execution": execution, "delete_topics": True})["observed"]
    assert observed["doubts"] == [
        "link orders-link at east does not lead there from west: nothing could be mirrored anew"
    ]


def test_a_topic_that_is_a_mirror_already_has_no_writer_but_its_link(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.written = ["payments"]
    sites.mirrors["east"] = [stopped("payments", "ACTIVE"), stopped("orders")]
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == "proceed"
    sites.mirrors["east"] = [stopped("payments"), stopped("orders")]
    report = call("precheck_restore", {"execution": execution})
    assert report["observed"]["doubts"] == [
        "somebody writes to payments on east: stop that writer, or lead it through a gateway"
    ]


OFFSET = GroupOffset(topic="orders", partition=0, committed=1, log_end=1)
DOUBTS: dict[str, tuple[dict[str, Any], str]] = {
    "the returned site is not there": (
        {"probes": (Probe(site="east", service="kafka", healthy=False, took_seconds=1.0, why="refused"),)},
        "east kafka does not answer: refused",
    ),
    "a member": (
        {"groups": [Group("fulfilment", "STABLE")], "offsets": [OFFSET]},
        "consumer group fulfilment is STABLE on east: stop its members there",
    ),
    "a member of who knows what": (
        {"groups": [Group("fulfilment", "STABLE")], "offsets": None},
        "consumer group fulfilment is STABLE on east",
    ),
    "a group that does not tell": (
        {
            "groups": [Group("fulfilment", "UNKNOWN")],
            "offsets": [OFFSET],
            "described": GroupStates({}, {"fulfilment": "its coordinator says DEAD"}),
        },
        "whether anybody works in consumer group fulfilment on east is not told: stop its members there, and if that"
        " does not help, delete it, which Kafka refuses while it has any (its coordinator says DEAD)",
    ),
    "a group of which its coordinator alone tells": (
        {
            "groups": [Group("fulfilment", "UNKNOWN")],
            "offsets": [OFFSET],
            "described": GroupStates({"fulfilment": "STABLE"}, {}),
        },
        "consumer group fulfilment is STABLE on east: stop its members there",
    ),
    "an end that was told once only": (
        {"untold_at_first": ["payments"]},
        "where payments[0] ends on east is not known",
    ),
    "a writer": ({"written": ["payments"]}, "somebody writes to payments on east"),
    "one way": ({"mode": "DESTINATION"}, "link orders-link at east is not bidirectional"),
    "not stopped": (
        {"mirrors": {"east": [], "west": [stopped("orders"), stopped("payments", "PENDING_STOPPED")]}},
        "mirror payments on west is PENDING_STOPPED, not STOPPED",
    ),
    "nothing taken over": ({"mirrors": {"east": [], "west": []}}, "west took over no mirror from east"),
    "clients elsewhere": ({"fleet": state("east")}, "gateway-west leads to east"),
    "the name": ({"name": "gw-east.orders.example.com"}, "the client hostname leads to gw-east.orders.example.com"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_doubt_is_waited_out_and_then_stands_down_by_name(
    call: Call, execution: dict[str, Any], sites: Sites, doubt: str
) -> None:
    changes, words = DOUBTS[doubt]
    for name, value in changes.items():
        setattr(sites, name, value)
    assert call("precheck_restore", {"execution": execution})["status"] == "waiting"
    report = call("precheck_restore", {"execution": execution, "last_chance": True})
    assert report["observed"]["verdict"] == "stand-down" and words in report["observed"]["why"]


def test_gateways_that_can_not_be_asked_are_waited_for_also_at_the_last_chance(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.fleet = FleetUnavailable("throttled", answered=True)
    last_chance = {"execution": execution, "last_chance": True}
    assert call("precheck_restore", last_chance)["status"] == "waiting"
    sites.fleet = state("west")
    assert call("precheck_restore", last_chance)["observed"]["verdict"] == "proceed"


def test_a_group_that_never_tells_its_state_is_let_pass_once_its_coordinator_says_that_nobody_is_in_it(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.groups, sites.offsets = [Group("fulfilment", "UNKNOWN")], [OFFSET]
    sites.described = GroupStates({"fulfilment": "EMPTY"}, {})
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == "proceed"


def test_who_reads_other_topics_or_left_long_ago_is_no_doubt(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    sites.groups = [Group("audit", "STABLE"), Group("fulfilment", "DEAD")]
    sites.offsets = [GroupOffset(topic="other", partition=0, committed=1, log_end=1)]
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == "proceed"


def test_a_redrive_asks_nobody_again_and_says_nothing_wrong_of_what_was_truncated(
    call: Call, execution: dict[str, Any], sites: Sites, plan_text: str
) -> None:
    put_plan(boto3.client, yaml.safe_dump(yaml.safe_load(plan_text) | {"policy": {"by_hand": "approve"}}))
    claimed, book = Execution.model_validate(execution), Ledger(client("dynamodb"), "ledger")
    forget()
    renew_plan(book, claimed)
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == "ask"
    answered = {"token": "t", "answer": "approve", "answered_by": "bob", "answered_at": "1", "answered_why": ""}
    book.put("orders", f"approval#{claimed.name}", answered)
    assert call("precheck_restore", {"execution": execution})["observed"]["verdict"] == "proceed"
    book.pass_no_return(claimed)
    sites.written = ["payments"]
    stood_down = call("precheck_restore", {"execution": execution, "last_chance": True})["observed"]
    assert "nothing was changed" not in stood_down["why"] and "nothing more was changed" in stood_down["why"]


def test_a_log_end_that_was_told_once_only_is_not_known_to_stand(
    call: Call, execution: dict[str, Any], sites: Sites
) -> None:
    call("precheck_restore", {"execution": execution})
    sites.untold_at_first = ["payments"]
    measured = call("measure_divergence", {"execution": execution})
    assert (measured["status"], measured["observed"]["growing"]) == ("waiting", ["payments[0]"])
