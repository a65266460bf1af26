"""A newcomer on the standby writes to the topic of a pair that moved over: each writer has the account of its own
records, each reader that of the topic, and a newcomer's time begins with it."""

from __future__ import annotations

from drill.clients.read_log import ClusterLog, StoredRecord
from drill.clients.record_log import Acknowledged, ConsumerLog, Notice, ProducerLog, Received, Sent
from drill.pair_accounts import PairAccount, PairLogs, accounts
from drill.report.clients import client_figures

KILLED, WRITABLE, BEGAN = 100.0, 105.0, 120.0
PLACE = {1: 0, 2: 1, 10: 2, 3: 3, 11: 4}
"""The offset of each record on the standby; 1 was mirrored, 2 and 3 are the mover's, 10 and 11 the newcomer's."""


def written(*records: tuple[int, float], notices: tuple[Notice, ...] = ()) -> ProducerLog:
    return ProducerLog(
        sent=tuple(Sent(n=n, topic="orders", partition=0, at=at) for n, at in records),
        acknowledged=tuple(
            Acknowledged(n=n, topic="orders", partition=0, offset=PLACE[n], at=at) for n, at in records if n in PLACE
        ),
        notices=notices,
    )


def read(*records: tuple[int, float]) -> ConsumerLog:
    return ConsumerLog(tuple(Received(n=n, topic="orders", partition=0, offset=PLACE[n], at=at) for n, at in records))


def pair(family: str, logs: tuple[ProducerLog, ConsumerLog], began_at: float | None = None) -> PairLogs:
    of_both = {"family": family, "version": "1", "settings": "recommended", "topics": ("orders",)}
    return PairLogs(**of_both, written=logs[0], read=logs[1], began_at=began_at)  # type: ignore[arg-type]


MOVER = pair("mover", (written((1, 90), (2, 110), (3, 122)), read((1, 91), (2, 111), (10, 122), (3, 123), (11, 124))))
OF_NEWCOMER = written((10, 121), (11, 123.5)), read((1, 122), (2, 122), (10, 122), (3, 123), (11, 124))


def of_each(*pairs: PairLogs) -> list[PairAccount]:
    numbers = {sent.n for one in pairs for sent in one.written.sent}
    records = tuple(
        StoredRecord(topic="orders", partition=0, offset=offset, n=n, timestamp=0)
        for n, offset in PLACE.items()
        if n in numbers
    )
    log = ClusterLog(records=records, starts={("orders", 0): 0}, ends={("orders", 0): 5})
    return accounts(pairs, log, killed_at=KILLED, promoted={"orders": {"0": 1}}, writable_at=WRITABLE)[1]


def test_each_writer_answers_for_its_own_records_and_each_reader_for_the_topics() -> None:
    mover, newcomer = of_each(MOVER, pair("newcomer", OF_NEWCOMER, BEGAN))
    assert [one.account.sent for one in (mover, newcomer)] == [3, 2]
    for one in (mover, newcomer):
        writer, reader = client_figures(one)
        assert (writer.duplicates, writer.lost, writer.out_of_order) == (0, 0, 0)
        assert (reader.duplicates, reader.skipped, reader.out_of_order) == (0, 0, 0)


def test_a_record_is_out_of_order_behind_a_later_one_of_its_own_writer() -> None:
    late = read((1, 91), (3, 123), (10, 123), (2, 124), (11, 125), (3, 126))
    (mover, _) = of_each(pair("mover", (MOVER.written, late)), pair("newcomer", OF_NEWCOMER, BEGAN))
    assert client_figures(mover)[1].out_of_order == 1


def test_a_newcomers_seconds_are_from_its_own_start() -> None:
    mover, newcomer = of_each(MOVER, pair("newcomer", OF_NEWCOMER, BEGAN))
    assert [figures.recovered_s for figures in client_figures(mover)] == [10.0, 11.0]
    assert [figures.recovered_s for figures in client_figures(newcomer)] == [1.0, 2.0]


def test_a_newcomer_whose_writer_ended_still_reads_what_is_there() -> None:
    ended = written((12, 121), notices=(Notice(121.0, "fatal", "OUT_OF_ORDER_SEQUENCE_NUMBER of its first batch"),))
    _, newcomer = of_each(MOVER, pair("newcomer", (ended, read((1, 122), (2, 122), (3, 123))), BEGAN))
    writer, reader = client_figures(newcomer)
    assert (writer.recovered_s, writer.errors) == (None, {"OUT_OF_ORDER_SEQUENCE_NUMBER": 1})
    assert reader.recovered_s == 2.0


def test_who_shares_no_topic_has_one_account() -> None:
    (alone,) = of_each(MOVER)
    assert alone.of_reader is alone.account
