"""A switchover and back is a practice; its evidence is kept, and its age is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.ledger.ledger import Ledger
from failover.readiness import check
from failover.readiness.practice import Leg, Practice, last_practice, load_practice, save_leg, with_leg

DAY = 86_400.0


def leg(number: int, from_site: str = "east", to_site: str = "west") -> Leg:
    return Leg(
        execution=f"orders-{number}-switchover",
        from_site=from_site,
        to_site=to_site,
        ended_at=number * DAY,
        took_seconds=42.0,
        started_by="anna",
        reason="practice",
    )


def test_a_way_there_and_a_way_back_are_a_practice() -> None:
    away = with_leg(Practice(), leg(1))
    assert (away.there, away.away) == (None, leg(1))
    back = leg(2, "west", "east")
    assert with_leg(away, back) == Practice(there=leg(1), back=back)
    assert with_leg(with_leg(away, back), back) == Practice(there=leg(1), back=back), "concluded twice"


def test_two_ways_in_one_direction_are_none() -> None:
    """A failover lay between them."""
    assert with_leg(with_leg(Practice(), leg(1)), leg(3)) == Practice(away=leg(3))


def test_the_last_whole_practice_stands_until_the_next_is_back() -> None:
    whole = Practice(there=leg(1), back=leg(2, "west", "east"))
    assert with_leg(whole, leg(5)) == Practice(there=leg(1), back=leg(2, "west", "east"), away=leg(5))


@pytest.mark.parametrize(
    ("practice", "max_age_days", "now", "status", "fact"),
    [
        (Practice(), None, 9.0, "pass", "never practised"),
        (Practice(), 90, 9.0, "warn", "never practised"),
        (Practice(away=leg(1)), 90, 9.0, "warn", "never practised"),
        (Practice(there=leg(1), back=leg(2, "west", "east")), 90, 92.0, "pass", "90 days ago"),
        (Practice(there=leg(1), back=leg(2, "west", "east")), 90, 93.0, "warn", "91 days ago"),
        (
            Practice(there=leg(1), back=leg(2, "west", "east")),
            None,
            993.0,
            "pass",
            "orders-2-switchover to east in 42 s",
        ),
    ],
)
def test_its_age_is_told_and_held_to_policy(
    practice: Practice, max_age_days: int | None, now: float, status: str, fact: str
) -> None:
    found = check("practice", last_practice(practice, max_age_days, now * DAY))
    assert found.status == status
    assert fact in found.evidence[0]


def test_what_is_kept_is_read_back(deployed: Callable[..., Any]) -> None:
    book = Ledger(client("dynamodb"), "ledger")
    for number, (from_site, to_site) in enumerate((("east", "west"), ("west", "east")), start=1):
        report = {
            "plan": "orders",
            "execution": f"orders-{number}-switchover",
            "from": from_site,
            "to": to_site,
            "claimed_at": number * DAY - 42,
            "ended_at": number * DAY,
            "started_by": "anna",
            "reason": "practice",
        }
        save_leg(book, report)
        save_leg(book, report)
    assert load_practice(book, "orders") == Practice(there=leg(1), back=leg(2, "west", "east"))


@pytest.mark.parametrize(("outcome", "kept"), [("succeeded", "orders-1-switchover"), ("stood-down", None)])
def test_conclude_keeps_a_switchover_that_succeeded(
    deployed: Callable[..., Any], call: Callable[..., dict[str, Any]], outcome: str, kept: str | None
) -> None:
    started = {"start": {"plan": "orders", "from": "east", "to": "west"}, "execution_name": "orders-1-switchover"}
    execution = call("claim", started | {"kind": "switchover"})["execution"]
    call("conclude", {"execution": execution, "outcome": outcome})
    away = load_practice(Ledger(client("dynamodb"), "ledger"), "orders").away
    assert (away.execution if away else None) == kept
