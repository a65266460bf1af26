"""The steps of a switchover converge on the real wire, on two clusters with a link in both directions: nothing is done
twice, a crash before or after a call is made good by the next one, nothing is given up once a link has accepted."""

from __future__ import annotations

from typing import Any

import pytest

from drill import fixture_plan
from failover.errors import AbortRefused, AbortRequested, FenceBypassed, LeaseLost, MirrorsNotReady
from failover.execution.inventory import listed, save_inventory
from failover.ledger.execution import Execution
from failover.link.factory import links_at
from failover.plan.model import parse
from tests.functions.planned.conftest import TOPICS, Call, Pair, book
from tests.functions.polled_steps import until_done
from tests.functions.wire.conftest import crash_before_the_answer
from tests.patience import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def request_(secrets: None, call: Call, plan_text: str) -> dict[str, Any]:
    """What a step of a claimed switchover to west is called with, its mirrors taken down."""
    start = {"start": {"plan": "orders", "to": "west", "by": "anna"}, "execution_name": "orders-1-switchover"}
    claimed = dict(call("claim", start | {"kind": "switchover"})["execution"])
    plan = parse(plan_text)
    (link,) = links_at(plan, "west")
    save_inventory(book(), Execution.model_validate(claimed), listed(link.name, link.mirrors()))
    return {"execution": claimed}


