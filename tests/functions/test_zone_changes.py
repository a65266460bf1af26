"""Many plans want their names in one zone changed at the same moment: what all want is sent together, what is bad is
refused alone, and nothing is sent for an execution that is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import DnsRejected, DnsUnavailable
from failover.execution import zone_changes
from failover.execution.name_in_zone import PENDING_S, UNANSWERED_S, is_due
from failover.execution.zone_changes import NameChange, NameRequest, Records, ZoneChanges
from failover.ledger.dynamodb import ItemTable
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger


class Zone:
    """Takes changes, unless one of their names is bad, or the zone is busy."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.refused: list[list[str]] = []
        self.bad: set[str] = set()
        self.busy = False

    def upsert(self, records: Records) -> str:
        names = [record["Name"] for record in records]
        if self.busy:
            raise DnsUnavailable("PriorRequestNotComplete")
        if self.bad & set(names):
            self.refused.append(names)
            raise DnsRejected("InvalidChangeBatch")
        self.sent.append(names)
        return f"C{len(self.sent)}"


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def changes(book: Ledger, zone: Zone) -> ZoneChanges:
    return ZoneChanges(ItemTable(client("dynamodb"), "ledger", prefix="zone#"), book, "Z1", zone.upsert)


def claimed(book: Ledger, plan: str, epoch: int = 1, supersedes: str | None = None) -> Execution:
    execution = Execution(
        plan=plan,
        epoch=epoch,
        name=f"{plan}-{epoch}-failover",
        kind="failover",
        from_site="east",
        to_site="west",
        claimed_at=1000.0,
    )
    book.claim(execution, "east", supersedes)
    return execution


def ask(changes: ZoneChanges, execution: Execution) -> str:
    hostname = f"kafka.{execution.plan}.example.com"
    changes.ask(execution, hostname, NameRequest(site="west", records=[{"Name": hostname}], servers=("ns",)))
    return hostname


def test_what_all_want_is_sent_in_one_change_by_whoever_comes_first(
    book: Ledger, changes: ZoneChanges, zone: Zone
) -> None:
    executions = [claimed(book, f"plan-{number}") for number in range(5)]
    hostnames = [ask(changes, execution) for execution in executions]
    unsent = changes.find(executions[0], hostnames[0])
    assert unsent is not None and (unsent.sent, unsent.sent_at) == (None, 0.0)
    before = time.time()
    for execution in executions:
        changes.send(execution)
    assert [sorted(batch) for batch in zone.sent] == [sorted(hostnames)]
    stored = [changes.find(execution, hostname) for execution, hostname in zip(executions, hostnames, strict=True)]
    assert {change.sent for change in stored if change} == {"C1"} and None not in stored
    assert all(before - 0.001 <= change.sent_at <= time.time() for change in stored if change)


def test_a_change_that_is_refused_is_refused_alone_and_stops_no_other(
    book: Ledger, changes: ZoneChanges, zone: Zone
) -> None:
    executions = [claimed(book, f"plan-{number}") for number in range(7)]
    hostnames = [ask(changes, execution) for execution in executions]
    zone.bad = {hostnames[3]}
    for _ in range(10):
        changes.send(executions[3])
    assert sorted(name for batch in zone.sent for name in batch) == sorted(set(hostnames) - zone.bad)
    assert zone.refused[-1] == [hostnames[3]], "the last refusal is of the bad one alone"
    with pytest.raises(DnsRejected):
        changes.find(executions[3], hostnames[3])
    assert all(changes.find(execution, name) for execution, name in zip(executions[4:], hostnames[4:], strict=True))


def test_of_two_of_which_one_is_refused_the_other_is_sent(book: Ledger, changes: ZoneChanges, zone: Zone) -> None:
    bad, good = claimed(book, "plan-1"), claimed(book, "plan-2")
    zone.bad = {ask(changes, bad)}
    hostname = ask(changes, good)
    for _ in range(3):
        changes.send(good)
    assert zone.sent == [[hostname]]


def test_a_redrive_asks_anew_for_what_was_refused(book: Ledger, changes: ZoneChanges, zone: Zone) -> None:
    execution = claimed(book, "plan-1")
    hostname = ask(changes, execution)
    zone.bad = {hostname}
    changes.send(execution)
    with pytest.raises(DnsRejected):
        changes.find(execution, hostname)
    assert changes.find(execution, hostname) is None
    zone.bad = set()
    ask(changes, execution)
    changes.send(execution)
    assert zone.sent == [[hostname]]


