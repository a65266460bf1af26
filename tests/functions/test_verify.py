"""What verify asks, of whom, and what it takes for a proof: each fleet is where it has to be, each instance is on the
right cluster, and clients get a record through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from failover.errors import FleetUnavailable, KafkaUnavailable
from failover.fleets import FleetState, Instance
from failover.plan.model import parse
from tests.fleets_near_clients import of_both_sites
from tests.functions.test_fleets_out_of_reach import throttled

WEST = "lkc-west01"


def instance(name: str, auth_failures: int | None = None) -> Instance:
    return Instance(name=name, bootstrap=f"{name}:9092", proof="runs it", auth_failures=auth_failures)


def fleet(target: str | None = "west", *instances: Instance) -> FleetState:
    return FleetState(target=target, settled=True, instances=instances, detail="as it is")


@dataclass
class World:
    """The plan's fleets, of which each look tells the next, and who answers at an address: all as it has to be."""

    looks: dict[str, list[FleetState | FleetUnavailable]] = field(
        default_factory=lambda: {
            name: [fleet("west", instance(f"{name}-1"))] for name in ("gateway-east", "gateway-west")
        }
    )
    clusters: dict[str, str | Exception] = field(default_factory=dict)
    """The cluster that answers at an address, where it is another."""
    canaries: list[str] = field(default_factory=list)
    """The addresses that a record was written through."""
    out_of_service: dict[str, str] = field(default_factory=dict)

    def look(self, name: str) -> FleetState:
        answer = self.looks[name].pop(0) if len(self.looks[name]) > 1 else self.looks[name][0]
        if isinstance(answer, FleetUnavailable):
            raise answer
        return answer

    def cluster_id(self, address: str) -> str:
        answer = self.clusters.get(address, WEST)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def write(self, address: str, topic: str) -> tuple[int, int]:
        self.canaries.append(address)
        return 3, 7


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def verify(
    function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, world: World, plan_text: str
) -> Callable[..., dict[str, Any]]:
    """Calls verify, of a failover to west; the report."""
    module = function("verify")

    def fleets_of(location: Any) -> list[tuple[str, Any]]:
        names = [described.name for described in location.fleets]
        return [(name, SimpleNamespace(look=lambda name=name: world.look(name))) for name in names]

    for name, stand_in in {
        "fleets_of": fleets_of,
        "as_client": lambda _, address, ask: ask(address),
        "cluster_id": world.cluster_id,
        "write_and_read_back": world.write,
        "out_of_service": lambda *_, location, fleet: world.out_of_service.get(fleet, ""),
        "ledger": lambda: None,
    }.items():
        monkeypatch.setattr(module, name, stand_in)

    def run(plan: str = plan_text, *, dry_run: bool = False) -> dict[str, Any]:
        execution = SimpleNamespace(from_site="east", to_site="west", dry_run=dry_run)
        return dict(module.verify(SimpleNamespace(execution=execution), parse(plan)).model_dump())

    return run


def test_it_is_proven_once_every_way_leads_to_the_standby_and_a_record_went_through_each(
    verify: Callable[..., dict[str, Any]], world: World
) -> None:
    world.looks["gateway-east"] = [fleet(None, Instance(name="old", bootstrap=None))]
    report = verify()
    assert report["status"] == "done" and "unproven" not in report["observed"]
    assert report["observed"]["proven"] == [
        f"the client hostname leads to {WEST}",
        "canary written and read back through the client hostname at failover-canary[3]@7",
        f"fleet gateway-west leads to {WEST}",
        "canary written and read back through fleet gateway-west at failover-canary[3]@7",
        f"instance gateway-west-1 is on {WEST}",
    ]
    assert sorted(world.canaries) == ["gw-west.orders.example.com:9092", "kafka.orders.example.com:9092"]
    assert report["observed"]["left_behind"] == {
        "gateway-east": "routed to what the plan does not name, 1 instances"
    }, "what no client comes through has nothing to prove"


def test_a_dry_run_asks_each_fleet_writes_nothing_and_says_what_would_be_left_to_prove(
    verify: Callable[..., dict[str, Any]], world: World
) -> None:
    world.looks["gateway-west"] = [fleet("east", instance("gateway-west-1"))]
    report = verify(dry_run=True)
    assert (report["status"], world.canaries) == ("done", [])
    assert report["observed"]["would_still_have_to_prove"] == ["fleet gateway-west is routed to east"]
    assert report["observed"]["proven"] == [
        f"fleet gateway-west leads to {WEST}",
        f"instance gateway-west-1 is on {WEST}",
    ]


