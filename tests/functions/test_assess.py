"""assess: what it looks at, in whose place it decides, and what it keeps for those who come after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from failover.detection.evidence import SERVICES, Probe, Signal, View
from failover.detection.signal_store import save_signal
from failover.errors import FailoverError, LinkRejected, LinkUnavailable
from failover.execution.inventory import inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.link import Mirror, PartitionLag
from tests.functions.both_sites import book
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass
class Link:
    """One of the plan's links on the standby."""

    name: str
    topics: dict[str, int | None]
    """Its mirrors, each of one partition, by how far it trails."""
    error: FailoverError | None = None

    def mirrors(self) -> list[Mirror]:
        if self.error is not None:
            raise self.error
        return [
            Mirror(topic=topic, status="ACTIVE", lags=(PartitionLag(0, lag, 100),))
            for topic, lag in self.topics.items()
        ]


@dataclass
class World:
    """What is seen of both sites: east is lost, unless a test says otherwise."""

    east_answers: bool = False
    west_answers: bool = True
    west_gateway_answers: bool = True
    links: list[Link] = field(
        default_factory=lambda: [Link("orders-link", {"orders": 40}), Link("more", {"payments": 2, "refunds": 0})]
    )
    hurried: list[str | None] = field(default_factory=list)
    """Of which site, at each look, no more than a short one was taken."""

    def probe_sites(self, *_: Any, lost_site: str | None = None) -> View:
        self.hurried.append(lost_site)
        answers = {"east": self.east_answers, "west": self.west_answers}
        probes = [
            Probe(site=site, service=service, healthy=well, took_seconds=0.1, why="" if well else "no answer")
            for site, answers_at_all in answers.items()
            for service in SERVICES
            for well in [answers_at_all and ((site, service) != ("west", "gateway") or self.west_gateway_answers)]
        ]
        return View(vantage="us-west-2", at=time.time(), probes=tuple(probes))


@pytest.fixture
def world(deployed: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr("failover.detection.probes.probe_sites", world.probe_sites)
    monkeypatch.setattr("failover.link.factory.links_at", lambda _, site: world.links if site == "west" else [])
    return world


@pytest.fixture
def policy(deployed: Any, plan_text: str) -> Callable[..., None]:
    def put(**policy: Any) -> None:
        plan = yaml.safe_load(plan_text)
        put_plan(deployed, yaml.safe_dump(plan | {"policy": plan["policy"] | policy}))

    return put


@pytest.fixture
def begin(call: Call) -> Callable[..., dict[str, Any]]:
    """Begins a failover; by hand, unless it is of an epoch."""

    def claim(**start: Any) -> dict[str, Any]:
        begun = {"start": {"plan": "orders", "to": "west"} | start, "execution_name": "orders-1-failover"}
        return dict(call("claim", begun)["execution"])

    return claim


def saved(execution: dict[str, Any]) -> dict[str, tuple[str, dict[int, int | None]]]:
    """The inventory that those after it read."""
    entries = inventory(book(), Execution.model_validate(execution))
    return {topic: (entry.link, entry.lags) for topic, entry in entries.items()}


def stood(ledger: Ledger, *sources: str) -> None:
    """Votes against east that have stood for long enough."""
    now = time.time()
    for vantage in sources:
        of = Signal(
            site="east", source=f"probe/{vantage}", says_lost=True, at=now, since=now - 9, kind="probe", vantage=vantage
        )
        save_signal(ledger, "orders", of, 15)


def test_what_is_decided_stands_on_the_mirrors_of_every_link_and_keeps_them_by_link(
    world: World, begin: Any, call: Call
) -> None:
    execution = begin()
    report = call("assess", {"execution": execution})
    observed = report["observed"]
    assert (report["status"], observed["verdict"], observed["guard"]) == ("done", "proceed", "")
    assert observed["why"] == "started by hand" and "would" not in observed
    assert observed["evidence"]["mirrors_by_status"] == {"ACTIVE": 3}
    assert observed["evidence"]["lag"]["records"] == 42
    assert observed["expected_loss"]["unknown_partitions"] == 3
    assert saved(execution) == {
        "orders": ("orders-link", {0: 40}),
        "payments": ("more", {0: 2}),
        "refunds": ("more", {0: 0}),
    }


@pytest.mark.parametrize("error", [LinkUnavailable("503"), LinkRejected("403")])
def test_mirrors_that_can_not_be_read_of_one_link_are_waited_for_and_none_is_kept(
    world: World, begin: Any, call: Call, error: FailoverError
) -> None:
    world.links[1].error = error
    execution = begin()
    report = call("assess", {"execution": execution})
    assert (report["status"], report["observed"]["verdict"]) == ("waiting", "wait")
    report = call("assess", {"execution": execution, "last_chance": True})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "stand-down")
    assert "the mirrors on the standby west can't be read" in report["observed"]["why"]
    assert report["observed"]["guard"] == "standby_unreachable" and not report["observed"]["stands_until_resumed"]
    assert report["observed"]["evidence"]["mirrors_by_status"] is None and saved(execution) == {}


