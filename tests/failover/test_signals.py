"""Signals in the ledger: since when a source says so, what another look replaces, and what is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.detection.evidence import Probe, Signal, View, unbroken
from failover.detection.signal_store import (
    ADVISORY_RETENTION_S,
    merge_observation,
    save_reading,
    save_signal,
    signals,
)
from failover.ledger.ledger import Ledger

GAP = 15.0
NOW = 1_900_000_000.0


@pytest.fixture
def ledger(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def probe(at: float, lost: bool = True, **more: Any) -> Signal:
    here: dict[str, Any] = {"site": "east", "source": "probe/here", "kind": "probe", "vantage": "here"} | more
    return Signal(says_lost=lost, at=NOW + at, since=NOW + at, **here)


def alarm(at: float, lost: bool = True, **more: Any) -> Signal:
    return Signal(site="east", source="kafka-alarm", says_lost=lost, at=NOW + at, since=NOW + at, **more)


def view(at: float, lost: bool = True) -> View:
    down = Probe(site="east", service="kafka", healthy=not lost, took_seconds=0.1, why="no answer")
    up = Probe(site="west", service="kafka", healthy=True, took_seconds=0.1)
    return View(vantage="here", at=NOW + at, probes=(down, up))


def since(ledger: Ledger, source: str = "probe/here", site: str = "east") -> tuple[float, float]:
    """Since when it says so, and when it last did."""
    (kept,) = [each for each in signals(ledger, "orders") if (each.source, each.site) == (source, site)]
    return kept.since - NOW, kept.at - NOW


def save(ledger: Ledger, *said: Signal) -> list[bool]:
    return [save_signal(ledger, "orders", each, GAP) for each in said]


def test_a_site_that_goes_on_to_look_lost_has_done_so_since_the_first_look(ledger: Ledger) -> None:
    assert save(ledger, probe(0), probe(5, why="again"), probe(20)) == [True, True, True]
    assert since(ledger) == (0, 20)


def test_a_gap_or_a_look_that_finds_it_well_begins_anew(ledger: Ledger) -> None:
    save(ledger, probe(0), probe(15.5))
    assert since(ledger) == (15.5, 15.5)
    save(ledger, probe(16, lost=False), probe(17))
    assert since(ledger) == (17, 17)


def test_an_older_look_changes_nothing(ledger: Ledger) -> None:
    assert save(ledger, probe(5), probe(0), probe(1, lost=False)) == [True, False, False]
    assert since(ledger) == (5, 5)


def test_an_alarm_says_itself_since_when_and_is_not_extended(ledger: Ledger) -> None:
    save(ledger, alarm(0), replace(alarm(5), since=NOW + 3))
    assert since(ledger, "kafka-alarm") == (3, 5)


def test_the_why_and_the_clock_are_those_of_the_last_look(ledger: Ledger) -> None:
    save(ledger, probe(0, why="refused"), replace(probe(5, why="no answer"), clock_ahead=7))
    (kept,) = signals(ledger, "orders")
    assert (kept.why, kept.clock_ahead, kept.vantage, kept.kind) == ("no answer", 7, "here", "probe")


def test_an_advisory_is_forgotten_after_a_month_and_nothing_else_is(ledger: Ledger, deployed: Any) -> None:
    save(ledger, probe(0), alarm(0), replace(alarm(0), source="aws-health/1", kind="advisory"))
    items = deployed("dynamodb").scan(TableName="ledger")["Items"]
    expires = {item["source"]["S"]: item["expires"]["N"] for item in items if "expires" in item}
    assert expires == {"aws-health/1": str(int(NOW) + ADVISORY_RETENTION_S)}
    assert ADVISORY_RETENTION_S == 30 * 24 * 3600


def test_what_is_seen_now_takes_the_place_of_what_was_seen_from_here_and_of_nothing_else(ledger: Ledger) -> None:
    save(ledger, probe(0), alarm(0), probe(0, source="probe/there", vantage="there"))
    stored = signals(ledger, "orders")
    merged = merge_observation(ledger, "orders", stored, view(5), GAP)
    assert {(each.site, each.source): (each.since - NOW, each.at - NOW) for each in merged} == {
        ("east", "probe/here"): (0, 5),
        ("east", "kafka-alarm"): (0, 0),
        ("east", "probe/there"): (0, 0),
        ("west", "probe/here"): (5, 5),
    }
    assert {(each.site, each.source): each.since - NOW for each in signals(ledger, "orders")} == {
        (each.site, each.source): each.since - NOW for each in merged
    }, "it is kept"


def test_a_look_that_finds_the_site_well_begins_that_anew(ledger: Ledger) -> None:
    save(ledger, probe(0))
    merged = merge_observation(ledger, "orders", signals(ledger, "orders"), view(5, lost=False), GAP)
    assert [(each.says_lost, each.since - NOW) for each in merged if each.site == "east"] == [(False, 5)]
    assert since(ledger) == (5, 5)


@pytest.mark.parametrize(
    ("before", "at", "expected"),
    [
        (probe(0), GAP, 0),
        (probe(0), GAP + 0.001, GAP + 0.001),
        (probe(0), 0.0, 0),
        (replace(probe(0), since=NOW - 30), 0.0, -30),
        (probe(1), 0.0, 0),
        (probe(0, lost=False), 5.0, 5),
        (None, 5.0, 5),
    ],
)
def test_a_source_says_so_without_a_break_while_it_is_silent_for_no_longer_than_the_gap(
    before: Signal | None, at: float, expected: float
) -> None:
    assert unbroken(probe(at), before, GAP).since - NOW == pytest.approx(expected)


def test_an_alarm_that_was_read_again_is_as_it_reads_unless_it_changed_meanwhile(ledger: Ledger) -> None:
    stood = alarm(0)
    save(ledger, stood)
    read = replace(stood, says_lost=False, silenced=True, why="its actions are off", read_at=NOW + 60)
    assert save_reading(ledger, "orders", read) is True
    (kept,) = signals(ledger, "orders")
    assert kept == read and kept.stands and kept.confirmed_at == NOW + 60
    save(ledger, alarm(70))
    assert save_reading(ledger, "orders", read) is False
    (kept,) = signals(ledger, "orders")
    assert (kept.says_lost, kept.silenced, kept.read_at, kept.confirmed_at) == (True, False, None, NOW + 70)


def test_a_reading_without_a_time_is_of_the_alarms_own(ledger: Ledger) -> None:
    save(ledger, alarm(0))
    save_reading(ledger, "orders", alarm(0))
    assert signals(ledger, "orders")[0].read_at == NOW


def test_a_signal_that_an_older_judge_kept_is_an_alarm_that_nobody_silenced_and_whose_clock_is_right(
    ledger: Ledger,
) -> None:
    least = {"site": "east", "source": "kafka-alarm", "says_lost": True, "since": str(NOW - 5), "why": "3 of 3"}
    ledger.put("orders", "signal#east#kafka-alarm", least | {"at": str(NOW)})
    (kept,) = signals(ledger, "orders")
    assert kept == Signal(site="east", source="kafka-alarm", says_lost=True, at=NOW, since=NOW - 5, why="3 of 3")
    assert (kept.kind, kept.silenced, kept.clock_ahead, kept.vantage, kept.region) == ("alarm", False, 0, "", "")
