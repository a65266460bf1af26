"""What flip_dns does about each state of a name: when it changes the record, and how soon it looks again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.dns import NameState
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan, parse
from tests.fleets_near_clients import of_both_sites

EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
Flip = Callable[..., Any]


def led_to(record: str, answer: str, *, in_sync: bool = True, **more: Any) -> NameState:
    return NameState(record=record, answers={"ns-1": answer}, in_sync=in_sync, **more)


@dataclass
class Name:
    """A name whose looks come to these states, the last for ever."""

    states: list[NameState] = field(default_factory=list)
    change: str = "C1"
    """What a change of it is called; nothing, while other plans' changes go first."""
    looks: list[str | None] = field(default_factory=list)
    pointed: list[str] = field(default_factory=list)
    turns: int = 0
    """How often it was asked for in turn with other plans."""
    held: int = 0
    """How often the lease was held for it."""

    def look(self, change: str | None) -> NameState:
        self.looks.append(change)
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def point_to(self, site: str) -> str:
        assert self.held, "whoever has lost the lease changes nothing"
        self.pointed.append(site)
        return self.change

    def in_turn(self, *_: Any) -> Name:
        self.turns += 1
        return self

    def hold(self, _: Execution) -> None:
        self.held += 1


@pytest.fixture
def name() -> Name:
    return Name()


@pytest.fixture
def flip(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, name: Name, plan_text: str) -> Flip:
    """Calls the step, of a failover to west; `before`: the change that its last call told of."""
    module = function("flip_dns")

    def run(
        plan: Plan | None = None, *, before: str | None = None, look_only: bool = False, dry_run: bool = False
    ) -> Any:
        last = SimpleNamespace(observed={"change": before}) if before else None
        execution = Execution(
            plan="orders",
            epoch=1,
            name="a",
            kind="failover",
            from_site="east",
            to_site="west",
            dry_run=dry_run,
            claimed_at=1000.0,
        )
        for replaced, stand_in in {
            "client_name_of": lambda _: name,
            "in_turn": name.in_turn,
            "ask_resolvers": lambda _: {"192.0.2.1": WEST},
            "ledger": lambda: SimpleNamespace(hold=name.hold, step=lambda *_: last),
        }.items():
            monkeypatch.setattr(module, replaced, stand_in)
        return module.flip(module.FlipRequest(execution=execution, look_only=look_only), plan or parse(plan_text))

    return run


def test_a_name_that_leads_to_the_site_that_is_left_is_pointed_to_the_standby_and_looked_after(
    flip: Flip, name: Name
) -> None:
    name.states = [led_to(EAST, EAST), led_to(WEST, EAST, in_sync=False)]
    report = flip()
    assert (report.status, report.retry_after, name.pointed, name.looks) == ("waiting", 1, ["west"], [None, "C1"])
    assert (report.observed["record"], report.observed["change"], name.turns) == (WEST, "C1", 1)
    name.states, name.looks = [led_to(WEST, WEST)], []
    report = flip(before="C1")
    assert (report.status, name.pointed, name.looks) == ("done", ["west"], ["C1"])
    assert (report.observed["answers"], report.observed["resolvers"]) == ({"ns-1": WEST}, {"192.0.2.1": WEST})


@pytest.mark.parametrize(
    "state",
    [led_to(EAST, EAST, in_sync=False), led_to(WEST, EAST), led_to(WEST, WEST, in_sync=False)],
    ids=["a change is under way", "not every server answers it", "the provider is not through"],
)
def test_what_is_under_way_is_waited_for_and_not_asked_for_again(flip: Flip, name: Name, state: NameState) -> None:
    name.states = [state]
    report = flip(before="C1")
    assert (report.status, report.retry_after, name.pointed) == ("waiting", 1, [])
    assert "resolvers" not in report.observed


def test_a_change_that_is_not_sent_yet_is_asked_after_less_often(flip: Flip, name: Name) -> None:
    name.states, name.change = [led_to(EAST, EAST)], ""
    report = flip()
    assert (report.status, report.retry_after, report.observed["change"]) == ("waiting", 2, None)
    assert name.looks == [None, None]


def test_the_change_that_the_name_tells_of_itself_counts_before_the_one_of_an_earlier_call(
    flip: Flip, name: Name
) -> None:
    name.states = [led_to(EAST, EAST, in_sync=False, change="C2", unreached=("beacon",), failed=("no",))]
    observed = flip(before="C1").observed
    assert (observed["change"], observed["unreached"], observed["failed"]) == ("C2", ["beacon"], ["no"])


@pytest.mark.parametrize("how", ["look_only", "dry_run"])
def test_who_only_looks_changes_nothing_and_takes_nobodys_turn(flip: Flip, name: Name, how: str) -> None:
    name.states = [led_to(EAST, EAST)]
    report = flip(**{how: True})
    assert (report.status, report.observed["would_point_at"], report.observed["record"]) == ("done", WEST, EAST)
    assert (name.pointed, name.turns, name.held, len(name.looks)) == ([], 0, 0, 1)


@pytest.mark.parametrize(("answer", "status"), [(EAST, "done"), (WEST, "done"), ("elsewhere", "waiting")])
def test_a_name_that_leads_everywhere_at_once_is_only_seen_to_lead_nowhere_else(
    flip: Flip, name: Name, answer: str, status: str
) -> None:
    name.states = [led_to(EAST, answer)]
    report = flip(parse(json.dumps(of_both_sites())))
    assert (report.status, name.pointed, name.looks) == (status, [], [None])
    assert report.observed.get("resolvers") == ({"192.0.2.1": WEST} if status == "done" else None)


def test_where_the_name_led_before_is_kept_apart_from_its_flip(
    deployed: Any, call: Callable[[str, dict[str, Any]], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, name: Name
) -> None:
    name.states, book = [led_to(WEST, WEST)], Ledger(client("dynamodb"), "ledger")
    monkeypatch.setattr("failover.dns.client_name_of", lambda _: name)
    start = {"start": {"plan": "orders", "to": "west"}, "execution_name": "a"}
    execution = call("claim", start)["execution"]
    call("flip_dns", {"execution": execution, "look_only": True})
    kept = book.step("orders", "a", "look_at_name")
    assert kept is not None and kept.observed["record"] == WEST
    assert book.step("orders", "a", "flip_dns") is None
    call("flip_dns", {"execution": execution})
    assert book.step("orders", "a", "flip_dns") is not None
