"""What can't be looked at is said as that, and no step takes it for an answer."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from failover.errors import (
    FleetRejected,
    FleetUnavailable,
    KafkaUnauthorized,
    KafkaUnavailable,
    LeaseLost,
    LinkRejected,
    LinkUnavailable,
)
from failover.fleets import FleetState, Instance
from failover.kafka.offsets import Offsets

Load = Callable[[str], ModuleType]
LEAVING_EAST = SimpleNamespace(from_site="east", to_site="west", plan="orders", name="orders-1", kind="switchover")
REQUEST: Any = SimpleNamespace(execution=LEAVING_EAST)
PLAN: Any = SimpleNamespace()


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def fleet_state(**changes: Any) -> FleetState:
    known: dict[str, Any] = {"target": "west", "settled": True, "instances": (), "detail": "so it is"}
    return FleetState(**known | changes)


@pytest.mark.parametrize(
    ("error", "refused", "unknown"),
    [(KafkaUnauthorized("not you"), "group g: not you", ""), (KafkaUnavailable("silent"), "", "group g: silent")],
)
def test_offsets_of_a_group_that_can_not_be_compared_are_refused_or_not_known(
    function: Load, monkeypatch: pytest.MonkeyPatch, error: Exception, refused: str, unknown: str
) -> None:
    sync = function("sync_offsets")
    monkeypatch.setattr(sync, "committed_offsets", raising(error))
    comparison = sync._compare(REQUEST, PLAN, "g", {("orders", 0)})
    assert (comparison.refused, comparison.unknown) == (refused, unknown)
    assert (comparison.compared, comparison.differing) == (0, {})


def test_only_what_differs_is_to_be_committed(function: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = function("sync_offsets")
    offsets = {
        "east": Offsets({("orders", 0): 5, ("orders", 1): 6, ("orders", 2): 7, ("other", 0): 9}),
        "west": Offsets({("orders", 0): 5, ("orders", 1): 2}),
    }
    monkeypatch.setattr(sync, "committed_offsets", lambda _, site, *__: offsets[site])
    comparison = sync._compare(REQUEST, PLAN, "g", {("orders", 0), ("orders", 1), ("orders", 2)})
    assert comparison.differing == {("orders", 1): 6, ("orders", 2): 7}
    assert (comparison.compared, comparison.refused, comparison.unknown) == (3, "", "")


def test_groups_of_a_standby_that_does_not_tell_are_all_made(function: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    create = function("create_groups")
    monkeypatch.setattr(create, "as_controller", lambda *_: {"g": "consumer", "h": "classic", "i": None})
    assert create._there(PLAN, "west", ["g", "h", "i"]) == {"g"}
    monkeypatch.setattr(create, "as_controller", raising(KafkaUnavailable("silent")))
    assert create._there(PLAN, "west", ["g", "h", "i"]) == set()


def test_open_transactions_that_nobody_can_tell_are_not_known_where_there_is_a_partition(
    function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = function("check_offsets")
    ends = Offsets({("orders", 0): 5, ("orders", 1): 6})
    monkeypatch.setattr(check, "as_controller", raising(KafkaUnavailable("silent")))
    assert check._open_transactions(PLAN, "west", ends) == ["not known: silent"]
    assert check._open_transactions(PLAN, "west", Offsets()) == []
    monkeypatch.setattr(check, "as_controller", lambda *_: Offsets({("orders", 0): 5, ("orders", 1): 4}))
    (below,) = check._open_transactions(PLAN, "west", ends)
    assert below.endswith("4 < 6")


@pytest.mark.parametrize("error", [LinkUnavailable("silent"), LinkRejected("no")])
def test_mirrors_that_can_not_be_looked_at_may_have_moved(function: Load, error: Exception) -> None:
    reverse = function("reverse_mirrors")

    class Link:
        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def mirrors(self) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    before = [SimpleNamespace(topic="orders", status="ACTIVE")]
    moved = [SimpleNamespace(topic="orders", status="STOPPED")]
    assert reverse._anything_moved({Link(error): before}) is True
    assert reverse._anything_moved({Link(moved): before}) is True
    assert reverse._anything_moved({Link(before): before}) is False


@pytest.mark.parametrize(
    ("error", "is_all"),
    [
        (FleetUnavailable("silent"), True),
        (FleetUnavailable("busy", answered=True), False),
        (FleetRejected("no such service"), True),
    ],
)
def test_a_fleet_out_of_reach_is_fenced_by_nobody_and_one_that_is_busy_is_asked_again(
    function: Load, monkeypatch: pytest.MonkeyPatch, error: Exception, is_all: bool
) -> None:
    fence = function("fence")
    monkeypatch.setattr(fence, "look_in_time", lambda look, _: look())
    assert fence._fence(LEAVING_EAST, SimpleNamespace(look=raising(error))) == (f"out of reach: {error}", is_all)


def test_a_fleet_that_leads_to_where_clients_are_led_back_is_not_fenced(
    function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = function("fence")
    monkeypatch.setattr(fence, "look_in_time", lambda look, _: look())
    routed: list[str] = []
    monkeypatch.setattr(fence, "ledger", lambda: SimpleNamespace(hold=lambda _: None))
    there = SimpleNamespace(look=fleet_state, route=routed.append)
    back = SimpleNamespace(to_site="west", leads_back=True, dry_run=False)
    assert fence._fence(back, there) == ("leads to west", True)
    assert routed == []
    assert fence._fence(SimpleNamespace(to_site="west", leads_back=False, dry_run=False), there)[1] is False
    assert routed == ["fenced"]


def test_an_instance_without_an_address_and_one_without_a_proof_prove_nothing(
    function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = function("verify")
    client = verify.Client(PLAN, "lkc-west", True)
    monkeypatch.setattr(verify, "as_client", lambda *_: "lkc-west")
    proven = Instance(name="a", bootstrap="10.0.0.1:9092", proof="route")
    assert client.asks(proven) == verify.Finding("instance a is on lkc-west", True)
    monkeypatch.setattr(verify, "as_client", lambda *_: "lkc-east")
    assert client.asks(proven).holds is False
    monkeypatch.setattr(verify, "as_client", raising(KafkaUnavailable("silent")))
    assert client.asks(proven) == verify.Finding("instance a is on no cluster that answers (silent)", False)
    nowhere = Instance(name="a", bootstrap=None, proof="route")
    assert client.asks(nowhere) == verify.Finding("instance a could not be asked: its address is not known", False)
    unproven = Instance(name="a", bootstrap="10.0.0.1:9092", proof=None)
    assert client.asks(unproven) == verify.Finding("instance a is not proven to run the wanted route", False)


def test_what_is_left_of_the_fleets_that_are_left_behind_is_told(
    function: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = function("verify")
    unproven = (Instance(name="a", bootstrap=None, proof=None), Instance(name="b", bootstrap="x:1", proof="route"))
    fleets = {
        "led": SimpleNamespace(look=lambda: fleet_state(instances=unproven)),
        "elsewhere": SimpleNamespace(look=lambda: fleet_state(target=None, instances=unproven)),
        "silent": SimpleNamespace(look=raising(FleetUnavailable("silent"))),
        "refused": SimpleNamespace(look=raising(FleetRejected("no"))),
    }
    monkeypatch.setattr(verify, "fleets_of", lambda _: list(fleets.items()))
    assert verify._state_of_leaving([PLAN], "west") == {
        "led": "routed to west, 2 instances, not proven: a",
        "elsewhere": "routed to what the plan does not name, 2 instances",
        "silent": "out of reach: silent",
        "refused": "out of reach: no",
    }


@pytest.mark.parametrize(("kind", "ending"), [("switchover", "given up, and put back"), ("failover", "given up")])
def test_what_was_given_up_says_how_and_what_was_in_doubt(function: Load, kind: str, ending: str) -> None:
    conclude = function("conclude")
    error = {"Error": "Timeout", "Cause": "nobody answered"}
    execution = SimpleNamespace(kind=kind)
    request = SimpleNamespace(outcome="stood-down", why="x", error=error, execution=execution)
    assert conclude._why(request) == f"{ending}: Timeout: nobody answered"
    request.outcome = "failed"
    assert conclude._why(request) == "x"
    request.outcome, request.error = "stood-down", None
    assert conclude._why(request) == "x"


@pytest.mark.parametrize(("status", "again"), [("succeeded", True), ("running", False), (None, False)])
def test_a_lease_that_is_released_is_no_failure_of_who_has_concluded_and_is_called_again(
    function: Load, monkeypatch: pytest.MonkeyPatch, status: str | None, again: bool
) -> None:
    conclude = function("conclude")
    record = None if status is None else SimpleNamespace(status=status, document={"loss": {"label": "measured"}})
    book: Any = SimpleNamespace(execution=lambda *_: record)
    request = SimpleNamespace(execution=LEAVING_EAST, outcome="succeeded")
    for name in ("final_loss", "keep_measured_loss"):
        monkeypatch.setattr(conclude, name, raising(LeaseLost("another holds it")))
    if again:
        assert conclude._loss(request, book) == {"label": "measured"}
        conclude._amend_failover(book, LEAVING_EAST)
        return
    with pytest.raises(LeaseLost):
        conclude._loss(request, book)
    with pytest.raises(LeaseLost):
        conclude._amend_failover(book, LEAVING_EAST)
