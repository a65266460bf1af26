"""What a switchover refuses before it changes anything, whom it fences, and what it puts back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.detection.evidence import Probe, View
from failover.dns import NameState
from failover.errors import AbortRequested, DnsUnavailable, FleetRejected, FleetUnavailable, PastNoReturn
from failover.execution.inventory import inventory
from failover.fleets import FleetState
from failover.kafka.offsets import Offsets
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import save_plan_table
from failover.link import Mirror, PartitionLag, Rejection, Topic
from tests.functions.test_fleets_out_of_reach import Fleet, state

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
MIRRORS = ("orders", "payments")


def mirror(topic: str, status: str = "ACTIVE", **more: Any) -> Mirror:
    return Mirror(topic=topic, status=status, lags=(PartitionLag(0, 0),), **more)


@dataclass
class Site:
    """Everything that a precheck looks at, as it has to be; a test changes what it is about."""

    probes: tuple[Probe, ...] = tuple(
        Probe(site=site, service=service, healthy=True, took_seconds=0.0)
        for site in ("east", "west")
        for service in ("kafka", "gateway", "rest")
    )
    isolated: str | None = None
    topics: list[Topic] = field(default_factory=lambda: [Topic(name, 1) for name in MIRRORS])
    mirrors: list[Mirror] = field(default_factory=lambda: [mirror(name) for name in MIRRORS])
    rejected: list[Rejection] = field(default_factory=list)
    mode: str = "BIDIRECTIONAL"
    validated: list[str] = field(default_factory=list)
    fleets: dict[str, Any] = field(default_factory=lambda: {"east": state("east"), "west": state("west")})
    name: Any = None


class Link:
    """A link that holds the site's mirrors."""

    name = "orders-link"

    def __init__(self, site: Site) -> None:
        self._site = site

    def mirrors(self) -> list[Mirror]:
        return self._site.mirrors

    def configs(self) -> dict[str, str | None]:
        return {"link.mode": self._site.mode}

    def reverse_and_start(self, topics: list[str], *, validate_only: bool = False) -> list[Rejection]:
        return self._validate("reverse", topics, validate_only=validate_only)

    def promote(self, topics: list[str], *, validate_only: bool = False) -> list[Rejection]:
        return self._validate("promote", topics, validate_only=validate_only)

    def _validate(self, verb: str, topics: list[str], *, validate_only: bool) -> list[Rejection]:
        assert validate_only, "a precheck changes nothing"
        self._site.validated += [f"{verb} {topic}" for topic in topics]
        return self._site.rejected


@pytest.fixture
def plan_text(plan_text: str) -> str:
    document = yaml.safe_load(plan_text)
    document["protect"] = {"topics": list(MIRRORS)}
    return yaml.safe_dump(document)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(name=NameState(record="gw-east.orders.example.com", answers={}, in_sync=True))

    class Name:
        def look(self, _: str | None) -> NameState:
            if isinstance(site.name, Exception):
                raise site.name
            return site.name  # type: ignore[no-any-return]

    class Cluster:
        def topics(self) -> list[Topic]:
            return site.topics

    def view(*_: Any) -> View:
        return View(vantage="us-west-2", at=0.0, probes=site.probes, isolated_because=site.isolated)

    monkeypatch.setattr("failover.detection.probes.probe_sites", view)
    monkeypatch.setattr("failover.link.factory.links_at", lambda *_: (Link(site),))
    monkeypatch.setattr("failover.link.factory.cluster_at", lambda *_: Cluster())
    monkeypatch.setattr("failover.decision.doubts.client_name_of", lambda *_: Name())
    monkeypatch.setattr(
        "failover.decision.doubts.targets_of", lambda _: dict.fromkeys(("east", "west"), "gw-east.orders.example.com")
    )
    monkeypatch.setattr("failover.decision.doubts.fleets_of", lambda described: [_named(site, described)])
    return site


def _named(site: Site, described: Any) -> tuple[str, Fleet]:
    which = "east" if described.region == "us-east-2" else "west"
    return f"gateway-{which}", Fleet(site.fleets[which])


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def execution(deployed: Any, call: Call) -> dict[str, Any]:
    started = {"start": {"plan": "orders", "to": "west", "by": "anna"}, "execution_name": "orders-1-switchover"}
    return dict(call("claim", started | {"kind": "switchover"})["execution"])


