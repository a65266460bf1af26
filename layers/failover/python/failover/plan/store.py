"""The deployed plans: YAML documents in Parameter Store under `PLANS_PATH`, read through Powertools' cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from failover.aws.clients import client
from failover.aws.errors import aws_errors, cause_of, error_code
from failover.container import remembered
from failover.errors import BadPlan, FailoverError, ServiceRejected, ServiceUnavailable, UnknownPlan
from failover.plan.model import Plan, parse_cached

PLAN_CACHED_S = 30


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
    """The deployed plan of that name.

    Raises:
        UnknownPlan: if there is none.
        BadPlan: if its document has wrong fields, or another name than its parameter.
        ServiceUnavailable: if Parameter Store does not answer.
    """
    try:
        with _parameter_store(final=UnknownPlan):
            text = _store().get(f"{_path()}/{name}", max_age=PLAN_CACHED_S)
    except UnknownPlan as error:
        denied = error_code(error) == "AccessDeniedException"
        hint = "this stack may not read" if denied else "deploy it as the SSM parameter"
        raise UnknownPlan(f"no plan {name!r} is deployed: {hint} {_path()}/{name}") from None
    return _checked(name, str(text))


def deployed_plans() -> dict[str, Plan | BadPlan]:
    """Every deployed plan by its name; a bad one as the error it gives, so that it does not hide the others.

    Raises:
        ServiceUnavailable: if Parameter Store does not answer.
        ServiceRejected: if this stack may not read the plans.
    """
    with _parameter_store(final=ServiceRejected):
        documents = _store().get_multiple(_path(), max_age=PLAN_CACHED_S)
    plans: dict[str, Plan | BadPlan] = {}
    for name, text in documents.items():
        try:
            plans[name] = _checked(name, str(text))
        except BadPlan as error:
            plans[name] = error
    return plans


def _checked(name: str, text: str) -> Plan:
    plan = parse_cached(text, name)
    if plan.name != name:
        raise BadPlan(name, [("name", f"is {plan.name!r}, but the parameter is {_path()}/{name}")])
    return plan
