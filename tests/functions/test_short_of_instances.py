"""A fleet that lacks instances: one it must bear to lose holds no client back, more do until the last chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.fleets import FleetState, Instance


@pytest.mark.parametrize(
    ("there", "missing", "last_chance", "status"),
    [
        (3, 0, False, "done"),
        (2, 1, False, "done"),
        (1, 2, False, "waiting"),
        (1, 2, True, "done"),
        (0, 3, True, "waiting"),
        (2, 0, True, "waiting"),
        (0, 1, False, "waiting"),
    ],
)
def test_clients_may_come_to_a_fleet_that_lacks_what_it_must_bear_to_lose(
    deployed: Any,
    call: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    missing: int,
    last_chance: bool,
    status: str,
) -> None:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    execution = call("claim", started)["execution"]
    instances = tuple(Instance(name=str(number), bootstrap=None, proof="runs it") for number in range(there))
    settled = missing == 0 and not last_chance
    state = FleetState(target="west", settled=settled, instances=instances, detail="as it is", missing=missing)

    class Fleet:
        def look(self) -> FleetState:
            return state

        def route(self, target: str) -> None:
            raise AssertionError("it is there already")

    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: Fleet())
    request = {"execution": execution, "site": "west", "fleet": "gateway-west", "last_chance": last_chance}
    report = call("switch_routes", request)
    assert report["status"] == status
    assert report["observed"].get("missing", 0) == missing


def test_a_fleet_that_is_not_settled_for_another_reason_lacks_no_instance() -> None:
    there = (Instance(name="1", bootstrap=None),)
    state = FleetState(target="west", settled=False, instances=there, detail="it runs another configuration")
    assert not state.accepts_clients
