"""Who may put, start, abort, answer and pause: callers whose ARN one of the plan's patterns matches.

IAM says who may ask at all; a plan says whom of those it listens to, so that many teams share a controller.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from failover.errors import NotAnOperator
from failover.plan.model import Plan


def check_operator(plan: Plan, caller: str) -> None:
    """Check that a caller, by the ARN that IAM verified, is an operator of the plan. A plan that names none has
    everybody whom IAM lets ask.

    Raises:
        NotAnOperator
    """
    if plan.operators and not any(fnmatchcase(caller, pattern) for pattern in plan.operators):
        raise NotAnOperator(f"{caller} is no operator of plan {plan.name!r}: its operators are {_listed(plan)}")


def _listed(plan: Plan) -> str:
    return " and ".join(plan.operators)
