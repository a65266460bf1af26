"""A restore measures exactly or not at all, and truncates nothing on half an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import DivergenceUnknown, RescueIncomplete, RestoreRejected, ReturnedSiteInUse
from failover.ledger.execution import Execution
from failover.loss.divergence import divergence, save_divergence
from failover.rescue.record import load_stranded
from failover.rescue.stranded import StrandedRange
from tests.functions.both_sites import SPOTS, Sites, book

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def test_a_cut_that_the_link_does_not_tell_is_no_offset(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, east = begun("restore"), sites.link["east"]
    east.cuts = {"orders": 0, "payments": -1}
    report = call("measure_divergence", request)
    assert report["status"] == "waiting" and divergence(book(), Execution.model_validate(request["execution"])) == []
    assert report["observed"]["unknown"] == [
        "payments[0]: neither the link nor the failover's record tells where it is cut"
    ]
    assert report["observed"]["diverged"] == 10, "a topic is cut at its begin"
    with pytest.raises(DivergenceUnknown, match=r"payments\[0\]: neither"):
        call("measure_divergence", request | {"last_chance": True})
    east.cuts["payments"] = 99
    report = call("measure_divergence", request)
    assert (report["status"], report["observed"]["diverged"]) == ("done", 10), "a log that ends before it is cut"
    assert report["observed"]["worst"] == ["orders[0] 10"]
    stranded = load_stranded(book(), Execution.model_validate(request["execution"]))
    assert stranded is not None and [entry.topic for entry in stranded.ranges] == ["orders"]


def test_what_grows_is_not_measured_yet(call: Call, begun: Callable[..., dict[str, Any]], sites: Sites) -> None:
    def grow() -> None:
        sites.ends["east"][SPOTS[1]] += 1

    request, sites.between = begun("restore"), grow
    report = call("measure_divergence", request)
    assert (report["status"], report["observed"]["growing"]) == ("waiting", ["payments[0]"])
    assert load_stranded(book(), Execution.model_validate(request["execution"])) is None
    with pytest.raises(DivergenceUnknown, match=r"payments\[0\] grows"):
        call("measure_divergence", request | {"last_chance": True})


@pytest.mark.parametrize("why", ["unknown", "refused"])
def test_what_does_not_tell_its_end_is_not_measured(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, why: str
) -> None:
    request = begun("restore")
    getattr(sites, why)["east"][SPOTS[0]] = "no leader"
    report = call("measure_divergence", request)
    assert (report["status"], report["observed"]["unknown"]) == ("waiting", ["orders[0]: no leader"])


def test_what_is_a_mirror_again_keeps_the_figure_of_before(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, east = begun("restore"), sites.link["east"]
    execution = Execution.model_validate(request["execution"])
    before = StrandedRange(topic="orders", partition=0, begin=3, end=10)
    save_divergence(book(), execution, [before])
    east.statuses, east.cuts = {"orders": "ACTIVE", "payments": "STOPPED"}, {"orders": 10, "payments": 8}
    report = call("measure_divergence", request)
    assert (report["status"], report["observed"]["diverged"]) == ("done", 9)
    assert east.asked == ["try payments"], "what is a mirror is truncated by nobody"
    assert before in divergence(book(), execution)
    stranded = load_stranded(book(), execution)
    assert stranded is not None and [entry.topic for entry in stranded.ranges] == ["payments"]


def test_topics_that_may_be_deleted_are_cut_where_their_mirrors_ended_and_who_is_gone_keeps_the_figure_of_before(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, east = begun("restore"), sites.link["east"]
    east.mode = "DESTINATION"
    assert call("measure_divergence", request)["status"] == "done"
    assert east.asked == ["try orders", "try payments"], "nobody said that they may be deleted"
    before = StrandedRange(topic="payments", partition=0, begin=3, end=10)
    save_divergence(book(), Execution.model_validate(request["execution"]), [before])
    sites.topics["east"].remove("payments")
    monkeypatch.setattr("failover.loss.divergence.log_ends_at_promotion", lambda *_: {SPOTS[0]: 8})
    report = call("measure_divergence", request | {"delete_topics": True})
    assert (report["status"], report["observed"]["worst"]) == ("done", ["payments[0] 7", "orders[0] 2"])
    assert (report["observed"]["by_recorded_ends"], len(east.asked)) == (1, 2)


@pytest.fixture
def measured(call: Call, begun: Callable[..., dict[str, Any]], sites: Sites) -> dict[str, Any]:
    """What restore_mirrors is called with, once two offsets of orders are measured, and may be discarded."""
    request, sites.link["east"].cuts["orders"] = begun("restore"), 8
    assert call("measure_divergence", request)["observed"]["diverged"] == 2
    sites.link["east"].asked.clear()
    return request | {"discard": True}


def test_what_was_measured_is_truncated_once_it_may_go_and_is_ready_once_its_lag_is_known(
    call: Call, measured: dict[str, Any], sites: Sites
) -> None:
    east = sites.link["east"]
    with pytest.raises(RescueIncomplete, match="1 partitions are not saved"):
        call("restore_mirrors", measured | {"discard": False})
    assert east.asked == [] and book().state("orders", "east").no_return is None
    report = call("restore_mirrors", measured)
    assert (report["status"], report["observed"]["unready_count"]) == ("waiting", 2)
    assert east.asked == ["restore orders", "restore payments"]
    assert book().state("orders", "east").no_return == "an-restore"
    east.statuses, east.lag = {"orders": "PENDING_MIRROR", "payments": "ACTIVE", "other": "FAILED"}, 0
    assert call("restore_mirrors", measured)["observed"]["unready"] == ["orders PENDING_MIRROR"]
    east.statuses["orders"], east.lag = "ACTIVE", None
    assert call("restore_mirrors", measured)["status"] == "waiting", "unknown is not zero"
    east.lag = 7
    report = call("restore_mirrors", measured)
    assert (report["status"], report["observed"]["lag"], len(east.asked)) == ("done", 14, 2)


def test_a_row_of_an_earlier_time_is_no_mirror(call: Call, measured: dict[str, Any], sites: Sites) -> None:
    sites.link["east"].statuses = {"orders": "STOPPED", "payments": "ACTIVE"}
    report = call("restore_mirrors", measured)
    assert (report["status"], sites.link["east"].asked) == ("waiting", ["restore orders"])


@pytest.mark.parametrize("why", ["moved", "unknown"])
def test_nothing_is_truncated_where_a_log_does_not_end_where_it_was_measured(
    call: Call, measured: dict[str, Any], sites: Sites, why: str
) -> None:
    if why == "moved":
        sites.ends["east"][SPOTS[1]] += 1
    else:
        sites.unknown["east"][SPOTS[1]] = "no leader"
    with pytest.raises(
        ReturnedSiteInUse, match=r"1 partitions on east .* payments\[0\] ends at (11|an unknown offset)"
    ):
        call("restore_mirrors", measured)
    assert sites.link["east"].asked == []


def test_a_list_that_does_not_come_truncates_nothing(call: Call, measured: dict[str, Any], sites: Sites) -> None:
    sites.link["east"].silent = True
    report = call("restore_mirrors", measured)
    assert (report["status"], report["observed"]["unreachable"]) == ("waiting", ["503"])
    assert sites.link["east"].asked == []


@pytest.mark.parametrize("what", ["list", "verb"])
def test_who_wants_to_be_left_alone_is_left_alone_for_so_long(
    call: Call, measured: dict[str, Any], sites: Sites, what: str
) -> None:
    east = sites.link["east"]
    east.silent, east.busy, east.busy_s = what == "list", ("restore",), 7.0
    report = call("restore_mirrors", measured)
    assert report["status"] == "waiting" and report["retry_after"] >= 7


def test_what_every_link_refuses_is_said_only_where_it_is_seen_that_nothing_came_of_it(
    call: Call, measured: dict[str, Any], sites: Sites
) -> None:
    east = sites.link["east"]
    east.refused = 429
    assert call("restore_mirrors", measured)["status"] == "waiting", "it is busy"
    east.refused = 400
    with pytest.raises(RestoreRejected, match="orders: 400 no; payments: 400 no"):
        call("restore_mirrors", measured)

    def go_silent() -> None:
        east.silent = True

    east.then = go_silent
    assert call("restore_mirrors", measured)["status"] == "waiting"
    east.silent = False

    def move() -> None:
        east.statuses["orders"] = "PENDING_MIRROR"

    east.then = move
    report = call("restore_mirrors", measured)
    assert (report["status"], len(report["observed"]["rejected"])) == ("waiting", 2)


def test_a_dry_run_truncates_nothing_and_says_how_much_it_would_restore(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request = begun("restore", dry_run=True) | {"discard": True}
    report = call("restore_mirrors", request)
    assert (report["status"], report["observed"]["would_restore"]) == ("done", 2)
    assert report["observed"]["would_delete"] == 0 and sites.link["east"].asked == []
