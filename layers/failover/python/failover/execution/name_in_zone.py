"""A client hostname in a zone that other plans' names are in, too, and whose API an account asks within one limit:
changed together with theirs, and proven by what name servers answer before the API is asked."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Final

from failover.aws.clients import client
from failover.dns import ClientName, NameState, ZoneName, canonical, targets_of
from failover.errors import Obstacle
from failover.execution.zone_changes import NameChange, NameRequest, ZoneChanges
from failover.ledger.dynamodb import ItemTable
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan

PENDING_S: Final = 5.0
"""Until the API is asked again of a change that every name server answers, and that is not in sync."""
UNANSWERED_S: Final = 20.0
"""Until it is asked of one that not every name server answers: most are in sync after 15 to 45 s."""


def in_turn(name: ClientName, plan: Plan, execution: Execution, book: Ledger) -> ClientName:
    """The name as an execution changes it: in turn with other plans, where they share what holds it."""
    return NameInZone(name, plan, execution, book) if isinstance(name, ZoneName) else name


class NameInZone:
    """A `ClientName` that asks for its change, and sends what all ask for, if nobody else does."""

    def __init__(self, name: ZoneName, plan: Plan, execution: Execution, book: Ledger) -> None:
        items = ItemTable(client("dynamodb"), os.environ["LEDGER_TABLE"], prefix="zone#")
        self._name = name
        self._execution = execution
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._changes = ZoneChanges(items, book, name.zone, name.upsert)

    def look(self, change: str | None) -> NameState:
        """As it is; without the API, as long as what is answered is enough to go on.

        Raises:
            DnsUnavailable, DnsRejected
        """
        mine = self._changes.find(self._execution, self._hostname)
        answers = self._name.answers(mine.servers if mine else ())
        answered = next(iter(answers.values())) if len(set(answers.values())) == 1 else None
        if mine is None or mine.sent is None:
            if mine is None and answered != self._targets[self._execution.from_site]:
                return self._name.look(None)
            return NameState(record=answered, answers=answers, in_sync=True)
        is_answered = answered == self._targets[mine.site]
        pending = NameState(record=None, answers=answers, in_sync=False, change=mine.sent)
        if not is_due(mine, self._changes.pending(mine.sent), time.time(), answered=is_answered):
            return pending
        if not self._name.in_sync(mine.sent):
            self._changes.keep_pending(mine.sent)
            return pending
        return replace(pending, record=answered, in_sync=True) if is_answered else self._name.look(None)

    def point_to(self, site: str) -> str:
        """Ask for it, and send what all ask for; the id of the change, or nothing if it is not sent yet."""
        mine = self._changes.find(self._execution, self._hostname)
        if mine is not None and mine.sent is None and mine.site == site:
            self._changes.renew(self._execution, self._hostname)
        else:
            servers = mine.servers if mine else self._name.name_servers()
            request = NameRequest(site=site, records=self._name.records_for(site), servers=servers)
            self._changes.ask(self._execution, self._hostname, request)
        self._changes.send(self._execution)
        sent = self._changes.find(self._execution, self._hostname)
        return (sent and sent.sent) or ""

    def obstacles(self, active: str) -> list[Obstacle]:
        """Those of the name."""
        return self._name.obstacles(active)


def is_due(change: NameChange, checked_at: float | None, now: float, *, answered: bool) -> bool:
    """Whether the API is to be asked of a change that was sent. `checked_at`: when it last was, in seconds since 1970;
    `answered`: every name server answers with it."""
    if answered:
        return checked_at is None or now - checked_at >= PENDING_S
    return now - max(change.sent_at, checked_at or 0.0) >= UNANSWERED_S
