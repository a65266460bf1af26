"""The ledger on DynamoDB's real wire: one holder, one epoch, and nothing written without the lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.aws.clients import client
from failover.detection.evidence import Signal
from failover.detection.signal_store import save_signal, signals
from failover.errors import DuplicateExecution, LeaseLost, LedgerUnavailable
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import Outcome
from failover.ledger.topic_tables import (
    load_execution_table,
    load_plan_table,
    save_execution_table,
    save_plan_table,
)
from tests.claims import reaches


def execution(epoch: int = 1, name: str | None = None, *, dry_run: bool = False) -> Execution:
    return Execution(
        plan="orders",
        epoch=epoch,
        name=name or f"orders-{epoch}-failover",
        kind="failover",
        from_site="east",
        to_site="west",
        dry_run=dry_run,
        claimed_at=1000.0,
    )


@pytest.fixture
def ledger(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def test_a_plan_never_claimed_is_active_at_home(ledger: Ledger) -> None:
    state = ledger.state("orders", "east")
    assert (state.active, state.epoch, state.holder) == ("east", 0, None)


def test_a_claim_raises_the_epoch_and_claiming_again_changes_nothing(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    ledger.claim(execution(), "east")
    state = ledger.state("orders", "east")
    assert (state.epoch, state.holder) == (1, "orders-1-failover")


def test_the_lease_has_one_holder(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    with pytest.raises(DuplicateExecution, match="orders-1-failover holds the lease"):
        ledger.claim(execution(2), "east")


def test_an_epoch_is_used_once(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    ledger.conclude(execution(), "stood-down", {})
    with pytest.raises(DuplicateExecution):
        ledger.claim(execution(1, "another-name"), "east")
    with pytest.raises(DuplicateExecution):
        ledger.claim(execution(1), "east")
    ledger.claim(execution(2), "east")


def test_of_many_claims_at_once_one_wins(ledger: Ledger) -> None:
    def claim(number: int) -> bool:
        try:
            ledger.claim(execution(1, f"start-{number}"), "east")
        except DuplicateExecution:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(claim, range(12))) == 1


def test_a_superseded_execution_can_change_nothing_any_more(ledger: Ledger) -> None:
    old, new = execution(1), execution(2)
    ledger.claim(old, "east")
    ledger.claim(new, "east", supersedes=old.name)
    with pytest.raises(LeaseLost):
        ledger.hold(old)
    with pytest.raises(LeaseLost):
        ledger.record_step(old, "fence", "done", {}, 1.0)
    with pytest.raises(LeaseLost):
        save_execution_table(ledger, old, "inventory", {"a": 1})
    with pytest.raises(LeaseLost):
        ledger.conclude(old, "succeeded", {})
    assert ledger.state("orders", "east").active == "east"
    ledger.hold(new)


def test_superseding_the_wrong_execution_is_refused(ledger: Ledger) -> None:
    ledger.claim(execution(1), "east")
    with pytest.raises(DuplicateExecution):
        ledger.claim(execution(2), "east", supersedes="orders-0-failover")


def test_success_moves_the_active_site_and_releases_the_lease_once(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    ledger.conclude(execution(), "succeeded", {"n": 1})
    first = ledger.state("orders", "east")
    ledger.conclude(execution(), "succeeded", {"n": 2})
    assert (first.active, first.holder) == ("west", None)
    assert first.changed_at is not None
    assert ledger.state("orders", "east") == first
    kept = ledger.execution("orders", "orders-1-failover")
    assert kept is not None and (kept.status, kept.document) == ("succeeded", {"n": 1})


def crash_once(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The next call of a method of the ledger dies before it does anything."""
    original = getattr(Ledger, method)

    def die(*_: object, **__: object) -> None:
        monkeypatch.setattr(Ledger, method, original)
        raise MemoryError("the container is gone")

    monkeypatch.setattr(Ledger, method, die)