def test_where_nothing_is_in_doubt_it_proceeds_and_takes_the_mirrors_down(
    call: Call, execution: dict[str, Any], site: Site
) -> None:
    site.mirrors.append(mirror("deleted-long-ago", "STOPPED"))
    report = call("precheck", {"execution": execution})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "proceed")
    assert set(inventory(book(), Execution.model_validate(execution))) == set(MIRRORS)


@pytest.mark.parametrize(("mode", "verb"), [("BIDIRECTIONAL", "reverse"), ("DESTINATION", "promote")])
def test_each_link_is_asked_once_for_what_it_will_be_asked_for(
    call: Call, execution: dict[str, Any], site: Site, mode: str, verb: str
) -> None:
    site.mode = mode
    site.mirrors = [mirror("orders"), Mirror(topic="payments", status="ACTIVE", lags=(PartitionLag(0, 7),))]
    site.mirrors.append(Mirror(topic="old", status="STOPPED", lags=(PartitionLag(0, 100),)))
    report = call("precheck", {"execution": execution})
    assert (report["observed"]["verdict"], site.validated) == ("proceed", [f"{verb} {name}" for name in MIRRORS])
    assert report["observed"]["lag"] == 7, "of what is a mirror no more nothing trails"


@pytest.mark.parametrize(
    ("by_hand", "verdict", "rehearsed", "inventory_taken"),
    [
        ("allow", "proceed", "proceed", True),
        ("approve", "ask", "proceed", True),
        ("refuse", "stand-down", "proceed", False),
    ],
)
def test_policy_says_whether_people_may_start_it_and_a_dry_run_is_nobodys_start(
    call: Call,
    execution: dict[str, Any],
    site: Site,
    plan_text: str,
    replan: Callable[[str], None],
    by_hand: str,
    verdict: str,
    rehearsed: str,
    inventory_taken: bool,
) -> None:
    document = yaml.safe_load(plan_text)
    document["policy"]["by_hand"] = by_hand
    replan(yaml.safe_dump(document))
    assert call("precheck", {"execution": execution})["observed"]["verdict"] == verdict
    assert bool(inventory(book(), Execution.model_validate(execution))) is inventory_taken
    dry = {"execution": execution | {"dry_run": True}}
    assert call("precheck", dry)["observed"]["verdict"] == rehearsed


