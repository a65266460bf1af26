"""Which plan a command is about: a wrong name is refused with the nearest, and none is needed where there is one."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Final

import typer

from command.errors import NotDone
from failover.plan.model import Plan
from failover.plan.store import deployed_plans

NAME_AT_MOST: Final = 100
"""What a start and an answer take for the name of a person."""
By = Annotated[str | None, typer.Option("--by", help="Who does it, by default you; nobody checks the name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without the plan's name being typed.")]


def chosen_plan(name: str | None) -> Plan:
    """The deployed plan of that name, or the only one.

    Raises:
        NotDone: there is none of that name, or more than one.
        BadPlan: it is refused.
        LedgerUnavailable: the ledger does not answer.
    """
    plans = deployed_plans()
    if not plans:
        raise NotDone("no plan is deployed", "put one with `failover plans put FILE`; see docs/deploy.md")
    if name is None and len(plans) > 1:
        raise NotDone(f"there are {len(plans)} plans: {', '.join(sorted(plans))}", "name one of them")
    plan = plans.get(name or next(iter(plans)))
    if plan is None:
        raise NotDone(f"no plan {name!r} is deployed: {meant(str(name), plans)}", "say it again with that name")
    if not isinstance(plan, Plan):
        raise plan
    return plan


def meant(name: str, names: Iterable[str]) -> str:
    """What a wrong name may have been meant to be."""
    others = sorted(names)
    nearest = get_close_matches(name, others, n=1)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return f"there is {others[0]}" if len(others) == 1 else f"there are {', '.join(others) or 'none'}"


def confirm(plan: str, *, yes: bool) -> None:
    """Have the plan's name typed, unless `yes` says it for them.

    Raises:
        NotDone: another name was typed, or nobody is there to type it.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotDone("nobody is there to type the plan's name", "say it again with --yes, if it is meant")
    typed = typer.prompt("Type the plan's name to go on", default="", show_default=False)
    if typed.strip() != plan:
        raise NotDone(f"{typed.strip()!r} is not {plan}: nothing was done", "say it again, if it is meant")


def person(by: str | None) -> str:
    """The name of who does it."""
    return (by or getpass.getuser())[:NAME_AT_MOST]
