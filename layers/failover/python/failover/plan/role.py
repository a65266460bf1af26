"""A role of IAM that a plan names, so that what it needs may be in another account."""

from __future__ import annotations

from typing import Annotated

from failover.plan.base import PlanModel, form

RoleArn = Annotated[
    str,
    form(
        r"^arn:[^:]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$",
        "the ARN of a role, such as arn:aws:iam::123456789012:role/failover-orders",
    ),
]
ExternalId = Annotated[
    str, form(r"^[A-Za-z0-9+=,.@:/_-]{2,1224}$", "an external id: letters, digits and +=,.@:/_-", max_length=1224)
]


class Role(PlanModel):
    """A role that the controller's functions take on, in this account or another.
    The stack's parameter `PlanRoles` must allow it, and its trust policy the functions."""

    role_arn: RoleArn
    """Its ARN."""
    external_id: ExternalId | None = None
    """What its trust policy asks for."""
