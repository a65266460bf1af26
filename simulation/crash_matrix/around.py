"""What functions are called for beside the flow of a failover: by schedules, by operators, at the turns of an
execution, and once Step Functions says that one began or ended."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from simulation.crash_matrix.ends import (
    failover_end,
    hooks_end,
    operated_end,
    reported_end,
    rounds_end,
    scheduled_end,
)
from simulation.crash_matrix.scenario import BY_HAND, Scenario, ask, begin_by_hand
from simulation.deployment import SWITCHOVER
from simulation.machine.expressions import StateError
from simulation.scheduler import Process
from simulation.world import PLAN, World

SCHEDULE_S: Final = 300.0
MINUTE_S: Final = 60.0
CALLED_AGAIN_S: Final = 240.0
"""Until Lambda has called a function for the last time that failed at once."""
APPLIED_AT_MOST: Final = 20
HOOK: Final = {
    "name": "schema-registry",
    "function": "arn:aws:lambda:us-west-2:123456789012:function:set-mode",
    "when": ["before-fence", "after-promotion", "after-name"],
    "deadline_seconds": 120,
    "on_failure": "stop",
}


def _scheduled(function: str, request: Mapping[str, Any]) -> Callable[[World], None]:
    """Again and again, as a schedule calls it."""
    return lambda life: _call_every(life, SCHEDULE_S, function, request)


def _call_every(
    life: World, seconds: float, function: str, request: Mapping[str, Any], *, first: float = 0.0, times: int = 3
) -> None:
    def call() -> None:
        for _ in range(times):
            life.functions.invoke_later(function, dict(request))
            life.scheduler.sleep(seconds)

    life.scheduler.spawn(call, Process("schedule"), first)


def _begin_sweeping(life: World) -> None:
    """Some of what the ledger holds has expired."""
    for number in range(12):
        expires = life.now + (3600.0 if number % 3 == 0 else -3600.0)
        key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": f"decision#{number:02}"}}
        life.table.call("PutItem", {"Item": key | {"expires": {"N": str(int(expires))}}})
    _scheduled("sweep_ledger", {})(life)


def _begin_rounds(life: World) -> None:
    """As the stack's schedules call it. What can't be started is started when it is due again."""
    _call_every(life, MINUTE_S, "start_rounds", {"due": "rounds"})
    dry_runs = {"due": "dry-runs", "every_minutes": 5, "turn_minutes": 360}
    _call_every(life, SCHEDULE_S, "start_rounds", dry_runs, first=40.0, times=2)
    _call_every(life, SCHEDULE_S, "start_rounds", {"due": "readiness"}, first=100.0, times=2)


def _begin_hooked(life: World, machine: str = "") -> None:
    """The hook answers that it is done, the second time it is called."""
    called: dict[str, int] = {}

    def hook(request: Mapping[str, Any]) -> dict[str, Any]:
        key = json.loads(request["Payload"])["key"]
        called[key] = called.get(key, 0) + 1
        life.note("hook", key, called[key])
        status = "done" if called[key] > 1 else "waiting"
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps({"status": status}).encode())}

    life.account.operations["lambda Invoke"] = hook
    if machine:
        life.start(BY_HAND | {"reason": "a planned change of sites"}, "by-hand", machine)
    else:
        begin_by_hand(life)


def _begin_operated(life: World) -> None:
    """People whom IAM knows pause the plan, change it, and resume it."""
    changed = life.account.plan_text(PLAN).replace("cooldown_seconds: 3600", "cooldown_seconds: 1800")

    def operate() -> None:
        ask(life, "alice", "/pause", {"plan": PLAN, "why": "the plan changes"})
        ask(life, "alice", "/plans/put", {"document": changed})
        ask(life, "bob", "/resume", {"plan": PLAN})

    life.scheduler.spawn(operate, Process("people"))


def _begin_declared(life: World) -> None:
    """Terraform takes the plan over, and changes it; whoever runs it applies again what failed."""
    text = life.account.plan_text(PLAN)
    changed = text.replace("cooldown_seconds: 3600", "cooldown_seconds: 1800")

    def apply(document: str, lifecycle: Mapping[str, Any]) -> None:
        for _ in range(APPLIED_AT_MOST):
            with suppress(StateError):
                life.functions.invoke("deploy_plan", {"document": document, "origin": "platform", "tf": lifecycle})
                return
            life.scheduler.sleep(10.0)

    def declare() -> None:
        apply(text, {"action": "create", "prev_input": None})
        apply(changed, {"action": "update", "prev_input": {"document": text}})

    life.scheduler.spawn(declare, Process("Terraform"))


def _begin_announced(life: World) -> None:
    begin_by_hand(life)
    life.functions.invoke_later("announce_start", _status_change(life, "RUNNING"))


def _begin_reported(life: World) -> None:
    def tell() -> None:
        while life.executions[0].running:
            life.scheduler.sleep(1.0)
        life.functions.invoke_later("write_report", _status_change(life, life.executions[0].status))

    begin_by_hand(life)
    life.scheduler.spawn(tell, Process("EventBridge"))


def _status_change(life: World, status: str) -> dict[str, Any]:
    """What EventBridge says of the first execution."""
    execution = life.executions[0]
    return {"detail": {"name": execution.name, "input": execution.input_text, "status": status}}


def _looks(name: str, function: str, begin: Callable[[World], None]) -> Scenario:
    return Scenario(
        name=name,
        functions=(function,),
        begin=begin,
        end=scheduled_end,
        faults=(0.0, SCHEDULE_S),
        seconds=3 * SCHEDULE_S,
    )


def _hooked(name: str, begin: Callable[[World], None]) -> Scenario:
    return Scenario(name=name, functions=("call_hooks",), begin=begin, end=hooks_end, plan={"hooks": [HOOK]})


def _changed(name: str, function: str, begin: Callable[[World], None]) -> Scenario:
    """The plan is changed at one of its doors."""
    return Scenario(name=name, functions=(function,), begin=begin, end=operated_end, seconds=SCHEDULE_S)


AROUND: Final = (
    _hooked("failover with hooks", _begin_hooked),
    _hooked("switchover with hooks", partial(_begin_hooked, machine=SWITCHOVER)),
    Scenario(
        name="announced",
        functions=("announce_start",),
        begin=_begin_announced,
        end=failover_end,
        settles=CALLED_AGAIN_S,
    ),
    Scenario(
        name="reported",
        functions=("write_report",),
        begin=_begin_reported,
        end=reported_end,
        settles=CALLED_AGAIN_S,
    ),
    Scenario(
        name="rounds",
        functions=("start_rounds",),
        begin=_begin_rounds,
        end=rounds_end,
        faults=(0.0, 2 * MINUTE_S),
        seconds=2 * SCHEDULE_S,
        settles=2 * SCHEDULE_S,
    ),
    _changed("operated", "serve_operators", _begin_operated),
    _changed("declared", "deploy_plan", _begin_declared),
    _looks("watched", "watch_site", _scheduled("watch_site", {"plans": [PLAN]})),
    _looks("sampled", "sample_lag", _scheduled("sample_lag", {"plans": [PLAN]})),
    _looks("looked at before", "check_readiness", _scheduled("check_readiness", {"plan": PLAN})),
    _looks("swept", "sweep_ledger", _begin_sweeping),
    _looks("shown", "show_board", _scheduled("show_board", {})),
)
