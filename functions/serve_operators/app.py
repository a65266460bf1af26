"""serve_operators: what people ask for whom IAM knows. Who calls is the caller's ARN, not what they write, and it must
be one of the plan's operators.

The function's URL takes requests signed for the service `lambda` (`AuthType: AWS_IAM`), and Lambda hands over the ARN
that IAM verified (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). `POST /plans/put` has a plan's
document in its body, `POST /plans/remove` its name, `POST /start` the input of an execution of whatever kind,
`POST /practice` that of a practice, `POST /abort` an execution and why, `POST /answer` an answer to a question,
`POST /pause` a plan and why, `POST /resume` a plan; none has a `by`. That proves something only where the same people
may not start a state machine, or invoke the functions, past the URL.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.errors import FailoverError, MalformedEvent, Refused, TransientError
from failover.execution.approval import Answer, answer
from failover.execution.plan_changes import put_plan, remove_plan
from failover.execution.runs import run_arn, start_run
from failover.ledger.execution import Kind
from failover.ledger.ledger import Ledger
from failover.plan.operators import check_operator
from failover.plan.store import Revision, plan_named
from failover.validation import read

PLAN: Final = r"^[a-z][a-z0-9-]{0,39}$"
_MACHINES: Final = {
    "failover": "STATE_MACHINE_ARN",
    "switchover": "SWITCHOVER_MACHINE_ARN",
    "restore": "RESTORE_MACHINE_ARN",
    "practice": "PRACTICE_MACHINE_ARN",
}
"""What names the state machine of each."""

logger = Logger(service="failover")


class StartRequest(BaseModel):
    """The input of an execution by hand, and the name it is to have: again with the same name, it is the same start."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    plan: str = Field(pattern=PLAN)
    kind: Kind = "failover"
    to: str
    from_site: str | None = Field(default=None, alias="from")
    dry_run: bool = False
    supersedes: str | None = None
    force: bool = False
    discard: bool = False
    delete_topics: bool = False
    reason: str = Field(min_length=1, max_length=500)
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,80}$")


class PracticeRequest(BaseModel):
    """The input of a practice by hand, and the name it is to have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str = Field(pattern=PLAN)
    reason: str = Field(min_length=1, max_length=300)
    stay_seconds: int | None = Field(default=None, ge=0, le=21_600)
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,72}$")


class PutRequest(BaseModel):
    """A plan's document, in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: str = Field(min_length=1)


class PlanRequest(BaseModel):
    """A deployed plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str = Field(pattern=PLAN)


class AbortRequest(PlanRequest):
    """A switchover or a restore that is to put back what it changed, and why."""

    execution: str
    why: str = Field(min_length=1, max_length=500)


class PauseRequest(PlanRequest):
    """A plan that is to start nothing by itself, and why."""

    why: str = Field(min_length=1, max_length=500)


class AnswerRequest(BaseModel):
    """An answer to the question of an execution."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    execution: str
    answer: Answer
    why: str = Field(default="", max_length=500)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Carry out a request of the function's URL; whatever else the function is invoked with is refused."""
    try:
        caller, action, body = _request(event)
        logger.append_keys(by=caller)
        return _response(200, action(caller, body))
    except TransientError as error:
        logger.warning("not done", why=str(error))
        return _response(503, {"error": type(error).__name__, "why": f"AWS did not answer; ask again: {error}"})
    except FailoverError as error:
        logger.warning("refused", why=str(error))
        return _response(403 if isinstance(error, Refused) else 400, {"error": type(error).__name__, "why": str(error)})