@pytest.mark.parametrize(
    ("state", "unproven"),
    [
        (fleet("east", instance("a")), ["fleet gateway-west is routed to east"]),
        (fleet(None, instance("a")), ["fleet gateway-west is routed to what the plan does not name"]),
        (fleet(), ["fleet gateway-west has no instance: as it is"]),
        (FleetUnavailable("silent"), ["fleet gateway-west is out of reach, and its instances with it: silent"]),
        (fleet("west", Instance(name="a", bootstrap="a:1")), ["instance a is not proven to run the wanted route"]),
    ],
)
def test_a_fleet_that_is_not_where_it_has_to_be_is_named(
    verify: Callable[..., dict[str, Any]],
    world: World,
    state: FleetState | FleetUnavailable,
    unproven: list[str],
) -> None:
    world.looks["gateway-west"] = [state]
    report = verify()
    assert (report["status"], report["retry_after"], report["observed"]["unproven"]) == ("waiting", 1, unproven)
    assert len(report["observed"]["proven"]) >= 4, "the rest is proven beside"


@pytest.mark.parametrize(
    ("answer", "unproven"),
    [
        ("lkc-east01", f"cluster lkc-east01 answers, not {WEST}"),
        (KafkaUnavailable("silent"), "silent"),
    ],
)
def test_a_way_that_leads_elsewhere_or_nowhere_is_named_and_no_record_is_written_through_it(
    verify: Callable[..., dict[str, Any]], world: World, answer: str | Exception, unproven: str
) -> None:
    fleets, name = "gw-west.orders.example.com:9092", "kafka.orders.example.com:9092"
    world.clusters[fleets] = answer
    observed = verify()["observed"]
    assert (len(observed["unproven"]), world.canaries) == (1, [name])
    assert observed["unproven"][0].startswith("through fleet gateway-west") and unproven in observed["unproven"][0]
    world.clusters = {name: answer}
    assert verify()["observed"]["unproven"][0].startswith("through the client hostname")


def test_who_is_asked_too_much_is_asked_again_when_it_wants_to_be(
    verify: Callable[..., dict[str, Any]], world: World
) -> None:
    world.looks["gateway-west"] = [throttled()]
    assert verify()["retry_after"] > 1


@pytest.mark.parametrize(
    ("again", "finding"),
    [
        (fleet("west", instance("a", 5), instance("b")), "instance a: no swap of credentials failed meanwhile"),
        (fleet("west", instance("a", 7), instance("b")), "instance a: 2 swaps of credentials failed meanwhile"),
        (
            FleetUnavailable("gone"),
            "fleet gateway-west could not be asked again whether swaps of credentials failed: gone",
        ),
    ],
)
def test_only_a_fleet_that_counts_its_swaps_is_asked_again_whether_some_failed_meanwhile(
    verify: Callable[..., dict[str, Any]], world: World, again: FleetState | FleetUnavailable, finding: str
) -> None:
    world.looks["gateway-west"] = [fleet("west", instance("a", 5), instance("b")), again, FleetUnavailable("a third")]
    observed = verify()["observed"]
    holds = finding.startswith("instance a: no swap")
    assert [words for words in observed["proven"] if "swap" in words] == [finding] * holds
    assert observed.get("unproven", []) == [finding] * (not holds)


@pytest.mark.parametrize(
    ("state", "excused"),
    [
        (FleetUnavailable("silent"), True),
        (fleet("west", Instance(name="a", bootstrap="a:1")), True),
        (fleet("east", instance("a")), False),
    ],
)
def test_a_fleet_that_nobody_works_through_proves_nothing_unless_it_leads_elsewhere(
    verify: Callable[..., dict[str, Any]], world: World, state: FleetState | FleetUnavailable, excused: bool
) -> None:
    world.looks["gateway-east"] = [state]
    plan = json.dumps(of_both_sites())
    assert verify(plan)["status"] == "waiting"
    world.out_of_service = {"gateway-east": "it was proven to be fenced", "gateway-west": "nobody is led to it"}
    report = verify(plan)
    assert report["status"] == ("done" if excused else "waiting")
    excuse = "nobody works through fleet gateway-east: it was proven to be fenced"
    assert (excuse in report["observed"]["proven"]) is excused
    assert not any("gateway-west: nobody" in words for words in report["observed"]["proven"]), "it has all it needs"
