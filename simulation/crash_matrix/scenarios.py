"""What the functions are called for, and how it ends: a scenario begins something in a world, and says what counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from simulation import story
from simulation.aws.load_balancers import add_colours
from simulation.client_names import DESCRIBED, held_by, hold
from simulation.crash_matrix.ends import GIVEN_UP, NOT_RESTORED, End, failover_end, scheduled_end, switchover_end
from simulation.deployment import RESTORE, SWITCHOVER
from simulation.fleets import KUBERNETES, STARTS_S, deploy, in_two_colours, on_kubernetes
from simulation.machine.expressions import StateError
from simulation.observers import sighting
from simulation.scheduler import Process
from simulation.sites import SERVICES, TOPICS
from simulation.world import PLAN, World

BY_HAND: Final = {"plan": PLAN, "to": "west", "by": "alice", "reason": "the site looks lost"}
PRESSED_AT_MOST: Final = 12
"""How often a person presses a button that does nothing."""
SCHEDULE_S: Final = 300.0
SUPERSEDED_S: Final = 3.0
LOOKS_ON_S: Final = 15.0
STEPS: Final = (*story.STEPS, "announce")
COMMITTED: Final = 60


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that functions are called for."""

    name: str
    functions: tuple[str, ...]
    """Those whose calls go wrong, one at a time."""
    begin: Callable[[World], None]
    end: Callable[[World], End]
    """What must be as without the fault; nothing in it depends on the time."""
    given_up: End | None = None
    """What it may come to as well: nothing is changed, or all is put back, and people are told."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What the plan says beside the example's."""
    promotes_once: bool = True
    """Whether mirrors must be failed over as often as without the fault."""
    faults: tuple[float, float] = (0.0, 900.0)
    """Between when calls go wrong, in seconds after the beginning."""
    seconds: float = 1500.0
    """For how long it is looked at, at most."""


def _begin_by_hand(life: World) -> None:
    _lose_east(life)
    life.start(BY_HAND, "by-hand")


def _begin_in_two_colours(life: World) -> None:
    add_colours(life)
    _begin_by_hand(life)


def _begin_served(life: World) -> None:
    """People whom IAM knows start an execution, and answer its question, through the function's URL."""

    def start_and_answer() -> None:
        start = {name: value for name, value in BY_HAND.items() if name != "by"} | {"name": "by-hand"}
        _ask(life, "alice", "/start", start)
        while not any(message.subject.startswith("Approve") for message in life.account.messages):
            life.scheduler.sleep(1.0)
        _ask(life, "bob", "/answer", {"plan": PLAN, "execution": "by-hand", "answer": "approve"})

    _lose_east(life)
    life.scheduler.spawn(start_and_answer, Process("people"))


def _ask(life: World, who: str, path: str, body: Mapping[str, Any]) -> None:
    arn = f"arn:aws:sts::123456789012:assumed-role/operators/{who}"
    context = _method("POST") | {"authorizer": {"iam": {"userArn": arn}}}
    _press(life, {"requestContext": context, "rawPath": path, "body": json.dumps(body)}, "serve_operators")


def _begin_switchover(life: World, link_mode: str = "BIDIRECTIONAL") -> None:
    life.sites.link_mode = link_mode
    life.sites.committed["east"] = dict.fromkeys(TOPICS, COMMITTED)
    life.start(BY_HAND | {"reason": "a planned change of sites"}, "by-hand", SWITCHOVER)


def _begin_switchover_that_never_drains(life: World) -> None:
    """It is given up, and what was fenced is put back."""
    life.sites.logs.behind = 7
    _begin_switchover(life)


def _begin_switchover_whose_source_dies(life: World) -> None:
    """Past the point of no return: what was to be reversed is failed over."""
    _begin_switchover(life)
    life.on_change.append(lambda _, __, what: _lose_east(life) if "reverse-and-start" in what else None)


def _begin_restore(life: World) -> None:
    """East was lost, and is back; its own gateways still lead to it. What is stranded there is not wanted."""
    sites = life.sites
    sites.mirrors = {"west": dict.fromkeys(TOPICS, "STOPPED"), "east": {}}
    sites.record = sites.answer = "gw-west.orders.example.com"
    key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": "state"}}
    life.table.call("PutItem", {"Item": key | {"active": {"S": "west"}, "epoch": {"N": "0"}}})
    life.start(BY_HAND | {"reason": "it is back", "discard": True}, "by-hand", RESTORE)


def _begin_on_kubernetes(life: World) -> None:
    deploy(life)

    def begin() -> None:
        life.scheduler.sleep(STARTS_S)
        _begin_by_hand(life)

    life.scheduler.spawn(begin, Process("a person"))


def _begin_with_name_held_by(life: World, kind: str) -> None:
    hold(life, kind)
    _begin_by_hand(life)


def _begin_superseding(life: World) -> None:
    """One that was stopped after its claim holds the lease."""

    def supersede() -> None:
        life.scheduler.sleep(SUPERSEDED_S)
        life.executions[0].stop()
        life.start(BY_HAND | {"supersedes": "by-hand"}, "by-hand-2")

    _begin_by_hand(life)
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
            opened = {"queryStringParameters": query, "requestContext": _method("GET")}
            _press(life, opened)
            _press(life, opened | {"requestContext": _method("POST"), "body": f"answer={button}&by=bob&why=seen"})
        answered = len(asked)
        life.scheduler.sleep(1.0)


