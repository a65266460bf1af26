"""What a client writes down is what is read back, also while it is being written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.clients.live import LiveTraffic
from drill.clients.producer import LONGEST_BURST_S, Pace
from drill.clients.record_log import (
    Acknowledged,
    BadRecordLog,
    Event,
    Failed,
    LogTail,
    Notice,
    Received,
    RecordLog,
    Sent,
    consumer_log,
    parse,
    producer_log,
)
from drill.clients.record_number import headers_of, number_of
from tests.claims import reaches

LINES: list[tuple[str, Event]] = [
    ("s 7 orders 1 1000.250000", Sent(n=7, topic="orders", partition=1, at=1000.25)),
    ("a 7 orders 1 42 1000.500000", Acknowledged(n=7, topic="orders", partition=1, offset=42, at=1000.5)),
    (
        "f 7 orders 1 1000.5 _MSG_TIMED_OUT Local: timed out",
        Failed(n=7, topic="orders", partition=1, at=1000.5, error="_MSG_TIMED_OUT Local: timed out"),
    ),
    ("r 7 orders 1 42 1000.500000", Received(n=7, topic="orders", partition=1, offset=42, at=1000.5)),
    ("p 1000.5 assigned orders:0,orders:1", Notice(1000.5, "assigned", "orders:0,orders:1")),
    ("e 1000.5 _TRANSPORT Disconnected", Notice(1000.5, "error", "_TRANSPORT Disconnected")),
    ("x 1000.5 _FATAL Fenced", Notice(1000.5, "fatal", "_FATAL Fenced")),
]


@pytest.mark.parametrize(("line", "event"), LINES)
def test_a_line_stands_for_its_event(line: str, event: Event) -> None:
    assert parse(line) == event


@pytest.mark.parametrize("line", ["", "z 1 2 3", "s 7 orders 1", "s x orders 1 1000.5", "a 7 orders 1 42"])
def test_a_line_of_something_else_is_refused_and_quoted(line: str) -> None:
    with pytest.raises(BadRecordLog, match="no event of a client's log") as refused:
        parse(line)
    assert repr(line) in str(refused.value)


@given(cuts=st.lists(st.integers(1, 40), max_size=30))
def test_a_tail_reads_every_event_once_wherever_the_writing_pauses(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    reaches(len(cuts) > 1)
    path = tmp_path_factory.mktemp("tail") / "log"
    tail = LogTail(path)
    assert tail.read() == []
    text = "".join(f"{line}\n" for line, _ in LINES)
    events = []
    with path.open("w") as file:
        for cut in cuts:
            file.write(text[:cut])
            file.flush()
            text = text[cut:]
            events += tail.read()
        file.write(text)
    assert events + tail.read() == [event for _, event in LINES]


def test_logs_are_split_by_kind_and_notices_keep_to_one_line(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "deep" / "log")
    for line, _ in LINES:
        log.write(line)
    log.notice("e", "_TRANSPORT", "two\nlines  of text")
    log.close()
    events = [event for _, event in LINES]
    written = producer_log(tmp_path / "deep" / "log")
    assert (written.sent, written.acknowledged, written.failed) == ((events[0],), (events[1],), (events[2],))
    assert written.notices[-1].detail == "_TRANSPORT two lines of text"
    assert consumer_log(tmp_path / "deep" / "log").received == (events[3],)


def test_a_log_is_in_its_file_after_a_tick_without_being_closed(tmp_path: Path) -> None:
    log = RecordLog(tmp_path / "log")
    log._flushed_at -= 1
    log.write(LINES[0][0])
    log.tick()
    assert LogTail(tmp_path / "log").read() == [LINES[0][1]]
    log.close()


@given(st.integers(0, 10**12))
def test_a_records_number_is_in_its_headers(n: int) -> None:
    reaches(n)
    assert number_of(headers_of(n)) == n


@pytest.mark.parametrize("headers", [None, [], [("m", b"1")], [("n", None)], [("n", b"canary")]])
def test_a_record_without_a_number_has_none(headers: object) -> None:
    assert number_of(headers) is None


def due(pace: Pace, now: float) -> int:
    count = 0
    while pace.due(now):
        count += 1
    return count


def test_the_pace_is_even() -> None:
    pace = Pace(rate=500, now=0.0)
    counts = [due(pace, tick / 1000) for tick in range(1000)]
    assert sum(counts) == 500
    assert max(counts) == 1


@given(stall=st.floats(min_value=0.05, max_value=60))
def test_a_stall_is_not_made_up_for_in_a_burst(stall: float) -> None:
    reaches(stall > LONGEST_BURST_S)
    pace = Pace(rate=500, now=0.0)
    due(pace, 0.0)
    assert due(pace, stall) <= 500 * LONGEST_BURST_S + 2
    assert 0 < pace.wait_s(stall) <= 1 / 500 + 1e-9


def test_live_traffic_counts_by_the_second_and_after_the_kill_for_the_standby(tmp_path: Path) -> None:
    live = LiveTraffic(producer_log=tmp_path / "p", consumer_log=tmp_path / "c", seconds=4)
    live.read()
    (tmp_path / "p").write_text("a 1 orders 0 0 100.5\na 2 orders 0 1 100.9\ne 101.0 _TRANSPORT gone\n")
    (tmp_path / "c").write_text("r 1 orders 0 0 101.1\n")
    live.read()
    live.killed_at = 101.0
    with (tmp_path / "p").open("a") as log:
        log.write("a 3 orders 0 1 103.2\n")
    live.read()
    traffic = live.acknowledged(104.7)
    assert (traffic.lost_site, traffic.standby, traffic.now) == ((2, 0, 0, 0), (0, 0, 0, 1), 1)
    assert live.consumed(104.7).lost_site == (0, 1, 0, 0)
    assert [notice.detail for notice in live.notices] == ["_TRANSPORT gone"]


def test_clients_have_resumed_once_both_saw_a_record_that_is_no_late_answer_of_the_lost_site(tmp_path: Path) -> None:
    live = LiveTraffic(producer_log=tmp_path / "p", consumer_log=tmp_path / "c")
    live.killed_at = 101.0
    (tmp_path / "p").write_text("a 1 orders 0 0 101.1\na 2 orders 0 1 140.2\n")
    (tmp_path / "c").write_text("r 1 orders 0 0 101.2\nr 3 orders 1 0 100.2\n")
    live.read()
    assert not live.has_resumed()
    with (tmp_path / "c").open("a") as log:
        log.write("r 2 orders 0 1 141.0\n")
    live.read()
    assert not live.has_resumed(), "partition 1 waits for a dead connection"
    with (tmp_path / "c").open("a") as log:
        log.write("r 4 orders 1 1 161.0\n")
    live.read()
    assert live.has_resumed()
