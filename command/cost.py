"""`failover cost`: what plans cost a month on one controller, and what a failover costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from command.errors import NotDone
from command.idle_cost import Bill, Item, Stack, read_stack
from command.output import Line, show, show_json, show_next
from command.plan_files import plan_in
from failover.plan.model import Plan

TEMPLATE: Final = Path(__file__).resolve().parent.parent / "template.yaml"


def cost(
    files: Annotated[list[str], typer.Argument(metavar="PLAN...", help="Plans, in YAML; - is the standard input.")],
    vantage_points: Annotated[
        int, typer.Option(min=1, max=5, help="Regions that the sites are looked at from, the controller's among them.")
    ] = 2,
    copies: Annotated[int, typer.Option(min=1, help="So many plans like each of them.")] = 1,
    partitions: Annotated[int, typer.Option(min=0, help="Mirrored partitions of each plan.")] = 600,
    changed: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the stack.")
    ] = None,
    template: Annotated[Path, typer.Option(help="The controller's template.", show_default=False)] = TEMPLATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what plans cost a month on one controller while nothing happens, and what a failover costs.

    Nothing is asked of any service; docs/cost.md says of what it is computed. Exits with 0, or 2 if it can't be said.
    """
    plans = [plan_in(file) for file in files for _ in range(copies)]
    stack = _stack(template, changed or [])
    try:
        bill = Bill(stack, plans, vantage_points=vantage_points, partitions=partitions)
        items, one_failover = bill.a_month(), bill.a_failover()
    except (ValueError, KeyError) as error:
        raise NotDone(
            f"a parameter has no value to compute with: {error}", "say --set NAME=VALUE as in template.yaml"
        ) from None
    if as_json:
        show_json(_document(items, one_failover, plans))
    else:
        show(_lines(items, one_failover, plans))
        show_next("docs/cost.md: what it is made of, and what makes it less")


def _stack(template: Path, changed: Sequence[str]) -> Stack:
    if wrong := [word for word in changed if "=" not in word]:
        raise NotDone(f"{wrong[0]!r} is no NAME=VALUE", "say it as --set WatchSeconds=10")
    try:
        return read_stack(template, dict(word.split("=", 1) for word in changed))
    except OSError as error:
        raise NotDone(f"{template}: {error.strerror}", "say --template of the controller's template.yaml") from None
    except KeyError as error:
        raise NotDone(f"the template has no parameter {error.args[0]}", "template.yaml has their names") from None


def _document(items: Sequence[Item], one_failover: float, plans: Sequence[Plan]) -> dict[str, Any]:
    lines = [asdict(item) | {"usd": round(item.usd, 4)} for item in items]
    return {
        "plans": [plan.name for plan in plans],
        "usd_a_month": round(sum(item.usd for item in items if not item.apart), 2),
        "usd_a_month_apart": round(sum(item.usd for item in items if item.apart), 2),
        "usd_a_failover": round(one_failover, 4),
        "items": lines,
    }


def _lines(items: Sequence[Item], one_failover: float, plans: Sequence[Plan]) -> Iterator[Line]:
    many = "one plan" if len(plans) == 1 else f"{len(plans)} plans"
    yield f"{many} on one controller, while all is well; USD a month, list prices", "bold"
    own = [item for item in items if not item.apart]
    yield from (_line(item.name, item.usd, item.why) for item in own)
    yield _line("together", sum(item.usd for item in own), ""), "bold"
    yield from (_line(item.name, item.usd, f"apart: {item.why}") for item in items if item.apart)
    yield f"one failover: {one_failover:.4f} USD"


def _line(name: str, usd: float, why: str) -> str:
    return f"  {name:<17} {usd:>8.2f}  {why}".rstrip()