def test_a_claim_that_crashed_between_its_writes_is_taken_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    crash_once(monkeypatch, "_begin")
    with pytest.raises(MemoryError):
        ledger.claim(execution(), "east")
    with pytest.raises(DuplicateExecution):
        ledger.claim(execution(2), "east")
    ledger.claim(execution(), "east")
    ledger.conclude(execution(), "succeeded", {})
    assert ledger.state("orders", "east").active == "west"


def test_failovers_are_counted_for_a_day_and_switchovers_are_none(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = 1_800_000_000.0
    later = [(0.0, "failover"), (1.0, "failover"), (10.0, "switchover"), (86_400.0, "failover")]
    for epoch, (seconds, kind) in enumerate(later, start=1):
        monkeypatch.setattr("time.time", lambda seconds=seconds: begin + seconds)
        claimed = execution(epoch).model_copy(update={"kind": kind, "name": f"{kind}-{epoch}"})
        ledger.claim(claimed, "east")
        ledger.conclude(claimed, "succeeded", {})
    assert ledger.state("orders", "east").failovers == (begin + 1, begin + 86_400)


@pytest.mark.parametrize("outcome", ["succeeded", "stood-down"])
def test_a_conclusion_that_crashed_before_the_release_is_taken_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    ledger.claim(execution(), "east")
    crash_once(monkeypatch, "_release")
    with pytest.raises(MemoryError):
        ledger.conclude(execution(), outcome, {"n": 1})
    assert ledger.state("orders", "east").holder == "orders-1-failover"
    ledger.conclude(execution(), outcome, {"n": 2})
    state = ledger.state("orders", "east")
    assert (state.active, state.holder) == ("west" if outcome == "succeeded" else "east", None)
    assert len(state.failovers) == (outcome == "succeeded")
    ledger.claim(execution(2), "east")
    ledger.conclude(execution(), outcome, {"n": 3})
    ledger.hold(execution(2))


def test_an_execution_that_is_superseded_while_it_concludes_changes_no_site(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.claim(execution(1), "east")
    hold = Ledger.hold

    def held_and_then_superseded(self: Ledger, held: Execution) -> None:
        hold(self, held)
        monkeypatch.setattr(Ledger, "hold", hold)
        self.claim(execution(2), "east", supersedes="orders-1-failover")

    monkeypatch.setattr(Ledger, "hold", held_and_then_superseded)
    with pytest.raises(LeaseLost):
        ledger.conclude(execution(1), "succeeded", {})
    state = ledger.state("orders", "east")
    assert (state.active, state.holder) == ("east", "orders-2-failover")
    kept = ledger.execution("orders", "orders-1-failover")
    assert kept is not None and kept.status == "superseded"


def test_a_superseded_execution_is_told_so_in_its_record(ledger: Ledger) -> None:
    ledger.claim(execution(1), "east")
    ledger.claim(execution(2), "east", supersedes="orders-1-failover")
    kept = ledger.execution("orders", "orders-1-failover")
    assert kept is not None and (kept.status, kept.superseded_by) == ("superseded", "orders-2-failover")


def test_a_name_is_used_once(ledger: Ledger) -> None:
    ledger.claim(execution(1, "by-hand"), "east")
    ledger.conclude(execution(1, "by-hand"), "stood-down", {})
    with pytest.raises(DuplicateExecution, match="before"):
        ledger.claim(execution(2, "by-hand"), "east")


def test_a_pause_stands_until_it_is_ended_also_of_a_plan_that_never_was_claimed(ledger: Ledger) -> None:
    ledger.pause("orders", "anna: we look first")
    assert ledger.state("orders", "east").paused == "anna: we look first"
    ledger.claim(execution(), "east")
    ledger.conclude(execution(), "succeeded", {})
    assert ledger.state("orders", "east").paused == "anna: we look first"
    ledger.resume("orders")
    assert ledger.state("orders", "east").paused is None


def test_the_ledger_asks_for_nothing_that_a_global_table_with_strong_consistency_lacks(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError("such a table has no transactions")

    monkeypatch.setattr(client("dynamodb"), "transact_write_items", refuse)
    ledger.claim(execution(), "east")
    ledger.record_step(execution(), "fence", "done", {}, 1.0)
    ledger.put_fenced(execution(), "approval#orders-1-failover", {"token": "t"})
    ledger.conclude(execution(), "succeeded", {})


def test_a_failure_keeps_the_lease(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    ledger.conclude(execution(), "failed", {"stopped_at": "verify"})
    ledger.hold(execution())
    ledger.conclude(execution(), "succeeded", {})
    assert ledger.state("orders", "east").active == "west"


def test_a_dry_run_leaves_the_plans_state_alone(ledger: Ledger) -> None:
    dry = execution(1, "orders-dry-run", dry_run=True)
    ledger.begin_dry_run(dry)
    ledger.begin_dry_run(dry)
    ledger.hold(dry)
    ledger.record_step(dry, "fence", "done", {"would": "fence"}, 1.0)
    ledger.conclude(dry, "succeeded", {})
    assert ledger.state("orders", "east").epoch == 0
    assert [record.step for record in ledger.steps(dry)] == ["fence"]


def test_steps_are_counted_and_keep_when_they_began(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    ledger.record_step(execution(), "flip_dns", "waiting", {"change": "C1"}, 10.0)
    ledger.record_step(execution(), "flip_dns", "done", {"change": "C1"}, 20.0)
    (record,) = ledger.steps(execution())
    assert (record.calls, record.status, record.started_at, record.observed) == (2, "done", 10.0, {"change": "C1"})


def test_a_table_of_any_size_is_read_as_it_was_kept(ledger: Ledger) -> None:
    ledger.claim(execution(), "east")
    assert load_execution_table(ledger, execution(), "inventory") == {}
    rows = {f"topic-{number:05}": [number, None] for number in range(2_500)}
    save_execution_table(ledger, execution(), "inventory", rows)
    assert load_execution_table(ledger, execution(), "inventory") == rows
    save_execution_table(ledger, execution(), "inventory", {"one": 1})
    assert load_execution_table(ledger, execution(), "inventory") == {"one": 1}


TABLES = ({f"topic-{n:05}": [0] for n in range(2_500)}, {f"topic-{n:05}": [1] for n in range(3_500)}, {"one": [2]})


@pytest.mark.parametrize("before", TABLES)
@pytest.mark.parametrize("after", TABLES)
def test_a_crash_between_the_items_of_a_table_leaves_the_whole_table_of_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], after: dict[str, Any]
) -> None:
    ledger.claim(execution(), "east")
    save_execution_table(ledger, execution(), "log-ends", {"older": 1})
    save_execution_table(ledger, execution(), "log-ends", before)
    put, items = ledger.put_fenced, -(-len(after) // 1000)
    for until in range(items):
        done = iter(range(until))

        def put_until_the_crash(*item: Any, done: Iterator[int] = done) -> None:
            if next(done, None) is None:
                raise LedgerUnavailable("the function died here")
            put(*item)

        monkeypatch.setattr(ledger, "put_fenced", put_until_the_crash)
        with pytest.raises(LedgerUnavailable):
            save_execution_table(ledger, execution(), "log-ends", after)
        assert load_execution_table(ledger, execution(), "log-ends") == before, f"after {until} of {items} items"
    monkeypatch.setattr(ledger, "put_fenced", put)
    save_execution_table(ledger, execution(), "log-ends", after)
    assert load_execution_table(ledger, execution(), "log-ends") == after


def test_parts_that_two_writers_at_once_have_mixed_are_no_table(ledger: Ledger) -> None:
    rows = [{f"topic-{n:05}": [of, n] for n in range(2_500)} for of in (0, 1)]
    for each in rows:
        save_plan_table(ledger, "orders", "lag", each)
    (head,) = [item for item in ledger.list_items("orders", "plan-table#lag") if item["sk"] == "plan-table#lag"]
    older, newer = (ledger.item("orders", f"plan-table#lag#{slot}#00001") for slot in ("a", "b"))
    assert head["slot"] == "b" and older is not None and newer is not None
    ledger.put("orders", "plan-table#lag#b#00001", {"version": older["version"], "rows": older["rows"]})
    assert load_plan_table(ledger, "orders", "lag") == {}
    ledger.put("orders", "plan-table#lag#b#00001", {"version": newer["version"], "rows": newer["rows"]})
    assert load_plan_table(ledger, "orders", "lag") == rows[1]


def test_the_table_of_20000_partitions_stays_far_below_what_an_item_may_hold(ledger: Ledger) -> None:
    rows = {
        f"team.domain.topic-{number:05}": [[p, number * 7919 % 100_003] for p in (0, 1)] for number in range(10_000)
    }
    save_plan_table(ledger, "orders", "lag", rows)
    items = ledger.list_items("orders", "plan-table#lag")
    assert len(items) == 10
    assert max(len(item["rows"]) for item in items) < 100_000


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([(10.0, True), (20.0, False), (30.0, True), (40.0, False), (40.0, False)]), st.integers())
def test_signals_end_in_the_same_state_in_any_order(
    ledger: Ledger, events: list[tuple[float, bool]], source: int
) -> None:
    reaches([at for at, _ in events] != sorted(at for at, _ in events))
    for at, says_lost in events:
        save_signal(
            ledger,
            "orders",
            Signal(site="east", source=f"alarm-{source}", says_lost=says_lost, at=at, since=at),
            gap=15,
        )
    kept = next(s for s in signals(ledger, "orders") if s.source == f"alarm-{source}")
    assert (kept.at, kept.says_lost) == (40.0, False)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([(40.0, True), (42.0, True), (44.0, True), (36.0, False)]), st.integers())
def test_sights_in_any_order_never_seem_to_have_lasted_longer_than_they_did(
    ledger: Ledger, sights: list[tuple[float, bool]], vantage: int
) -> None:
    reaches([at for at, _ in sights] != sorted(at for at, _ in sights))
    for at, says_lost in sights:
        save_signal(
            ledger,
            "orders",
            Signal(site="east", source=f"probe/{vantage}", says_lost=says_lost, at=at, since=at, kind="probe"),
            gap=15,
        )
    kept = next(s for s in signals(ledger, "orders") if s.source == f"probe/{vantage}")
    assert (kept.at, kept.says_lost) == (44.0, True)
    assert 40.0 <= kept.since <= 44.0


def test_a_source_that_was_silent_for_a_moment_is_a_new_vote_that_looked_lost_before(ledger: Ledger) -> None:
    first = Signal(site="east", source="probe/silent", says_lost=True, at=50.0, since=50.0, kind="probe")
    for at in (50.0, 70.0, 75.0):
        assert save_signal(ledger, "orders", replace(first, at=at, since=at), gap=15)

    kept = next(signal for signal in signals(ledger, "orders") if signal.source == "probe/silent")
    assert (kept.at, kept.since, kept.lost_since) == (75.0, 70.0, 50.0)


def test_a_signal_is_read_as_it_was_kept(ledger: Ledger) -> None:
    signal = Signal(
        site="west",
        source="probe/us-east-1",
        says_lost=True,
        at=50.25,
        since=50.25,
        why="kafka: no answer",
        kind="probe",
        vantage="us-east-1",
    )
    assert save_signal(ledger, "orders", signal, gap=15) is True
    assert save_signal(ledger, "orders", signal, gap=15) is False
    assert signals(ledger, "orders") == [signal]


@pytest.mark.parametrize("fraction", [0.1234561, 0.1234564, 0.1234566, 0.1234569])
def test_a_vote_of_one_look_has_stood_for_no_time_and_not_for_less(ledger: Ledger, fraction: float) -> None:
    at = 1_795_937_090 + fraction
    assert save_signal(
        ledger,
        "orders",
        Signal(site="east", source="probe/us-west-2", says_lost=True, at=at, since=at, kind="probe"),
        gap=15,
    )
    (vote,) = signals(ledger, "orders")
    assert vote.at - vote.since == 0