def test_a_controller_in_the_region_of_the_site_that_is_left_leaves_it_to_the_other(
    call: Call, execution: dict[str, Any], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.decision.controllers.current_region", lambda: "us-east-2")
    monkeypatch.setattr("failover.decision.controllers.controller_regions", lambda: ["us-east-2", "us-west-2"])
    observed = call("precheck", {"execution": execution})["observed"]
    assert observed["verdict"] == "stand-down" and "the controller in us-west-2 acts" in observed["why"]


def test_a_lag_that_is_not_known_is_no_zero(call: Call, execution: dict[str, Any], site: Site) -> None:
    site.mirrors[1] = Mirror(topic="payments", status="ACTIVE", lags=(PartitionLag(0, None),))
    assert call("precheck", {"execution": execution})["observed"]["lag"] is None


def test_where_a_mirror_ends_that_is_not_told_is_not_counted_as_behind(
    call: Call, execution: dict[str, Any], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("precheck", {"execution": execution})
    told, untold = Offsets({("orders", 0): 1_000_000}), Offsets(unknown={("orders", 0): "no leader"})
    monkeypatch.setattr("failover.kafka.factory.as_controller", lambda _, at, __: told if at == "east" else untold)
    report = call("drain_mirrors", {"execution": execution})
    observed = report["observed"]
    assert (report["status"], observed["behind"], observed["behind_by"]) == ("waiting", 0, 0)
    assert observed["not_told"] == ["west orders[0]: no leader"]


DOUBTS: dict[str, tuple[dict[str, Any], str]] = {
    "a site is down": (
        {"probes": (Probe(site="east", service="kafka", healthy=False, took_seconds=1.0, why="refused"),)},
        "east kafka does not answer: refused",
    ),
    "cut off": ({"isolated": "cut off itself"}, "the controller is cut off itself"),
    "no mirror": ({"mirrors": [mirror("orders")]}, "topic payments has no ACTIVE mirror"),
    "idle": ({"mirrors": [mirror("orders"), mirror("payments", "PAUSED")]}, "mirror payments is PAUSED"),
    "failed": (
        {"mirrors": [mirror("orders"), mirror("payments", "FAILED", error="too large")]},
        "mirror payments is FAILED (too large)",
    ),
    "stopped": ({"mirrors": [mirror("orders"), mirror("payments", "STOPPED")]}, "mirror payments is STOPPED"),
    "renamed": (
        {"mirrors": [mirror("orders"), mirror("payments"), mirror("b.x", source_topic="x")]},
        "mirror b.x has another name than its source x",
    ),
    "the link refuses": ({"rejected": [Rejection("orders", 400, "no")]}, "orders would not be reversed: 400 no"),
    "fenced by others": ({"fleets": {"east": state("fenced"), "west": state("west")}}, "gateway-east leads to fenced"),
    "led away": ({"fleets": {"east": state("west"), "west": state("west")}}, "gateway-east leads to west"),
    "refused": (
        {"fleets": {"east": FleetRejected("403"), "west": state("west")}},
        "gateway-east is out of reach: 403",
    ),
    "not settled": (
        {
            "fleets": {
                "east": FleetState(target="east", settled=False, instances=(), detail="1 of 2"),
                "west": state("west"),
            }
        },
        "gateway-east is not settled: 1 of 2",
    ),
    "the name": ({"name": NameState(record="gw-west", answers={}, in_sync=True)}, "leads to gw-west, not to gw-east"),
}
SILENT: dict[str, tuple[dict[str, Any], str]] = {
    "a fleet": (
        {"fleets": {"east": FleetUnavailable("503", answered=True), "west": state("west")}},
        "fleet gateway-east is out of reach: 503",
    ),
    "the name": ({"name": DnsUnavailable("busy")}, "the client hostname can't be looked at: busy"),
}


@pytest.mark.parametrize(("changes", "doubt"), DOUBTS.values(), ids=list(DOUBTS))
def test_what_is_in_doubt_is_waited_for_and_at_the_last_chance_it_stands_down_by_name(
    call: Call, execution: dict[str, Any], site: Site, changes: dict[str, Any], doubt: str
) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    assert call("precheck", {"execution": execution})["status"] == "waiting"
    report = call("precheck", {"execution": execution, "last_chance": True})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "stand-down")
    assert doubt in report["observed"]["why"]
    assert not inventory(book(), Execution.model_validate(execution))


@pytest.mark.parametrize(("changes", "doubt"), SILENT.values(), ids=list(SILENT))
def test_what_does_not_answer_is_waited_for_unless_something_is_in_doubt_beside(
    call: Call, execution: dict[str, Any], site: Site, changes: dict[str, Any], doubt: str
) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    last_chance = {"execution": execution, "last_chance": True}
    report = call("precheck", last_chance)
    assert (report["status"], report["observed"]["doubts"]) == ("waiting", [doubt])
    assert report["observed"]["why"] == f"nothing was changed: {doubt}", "it may be the last answer for long"
    site.mirrors = [mirror("orders"), mirror("payments", "PAUSED")]
    report = call("precheck", last_chance)
    assert report["observed"]["verdict"] == "stand-down"
    assert doubt in report["observed"]["why"] and "payments is PAUSED" in report["observed"]["why"]


def test_every_gateway_that_leads_to_the_site_that_is_left_is_fenced_and_none_is_best_effort(
    call: Call, execution: dict[str, Any], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleets = {"us-east-2": Fleet(state("east"), state("fenced")), "us-west-2": Fleet(state("west"))}
    monkeypatch.setattr("failover.fleets.fleets_of", lambda of: [(f"gateway-{of.region}", fleets[of.region])])
    fence = {"execution": execution, "everywhere": True}
    assert [call("fence", fence)["status"] for _ in range(2)][-1] == "done"
    assert (fleets["us-east-2"].routed, fleets["us-west-2"].routed) == (["fenced"], [])
    fleets["us-west-2"] = Fleet(state("east"), state("fenced"))
    fleets["us-east-2"] = Fleet(FleetUnavailable("silent"))
    assert call("fence", fence)["status"] == "waiting", "who can't be reached is not fenced"
    assert fleets["us-west-2"].routed == ["fenced"]
    fleets["us-east-2"] = Fleet(FleetRejected("no such route"))
    with pytest.raises(FleetRejected):
        call("fence", fence)


@pytest.mark.parametrize(
    ("target", "vacated", "status"), [("fenced", True, "done"), ("fenced", False, "waiting"), ("east", True, "waiting")]
)
def test_a_fence_is_there_once_nothing_leads_to_the_site_and_before_its_instances_are(
    target: str, vacated: bool, status: str, call: Call, execution: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(FleetState(target=target, settled=False, vacated=vacated, instances=(), detail="0 of 2"))
    monkeypatch.setattr("failover.fleets.fleets_of", lambda of: [(f"gateway-{of.region}", fleet)])
    report = call("fence", {"execution": execution, "everywhere": True})
    assert report["status"] == status
    told = report["observed"]["fleets"].values()
    assert all(words.startswith("fenced: no instance of before") is (status == "done") for words in told)


def test_what_was_fenced_is_led_back_also_when_aborted_and_never_past_the_point_of_no_return(
    call: Call, execution: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(state("fenced"), state("fenced"), state("east"))
    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: fleet)
    back = {"execution": execution, "site": "east", "fleet": "gateway-east", "back": True}
    book().request_abort("orders", "orders-1-switchover", "anna", "the wrong day")
    with pytest.raises(AbortRequested):
        call("fence", {"execution": execution, "everywhere": True})
    while call("switch_routes", back)["status"] != "done":
        assert fleet.looks < 20
    assert fleet.routed == ["east"]
    fleet.answers = [state("west")]
    assert call("switch_routes", back)["status"] == "done", "what leads elsewhere was not fenced by this execution"
    assert fleet.routed == ["east"]


def test_nothing_is_put_back_past_the_point_of_no_return(
    call: Call, execution: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(state("fenced"))
    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: fleet)
    book().pass_no_return(Execution.model_validate(execution))
    with pytest.raises(PastNoReturn):
        call("switch_routes", {"execution": execution, "site": "east", "fleet": "gateway-east", "back": True})
    assert fleet.routed == []


@pytest.mark.parametrize(
    ("low_for", "lag", "words"),
    [
        (None, 0, "for 0 s only; policy wants 300 s"),
        (100.0, 0, "for 100 s only; policy wants 300 s"),
        (400.0, 1001, "trail by 1,001 records; policy wants 1,000 at most"),
        (400.0, None, "1 partitions unknown"),
        (400.0, 1000, ""),
    ],
)
def test_home_is_switched_to_only_once_its_mirrors_have_trailed_by_little_for_long(
    call: Call, deployed: Any, site: Site, monkeypatch: pytest.MonkeyPatch, low_for: float | None, lag: int, words: str
) -> None:
    there = {"start": {"plan": "orders", "to": "west", "by": "anna"}, "execution_name": "orders-1-switchover"}
    before = call("claim", there | {"kind": "switchover"})["execution"]
    call("conclude", {"execution": before, "outcome": "succeeded"})
    home = {"start": {"plan": "orders", "to": "east", "by": "anna"}, "execution_name": "orders-2-switchover"}
    execution = call("claim", home | {"kind": "switchover"})["execution"]
    monkeypatch.setattr(
        "failover.decision.doubts.targets_of", lambda _: dict.fromkeys(("east", "west"), "gw-west.orders.example.com")
    )
    site.name = NameState(record="gw-west.orders.example.com", answers={}, in_sync=True)
    site.fleets = {"east": state("west"), "west": state("west")}
    site.mirrors = [Mirror(topic=name, status="ACTIVE", lags=(PartitionLag(0, 0),)) for name in MIRRORS[1:]]
    site.mirrors.append(Mirror(topic=MIRRORS[0], status="ACTIVE", lags=(PartitionLag(0, lag),)))
    low_since = None if low_for is None else time.time() - low_for
    save_plan_table(book(), "orders", "watch", {"west": {"low_since": low_since}})
    report = call("precheck", {"execution": execution, "last_chance": True})
    assert report["observed"]["verdict"] == ("stand-down" if words else "proceed"), report
    assert words in report["observed"]["why"]


def test_a_plan_that_wants_no_time_to_pass_is_led_home_at_once(
    call: Call,
    execution: dict[str, Any],
    site: Site,
    plan_text: str,
    replan: Callable[[str], None],
) -> None:
    document = yaml.safe_load(plan_text) | {"home": "west"}
    document["policy"]["failback_after_seconds"] = 0
    replan(yaml.safe_dump(document))
    assert call("precheck", {"execution": execution})["observed"]["verdict"] == "proceed"