def _request(event: Mapping[str, Any]) -> tuple[str, Callable[[str, Any], dict[str, Any]], Any]:
    """Who asks for what: the caller's ARN, the action, and its body.

    Raises:
        Refused: if IAM verified nobody, or there is no such action.
        MalformedEvent: if the body is no JSON.
    """
    context = event.get("requestContext") or {}
    caller = ((context.get("authorizer") or {}).get("iam") or {}).get("userArn")
    if not caller:
        raise Refused("IAM verified nobody: sign the request, and send it to the function's URL")
    http = context.get("http") or {}
    action = _ACTIONS.get((http.get("method", ""), event.get("rawPath", "")))
    if action is None:
        raise Refused(f"there is {', '.join(f'{method} {path}' for method, path in _ACTIONS)}, and nothing else")
    text = event.get("body") or ""
    try:
        return str(caller), action, json.loads(base64.b64decode(text) if event.get("isBase64Encoded") else text)
    except ValueError:
        raise MalformedEvent("the body is no JSON") from None


def _start(caller: str, body: Any) -> dict[str, Any]:
    request = read(StartRequest, body)
    check_operator(plan_named(request.plan), caller)
    name = request.name or f"{request.plan}-by-hand-{uuid.uuid4().hex[:12]}"
    start = request.model_dump(by_alias=True, exclude={"name"}, exclude_unset=True) | {"by": caller}
    return _started(request.kind, name, start)


def _practise(caller: str, body: Any) -> dict[str, Any]:
    request = read(PracticeRequest, body)
    check_operator(plan_named(request.plan), caller)
    name = request.name or f"{request.plan}-practice-{uuid.uuid4().hex[:12]}"
    return _started("practice", name, request.model_dump(exclude={"name"}, exclude_unset=True) | {"by": caller})


def _started(what: str, name: str, start: dict[str, Any]) -> dict[str, Any]:
    machine = os.environ[_MACHINES[what]]
    if not start_run(name, start, machine):
        raise Refused(f"there was another execution {name!r}: look at it, or give this one a name of its own")
    logger.info("started", execution=name, start=start)
    return {"execution": name, "arn": run_arn(name, machine), "started_by": start["by"]}


def _abort(caller: str, body: Any) -> dict[str, Any]:
    request = read(AbortRequest, body)
    check_operator(plan_named(request.plan), caller)
    _ledger().request_abort(request.plan, request.execution, caller, request.why)
    return {"plan": request.plan, "execution": request.execution, "aborted_by": caller}


def _answer(caller: str, body: Any) -> dict[str, Any]:
    request = read(AnswerRequest, body)
    check_operator(plan_named(request.plan), caller)
    answered = answer(_ledger(), request.plan, request.execution, reply=request.answer, by=caller, why=request.why)
    logger.info("answered", plan=request.plan, execution=request.execution, **asdict(answered))
    return asdict(answered)


def _put(caller: str, body: Any) -> dict[str, Any]:
    return _in_force(put_plan(_ledger(), read(PutRequest, body).document, by=caller))


def _remove(caller: str, body: Any) -> dict[str, Any]:
    return _in_force(remove_plan(_ledger(), read(PlanRequest, body).plan, by=caller))


def _in_force(revision: Revision) -> dict[str, Any]:
    logger.info("plan changed", plan=revision.plan, revision=revision.number, removed=revision.document is None)
    return {"plan": revision.plan, "revision": revision.number, "by": revision.by, "at": revision.at}


def _pause(caller: str, body: Any) -> dict[str, Any]:
    request = read(PauseRequest, body)
    check_operator(plan_named(request.plan), caller)
    _ledger().pause(request.plan, f"{caller}: {request.why}")
    return {"plan": request.plan, "paused": True}


def _resume(caller: str, body: Any) -> dict[str, Any]:
    request = read(PlanRequest, body)
    check_operator(plan_named(request.plan), caller)
    _ledger().resume(request.plan)
    return {"plan": request.plan, "paused": False}


def _ledger() -> Ledger:
    return Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])


_ACTIONS: Final = {
    ("POST", "/plans/put"): _put,
    ("POST", "/plans/remove"): _remove,
    ("POST", "/start"): _start,
    ("POST", "/practice"): _practise,
    ("POST", "/abort"): _abort,
    ("POST", "/answer"): _answer,
    ("POST", "/pause"): _pause,
    ("POST", "/resume"): _resume,
}


def _response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps(body),
    }
