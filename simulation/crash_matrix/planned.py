"""What people plan: a switchover, in doubt before its point of no return and past it, and a restore of a site that is
back, with what is stranded there; also where gateways and the name are of another kind."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from simulation import story
from simulation.client_names import DESCRIBED, held_by
from simulation.crash_matrix.ends import (
    A_WAY_PUT_BACK,
    BEHIND_THE_FENCE,
    failover_end,
    practice_end,
    rescued_end,
    switchover_end,
)
from simulation.crash_matrix.scenario import BY_HAND, FLEETS, Scenario, lose_east, with_fleets, with_name
from simulation.deployment import PRACTICE, RESTORE, SWITCHOVER
from simulation.fleets import sites_with
from simulation.regions import REGION
from simulation.scheduler import Process
from simulation.sites import RECOVERY_TOPIC, SERVICES, TOPICS
from simulation.world import PLAN, World

COMMITTED: Final = 60
FENCED: Final = "fenced"
OVER: Final = "over"
"""The name of a switchover that can't end."""
OF_EVERY_KIND: Final = frozenset({"dynamodb", "rest", "kafka", "secretsmanager", "sns", "events", "stepfunctions"})
"""Services that are asked the same, of whatever kind gateways and name are."""
RESCUE: Final = {
    "bucket": "rescued",
    "key": "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555",
    "retention_days": 400,
    "readers": ["arn:aws:iam::123456789012:role/rescue-reader"],
    "recovery_topic": RECOVERY_TOPIC,
}


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
    life.on_change.append(lambda _, __, what: lose_east(life) if "reverse-and-start" in what else None)


def _begin_way_back(life: World) -> None:
    """A switchover had its mirrors reversed, and west died as clients were to be led over: they are led back."""
    sites = life.sites
    sites.mirrors = {"west": dict.fromkeys(TOPICS, "STOPPED"), "east": dict.fromkeys(TOPICS, "ACTIVE")}
    sites.sites["east"].fleet.route_to(FENCED)
    west = sites.sites["west"]
    west.up |= dict.fromkeys(SERVICES, False)
    west.silent = False
    state = {"active": "east", "holder": OVER, "no_return": OVER, "controller": REGION}
    over = {"name": OVER, "kind": "switchover", "status": "running", "from": "east", "to": "west", "started_at": "0"}
    for sort, item in (("state", state), (f"execution#{OVER}", over)):
        texts = {name: {"S": text} for name, text in item.items()} | {"epoch": {"N": "1"}}
        life.table.call("PutItem", {"Item": {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": sort}, **texts}})
    life.start(BY_HAND | {"to": "east", "supersedes": OVER, "force": True}, "by-hand")


def _begin_restore(life: World, **more: Any) -> None:
    """East was lost, and is back; its own gateways still lead to it."""
    sites = life.sites
    sites.mirrors = {"west": dict.fromkeys(TOPICS, "STOPPED"), "east": {}}
    sites.record = sites.answer = "gw-west.orders.example.com"
    key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": "state"}}
    life.table.call("PutItem", {"Item": key | {"active": {"S": "west"}, "epoch": {"N": "0"}}})
    life.start(BY_HAND | {"reason": "it is back"} | more, "by-hand", RESTORE)


def _begin_restore_anew(life: World) -> None:
    """West took over over a link of one way, and east has no copy since: its topics are deleted, and mirrored anew."""

    def restore() -> None:
        while not life.executions[0].stopped:
            life.scheduler.sleep(1.0)
        life.start(BY_HAND | {"reason": "no copy is left", "delete_topics": True}, "by-hand-2", RESTORE)

    _begin_switchover(life, link_mode="DESTINATION")
    life.scheduler.spawn(restore, Process("a person"))


def _begin_practice(life: World) -> None:
    """A switchover, and a moment later another one back."""
    life.sites.committed["east"] = dict.fromkeys(TOPICS, COMMITTED)
    start = {"plan": PLAN, "by": "alice", "reason": "to practise", "stay_seconds": 5}
    life.start(start, "practice-1", PRACTICE)


PLANNED: Final = (
    Scenario(
        name="switchover",
        functions=story.SWITCHOVER_STEPS,
        begin=_begin_switchover,
        end=switchover_end,
        given_up=BEHIND_THE_FENCE,
    ),
    Scenario(
        name="switchover over a link of one way",
        functions=("precheck", "reverse_mirrors"),
        begin=partial(_begin_switchover, link_mode="DESTINATION"),
        end=switchover_end,
        given_up=BEHIND_THE_FENCE,
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
        name="way back from a switchover",
        functions=("claim", "assess", "promote_mirrors", "switch_routes", "conclude"),
        begin=_begin_way_back,
        end=failover_end,
    ),
    Scenario(
        name="practised",
        functions=("run_practice",),
        begin=_begin_practice,
        end=practice_end,
        given_up=A_WAY_PUT_BACK,
        plan={"policy": {"failback_after_seconds": 0}},
    ),
    Scenario(
        name="restore",
        functions=("claim", "precheck_restore", "measure_divergence", "restore_mirrors", "switch_routes", "conclude"),
        begin=partial(_begin_restore, discard=True),
        end=failover_end,
    ),
    Scenario(
        name="restore over a link of one way",
        functions=("precheck_restore", "measure_divergence", "restore_mirrors"),
        begin=_begin_restore_anew,
        end=failover_end,
    ),
    Scenario(
        name="restore that rescues",
        functions=("measure_divergence", "rescue_records", "restore_mirrors"),
        begin=_begin_restore,
        end=rescued_end,
        plan={"rescue": RESCUE},
    ),
    *(
        Scenario(
            name=f"switchover, name by {kind}",
            functions=("precheck", "flip_dns"),
            begin=with_name(kind, _begin_switchover),
            end=switchover_end,
            plan=held_by(kind),
            spared=OF_EVERY_KIND,
        )
        for kind in DESCRIBED
    ),
    *(
        Scenario(
            name=f"switchover of {kind}",
            functions=("precheck", "fence", "switch_routes"),
            begin=with_fleets(kind, _begin_switchover),
            end=switchover_end,
            plan=sites_with(kind),
            spared=OF_EVERY_KIND,
        )
        for kind in FLEETS
    ),
)
