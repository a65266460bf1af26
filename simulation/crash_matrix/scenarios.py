"""What the functions are called for, and how it ends: a scenario begins something in a world, and says what counts."""

from __future__ import annotations

import json
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from simulation import story
from simulation.client_names import DESCRIBED, held_by
from simulation.crash_matrix.around import AROUND
from simulation.crash_matrix.ends import failover_end
from simulation.crash_matrix.planned import PLANNED
from simulation.crash_matrix.scenario import (
    BY_HAND,
    FLEETS,
    Scenario,
    ask,
    begin_by_hand,
    lose_east,
    method,
    press,
    with_fleets,
    with_name,
)
from simulation.fleets import sites_with
from simulation.observers import sighting
from simulation.scheduler import Process
from simulation.sites import SERVICES
from simulation.world import PLAN, World

SUPERSEDED_S: Final = 3.0
LOOKS_ON_S: Final = 15.0
FUNCTIONS_BY_NAME: Final = {
    "none": ("flip_dns", "verify"),
    "route53-latency": ("fence", "switch_routes", "flip_dns", "verify"),
}
"""What is looked at beside the flip, by the kind of name."""
STEPS: Final = (*story.STEPS, "announce")


def _begin_served(life: World) -> None:
    """People whom IAM knows start an execution, and answer its question, through the function's URL."""

    def start_and_answer() -> None:
        start = {name: value for name, value in BY_HAND.items() if name != "by"} | {"name": "by-hand"}
        ask(life, "alice", "/start", start)
        while not any(message.subject.startswith("Approve") for message in life.account.messages):
            life.scheduler.sleep(1.0)
        ask(life, "bob", "/answer", {"plan": PLAN, "execution": "by-hand", "answer": "approve"})

    lose_east(life)
    life.scheduler.spawn(start_and_answer, Process("people"))


def _begin_superseding(life: World) -> None:
    """One that was stopped after its claim holds the lease."""

    def supersede() -> None:
        life.scheduler.sleep(SUPERSEDED_S)
        life.executions[0].stop()
        life.start(BY_HAND | {"supersedes": "by-hand"}, "by-hand-2")

    begin_by_hand(life)
    life.scheduler.spawn(supersede, Process("a person"))


def _begin_asking(life: World, button: str) -> None:
    life.functions.configure("request_approval", APPROVAL_URL="https://approval.simulation/")
    _begin_judged(life)
    life.scheduler.spawn(partial(_answer, life, button), Process("a person"))


def _answer(life: World, button: str) -> None:
    """A person opens each link they are sent, and presses the button until the page says what became of it."""
    answered = 0
    while True:
        asked = [each for each in life.account.messages if each.subject.startswith("Approve")]
        for message in asked[answered:]:
            query = dict(parse_qsl(urlsplit(json.loads(message.text)["answer_at"]).query))
            opened = {"queryStringParameters": query, "requestContext": method("GET")}
            press(life, opened)
            press(life, opened | {"requestContext": method("POST"), "body": f"answer={button}&by=bob&why=seen"})
        answered = len(asked)
        life.scheduler.sleep(1.0)


def _begin_judged(life: World) -> None:
    """Both vantage points see the active site lost, until what is done about it is over for a while."""
    lose_east(life)
    lost = {("east", service) for service in SERVICES}

    def look() -> None:
        while not any(run.stopped and run.stopped < life.now - LOOKS_ON_S for run in life.executions):
            for vantage in ("us-west-2", "us-east-1"):
                life.functions.invoke_later("judge", sighting(vantage, life.now, lost))
            life.scheduler.sleep(10.0)

    life.scheduler.spawn(look, Process("vantage points"))


def _begin_smaller(life: World) -> None:
    """The fleet of the site that takes over has half as many instances as the one that readiness saw well."""
    fleet = life.sites.sites["east"].fleet
    fleet.desired *= 2
    life.sites.scale(fleet, 0.0)

    def look_and_start() -> None:
        life.functions.invoke("check_readiness", {"plan": PLAN})
        begin_by_hand(life)

    life.scheduler.spawn(look_and_start, Process("a person"))


SCENARIOS: Final = (
    Scenario(name="failover", functions=STEPS, begin=begin_by_hand, end=failover_end),
    Scenario(name="smaller fleet", functions=("switch_routes",), begin=_begin_smaller, end=failover_end),
    Scenario(
        name="superseding",
        functions=("claim", "assess", "conclude", "announce"),
        begin=_begin_superseding,
        end=failover_end,
        faults=(SUPERSEDED_S, 900.0),
    ),
    Scenario(name="judged", functions=("judge", "claim", "assess"), begin=_begin_judged, end=failover_end),
    Scenario(
        name="approved",
        functions=("request_approval", "answer_approval"),
        begin=partial(_begin_asking, button="approve"),
        end=failover_end,
        plan={"policy": {"mode": "approve"}},
    ),
    Scenario(
        name="served",
        functions=("serve_operators",),
        begin=_begin_served,
        end=failover_end,
        plan={"policy": {"by_hand": "approve"}},
    ),
    Scenario(
        name="denied",
        functions=("request_approval", "answer_approval", "conclude", "announce"),
        begin=partial(_begin_asking, button="deny"),
        end=failover_end,
        plan={"policy": {"mode": "approve"}},
    ),
    *(
        Scenario(
            name=f"name by {kind}",
            functions=FUNCTIONS_BY_NAME.get(kind, ("flip_dns",)),
            begin=with_name(kind, begin_by_hand),
            end=failover_end,
            plan=held_by(kind),
        )
        for kind in DESCRIBED
    ),
    *(
        Scenario(
            name=f"failover of {kind}",
            functions=("fence", "switch_routes", "verify"),
            begin=with_fleets(kind, begin_by_hand),
            end=failover_end,
            plan=sites_with(kind),
        )
        for kind in FLEETS
    ),
    *PLANNED,
    *AROUND,
)
