"""What people start while both sites are up: it says what it will do, and refuses what makes no sense yet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from tests.command.conftest import Failover
from tests.command.test_operate import inputs


def conclude(book: Ledger, epoch: int, kind: Any, to: str = "west") -> None:
    """An execution that succeeded."""
    execution = Execution(
        plan="orders",
        epoch=epoch,
        name=f"orders-{epoch}-{kind}",
        kind=kind,
        from_site="east" if to == "west" else "west",
        to_site=to,
        claimed_at=float(epoch),
    )
    book.claim(execution, "east")
    book.conclude(execution, "succeeded", {"kind": kind, "dry_run": False})


def test_a_switchover_says_what_it_will_do_and_starts(failover: Failover, stack: Any) -> None:
    assert failover("start", "switchover", "orders").code == 2 and inputs(stack) == {}
    shown = failover("start", "switchover", "orders", "--yes", "--by", "Ada", "--why", "maintenance")
    assert shown.code == 0 and "no way back from here" in shown.out and "Expected to be lost: nothing" in shown.out
    ((name, start),) = inputs(stack).items()
    assert name.startswith("orders-by-hand-switchover-")
    assert start == {"plan": "orders", "from": "east", "to": "west", "by": "Ada", "reason": "maintenance"}


def test_a_restore_is_of_the_site_that_stands_by_and_discards_only_if_that_is_typed(
    failover: Failover, stack: Any, book: Ledger
) -> None:
    conclude(book, 1, "failover")
    shown = failover("start", "restore", "orders", "--dry-run")
    assert shown.code == 0 and "east becomes a mirror of west: nothing is changed" in shown.out
    shown = failover("start", "restore", "orders", "--discard", "--yes", "--by", "Ada")
    assert "WHATEVER IS STRANDED" in shown.out and "Clients work on west" in shown.out
    dry, real = sorted(inputs(stack).values(), key=lambda start: "discard" in start)
    assert (dry["from"], dry["to"], dry["dry_run"]) == ("east", "west", True) and "discard" not in dry
    assert (real["from"], real["to"], real["discard"]) == ("east", "west", True) and "dry_run" not in real


def test_a_failback_is_refused_until_the_home_site_is_restored(failover: Failover, stack: Any, book: Ledger) -> None:
    assert "east is active already" in failover("start", "failback", "orders", "--yes").err
    conclude(book, 1, "failover")
    refused = failover("start", "failback", "orders", "--yes")
    assert refused.code == 2 and "east was not restored since orders-1-failover" in refused.err
    assert "failover start restore orders" in refused.err and inputs(stack) == {}
    conclude(book, 2, "restore")
    shown = failover("start", "failback", "orders", "--yes", "--by", "Ada")
    assert shown.code == 0 and "A failback of orders from west to east" in shown.out
    (start,) = inputs(stack).values()
    assert (start["from"], start["to"]) == ("west", "east")


@pytest.mark.parametrize("flow", ["switchover", "restore"])
def test_what_holds_the_lease_is_not_run_over(failover: Failover, claimed: Execution, flow: str) -> None:
    refused = failover("start", flow, "orders", "--yes")
    assert refused.code == 2 and f"{claimed.name} holds the lease" in refused.err


def test_a_practice_says_that_it_leads_away_and_back_and_what_was_practised_is_listed(
    failover: Failover, stack: Any, book: Ledger
) -> None:
    assert "never practised" in failover("practices", "orders").out
    shown = failover("start", "practice", "orders", "--yes", "--by", "Ada", "--why", "the second", "--stay", "60")
    assert shown.code == 0 and "from east to west, and back" in shown.out and "Clients stand still twice" in shown.out
    ((name, start),) = inputs(stack).items()
    assert name.startswith("orders-practice-")
    assert start == {"plan": "orders", "by": "Ada", "reason": "the second", "stay_seconds": 60}
    way = {"execution": f"{name}-there", "from": "east", "to": "west", "ended_at": 9.0, "recovery_seconds": 12.0}
    way |= {"fenced_seconds": 4.25, "lost_records": 0, "approved_by": "Bob"}
    kept = {"plan": "orders", "practice": name, "outcome": "failed", "why": "aborted", "ended_at": 9.0}
    kept |= {"scheduled": False, "started_by": "Ada", "there": way, "back": None}
    book.put("orders", f"practice#{name}", {"document": json.dumps(kept)})
    listed = failover("practices", "orders").out
    assert f"{name}  failed, started by Ada" in listed
    assert "to west in 12 s, fenced for 4.2 s, lost: 0, approved by Bob" in listed
    assert json.loads(failover("practices", "orders", "--json").out)[0]["practice"] == name
