"""The account of a way there and back looks for every record in the active log and in the rescue, says none where
nobody can tell, and is complete only if all of the story went well."""

from __future__ import annotations

from typing import Any

import pytest

from drill.clients.read_log import ClusterLog, StoredRecord
from drill.clients.record_log import Acknowledged, ProducerLog
from drill.execution_times import ExecutionTimes, execution_times
from drill.ledger_reader import Execution, Step
from drill.moved_clients import sum_of
from drill.switchover_account import Gaps
from drill.there_and_back_account import Rescued, ThereAndBackReport, missing_records, recovery_time


def written(*moments: float) -> ProducerLog:
    """Records from 0 on, acknowledged at these moments."""
    return ProducerLog(
        acknowledged=tuple(
            Acknowledged(n=n, topic="orders", partition=0, offset=n, at=at) for n, at in enumerate(moments)
        )
    )


def stored(*numbers: int) -> ClusterLog:
    return ClusterLog(
        records=tuple(
            StoredRecord(topic="orders", partition=0, offset=at, n=n, timestamp=0.0) for at, n in enumerate(numbers)
        )
    )


def test_a_record_is_missing_only_if_neither_the_log_nor_the_rescue_has_it() -> None:
    writers = {"recommended": written(1.0, 2.0, 3.0, 4.0), "default": written(1.0)}
    assert missing_records(writers, stored(0, 3), rescued={1, 2}) == {"recommended": 0, "default": 0}
    assert missing_records(writers, stored(3), rescued={1, 3}) == {"recommended": 2, "default": 1}


def test_nobody_can_tell_what_is_missing_where_the_log_could_not_be_read() -> None:
    missing = missing_records({"recommended": written(1.0)}, None, rescued={0})
    assert missing == {"recommended": None}
    assert sum_of([0, *missing.values()]) is None
    assert sum_of([1, 2]) == 3


def test_the_recovery_is_counted_from_the_loss_and_ends_before_the_failback() -> None:
    writer = written(0.0, 9.5, 10.5, 22.0, 23.0, 90.0)
    assert recovery_time(writer, lost_at=10.0, failback_at=30.0) == 12.0
    assert recovery_time(writer, lost_at=23.5, failback_at=30.0) is None


def test_steps_are_told_from_the_start_of_their_execution() -> None:
    step = Step(name="claim", status="done", calls=2, started=100.5, ended=101.25, observed={})
    times = execution_times(
        Execution(
            name="orders-1-failover",
            epoch=1,
            status="succeeded",
            started=100.0,
            document={"why": "east is lost"},
            steps=(step,),
            controller="us-west-2",
        )
    )
    assert (times.outcome, times.why, times.seconds) == ("succeeded", "east is lost", 1.25)
    assert [(row.started, row.ended, row.calls) for row in times.steps] == [(0.5, 1.25, 2)]


def report(**changes: Any) -> ThereAndBackReport:
    executions = [
        ExecutionTimes(name=name, outcome="succeeded", why="", seconds=1.0, steps=[])
        for name in ("orders-1-failover", "orders-2-restore", "orders-3-switchover")
    ]
    figures: dict[str, Any] = {
        "scenario": "there-and-back",
        "timing": "drill",
        "fleet": "ecs",
        "rto": 12.0,
        "switchover": Gaps(gap_writers_s=4.0, gap_readers_s=5.0),
        "rescued": Rescued(diverged=7, saved=7, read_back=7, sent_again=0),
        "estimated_loss": {"low": 1, "high": 9},
        "measured_loss": 7,
        "lost": 0,
        "out_of_order": 0,
        "twice": 0,
        "missing": 0,
        "active_site": "east",
        "mirrors_back": 4,
        "executions": executions,
        "by_settings": [],
    }
    return ThereAndBackReport(**figures | changes)


STOOD_DOWN = ExecutionTimes(name="orders-3-switchover", outcome="stood-down", why="", seconds=1.0, steps=[])


@pytest.mark.parametrize(
    "changes",
    [
        {"missing": 1},
        {"missing": None},
        {"out_of_order": None},
        {"active_site": "west"},
        {"rescued": Rescued(diverged=7, saved=6, read_back=6, sent_again=0)},
        {"rescued": Rescued(diverged=None, saved=None, read_back=0, sent_again=0)},
        {"executions": report().executions[:2]},
        {"executions": [*report().executions[:2], STOOD_DOWN]},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_a_story_is_complete_only_if_clients_are_home_and_no_record_is_unaccounted_for(changes: dict[str, Any]) -> None:
    assert report().complete
    assert not report(**changes).complete
