"""The account of a switchover counts what is lost, twice and out of order, and says none where nobody can tell."""

from __future__ import annotations

from drill.clients.read_log import ClusterLog, StoredRecord
from drill.clients.record_log import Acknowledged, ConsumerLog, Failed, ProducerLog, Received
from drill.switchover_account import ClientsAccount, clients_account, longest_gap


def counted(stored: list[int] | None) -> ClientsAccount:
    """Records 0 to 4 of one partition, of which 4 was given up, at a log that holds `stored`."""
    written = ProducerLog(
        acknowledged=tuple(Acknowledged(n=n, topic="orders", partition=0, offset=n, at=float(n)) for n in range(4)),
        failed=(Failed(n=4, topic="orders", partition=0, at=4.0, error="fenced"),),
    )
    read = ConsumerLog(
        received=tuple(Received(n=n, topic="orders", partition=0, offset=n, at=float(n)) for n in (0, 1, 1, 3))
    )
    records = None
    if stored is not None:
        records = ClusterLog(
            records=tuple(
                StoredRecord(topic="orders", partition=0, offset=at, n=n, timestamp=0.0) for at, n in enumerate(stored)
            )
        )
    return clients_account("recommended", written, read, records, since=0.0, topics=["orders"])


def test_nothing_is_lost_where_the_active_cluster_holds_all_in_order() -> None:
    account = counted([0, 1, 2, 3])
    assert (account.lost, account.twice, account.out_of_order) == (0, 0, 0)
    assert (account.acknowledged, account.failed, account.read_again, account.never_read) == (4, 1, 1, 1)


def test_what_is_missing_stored_twice_or_behind_a_later_one_is_counted() -> None:
    assert counted([0, 1, 3]).lost == 1
    assert counted([0, 1, 1, 2, 3]).twice == 1
    assert counted([0, 1, 1, 2, 3]).out_of_order == 0
    assert counted([0, 2, 1, 3]).out_of_order == 1


def test_a_log_that_could_not_be_read_tells_of_no_loss_and_of_no_lossless_one() -> None:
    account = counted(None)
    assert (account.lost, account.twice, account.out_of_order, account.never_read) == (None, None, None, None)


def test_the_longest_gap_is_of_the_time_since_and_of_two_moments() -> None:
    assert longest_gap([0.0, 5.0, 6.0, 9.0], since=5.5) == 3.0
    assert longest_gap([4.0, 9.0], since=5.0) == 5.0
    assert longest_gap([1.0], since=0.0) is None
