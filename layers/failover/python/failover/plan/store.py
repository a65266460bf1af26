"""The deployed plans: YAML documents in Parameter Store under `PLANS_PATH`, read through Powertools' cache.

Parameter Store throttles and falls silent in the same disasters that plans are for: who must judge goes on with the
plan that was last read, and says so. An execution goes by the plan it claimed (execution/claimed_plan.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from failover.aws.clients import client
from failover.aws.errors import AWS_ERRORS, aws_errors, cause_of, error_code, is_transient
from failover.container import remembered
from failover.errors import BadPlan, FailoverError, ServiceRejected, ServiceUnavailable, UnknownPlan
from failover.plan.model import Plan, parse_cached

logger = Logger(service="failover")

PLAN_CACHED_S: Final = 30
LAST_READ_SERVES_S: Final = 86_400


@remembered
def _store() -> SSMProvider:
    return SSMProvider(boto3_client=client("ssm"))


@contextmanager
def _parameter_store(final: type[FailoverError]) -> Iterator[None]:
    with aws_errors(f"Parameter Store, for {_path()}", transient=ServiceUnavailable, final=final):
        try:
            yield
        except GetParameterError as error:
            raise cause_of(error) from None


def _path() -> str:
    return os.environ.get("PLANS_PATH", "/failover/plans").rstrip("/")


def plan_named(name: str) -> Plan:
    """The deployed plan of that name; while Parameter Store is silent, as this container last read it.

    Raises:
        UnknownPlan: if there is none.
        BadPlan: if its document has wrong fields, or another name than its parameter.
        ServiceUnavailable: if Parameter Store does not answer.
    """
    return _checked(name, plan_document(name))


def plan_document(name: str) -> str:
    """The text of a deployed plan, as `plan_named` reads it."""
    path = f"{_path()}/{name}"
    try:
        with _parameter_store(final=UnknownPlan):
            return str(_or_last_read(path, lambda: _store().get(path, max_age=PLAN_CACHED_S)))
    except UnknownPlan as error:
        denied = error_code(error) == "AccessDeniedException"
        hint = "this stack may not read" if denied else "deploy it as the SSM parameter"
        raise UnknownPlan(f"no plan {name!r} is deployed: {hint} {path}") from None


def deployed_plans() -> dict[str, Plan | BadPlan]:
    """Every deployed plan by its name; a bad one as the error it gives, so that it does not hide the others. While
    Parameter Store is silent, as this container last read them.

    Raises:
        ServiceUnavailable: if Parameter Store does not answer.
        ServiceRejected: if this stack may not read the plans.
    """
    with _parameter_store(final=ServiceRejected):
        documents = _or_last_read(_path(), lambda: _store().get_multiple(_path(), max_age=PLAN_CACHED_S))
    plans: dict[str, Plan | BadPlan] = {}
    for name, text in documents.items():
        try:
            plans[name] = _checked(name, str(text))
        except BadPlan as error:
            error.document = str(text)
            plans[name] = error
    return plans


@dataclass
class _LastRead:
    """What Parameter Store answered last; from `again_at` on it is asked again. Times: seconds since 1970."""

    value: Any
    at: float
    again_at: float = 0.0


@remembered
def _last_reads() -> dict[str, _LastRead]:
    return {}


def _or_last_read(path: str, read: Callable[[], Any]) -> Any:
    """What is at a path; while nobody answers, what was there, without asking at every call."""
    last, now = _last_reads().get(path), time.time()
    if last is None or now - last.at > LAST_READ_SERVES_S:
        value = read()
    elif now < last.again_at:
        return last.value
    else:
        try:
            value = read()
        except (GetParameterError, *AWS_ERRORS) as error:
            if not is_transient(cause_of(error)):
                raise
            last.again_at = now + PLAN_CACHED_S
            logger.warning("Parameter Store does not answer: going on with the plan last read", path=path, at=last.at)
            return last.value
    _last_reads()[path] = _LastRead(value, now)
    return value


def _checked(name: str, text: str) -> Plan:
    plan = parse_cached(text, name)
    if plan.name != name:
        raise BadPlan(name, [("name", f"is {plan.name!r}, but the parameter is {_path()}/{name}")])
    return plan
