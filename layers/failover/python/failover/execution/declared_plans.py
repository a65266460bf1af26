"""Plans that are declared elsewhere: by a resource of a CloudFormation stack, or by a configuration of Terraform.

What declares a plan is its `origin`, which its revisions keep. An origin changes and removes what it put itself: a
stack that is rolled back, or a configuration that is destroyed, takes no plan away that a person or another stack put.
A plan that is there already is taken over in two steps: it is declared with the text that it has, and changed then.
"""

from __future__ import annotations

from dataclasses import dataclass

from failover.errors import PlanChangeRefused
from failover.execution.plan_changes import put_plan, remove_plan
from failover.ledger.ledger import Ledger
from failover.plan.document import read_document
from failover.plan.store import Revision, current_revision


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A plan as an origin declares it."""

    text: str
    origin: str
    by: str
    """The ARN that is taken for the caller's."""
    text_before: str | None
    """As the origin declared it last; None: never."""


def declare_plan(book: Ledger, declaration: Declaration) -> Revision:
    """Put a plan, or change it; answers the revision that is in force.

    Raises:
        BadPlan, NotAnOperator, LedgerUnavailable
        PlanChangeRefused: as of any change; or the plan is there, and not the origin's.
    """
    name, origin = declared_name(declaration.text), declaration.origin
    current = current_revision(name) if name else None
    if current is not None and current.document is not None and current.origin != origin:
        _check_origin(current, declaration)
        if declaration.text_before is None:
            # It is the origin's from its first change on: a stack that is created and rolled back removes nothing.
            origin = current.origin
    return put_plan(book, declaration.text, by=declaration.by, origin=origin)


def withdraw_plan(book: Ledger, name: str | None, *, by: str, origin: str) -> Revision | None:
    """Remove a plan that the origin put; None if there is none of that name, or somebody else put it since.

    Raises:
        NotAnOperator, PlanChangeRefused, LedgerUnavailable
    """
    current = current_revision(name) if name else None
    if current is None or current.document is None or current.origin != origin:
        return None
    return remove_plan(book, current.plan, by=by, origin=origin)


def declared_name(text: str) -> str | None:
    """The name in a plan's text, which need not be a good plan; None if there is none."""
    name = read_document(text).content.get("name")
    return name if isinstance(name, str) else None


def _check_origin(current: Revision, declaration: Declaration) -> None:
    if current.document == declaration.text:
        return
    if declaration.text_before is None:
        raise PlanChangeRefused(
            f"plan {current.plan!r} is there already, put by {current.origin or current.by}: to take it over, declare"
            f" it with the text that it has (failover plans show {current.plan}), and change it then"
        )
    if current.origin and current.document != declaration.text_before:
        raise PlanChangeRefused(
            f"plan {current.plan!r} was changed by {current.origin}, which declares it, too: let one of the two do so"
        )
