"""call_hooks: call the plan's own functions at a turn of an execution, until each has answered.

A hook is called at least once, and always with the same key: it answers `done`, or `waiting` to be called again, or
`failed`. One that has answered is not called again, not by a redrive either. One that fails, hangs or can't be called
is called again until its deadline; then the plan says what that means. Nothing about it is silent: what went on without
a hook is in the report, also of a forced failover.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

from failover.aws.clients import client
from failover.aws.errors import AWS_ERRORS, is_transient
from failover.documents.execution import HookCall
from failover.documents.steps import HooksCalled
from failover.errors import HookFailed
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.message import one_line
from failover.plan.hooks import Hook, Moment
from failover.plan.model import Plan

ANSWER_S: Final = 12.0
"""How long one call of a hook is waited for: a call of this step has 20 seconds."""
_WHY_LIMIT: Final = 200
Status = Literal["done", "waiting", "failed", "went-on"]


class HooksRequest(Request):
    """At which turn. `put_back`: a switchover was, and has led clients back. `redrives`: how often the execution was
    redriven."""

    moment: Moment
    put_back: bool = False
    redrives: int = 0

    @property
    def may_be_aborted(self) -> bool:
        """Before anything was changed."""
        return self.moment == "before-fence"


def call_hooks(request: HooksRequest, plan: Plan) -> Report:
    """Call those that have not answered; done when none is waited for.

    Raises:
        HookFailed: one failed, or ran out of its time, and the plan says `stop`.
    """
    hooks = [hook for hook in plan.hooks if request.moment in hook.when]
    if request.moment == "after-switch-back" and not (request.put_back or request.execution.to_site == plan.home):
        hooks = []
    if not hooks:
        return done(**HooksCalled(moment=request.moment, hooks=[], redrives=request.redrives))
    rows = _earlier(request)
    pending = [hook for hook in hooks if hook.name not in rows or rows[hook.name]["status"] == "waiting"]
    with ThreadPoolExecutor(max_workers=len(hooks)) as pool:
        called = pool.map(lambda hook: _called(request, hook, rows.get(hook.name)), pending)
        rows |= {row["hook"]: row for row in called}
    observed = HooksCalled(moment=request.moment, hooks=[rows[hook.name] for hook in hooks], redrives=request.redrives)
    statuses = {hook.name: rows[hook.name]["status"] for hook in hooks}
    if stopping := [hook for hook in hooks if statuses[hook.name] == "failed"]:
        reasons = "; ".join(f"{hook.name}: {rows[hook.name]['why']}" for hook in stopping)
        raise HookFailed(
            f"hooks that the plan does not go on without, {request.moment}: {reasons}. Mend the function, or the plan,"
            " and redrive"
        )
    return waiting(**observed) if "waiting" in statuses.values() else done(**observed)


def _earlier(request: HooksRequest) -> dict[str, HookCall]:
    """What became of each hook in earlier calls of this step. Who had not answered when the execution stopped has all
    of its time again once that is redriven."""
    record = ledger().step(request.execution.plan, request.execution.name, _name(request))
    if record is None:
        return {}
    redriven = request.redrives > record.observed.get("redrives", 0)
    rows: list[HookCall] = record.observed.get("hooks", [])
    return {row["hook"]: row for row in rows if not (redriven and row["status"] == "waiting")}


def _called(request: HooksRequest, hook: Hook, before: HookCall | None) -> HookCall:
    """What became of a hook by one more call."""
    first, calls = (before["first_called_at"], before["calls"]) if before else (time.time(), 0)
    status, why = _ask(request, hook)
    late = time.time() - first > hook.deadline_seconds
    if status == "waiting" and late:
        status, why = "failed", f"not done within {hook.deadline_seconds} s: {why}"
    if status == "failed" and hook.on_failure == "go-on":
        status = "went-on"
    return {
        "moment": request.moment,
        "hook": hook.name,
        "status": status,
        "why": one_line(why, _WHY_LIMIT),
        "calls": calls + 1,
        "first_called_at": first,
        "took_seconds": round(time.time() - first, 3),
    }


def _ask(request: HooksRequest, hook: Hook) -> tuple[Status, str]:
    """Its answer: done, waiting or failed, and why. A dry run only asks whether it may be called."""
    dry_run = request.execution.dry_run
    try:
        answer = client("lambda", hook.region, attempts=1, read_s=ANSWER_S).invoke(
            FunctionName=hook.function,
            InvocationType="DryRun" if dry_run else "RequestResponse",
            Payload=json.dumps(_event(request, hook)),
        )
        document = json.loads(answer["Payload"].read() or b"null")
    except AWS_ERRORS as error:
        return ("waiting" if is_transient(error) else "failed"), f"{hook.function} {_in_words(error)}"
    except ValueError:
        return "failed", f"{hook.function} answered what is no JSON"
    if "FunctionError" in answer:
        raised = document if isinstance(document, dict) else {}
        return "waiting", f"{raised.get('errorType', 'it failed')}: {raised.get('errorMessage', '')}"
    if dry_run:
        return "done", "would be called"
    return _status(document)


def _status(document: object) -> tuple[Status, str]:
    """What an answer means: whoever does not say otherwise is done."""
    if not isinstance(document, Mapping):
        return "done", ""
    why = str(document.get("why", ""))
    match document.get("status", "done"):
        case "done":
            return "done", why
        case "waiting":
            return "waiting", why
        case "failed":
            return "failed", why
        case other:
            return "failed", f"it answered the status {other!r}, which is none of done, waiting and failed"


def _in_words(error: BaseException) -> str:
    answered = "did not answer in time or was busy" if is_transient(error) else "can't be called"
    return f"{answered}: {error}"


def _event(request: HooksRequest, hook: Hook) -> dict[str, Any]:
    """What a hook is given. `key` is the same however often it is called."""
    execution = request.execution
    return {
        "version": 1,
        "key": f"{execution.plan}/{execution.name}/{request.moment}/{hook.name}",
        "hook": hook.name,
        "moment": request.moment,
        "put_back": request.put_back,
        "plan": execution.plan,
        "execution": execution.name,
        "kind": execution.kind,
        "epoch": execution.epoch,
        "from": execution.from_site,
        "to": execution.to_site,
        "forced": execution.forced,
    }


def _name(request: HooksRequest) -> str:
    return f"call_hooks:{request.moment}"


handler = step(_name, HooksRequest, call_hooks)
