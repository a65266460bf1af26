"""The account of generated runs, whose losses, duplicates and order are known, finds exactly those."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from drill.clients.read_log import ClusterLog, StoredRecord
from drill.clients.record_log import Acknowledged, ConsumerLog, Failed, Notice, ProducerLog, Received, Sent
from drill.pair_accounts import PairLogs, accounts
from drill.record_accounting import Account, account, out_of_order, ranges
from tests.claims import reaches

KILL, WRITABLE, BACK = 1000.0, 1010.0, 1012.0
KEYS = [("orders", 0), ("orders", 1), ("payments", 0)]
before_kill = st.integers(min_value=0, max_value=8)


@dataclass(frozen=True)
class Partition:
    """What happens to a partition: `lost` of `before` records are not mirrored; the consumer rewinds."""

    before: int
    lost: int
    after: int
    read_before: int
    rewind: int
    unread: int

    @property
    def mirrored(self) -> int:
        return self.before - self.lost

    @property
    def restart(self) -> int:
        """The offset on the standby from which the consumer goes on; it skips none."""
        return max(0, min(self.read_before, self.mirrored) - self.rewind)


@st.composite
def partition(draw: st.DrawFn) -> Partition:
    before, after = draw(before_kill), draw(st.integers(1, 6))
    return Partition(
        before=before,
        lost=draw(st.integers(0, before)),
        after=after,
        read_before=draw(st.integers(0, before)),
        rewind=draw(st.integers(0, before)),
        unread=draw(st.integers(0, after - 1)),
    )


runs = st.lists(partition(), min_size=len(KEYS), max_size=len(KEYS))


def number(slot: int, index: int) -> int:
    return index * len(KEYS) + slot


def played(run: list[Partition]) -> tuple[ProducerLog, ConsumerLog, ClusterLog, dict[str, dict[str, int]]]:
    """The logs of a run."""
    sent, acknowledged, received, stored = [], [], [], []
    promoted: dict[str, dict[str, int]] = {}
    for slot, (key, p) in enumerate(zip(KEYS, run, strict=True)):
        promoted.setdefault(key[0], {})[str(key[1])] = p.mirrored
        first, second = KILL - 20 + slot / 10, BACK + slot / 10
        for i in range(p.before):
            sent.append(Sent(n=number(slot, i), topic=key[0], partition=key[1], at=first + i))
            acknowledged.append(Acknowledged(n=number(slot, i), topic=key[0], partition=key[1], offset=i, at=first + i))
        for i in range(p.after):
            n, offset = number(slot, p.before + i), p.mirrored + i
            sent.append(Sent(n=n, topic=key[0], partition=key[1], at=second + i))
            acknowledged.append(Acknowledged(n=n, topic=key[0], partition=key[1], offset=offset, at=second + i))
        log = [number(slot, i) for i in (*range(p.mirrored), *range(p.before, p.before + p.after))]
        stored += [
            StoredRecord(topic=key[0], partition=key[1], offset=offset, n=n, timestamp=0.0)
            for offset, n in enumerate(log)
        ]
        received += [
            Received(n=number(slot, i), topic=key[0], partition=key[1], offset=i, at=first + i)
            for i in range(p.read_before)
        ]
        received += [
            Received(n=log[offset], topic=key[0], partition=key[1], offset=offset, at=second + 1)
            for offset in range(p.restart, len(log) - p.unread)
        ]
    ends = {key: p.mirrored + p.after for key, p in zip(KEYS, run, strict=True)}
    logs = ProducerLog(sent=tuple(sent), acknowledged=tuple(acknowledged)), ConsumerLog(tuple(received))
    return *logs, ClusterLog(records=tuple(stored), starts=dict.fromkeys(KEYS, 0), ends=ends), promoted


def accounted(run: list[Partition]) -> Account:
    producer, consumer, standby, promoted = played(run)
    return account(producer, consumer, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)


SIMPLE = [Partition(before=5, lost=2, after=3, read_before=5, rewind=1, unread=0)] * len(KEYS)


@given(runs)
def test_losses_are_found_exactly(run: list[Partition]) -> None:
    found = accounted(run)
    reaches(found.lost)
    assert found.lost == sum(p.lost for p in run)
    for p, partition_account in zip(run, found.partitions, strict=True):
        assert partition_account.lost == p.lost
        assert partition_account.lost_ranges == (((p.mirrored, p.before - 1),) if p.lost else ())
        assert partition_account.lost_but_consumed == max(0, p.read_before - p.mirrored)


@given(runs)
def test_every_acknowledgement_is_given_to_the_cluster_that_made_it(run: list[Partition]) -> None:
    found = accounted(run)
    reaches(found.acknowledged_by_standby)
    assert found.acknowledged_by_lost_site == sum(p.before for p in run)
    assert found.acknowledged_by_standby == sum(p.after for p in run)
    assert found.first_acknowledged_by_standby == BACK
    assert found.rto_s == BACK - KILL


@given(runs)
def test_duplicates_and_what_was_never_consumed_are_found_exactly(run: list[Partition]) -> None:
    found = accounted(run)
    reaches(found.duplicates and found.never_consumed)
    assert found.duplicates == sum(min(p.read_before, p.mirrored) - p.restart for p in run)
    assert found.never_consumed == sum(p.unread for p in run)
    assert found.skipped in (0, None), "who has not come to the end has passed nothing over"
    assert found.out_of_order == 0
    assert found.consumed_from_lost_site == sum(p.read_before for p in run)
    assert found.unmeasured == () or found.consumed is None


def test_who_goes_on_beyond_what_was_mirrored_skips_what_was_written_there_until_then() -> None:
    producer, consumer, standby, promoted = played([dataclasses.replace(of, after=6, unread=1) for of in SIMPLE])
    beyond = tuple(r for r in consumer.received if r.at < WRITABLE or r.offset >= 5)
    found = account(producer, ConsumerLog(beyond), standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert [(p.skipped, p.never_consumed) for p in found.partitions] == [(2, 3)] * len(KEYS)
    assert found.skipped == 2 * len(KEYS)


@given(runs)
def test_rates_add_up_to_the_totals(run: list[Partition]) -> None:
    found = accounted(run)
    reaches(len(found.rates) > 1)
    assert sum(s.acknowledged_by_lost_site for s in found.rates) == found.acknowledged_by_lost_site
    assert sum(s.acknowledged_by_standby for s in found.rates) == found.acknowledged_by_standby
    assert sum(s.consumed_from_lost_site + s.consumed_from_standby for s in found.rates) == (found.consumed or 0)
    assert [s.second for s in found.rates] == list(range(found.rates[0].second, found.rates[-1].second + 1))
    assert all(s.acknowledged_by_standby == 0 for s in found.rates if s.second < 0)


@given(st.permutations(range(7)))
def test_a_record_is_out_of_order_if_a_later_one_came_first(numbers: list[int]) -> None:
    late = sum(any(earlier > n for earlier in numbers[:i]) for i, n in enumerate(numbers))
    reaches(late)
    assert out_of_order(numbers) == late


@given(st.sets(st.integers(0, 30)))
def test_ranges_hold_the_offsets_and_do_not_touch(offsets: set[int]) -> None:
    found = ranges(offsets)
    reaches(len(found) > 1)
    assert {o for first, last in found for o in range(first, last + 1)} == offsets
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(found))


def test_a_record_read_again_in_the_old_order_is_a_duplicate_and_in_order() -> None:
    found = accounted(SIMPLE)
    assert (found.duplicates, found.out_of_order) == (3, 0)


def test_a_record_first_read_after_a_later_one_is_out_of_order() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    first, second, *rest = consumer.received
    swapped = ConsumerLog((second, first, *rest))
    found = account(producer, swapped, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert found.out_of_order == 1


def test_a_record_mirrored_without_its_acknowledgement_and_sent_again_is_stored_twice_and_read_twice() -> None:
    producer = ProducerLog(
        sent=(Sent(n=0, topic="orders", partition=0, at=KILL - 1), Sent(n=1, topic="orders", partition=0, at=BACK)),
        acknowledged=(
            Acknowledged(n=0, topic="orders", partition=0, offset=1, at=BACK),
            Acknowledged(n=1, topic="orders", partition=0, offset=2, at=BACK + 1),
        ),
    )
    standby = ClusterLog(
        records=tuple(
            StoredRecord(topic="orders", partition=0, offset=o, n=n, timestamp=0.0) for o, n in enumerate((0, 0, 1))
        )
    )
    consumer = ConsumerLog(
        tuple(Received(n=n, topic="orders", partition=0, offset=o, at=BACK + 2) for o, n in enumerate((0, 0, 1)))
    )
    found = account(producer, consumer, standby, killed_at=KILL, promoted={"orders": {"0": 1}}, writable_at=WRITABLE)
    assert (found.stored_twice, found.duplicates, found.lost, found.acknowledged_by_standby) == (1, 1, 0, 2)


def test_a_mirrored_record_is_the_lost_sites_though_the_standby_holds_it_at_that_offset() -> None:
    found = accounted(SIMPLE)
    assert found.partitions[0].acknowledged_by_lost_site == 5
    assert found.partitions[0].mirrored_to == 3


def test_an_acknowledgement_after_promotion_that_the_standby_does_not_hold_is_a_loss() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    stray = Acknowledged(n=999, topic="orders", partition=0, offset=90, at=BACK + 5)
    producer = dataclasses.replace(
        producer,
        sent=(*producer.sent, Sent(n=999, topic="orders", partition=0, at=BACK)),
        acknowledged=(*producer.acknowledged, stray),
    )
    found = account(producer, consumer, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert found.lost == 7
    assert found.partitions[0].lost_ranges == ((3, 4), (90, 90))


def test_without_the_standbys_log_the_loss_is_unknown_and_not_zero() -> None:
    producer, consumer, _, promoted = played(SIMPLE)
    found = account(producer, consumer, None, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert (found.lost, found.acknowledged_by_standby, found.rto_s, found.never_consumed) == (None, None, None, None)
    assert found.duplicates == 3
    assert not found.recovered
    assert any("could not be read" in reason for reason in found.unmeasured)


def test_without_the_ends_at_promotion_the_loss_is_still_counted_and_the_rto_is_not() -> None:
    producer, consumer, standby, _ = played(SIMPLE)
    found = account(producer, consumer, standby, killed_at=KILL, promoted=None, writable_at=None)
    assert found.lost == 6
    assert (found.rto_s, found.acknowledged_by_lost_site, found.rates) == (None, None, ())
    assert any("orders:0" in reason for reason in found.unmeasured)


def test_a_standby_that_deleted_its_oldest_records_leaves_the_loss_unmeasured() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    trimmed = dataclasses.replace(standby, starts={KEYS[0]: 2})
    found = account(producer, consumer, trimmed, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert found.lost is None
    assert found.partitions[1].lost == 2


def test_a_client_whose_partition_never_got_through_has_not_recovered() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    silent = tuple(a for a in producer.acknowledged if (a.topic, a.partition) != KEYS[0] or a.at < KILL)
    cut = dataclasses.replace(producer, acknowledged=silent)
    found = account(cut, consumer, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert accounted(SIMPLE).recovered
    assert not found.recovered
    assert found.every_partition_resumed_at is None
    assert found.undecided == 3
    assert any("3 records" in reason for reason in found.unmeasured)


def test_a_writer_that_recovers_without_its_reader_has_not_recovered() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    deaf = ConsumerLog(tuple(r for r in consumer.received if r.at < KILL))
    found = account(producer, deaf, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert found.rto_s == BACK - KILL
    assert not found.recovered
    assert found.never_consumed == 9


def test_records_given_up_are_counted_by_their_error() -> None:
    producer, consumer, standby, promoted = played(SIMPLE)
    failed = Failed(n=5000, topic="orders", partition=0, at=BACK, error="_MSG_TIMED_OUT Local: Message timed out")
    given_up = dataclasses.replace(
        producer, sent=(*producer.sent, Sent(n=5000, topic="orders", partition=0, at=KILL)), failed=(failed,)
    )
    found = account(given_up, consumer, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert (found.failed, found.lost, found.undecided) == (1, 6, 0)
    assert dict(found.errors) == {"_MSG_TIMED_OUT": 1}


def test_empty_logs_measure_nothing() -> None:
    found = account(ProducerLog(), ConsumerLog(), ClusterLog(), killed_at=KILL, promoted={}, writable_at=WRITABLE)
    figures = (found.acknowledged, found.consumed, found.lost, found.duplicates, found.out_of_order, found.rto_s)
    assert figures == (None,) * 6
    assert len(found.unmeasured) == 2
    assert not found.recovered


@given(runs, st.integers(0, 5))
def test_what_was_on_its_way_at_the_kill_is_what_the_lost_site_had_not_acknowledged(
    run: list[Partition], late: int
) -> None:
    producer, consumer, standby, promoted = played(run)
    on_their_way = tuple(
        dataclasses.replace(each, at=KILL) if number < late else each
        for number, each in enumerate(sorted(producer.sent, key=lambda each: -each.n))
    )
    found = account(
        dataclasses.replace(producer, sent=on_their_way),
        consumer,
        standby,
        killed_at=KILL,
        promoted=promoted,
        writable_at=WRITABLE,
    )
    by_lost_site = {a.n for a in producer.acknowledged if a.at < KILL}
    reaches(found.in_flight)
    assert found.in_flight == sum(each.at <= KILL and each.n not in by_lost_site for each in on_their_way)
    assert accounted(run).in_flight == 0


@given(runs)
def test_each_pair_of_clients_has_the_account_of_its_own_topics(run: list[Partition]) -> None:
    written, read, standby, promoted = played(run)
    names: tuple[tuple[Literal["recommended", "default"], str], ...] = (
        ("recommended", "orders"),
        ("default", "payments"),
    )
    pairs = [
        PairLogs(
            family="librdkafka",
            version="2.16.0",
            settings=name,
            topics=(topic,),
            written=ProducerLog(
                sent=tuple(sent for sent in written.sent if sent.topic == topic),
                acknowledged=tuple(each for each in written.acknowledged if each.topic == topic),
                notices=(Notice(KILL, "error", "_TRANSPORT gone"),) if topic == "payments" else (),
            ),
            read=ConsumerLog(tuple(received for received in read.received if received.topic == topic)),
        )
        for name, topic in names
    ]
    whole, (orders, payments) = accounts(pairs, standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    reaches(whole.lost)
    assert whole.lost == accounted(run).lost
    assert (orders.account.lost, payments.account.lost) == (run[0].lost + run[1].lost, run[2].lost)
    assert (orders.account.never_consumed, orders.account.stored_twice) == (run[0].unread + run[1].unread, 0)
    assert payments.account.first_acknowledged_by_standby == BACK + 0.2
    assert (orders.stored_out_of_order, payments.writer_errors) == (0, {"_TRANSPORT": 1})
    alone, _ = accounts(pairs[:1], standby, killed_at=KILL, promoted=promoted, writable_at=WRITABLE)
    assert (alone.stored_twice, alone.never_consumed) == (0, run[0].unread + run[1].unread), "payments are others'"
