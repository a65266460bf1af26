"""What a scenario is, and how most of them begin: a site is lost, and a person starts a failover."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulation.client_names import hold
from simulation.crash_matrix.ends import End, GivenUp
from simulation.fleets import KUBERNETES, STARTS_S, add_fleets
from simulation.machine.expressions import StateError
from simulation.scheduler import Process
from simulation.sites import SERVICES
from simulation.world import PLAN, World

BY_HAND: Final = {"plan": PLAN, "to": "west", "by": "alice", "reason": "the site looks lost"}
FLEETS: Final = (*KUBERNETES, "ecs-blue-green")
PRESSED_AT_MOST: Final = 12
"""How often a person presses a button that does nothing."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that functions are called for."""

    name: str
    functions: tuple[str, ...]
    """Those whose calls go wrong, one at a time."""
    begin: Callable[[World], None]
    end: Callable[[World], End]
    """What must be as without the fault; nothing in it depends on the time."""
    given_up: GivenUp | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What the plan says beside the example's."""
    promotes_once: bool = True
    """Whether mirrors must be failed over as often as without the fault."""
    spared: frozenset[str] = frozenset()
    """Services whose calls do not go wrong here: they do in another scenario."""
    faults: tuple[float, float] = (0.0, 900.0)
    """Between when calls go wrong, in seconds after the beginning."""
    seconds: float = 1500.0
    """For how long it is looked at, at most."""
    settles: float = 30.0
    """It is over when no execution has run for so many seconds."""


def begin_by_hand(life: World) -> None:
    """East is lost, and a person starts a failover."""
    lose_east(life)
    life.start(BY_HAND, "by-hand")


def lose_east(life: World) -> None:
    """Its services answer nobody; its control plane does."""
    east = life.sites.sites["east"]
    east.up |= dict.fromkeys(SERVICES, False)
    east.silent = False


def with_fleets(kind: str, begin: Callable[[World], None]) -> Callable[[World], None]:
    """Where gateways are of that kind, and have started."""

    def begin_with(life: World) -> None:
        add_fleets(life, kind)
        life.scheduler.spawn(lambda: begin(life), Process("a person"), STARTS_S)

    return begin_with


def with_name(kind: str, begin: Callable[[World], None]) -> Callable[[World], None]:
    """Where the name is of that kind."""

    def begin_with(life: World) -> None:
        hold(life, kind)
        begin(life)

    return begin_with


def ask(life: World, who: str, path: str, body: Mapping[str, Any]) -> None:
    """A person whom IAM knows asks for something at the function's URL."""
    arn = f"arn:aws:sts::123456789012:assumed-role/operators/{who}"
    context = method("POST") | {"authorizer": {"iam": {"userArn": arn}}}
    press(life, {"requestContext": context, "rawPath": path, "body": json.dumps(body)}, "serve_operators")


def press(life: World, event: dict[str, Any], function: str = "answer_approval") -> None:
    """A person presses a button until the function answers what became of it."""
    for _ in range(PRESSED_AT_MOST):
        try:
            if life.functions.invoke(function, event)["statusCode"] < 500:
                return
        except StateError:
            pass
        life.scheduler.sleep(10.0)


def method(name: str) -> dict[str, Any]:
    """The context of a request of that method."""
    return {"http": {"method": name}}
