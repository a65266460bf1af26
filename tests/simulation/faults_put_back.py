"""Faults of a kind that was mended, put back into the product one by one: prints the promises that each breaks.

Run in a process of its own: `python -m tests.simulation.faults_put_back`. With `--find NAME PROMISE` it lives seeds,
from 0 on, until one breaks the promise, for `SEEDS`: what a seed's life meets may change with the product.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Final

from simulation.drawing import drawn
from simulation.life import Outcome, Simulation
from simulation.story import VANTAGE_POINTS, Act, AnchoredFault, AnchoredSpell, Outage, Story

LOST: Final = Outage(site="east", part="site", begins=30.0, ends=86_400.0, silent=True, seen_by=VANTAGE_POINTS)
PLAIN: Final = Story(seed="0", seconds=1500.0, outages=(LOST,))
SPELL: Final = AnchoredSpell(function="flip_dns", invocation=1, service="route53", seconds=300.0, trouble="throttled")

STORIES: Final = {
    "accepted is taken for done": PLAIN,
    "a denial is forgotten": replace(PLAIN, mode="approve", approver="denies"),
    "what is held back is not told": replace(PLAIN, mode="observe"),
    "an end is not told": PLAIN,
    "who ended and holds the lease is not told": replace(
        PLAIN, acts=(Act(deed="abort", function="fence", invocation=1, after=0.5),)
    ),
    "an alarm that stands ages out": replace(
        PLAIN, policy="alarms", acts=(Act(deed="pause", function="judge", invocation=1, after=0.0),)
    ),
    "a name is used up": replace(
        PLAIN,
        acts=(Act(deed="abort", function="claim", invocation=1, after=0.01),),
        faults=(AnchoredFault(function="claim", invocation=1, call=1, trouble="killed before"),),
    ),
    "an end that its execution did not tell is told by nobody": replace(
        PLAIN,
        acts=(Act(deed="abort", function="announce", invocation=1, after=0.01),),
        faults=(AnchoredFault(function="announce", invocation=1, call=1, trouble="killed before"),),
    ),
    "unknown is told as zero": PLAIN,
    "a redrive stops where it stopped": replace(PLAIN, seconds=2400.0, spells=(SPELL,)),
    "an error of no class of its own": PLAIN,
    "a secret is told": PLAIN,
    "a superseded execution goes on": replace(
        PLAIN, acts=(Act(deed="supersede a running one", function="assess", invocation=1, after=0.1),)
    ),
    "an answer is the whole world": PLAIN,
    "what is decided is kept for ever": PLAIN,
    "a secret is read once": replace(
        PLAIN,
        seed="3",
        acts=(Act(deed="rotate a secret", function="promote_mirrors", invocation=1, after=0.0),),
        seconds=2400.0,
    ),
    "a silent moment is a new beginning": replace(
        PLAIN,
        seed="7",
        seconds=400.0,
        untidy_bus=True,
        outages=(replace(LOST, part="kafka", seen_by=VANTAGE_POINTS[1:]),),
    ),
    "what is not saved is truncated": replace(
        PLAIN, seed="11", seconds=24_000.0, outages=(replace(LOST, ends=1200.0),), restores=True, rescues=True
    ),
    "a hook is called too early": replace(PLAIN, seconds=900.0, hooks="answer"),
    "gateways near the clients are not led over": replace(
        PLAIN, seconds=900.0, fleets="ecs-near-clients", client_name="route53-latency"
    ),
    "a fleet that serves is not led over": replace(
        PLAIN, seconds=900.0, outages=(replace(LOST, part="kafka"),), client_name="route53-latency"
    ),
    "a holder whose region is silent is not told": replace(
        PLAIN,
        seconds=400.0,
        outages=(replace(LOST, part="gateway"), replace(LOST, site="west", begins=40.0)),
        clock_ahead_elsewhere=0.0,
        controller_lost_with_site=True,
    ),
    "nothing is started": PLAIN,
    "one voice is enough": replace(PLAIN, outages=(replace(LOST, seen_by=VANTAGE_POINTS[:1]),)),
}
"""The story that each is found by."""


SEEDS: Final = {
    "accepted is taken for done": 101,
    "a superseded execution goes on": 1421,
    "what is held back is not told": 139,
    "an end is not told": 101,
    "who ended and holds the lease is not told": 91,
    "a denial is forgotten": 80,
    "a redrive stops where it stopped": 592,
    "a secret is read once": 1060,
    "unknown is told as zero": 101,
    "an answer is the whole world": 101,
    "what is decided is kept for ever": 101,
    "an error of no class of its own": 101,
    "a secret is told": 101,
    "a hook is called too early": 101,
    "what is not saved is truncated": 18,
}
"""A seed of `make simulate` that finds each."""
SEEDS_AT_MOST: Final = 2000


DONE: Final = {"version": 1, "status": "done", "observed": {}, "retry_after": 1}
"""What a step answers that did nothing."""


def nothing(*_: Any, **__: Any) -> None:
    """In place of what tells."""


def main() -> None:
    """Live each story, first as the product is, then with the fault, and with it the seed that finds it."""
    simulation = Simulation()
    faults = _faults(simulation)
    if sys.argv[1:2] == ["--find"]:
        print(_finding_seed(simulation, faults[sys.argv[2]], int(sys.argv[3])))
        return
    before: dict[Story, dict[str, Any]] = {}
    lived = {}
    for name in sys.argv[1:] or STORIES:
        story = STORIES[name]
        if story not in before:
            before[story] = _figures(simulation.live(story))
        with faults[name]():
            lived[name] = {"before": before[story], "after": _figures(simulation.live(story))}
            if name in SEEDS:
                lived[name]["of seed"] = _figures(simulation.live(drawn(SEEDS[name])))
    print(json.dumps(lived))


def _finding_seed(simulation: Simulation, fault: Callable[[], Any], promise: int) -> int | None:
    """The first seed that keeps every promise as the product is, and breaks this one with the fault."""
    for seed in range(SEEDS_AT_MOST):
        with fault():
            broken = _figures(simulation.live(drawn(seed)))["broken"]
        if promise in broken and not simulation.live(drawn(seed)).broken:
            return seed
    return None


def _figures(outcome: Outcome) -> dict[str, Any]:
    decisions = outcome.decisions
    broken = [each.promise for each in outcome.broken]
    return {"broken": broken, "must": decisions.must, "missed": decisions.missed, "false": decisions.false}


def _faults(simulation: Simulation) -> dict[str, Callable[[], Any]]:
    ledger = importlib.import_module("failover.ledger.ledger").Ledger
    zone_changes = importlib.import_module("failover.execution.zone_changes").ZoneChanges
    handlers = simulation._handlers

    def not_redriven(event: dict[str, Any], context: Any) -> Any:
        return conclude(event | {"redriven": False}, context)

    def broken(event: dict[str, Any], context: Any) -> Any:
        raise KeyError("route")

    def long_winded(event: dict[str, Any], context: Any) -> Any:
        return verify(event, context) | {"seen": "x" * 300_000}

    def fetched_once(name: str) -> Any:
        return first_read.setdefault(name, fetched(name))

    def not_led_over() -> AbstractContextManager[None]:
        return _put_both(
            _put_handler(handlers, "switch_routes", lambda event, context: DONE),
            _put_handler(handlers, "verify", lambda event, context: DONE),
        )

    fetched: Callable[[str], Any] = importlib.import_module("failover.aws.secrets")._fetched
    first_read: dict[str, Any] = {}
    rules = importlib.import_module("failover.decision.rules")
    without_quorum = tuple(
        rule for rule in rules.RULES if not rule.of_votes and rule.guard not in (rules.site_answers, rules.observing)
    )
    conclude, verify = handlers["conclude"], handlers["verify"]
    return {
        "accepted is taken for done": lambda: _put("simulated_promote_mirrors", "_unpromoted", lambda *_, **__: []),
        "a denial is forgotten": lambda: _put("simulated_conclude", "_denial", nothing),
        "what is held back is not told": lambda: _put("simulated_judge", "notify_withheld", nothing),
        "an end is not told": lambda: _put("simulated_announce", "announce", nothing),
        "who ended and holds the lease is not told": lambda: _put("simulated_judge", "notify_ended_holder", nothing),
        "an alarm that stands ages out": lambda: _put(
            "failover.decision.votes", "_is_fresh", lambda signal, policy, now: now - signal.at <= 60
        ),
        "what is not saved is truncated": lambda: _put_both(
            _put_handler(handlers, "rescue_records", lambda event, context: DONE),
            _put("simulated_restore_mirrors", "_refuse_what_is_not_saved", nothing),
        ),
        "a hook is called too early": lambda: _put("simulated_promote_mirrors", "_unpromoted", lambda *_, **__: []),
        "a fleet that serves is not led over": not_led_over,
        "gateways near the clients are not led over": not_led_over,
        "a name is used up": lambda: _put(ledger, "next_attempt", lambda self, plan, epoch, kind, ended: ended),
        "an end that its execution did not tell is told by nobody": lambda: _put(
            "simulated_judge", "_announce_missed", nothing
        ),
        "unknown is told as zero": lambda: _put("failover.execution.report", "_stranded", lambda loss: "0 stranded"),
        "a redrive stops where it stopped": lambda: _put_handler(handlers, "conclude", not_redriven),
        "an error of no class of its own": lambda: _put_handler(handlers, "flip_dns", broken),
        "a superseded execution goes on": lambda: _put_both(
            _put(ledger, "hold", nothing), _put(zone_changes, "_is_leased", lambda *_: True)
        ),
        "an answer is the whole world": lambda: _put_handler(handlers, "verify", long_winded),
        "what is decided is kept for ever": lambda: _put("failover.decision.log", "RETENTION_S", 10**9),
        "a secret is read once": lambda: _put("failover.aws.secrets", "_fetched", fetched_once),
        "a silent moment is a new beginning": lambda: _put_both(
            _put("failover.detection.signal_store", "LAPSE_S", 0.0), _put("failover.detection.evidence", "LAPSE_S", 0.0)
        ),
        "a holder whose region is silent is not told": lambda: _put(
            "simulated_judge", "holder_silent_for", lambda state: 0.0
        ),
        "nothing is started": lambda: _put("simulated_judge", "_start", nothing),
        "one voice is enough": lambda: _put("failover.decision.rules", "RULES", without_quorum),
        "a secret is told": lambda: _put("failover.execution.report", "_stranded", lambda loss: "east-s3cr3t"),
    }


@contextmanager
def _put(where: Any, name: str, what: Any) -> Iterator[None]:
    """In the place of what is there now."""
    owner = importlib.import_module(where) if isinstance(where, str) else where
    mended = getattr(owner, name)
    setattr(owner, name, what)
    try:
        yield
    finally:
        setattr(owner, name, mended)


@contextmanager
def _put_both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield


@contextmanager
def _put_handler(handlers: dict[str, Any], name: str, handler: Any) -> Iterator[None]:
    mended = handlers[name]
    handlers[name] = handler
    try:
        yield
    finally:
        handlers[name] = mended


if __name__ == "__main__":
    main()
