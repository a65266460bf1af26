"""A name among others in a zone: its API is asked for what the answers of name servers leave open, and for no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from failover.aws.clients import client
from failover.dns import NameState, ZoneName, targets_of
from failover.execution.name_in_zone import UNANSWERED_S, NameInZone, in_turn
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan, parse

EXECUTION = Execution(
    plan="orders", epoch=1, name="a", kind="failover", from_site="east", to_site="west", claimed_at=1000.0
)
BY_API = NameState(record="told-by-the-api", answers={}, in_sync=True)


class Name:
    """Records of a zone with two name servers; what its API was asked is noted."""

    zone = "Z1"

    def __init__(self, plan: Plan) -> None:
        self.targets = targets_of(plan)
        self.led_to = ["east", "east"]
        """By each name server."""
        self.synced = False
        self.asked: list[str] = []

    def name_servers(self) -> tuple[str, ...]:
        return "ns-1", "ns-2"

    def answers(self, servers: tuple[str, ...]) -> dict[str, str]:
        named = zip(servers or self.name_servers(), self.led_to, strict=True)
        return {server: self.targets.get(site, site) for server, site in named}

    def look(self, change: str | None) -> NameState:
        self.asked.append("look")
        return BY_API

    def in_sync(self, change: str) -> bool:
        self.asked.append(change)
        return self.synced

    def records_for(self, site: str) -> list[dict[str, Any]]:
        return [{"Name": "kafka.orders", "Value": self.targets[site]}]

    def upsert(self, records: list[dict[str, Any]]) -> str:
        self.asked.append(f"upsert {len(records)}")
        return "C1"


@pytest.fixture
def plan(plan_text: str) -> Plan:
    return parse(plan_text)


@pytest.fixture
def name(plan: Plan) -> Name:
    return Name(plan)


@pytest.fixture
def in_zone(deployed: Callable[..., Any], plan: Plan, name: Name) -> NameInZone:
    book = Ledger(client("dynamodb"), "ledger")
    book.claim(EXECUTION, "east")
    return NameInZone(cast("ZoneName", name), plan, EXECUTION, book)


def test_a_name_that_all_answer_with_the_site_that_is_left_is_not_asked_for(in_zone: NameInZone, name: Name) -> None:
    state = in_zone.look(None)
    assert (state.record, state.in_sync, name.asked) == (name.targets["east"], True, [])


@pytest.mark.parametrize("led_to", [["west", "west"], ["elsewhere.example.com"] * 2, ["east", "west"]])
def test_a_name_that_leads_elsewhere_or_to_two_places_is_as_its_api_says(
    in_zone: NameInZone, name: Name, led_to: list[str]
) -> None:
    name.led_to = led_to
    assert (in_zone.look(None), name.asked) == (BY_API, ["look"])


def test_a_change_that_was_sent_is_over_once_all_answer_it_and_the_api_says_so(in_zone: NameInZone, name: Name) -> None:
    assert in_zone.point_to("west") == "C1"
    for led_to in (["east", "east"], ["west", "east"]):
        name.led_to = led_to
        state = in_zone.look("C1")
        assert (state.record, state.in_sync, state.change, name.asked) == (None, False, "C1", ["upsert 1"])
    name.led_to = ["west", "west"]
    for _ in range(2):
        assert in_zone.look("C1").in_sync is False
        assert name.asked == ["upsert 1", "C1"], "it is not asked again for a while"


def test_a_change_that_all_answer_and_that_is_in_sync_is_done(in_zone: NameInZone, name: Name) -> None:
    in_zone.point_to("west")
    name.led_to, name.synced = ["west", "west"], True
    state = in_zone.look("C1")
    assert (state.record, state.in_sync, name.asked) == (name.targets["west"], True, ["upsert 1", "C1"])


def test_a_change_that_is_in_sync_and_not_answered_for_long_is_as_the_api_says(
    in_zone: NameInZone, name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_zone.point_to("west")
    name.synced = True
    later = time.time() + UNANSWERED_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert (in_zone.look("C1"), name.asked) == (BY_API, ["upsert 1", "C1", "look"])


def test_what_was_sent_is_sent_anew_where_it_is_asked_for_again(in_zone: NameInZone, name: Name) -> None:
    assert [in_zone.point_to("west"), in_zone.point_to("west"), in_zone.point_to("east")] == ["C1"] * 3
    assert name.asked == ["upsert 1"] * 3


def test_a_name_of_its_own_is_changed_without_a_turn(plan: Plan, deployed: Callable[..., Any]) -> None:
    alone: Any = object()
    assert in_turn(alone, plan, EXECUTION, Ledger(client("dynamodb"), "ledger")) is alone
