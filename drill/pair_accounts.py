"""The account of each pair of clients by itself, beside that of all of them together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from drill.clients.read_log import ClusterLog
from drill.clients.record_log import ConsumerLog, Notice, ProducerLog
from drill.record_accounting import Account, Promoted, account, out_of_order


@dataclass(frozen=True, kw_only=True)
class PairLogs:
    """What a pair's writer and reader wrote down, and their topics. `family`, `version`: of the library they use."""

    family: str
    version: str
    settings: Literal["recommended", "default"]
    topics: Sequence[str]
    written: ProducerLog
    read: ConsumerLog
    began_at: float | None = None
    """When it began, if that was on the standby, after the failover."""
    mirrored: bool = True
    """Whether its topics are; else nobody looks for what the lost site had acknowledged."""


@dataclass(frozen=True, kw_only=True)
class PairAccount:
    """What became of the records of one pair."""

    family: str
    version: str
    settings: Literal["recommended", "default"]
    account: Account
    """Of the records that its writer sent."""
    of_reader: Account
    """Of all records of its topics, which another pair may write to, too: its reader gets them as well."""
    received_out_of_order: int | None
    """Records that its reader got after one that the same writer had sent later."""
    stored_out_of_order: int | None
    """Records that stand in the standby's log after one that was sent later."""
    writer_errors: Mapping[str, int]
    """What the library told the application, by name."""
    reader_errors: Mapping[str, int]
    began_at: float | None = None
    """When it began, if that was on the standby, after the failover."""
    mirrored: bool = True
    """Whether its topics are; else nobody looks for what the lost site had acknowledged."""


def accounts(
    pairs: Sequence[PairLogs],
    standby: ClusterLog | None,
    *,
    killed_at: float,
    promoted: Promoted | None,
    writable_at: float | None,
) -> tuple[Account, list[PairAccount]]:
    """The account of all records of these pairs, and of each pair's; the arguments are those of `account`. What others
    wrote to the standby is left out: on topics of their own, and, of a writer's account, what another pair wrote to the
    same topic."""

    def counted(written: ProducerLog, read: ConsumerLog, log: ClusterLog | None) -> Account:
        return account(written, read, log, killed_at=killed_at, promoted=promoted, writable_at=writable_at)

    def of_pair(pair: PairLogs) -> PairAccount:
        beside = [other for other in pairs if not set(other.topics).isdisjoint(pair.topics)]
        log = None if standby is None else _of_topics(standby, pair.topics)
        own = None if log is None else _without(log, {s.n for o in beside if o is not pair for s in o.written.sent})
        own_account = counted(pair.written, pair.read, own)
        return PairAccount(
            family=pair.family,
            version=pair.version,
            settings=pair.settings,
            account=own_account,
            of_reader=own_account if len(beside) == 1 else counted(_written_by(beside), pair.read, log),
            received_out_of_order=_received_out_of_order(pair.read, beside),
            stored_out_of_order=None if own is None else _stored_out_of_order(own),
            writer_errors=Counter(failed.error.split(" ")[0] for failed in pair.written.failed)
            + _error_counts(pair.written.notices),
            reader_errors=_error_counts(pair.read.notices),
            began_at=pair.began_at,
            mirrored=pair.mirrored,
        )

    read = ConsumerLog(
        tuple(received for pair in pairs for received in pair.read.received),
        tuple(notice for pair in pairs for notice in pair.read.notices),
    )
    topics = [topic for pair in pairs for topic in pair.topics]
    log = None if standby is None else _of_topics(standby, topics)
    return counted(_written_by(pairs), read, log), [of_pair(pair) for pair in pairs]


def _written_by(pairs: Sequence[PairLogs]) -> ProducerLog:
    return ProducerLog(
        sent=tuple(sent for pair in pairs for sent in pair.written.sent),
        acknowledged=tuple(acknowledged for pair in pairs for acknowledged in pair.written.acknowledged),
        failed=tuple(failed for pair in pairs for failed in pair.written.failed),
        notices=tuple(notice for pair in pairs for notice in pair.written.notices),
    )


def _without(log: ClusterLog, numbers: Collection[int]) -> ClusterLog:
    return replace(log, records=tuple(record for record in log.records if record.n not in numbers))


def _of_topics(log: ClusterLog, topics: Sequence[str]) -> ClusterLog:
    return replace(
        log,
        records=tuple(record for record in log.records if record.topic in topics),
        starts={key: start for key, start in log.starts.items() if key[0] in topics},
        ends={key: end for key, end in log.ends.items() if key[0] in topics},
    )


def _received_out_of_order(read: ConsumerLog, writers: Sequence[PairLogs]) -> int | None:
    writer_of = {sent.n: writer for writer, pair in enumerate(writers) for sent in pair.written.sent}
    numbers: dict[tuple[int | None, str, int], dict[int, None]] = {}
    for r in read.received:
        numbers.setdefault((writer_of.get(r.n), r.topic, r.partition), {})[r.n] = None
    return sum(out_of_order(list(firsts)) for firsts in numbers.values()) if read.received else None


def _stored_out_of_order(log: ClusterLog) -> int:
    numbers: dict[tuple[str, int], list[int]] = {}
    for record in log.records:
        numbers.setdefault((record.topic, record.partition), []).append(record.n)
    return sum(map(out_of_order, numbers.values()))


def _error_counts(notices: Iterable[Notice]) -> Counter[str]:
    return Counter(notice.detail.split(" ")[0] for notice in notices if notice.kind in {"error", "fatal"})