def _press(life: World, event: dict[str, Any], function: str = "answer_approval") -> None:
    for _ in range(PRESSED_AT_MOST):
        try:
            if life.functions.invoke(function, event)["statusCode"] < 500:
                return
        except StateError:
            pass
        life.scheduler.sleep(10.0)


def _method(name: str) -> dict[str, Any]:
    return {"http": {"method": name}}


def _begin_judged(life: World) -> None:
    """Both vantage points see the active site lost, until what is done about it is over for a while."""
    _lose_east(life)
    lost = {("east", service) for service in SERVICES}

    def look() -> None:
        while not any(run.stopped and run.stopped < life.now - LOOKS_ON_S for run in life.executions):
            for vantage in ("us-west-2", "us-east-1"):
                life.functions.invoke_later("judge", sighting(vantage, life.now, lost))
            life.scheduler.sleep(10.0)

    life.scheduler.spawn(look, Process("vantage points"))


def _scheduled(function: str, request: Mapping[str, Any]) -> Callable[[World], None]:
    """Again and again, as a schedule calls it."""

    def begin(life: World) -> None:
        def call() -> None:
            for _ in range(3):
                life.functions.invoke_later(function, dict(request))
                life.scheduler.sleep(SCHEDULE_S)

        life.scheduler.spawn(call, Process("schedule"))

    return begin


def _begin_sweeping(life: World) -> None:
    """Some of what the ledger holds has expired."""
    for number in range(12):
        expires = life.now + (3600.0 if number % 3 == 0 else -3600.0)
        key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": f"decision#{number:02}"}}
        life.table.call("PutItem", {"Item": key | {"expires": {"N": str(int(expires))}}})
    _scheduled("sweep_ledger", {})(life)


def _lose_east(life: World) -> None:
    """Its services answer nobody; its control plane does."""
    east = life.sites.sites["east"]
    east.up |= dict.fromkeys(SERVICES, False)
    east.silent = False


SCENARIOS: Final = (
    Scenario(name="failover", functions=STEPS, begin=_begin_by_hand, end=failover_end),
    Scenario(
        name="superseding",
        functions=("claim", "assess", "conclude", "announce"),
        begin=_begin_superseding,
        end=failover_end,
        faults=(SUPERSEDED_S, 900.0),
    ),
    Scenario(
        name="switchover",
        functions=story.SWITCHOVER_STEPS,
        begin=_begin_switchover,
        end=switchover_end,
        given_up=GIVEN_UP,
    ),
    Scenario(
        name="switchover over a link of one way",
        functions=("precheck", "reverse_mirrors"),
        begin=partial(_begin_switchover, link_mode="DESTINATION"),
        end=switchover_end,
        given_up=GIVEN_UP,
    ),
    Scenario(
        name="switchover that never drains",
        functions=("drain_mirrors", "switch_routes", "conclude", "announce"),
        begin=_begin_switchover_that_never_drains,
        end=switchover_end,
        plan={"policy": {"drain_timeout_seconds": 5}},
    ),
    Scenario(
        name="switchover whose source dies",
        functions=("promote_mirrors", "switch_routes"),
        begin=_begin_switchover_whose_source_dies,
        end=switchover_end,
        plan={"policy": {"promotion_timeout_seconds": 70}},
        promotes_once=False,
    ),
    Scenario(
        name="restore",
        functions=("claim", "precheck_restore", "measure_divergence", "restore_mirrors", "switch_routes", "conclude"),
        begin=_begin_restore,
        end=failover_end,
        given_up=NOT_RESTORED,
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
            functions=("flip_dns",) if kind != "none" else ("flip_dns", "verify"),
            begin=partial(_begin_with_name_held_by, kind=kind),
            end=failover_end,
            plan=held_by(kind),
        )
        for kind in DESCRIBED
    ),
    *(
        Scenario(
            name=f"failover of {kind}",
            functions=("fence", "switch_routes", "verify"),
            begin=_begin_on_kubernetes,
            end=failover_end,
            plan=on_kubernetes(kind),
        )
        for kind in KUBERNETES
    ),
    Scenario(
        name="failover of ecs-blue-green",
        functions=("fence", "switch_routes", "verify"),
        begin=_begin_in_two_colours,
        end=failover_end,
        plan=in_two_colours(),
    ),
    *(
        Scenario(
            name=name,
            functions=(function,),
            begin=begin,
            end=scheduled_end,
            faults=(0.0, SCHEDULE_S),
            seconds=3 * SCHEDULE_S,
        )
        for name, function, begin in (
            ("watched", "watch_site", _scheduled("watch_site", {"plan": PLAN})),
            ("sampled", "sample_lag", _scheduled("sample_lag", {"plan": PLAN})),
            ("looked at before", "check_readiness", _scheduled("check_readiness", {"plan": PLAN})),
            ("swept", "sweep_ledger", _begin_sweeping),
        )
    ),
)