def test_nothing_is_sent_for_an_execution_that_has_lost_its_lease(
    book: Ledger, changes: ZoneChanges, zone: Zone
) -> None:
    lost, holds = claimed(book, "plan-1"), claimed(book, "plan-2")
    ask(changes, lost)
    hostname = ask(changes, holds)
    successor = claimed(book, "plan-1", epoch=2, supersedes=lost.name)
    changes.send(holds)
    assert zone.sent == [[hostname]]
    of_successor = ask(changes, successor)
    ask(changes, lost)
    changes.send(holds)
    assert zone.sent == [[hostname], [of_successor]], "what the superseded one asks for late replaces nothing"
    assert changes.find(lost, of_successor) is None


def test_what_its_execution_does_not_ask_for_any_more_is_not_sent(
    book: Ledger, changes: ZoneChanges, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, goes_on = claimed(book, "plan-1"), claimed(book, "plan-2")
    ask(changes, gone)
    hostname = ask(changes, goes_on)
    later = time.time() + zone_changes.RENEWED_WITHIN_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    changes.renew(goes_on, hostname)
    changes.send(goes_on)
    assert zone.sent == [[hostname]]


def test_a_busy_zone_is_left_to_the_next_call_and_keeps_nobody_from_sending(
    book: Ledger, changes: ZoneChanges, zone: Zone
) -> None:
    first, second = claimed(book, "plan-1"), claimed(book, "plan-2")
    hostname, zone.busy = ask(changes, first), True
    with pytest.raises(DnsUnavailable):
        changes.send(first)
    zone.busy = False
    changes.send(second)
    assert zone.sent == [[hostname]]


def test_while_one_sends_no_other_does_until_it_must_be_gone(
    book: Ledger, changes: ZoneChanges, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = claimed(book, "plan-1")
    hostname = ask(changes, execution)
    killed: list[int] = []

    def upsert(records: Records) -> str:
        changes.send(execution)
        killed.append(len(zone.sent))
        raise MemoryError

    items = ItemTable(client("dynamodb"), "ledger", prefix="zone#")
    with monkeypatch.context() as crash, pytest.raises(MemoryError):
        crash.setattr(ItemTable, "update", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        ZoneChanges(items, book, "Z1", upsert).send(execution)
    assert killed == [0]
    changes.send(execution)
    assert zone.sent == [], "the one that was killed may have sent it"
    later = time.time() + zone_changes.SENDING_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    changes.renew(execution, hostname)
    changes.send(execution)
    assert zone.sent == [[hostname]]


def test_a_change_that_was_sent_is_sent_again_only_if_it_is_asked_for_anew(
    book: Ledger, changes: ZoneChanges, zone: Zone
) -> None:
    execution = claimed(book, "plan-1")
    hostname = ask(changes, execution)
    for _ in range(3):
        changes.renew(execution, hostname)
        changes.send(execution)
    assert zone.sent == [[hostname]]
    ask(changes, execution)
    changes.send(execution)
    assert zone.sent == [[hostname], [hostname]]


@pytest.mark.parametrize(
    ("answered", "since_sent", "since_asked", "due"),
    [
        (True, 0.1, None, True),
        (True, 60.0, PENDING_S - 1, False),
        (True, 60.0, PENDING_S, True),
        (False, UNANSWERED_S - 1, None, False),
        (False, UNANSWERED_S, None, True),
        (False, 60.0, UNANSWERED_S - 1, False),
        (False, 60.0, UNANSWERED_S, True),
    ],
)
def test_the_api_is_asked_once_what_is_answered_tells_no_more(
    answered: bool, since_sent: float, since_asked: float | None, due: bool
) -> None:
    now = 1000.0
    checked_at = None if since_asked is None else now - since_asked
    change = NameChange(site="west", sent="C1", sent_at=now - since_sent, servers=("ns",))
    assert is_due(change, checked_at, now, answered=answered) is due


def test_that_a_change_is_not_in_sync_is_known_to_whoever_comes_next_and_of_no_other_change(
    changes: ZoneChanges,
) -> None:
    assert changes.pending("C1") is None
    before = time.time()
    changes.keep_pending("C1")
    checked_at = changes.pending("C1")
    assert checked_at is not None and before - 0.001 <= checked_at <= time.time()
    assert changes.pending("C2") is None