def test_a_start_by_hand_is_one_that_says_so_and_of_any_other_votes_are_wanted(
    world: World, begin: Any, call: Call
) -> None:
    execution = begin()
    assert execution.pop("manual") is True
    report = call("assess", {"execution": execution})
    assert (report["status"], report["observed"]["guard"]) == ("waiting", "quorum_not_met")
    assert world.hurried == ["east"], "signals call it lost: whether it answers after all is soon seen"
    call("assess", {"execution": execution | {"manual": True}})
    assert world.hurried == ["east", None], "a person may be wrong: it has as long as the standby"


def test_what_it_sees_itself_is_one_vote_beside_those_that_were_kept(
    world: World, policy: Any, begin: Any, call: Call
) -> None:
    policy(mode="automatic", fast_path=True, probe_max_age_seconds=600)
    execution = begin(epoch=1)
    stood(book(), "us-east-1", "us-west-2")
    observed = call("assess", {"execution": execution})["observed"]
    assert (observed["verdict"], sorted(observed["votes"])) == ("proceed", ["probe/us-east-1", "probe/us-west-2"])
    assert observed["why"].startswith("east is lost: ")
    assert set(saved(execution)) == {"orders", "payments", "refunds"}
    world.east_answers = True
    report = call("assess", {"execution": execution})
    assert (report["status"], report["observed"]["votes"]) == ("waiting", ["probe/us-east-1"])


def test_who_leaves_a_site_that_answers_says_that_they_mean_it(world: World, begin: Any, call: Call) -> None:
    world.east_answers = True
    execution = begin()
    report = call("assess", {"execution": execution})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "stand-down")
    assert report["observed"]["guard"] == "healthy_site_not_forced" and saved(execution) == {}
    forced = execution | {"forced": True}
    assert call("assess", {"execution": forced})["observed"]["verdict"] == "proceed"


def test_a_dry_run_goes_on_whatever_the_answer_would_be_and_keeps_nothing(
    world: World, policy: Any, begin: Any, call: Call
) -> None:
    world.east_answers = True
    execution = begin(dry_run=True)
    observed = call("assess", {"execution": execution})["observed"]
    assert observed["verdict"] == observed["would"] == "proceed", "whoever rehearses leaves a site that answers"
    policy(rpo_limit_records=41, by_hand="approve")
    observed = call("assess", {"execution": execution})["observed"]
    assert observed["verdict"] == observed["would"] == "proceed", "who may start one by hand is no matter of a dry run"
    world.links.clear()
    observed = call("assess", {"execution": execution})["observed"]
    assert observed["verdict"] == observed["would"] == "stand-down"
    assert (observed["guard"], observed["stands_until_resumed"]) == ("standby_holds_no_mirror", True)
    assert saved(execution) == {}


def test_a_question_keeps_the_inventory_for_the_time_after_the_answer(
    world: World, policy: Any, begin: Any, call: Call
) -> None:
    policy(by_hand="approve")
    execution = begin(by="Ada")
    report = call("assess", {"execution": execution})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "ask")
    assert report["observed"]["stands_until_resumed"] is True, "a no to it is one until somebody resumes the plan"
    assert set(saved(execution)) == {"orders", "payments", "refunds"}


def test_a_standby_that_does_not_answer_is_waited_for_until_the_last_chance(
    world: World, begin: Any, call: Call
) -> None:
    world.west_answers = False
    execution = begin()
    assert call("assess", {"execution": execution})["status"] == "waiting"
    report = call("assess", {"execution": execution, "last_chance": True})
    assert (report["status"], report["observed"]["verdict"]) == ("done", "stand-down")
    assert "standby west does not answer" in report["observed"]["why"]
    dry = execution | {"dry_run": True}
    assert call("assess", {"execution": dry, "last_chance": True})["observed"]["would"] == "wait"


@pytest.mark.parametrize(
    ("fenced", "verdict"),
    [
        ({"gateway-west": "fenced", "gateway-east": "fenced"}, "proceed"),
        ({"gateway-west": "not yet", "gateway-east": "fenced"}, "stand-down"),
        ({}, "stand-down"),
    ],
)
def test_gateways_that_refuse_since_the_predecessor_fenced_them_hold_up_nobody_who_takes_over(
    world: World, call: Call, deployed: Any, fenced: dict[str, str], verdict: str
) -> None:
    begun = {"kind": "switchover", "start": {"plan": "orders", "to": "west"}, "execution_name": "switchover-1"}
    switchover = call("claim", begun)["execution"]
    book().record_step(Execution.model_validate(switchover), "fence", "done", {"fleets": fenced}, time.time())
    start = {"plan": "orders", "to": "west", "supersedes": "switchover-1"}
    execution = call("claim", {"start": start, "execution_name": "by-hand-1"})["execution"]
    world.west_gateway_answers = False
    report = call("assess", {"execution": execution, "last_chance": True})
    assert report["observed"]["verdict"] == verdict, report["observed"]["why"]
    world.west_answers = False
    assert call("assess", {"execution": execution, "last_chance": True})["observed"]["verdict"] == "stand-down"


def test_gateways_that_nobody_fenced_and_that_refuse_hold_up_who_starts_by_hand(world: World, call: Call) -> None:
    claimed = call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand-1"})
    world.west_gateway_answers = False
    report = call("assess", {"execution": claimed["execution"], "last_chance": True})
    assert report["observed"]["verdict"] == "stand-down" and "gateway" in report["observed"]["why"]
