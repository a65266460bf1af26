"""What the steps of a switchover do where a site tells less than all: nothing is drained, reversed or synced on half an
answer, and what can't be known is waited for or named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.errors import (
    FenceBypassed,
    FenceLifted,
    FleetUnavailable,
    KafkaUnauthorized,
    KafkaUnavailable,
    MirrorsNotReady,
)
from failover.kafka.offsets import Commit, Offsets
from tests.functions.both_sites import SPOTS, TOPICS, Sites, book

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def plan_text(plan_text: str) -> str:
    return yaml.safe_dump(yaml.safe_load(plan_text) | {"protect": {"groups": ["fulfilment"], "topics": list(TOPICS)}})


@pytest.mark.parametrize("site", ["east", "west"])
@pytest.mark.parametrize("why", ["unknown", "refused"])
def test_nothing_is_drained_while_the_end_of_one_log_is_not_told(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, site: str, why: str
) -> None:
    getattr(sites, why)[site][SPOTS[1]] = "no leader"
    report = call("drain_mirrors", begun())
    assert report["status"] == "waiting"
    assert report["observed"]["not_told"] == [f"{site} payments[0]: no leader"]


def test_nothing_is_drained_of_which_nothing_is_known(call: Call, begun: Callable[..., dict[str, Any]]) -> None:
    request = begun(topics=())
    assert call("drain_mirrors", request)["status"] == "waiting"


@pytest.mark.parametrize("when", ["within a call", "between calls"])
def test_a_topic_that_grew_three_times_behind_the_fence_may_pass_and_at_the_fourth_its_writer_is_named(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, when: str
) -> None:
    def grow() -> None:
        for site in sites.ends:
            sites.ends[site][SPOTS[0]] += 1

    request = begun()
    if when == "within a call":
        sites.between = grow
    else:
        assert call("drain_mirrors", request)["status"] == "done"
    for _ in range(3):
        if when == "between calls":
            grow()
        report = call("drain_mirrors", request)
        assert report["observed"]["behind"] == 0
        assert (report["status"], report["observed"]["growing"]) == (
            ("waiting", ["orders[0]"]) if when == "within a call" else ("done", [])
        )
    if when == "between calls":
        grow()
    with pytest.raises(FenceBypassed, match=r"1 topics of east .*: orders\."):
        call("drain_mirrors", request)


def test_a_dry_run_waits_for_no_log_and_says_how_many_it_would_drain(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request = begun(dry_run=True)
    sites.unknown["east"][SPOTS[0]] = "no leader"
    assert call("drain_mirrors", request)["observed"] == {"would_drain": 2}
    assert call("reverse_mirrors", request)["observed"]["would_reverse"] == 2
    looked_back = call("reverse_mirrors", request | {"look_back": True})["observed"]
    assert (looked_back["mirrors_back"], looked_back["would_look_at"]) == (0, 2)
    sites.committed["west"] = Offsets()
    synced = call("sync_offsets", request)
    assert (synced["status"], synced["observed"]["committed"]) == ("done", 0)
    assert synced["observed"]["differing"] == ["fulfilment orders[0] 5"]
    sites.committed["west"] = KafkaUnavailable("gone")
    assert call("sync_offsets", request)["status"] == "done", "a dry run waits for nothing"
    assert (sites.link["west"].asked, sites.commits) == ([], [])


def test_what_every_link_refuses_is_given_up_only_where_it_is_seen_that_nothing_came_of_it(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    west.refused = 400
    with pytest.raises(MirrorsNotReady, match="orders: 400 no"):
        call("reverse_mirrors", request)
    assert book().state("orders", "east").no_return is None

    def go_silent() -> None:
        west.silent = True

    west.then = go_silent
    assert call("reverse_mirrors", request)["status"] == "waiting"
    assert book().state("orders", "east").no_return == "an-switchover", "nobody can tell whether it can be given up"
    west.silent = False

    def move() -> None:
        west.statuses["payments"] = "PENDING_STOPPED"

    west.then = move
    assert call("reverse_mirrors", request)["status"] == "waiting"
    assert book().state("orders", "east").no_return == "an-switchover"


def test_nothing_is_reversed_while_a_fence_is_lifted_or_not_seen(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    sites.unfenced = ["dublin leads to east"]
    with pytest.raises(FenceLifted, match=r"not fenced any more: dublin leads to east"):
        call("reverse_mirrors", request)
    sites.fleets_error = FleetUnavailable("silent")
    with pytest.raises(FleetUnavailable, match="silent"):
        call("reverse_mirrors", request)
    assert (west.asked, book().state("orders", "east").no_return) == ([], None)


def test_once_a_mirror_is_on_its_way_it_goes_forward_whatever_the_fleets_are(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    west.statuses["orders"], sites.fleets_error = "PENDING_STOPPED", FleetUnavailable("silent")
    assert call("reverse_mirrors", request)["status"] == "waiting"
    assert west.asked == ["reverse payments"]


@pytest.mark.parametrize(("mode", "verb"), [("BIDIRECTIONAL", "reverse"), ("DESTINATION", "promote")])
def test_mirrors_of_a_link_that_leads_one_way_are_promoted(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, mode: str, verb: str
) -> None:
    sites.link["west"].mode = mode
    call("reverse_mirrors", begun())
    assert sites.link["west"].asked == [f"{verb} {topic}" for topic in TOPICS]


@pytest.mark.parametrize("refused", [0, 429, 503])
def test_what_may_have_been_accepted_is_past_the_point_of_no_return(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, refused: int
) -> None:
    sites.link["west"].refused = refused
    report = call("reverse_mirrors", begun())
    assert (report["status"], len(report["observed"]["rejected"])) == ("waiting", 2 if refused else 0)
    assert book().state("orders", "east").no_return == "an-switchover"


def test_a_list_that_does_not_come_changes_nothing(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    west.silent = True
    report = call("reverse_mirrors", request)
    assert (report["status"], report["observed"]["unreachable"], west.asked) == ("waiting", ["503"], [])
    assert book().state("orders", "east").no_return is None


@pytest.mark.parametrize("what", ["list", "verb"])
def test_a_link_that_wants_to_be_left_alone_is_left_alone_for_so_long(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, what: str
) -> None:
    west = sites.link["west"]
    west.silent, west.busy, west.busy_s = what == "list", ("reverse",), 7.0
    report = call("reverse_mirrors", begun())
    assert report["status"] == "waiting" and report["retry_after"] >= 7


def test_a_mirror_that_is_not_listed_any_more_is_not_writable(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    del west.statuses["payments"]
    with pytest.raises(MirrorsNotReady, match="payments is not listed any more"):
        call("reverse_mirrors", request)
    west.statuses["orders"] = "STOPPED"
    report = call("reverse_mirrors", request)
    assert (report["status"], west.asked) == ("waiting", [])
    assert report["observed"]["left"] == ["payments is not listed any more"]
    west.statuses["payments"] = "STOPPED"
    assert call("reverse_mirrors", request)["status"] == "done"


def test_only_what_is_not_on_its_way_is_asked_for_again(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request, west = begun(), sites.link["west"]
    west.statuses |= {"orders": "PENDING_STOPPED", "other": "ACTIVE"}
    report = call("reverse_mirrors", request)
    assert west.asked == ["reverse payments"], "nor is a topic of another plan"
    assert report["observed"]["left"] == ["orders PENDING_STOPPED", "payments ACTIVE"]


def test_who_looks_back_names_what_the_site_that_was_left_does_not_mirror(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request = begun() | {"look_back": True}
    book().request_abort("orders", "an-switchover", "anna", "too late")
    sites.link["east"].statuses = {"orders": "ACTIVE", "payments": "PENDING_MIRROR", "other": "ACTIVE"}
    report = call("reverse_mirrors", request)
    assert (report["status"], report["observed"]["not_back"]) == ("waiting", ["payments"])
    assert (report["observed"]["mirrors_back"], report["observed"]["not_back_count"]) == (1, 1)
    sites.link["east"].statuses["payments"] = "ACTIVE"
    assert call("reverse_mirrors", request)["status"] == "done"
    looked_back = book().step("orders", "an-switchover", "look_back")
    assert looked_back is not None and looked_back.observed["mirrors_back"] == 2
    assert book().step("orders", "an-switchover", "reverse_mirrors") is None, "what came of the reversal stands"
    sites.link["east"].statuses = {}
    sites.link["west"].mode = "DESTINATION"
    assert call("reverse_mirrors", request)["status"] == "done", "what was promoted has no copy to look for"


@pytest.mark.parametrize("site", ["east", "west"])
def test_a_group_that_one_site_does_not_tell_of_is_looked_at_again_and_one_that_it_refuses_is_named(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites, site: str
) -> None:
    request, well = begun(), sites.committed[site]
    for silent in (KafkaUnavailable("gone"), Offsets({}, unknown={SPOTS[0]: "gone"})):
        sites.committed[site] = silent
        report = call("sync_offsets", request)
        assert report["status"] == "waiting" and "gone" in report["observed"]["unknown"][0]
    for refusal in (KafkaUnauthorized("not yours"), Offsets({}, refused={SPOTS[0]: "not yours"})):
        sites.committed[site] = refusal
        sites.commit = Commit(refused="not yours")
        report = call("sync_offsets", request)
        assert report["status"] == "done" and "not yours" in report["observed"]["refused"][0]
    sites.committed[site] = well
    report = call("sync_offsets", request)
    assert (report["status"], report["observed"]["refused"], report["observed"]["compared"]) == ("done", [], 1)


def test_offsets_that_differ_are_committed_until_they_are_seen_to_be_the_same(
    call: Call, begun: Callable[..., dict[str, Any]], sites: Sites
) -> None:
    request = begun()
    sites.committed = {"east": Offsets({SPOTS[0]: 5, ("other", 0): 3}), "west": Offsets({SPOTS[0]: 7})}
    sites.commit = Commit(retry="busy")
    report = call("sync_offsets", request)
    assert (report["status"], report["observed"]["unknown"]) == ("waiting", ["busy"])
    assert report["observed"]["committed"] == 0, "what was not taken is not counted"
    sites.commit = Commit()
    assert call("sync_offsets", request)["status"] == "waiting", "accepted is not done"
    report = call("sync_offsets", request)
    assert (report["status"], report["observed"]["committed"]) == ("done", 1)
    assert sites.commits == [{SPOTS[0]: 5}] * 2, "what the plan does not mirror is nobody's"
    sites.committed["west"] = Offsets()
    sites.commit = Commit(refused="it has members")
    report = call("sync_offsets", request)
    assert (report["status"], report["observed"]["refused"]) == ("done", ["it has members"])
