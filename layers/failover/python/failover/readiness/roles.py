"""The roles that a plan names: whether each can be taken on, long before it has to be."""

from __future__ import annotations

from collections.abc import Iterator

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import FailoverError, ServiceRejected, ServiceUnavailable
from failover.plan.model import Plan
from failover.plan.role import Role
from failover.readiness import Finding, fail, ok, unreadable

_ALLOW = "have the stack's PlanRoles match it, and its trust policy allow the roles of the controller's functions"


def roles(plan: Plan) -> Iterator[Finding]:
    """Each role is taken on, and asked who it is."""
    named = roles_of(plan)
    if not named:
        yield ok("the plan names no role")
    for role in named:
        try:
            with aws_errors(f"STS, for {role.role_arn},", transient=ServiceUnavailable, final=ServiceRejected):
                client("sts", role=role).get_caller_identity()
        except ServiceRejected as error:
            yield fail(str(error), _ALLOW)
        except FailoverError as error:
            yield unreadable(error)
        else:
            yield ok(f"{role.role_arn} can be taken on")


def roles_of(plan: Plan) -> list[Role]:
    """Every role that a plan names, once."""
    named = [getattr(plan.dns, "role", None), *(location.role for location in plan.locations.values())]
    named += [login.role for login in plan.logins]
    return list(dict.fromkeys(filter(None, named)))