def test_it_is_drained_when_both_logs_end_alike_and_a_lag_that_stays_is_named(
    pair: Pair, call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.write(400)
    report = until_done(call, "drain_mirrors", request_)
    assert (report["observed"]["partitions"], report["observed"]["behind"]) == (8, 0)
    with monkeypatch.context() as patch:
        crash_before_the_answer(patch)
        with pytest.raises(MemoryError):
            call("drain_mirrors", request_)
    assert call("drain_mirrors", request_)["status"] == "done"
    pair.break_link(reachable=False)
    eventually(lambda: set(pair.statuses("west").values()) == {"SOURCE_UNAVAILABLE"})
    pair.write(8)
    report = call("drain_mirrors", request_)
    assert report["status"] == "waiting" and report["observed"]["behind_by"] == 8
    assert report["observed"]["not_drained"][0] == "orders[0] by 2"


def test_who_writes_round_the_fence_is_found_and_the_topic_named(
    pair: Pair, call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pair.write(1, "payments"))
    with pytest.raises(FenceBypassed, match=r"1 topics of east .* payments"):
        for _ in range(6):
            assert call("drain_mirrors", request_)["status"] == "waiting"


def test_records_that_were_under_way_when_the_fence_came_are_no_bypass(
    pair: Pair, call: Call, request_: dict[str, Any]
) -> None:
    until_done(call, "drain_mirrors", request_)
    pair.write(5)
    until_done(call, "drain_mirrors", request_)


def test_source_and_mirror_change_places_and_what_is_called_again_changes_nothing(
    pair: Pair, call: Call, request_: dict[str, Any]
) -> None:
    until_done(call, "reverse_mirrors", request_)
    assert set(pair.statuses("west").values()) == {"STOPPED"}
    asked = pair.asked("updateKafkaMirrorTopicsReverseAndStartMirror")
    until_done(call, "reverse_mirrors", request_)
    assert asked == pair.asked("updateKafkaMirrorTopicsReverseAndStartMirror") == 1
    until_done(call, "reverse_mirrors", request_ | {"look_back": True})
    assert set(pair.statuses("east").values()) == {"ACTIVE"}
    pair.write(3, site="west")
    with pytest.raises(AbortRefused, match="point of no return"):
        book().request_abort("orders", "orders-1-switchover", "anna", "too late")


def test_a_crash_before_and_after_the_first_reverse_goes_on_forward(
    pair: Pair, call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("failover.link.kafka_rest.KafkaRestLink.reverse_and_start", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call("reverse_mirrors", request_)
    assert book().state("orders", "east").no_return == "orders-1-switchover"
    with monkeypatch.context() as patch:
        crash_before_the_answer(patch)
        with pytest.raises(MemoryError):
            call("reverse_mirrors", request_)
    until_done(call, "reverse_mirrors", request_)
    assert pair.asked("updateKafkaMirrorTopicsReverseAndStartMirror") == 1


def test_an_answer_that_never_comes_is_looked_after_and_not_asked_for_twice(
    pair: Pair, call: Call, request_: dict[str, Any]
) -> None:
    pair.fault(match="reverse-and-start-mirror", kind="drop_after_apply")
    until_done(call, "reverse_mirrors", request_)
    assert set(pair.statuses("west").values()) == {"STOPPED"}


def test_what_no_link_accepts_is_given_up_and_can_be_aborted(
    pair: Pair, call: Call, request_: dict[str, Any], plan_text: str
) -> None:
    pair.break_link(refuse=dict.fromkeys(TOPICS, "not now"))
    with pytest.raises(MirrorsNotReady, match=r"accepted .* orders: 400 not now"):
        call("reverse_mirrors", request_)
    assert book().state("orders", "east").no_return is None
    pair.break_link(refuse={})
    (link,) = links_at(parse(plan_text), "west")
    link.pause(["orders"])
    with pytest.raises(MirrorsNotReady, match="orders PAUSED"):
        call("reverse_mirrors", request_)
    link.resume(["orders"])
    book().request_abort("orders", "orders-1-switchover", "anna", "wrong day")
    with pytest.raises(AbortRequested, match=r"anna .* wrong day"):
        call("reverse_mirrors", request_)
    assert set(pair.statuses("west").values()) == {"ACTIVE"}


@pytest.mark.parametrize("link_fields", [{"configs": {"link.mode": "DESTINATION"}}])
def test_mirrors_of_a_link_that_is_not_bidirectional_are_promoted(
    pair: Pair, call: Call, request_: dict[str, Any]
) -> None:
    until_done(call, "reverse_mirrors", request_)
    assert set(pair.statuses("west").values()) == {"STOPPED"}
    assert pair.asked("updateKafkaMirrorTopicsPromote") == 1
    assert pair.asked("updateKafkaMirrorTopicsReverseAndStartMirror") == 0


def test_a_reverse_that_does_not_end_is_failed_over(pair: Pair, call: Call, request_: dict[str, Any]) -> None:
    pair.break_link(reachable=False)
    assert call("reverse_mirrors", request_)["status"] == "waiting"
    pair.kafka["east"].kill()
    assert call("reverse_mirrors", request_)["status"] == "waiting"
    until_done(call, "promote_mirrors", request_)
    assert set(pair.statuses("west").values()) == {"STOPPED"}


def test_offsets_of_protected_groups_are_made_the_same_without_waiting_for_the_links_own_sync(
    pair: Pair, call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.commit("east", fixture_plan.GROUP, 2)
    pair.commit("west", fixture_plan.GROUP, 1)
    with monkeypatch.context() as patch:
        crash_before_the_answer(patch)
        with pytest.raises(MemoryError):
            call("sync_offsets", request_)
    assert pair.committed("west", fixture_plan.GROUP) == 2
    pair.commit("west", fixture_plan.GROUP, 1)
    report = until_done(call, "sync_offsets", request_)
    assert pair.committed("west", fixture_plan.GROUP) == 2
    assert (report["observed"]["compared"], report["observed"]["committed"]) == (1, 1)
    assert until_done(call, "sync_offsets", request_)["observed"]["differing"] == []


def test_who_lost_the_lease_asks_for_nothing(pair: Pair, call: Call, request_: dict[str, Any]) -> None:
    lost = {"execution": request_["execution"] | {"epoch": 2}}
    for step in ("drain_mirrors", "reverse_mirrors", "sync_offsets"):
        with pytest.raises(LeaseLost):
            call(step, lost)
    assert pair.asked("updateKafkaMirrorTopicsReverseAndStartMirror") == 0


def test_what_was_reversed_is_failed_over_where_clients_are_led_back_from_a_dead_site(
    pair: Pair, call: Call, request_: dict[str, Any], plan_text: str
) -> None:
    until_done(call, "reverse_mirrors", request_)
    until_done(call, "reverse_mirrors", request_ | {"look_back": True})
    pair.rest["west"].stop()
    pair.kafka["west"].stop()
    start = {"plan": "orders", "to": "east", "supersedes": "orders-1-switchover", "force": True}
    back = call("claim", {"start": start, "execution_name": "back"})["execution"]
    (link,) = links_at(parse(plan_text), "east")
    save_inventory(book(), Execution.model_validate(back), listed(link.name, link.mirrors()))
    report = until_done(call, "promote_mirrors", {"execution": back})
    assert report["observed"]["by_status"] == {"STOPPED": len(TOPICS)}
    pair.write(3)
