"""`failover plans put|list|show|diff|remove`: the plans of a controller, and their revisions."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from command.choice import Yes, confirm, meant
from command.controller import connected
from command.errors import NotDone
from command.operators import ask
from command.output import Line, show, show_json, show_next
from command.plan_files import File, readable_text
from command.status import Json
from failover.plan.consistency import warnings
from failover.plan.model import Plan, parse
from failover.plan.store import Revision, current_revision, deployed_plans, replaced_revisions

PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name.")]
Number = Annotated[int | None, typer.Option("--revision", help="Not the one in force, but that one.")]


def put(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Plans, in YAML; - is the standard input.")],
    as_json: Json = False,
) -> None:
    """Put plans, or change those of their names: each is checked, in force at once, and nothing else is deployed."""
    texts = [readable_text(file) for file in files]
    plans = [parse(text) for text in texts]
    controller = connected(context)
    done = [ask(controller, "/plans/put", {"document": text}) for text in texts]
    if as_json:
        show_json({"plans": done})
        return
    for plan, answer in zip(plans, done, strict=True):
        show([(f"{plan.name}: revision {answer['revision']} is in force", "green")])
        show((f"  warning: {path} {what}", "yellow") for path, what in warnings(plan))
        show_next(controller.command(f"check {plan.name} --now"))


def list_plans(context: typer.Context, as_json: Json = False) -> None:
    """List the plans of the controller: name, sites, hostname, and who put it when."""
    connected(context)
    rows = [_row(name, plan) for name, plan in sorted(deployed_plans().items())]
    if as_json:
        show_json({"plans": rows})
        return
    if not rows:
        raise NotDone("no plan is deployed", "failover plans put FILE")
    show(_in_columns([[str(value) for value in row.values()] for row in rows]))


def show_plan(
    context: typer.Context,
    plan: PlanName,
    number: Number = None,
    revisions: Annotated[bool, typer.Option("--revisions", help="Say who put which revision, and when.")] = False,
) -> None:
    """Print a plan as it was put."""
    connected(context)
    if revisions:
        show(_revision_line(revision) for revision in _revisions(plan))
        return
    print(_document(_chosen(plan, number)), end="")


def diff(
    context: typer.Context, plan: Annotated[str, typer.Argument()], file: File = "-", number: Number = None
) -> None:
    """Say what putting a file would change of a plan. Exits with 0 if nothing, with 1 if something."""
    connected(context)
    chosen, text = _chosen(plan, number), readable_text(file)
    lines = difflib.unified_diff(
        _document(chosen).splitlines(), text.splitlines(), f"{plan}, revision {chosen.number}", file, lineterm=""
    )
    changes = [(line, {"+": "green", "-": "red"}.get(line[:1], "")) for line in lines]
    show(changes)
    raise typer.Exit(int(bool(changes)))


def remove(context: typer.Context, plan: PlanName, yes: Yes = False) -> None:
    """Remove a plan: nothing of it is watched or moved any more. Its revisions and its ledger stay."""
    controller = connected(context)
    _chosen(plan, None)
    confirm(plan, yes=yes)
    answer = ask(controller, "/plans/remove", {"plan": plan})
    show([f"{plan} is removed, by revision {answer['revision']}"])
    show_next(controller.command("plans list"))


def _row(name: str, plan: Plan | Exception) -> dict[str, Any]:
    revision = current_revision(name)
    put_by = {"revision": revision.number, "at": _moment(revision.at), "by": revision.by} if revision else {}
    if not isinstance(plan, Plan):
        return {"plan": name, "sites": "refused", "hostname": str(plan).splitlines()[0]} | put_by
    return {"plan": name, "sites": " and ".join(plan.sites), "hostname": plan.hostname} | put_by


def _in_columns(rows: list[list[str]]) -> Iterator[Line]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()


def _revisions(plan: str) -> list[Revision]:
    """The last first.

    Raises:
        NotDone: there never was one.
    """
    current = current_revision(plan)
    if current is None:
        raise NotDone(f"there never was a plan {plan!r}: {meant(plan, deployed_plans())}", "failover plans list")
    return [current, *(revision for revision in replaced_revisions(plan) if revision.number < current.number)]


def _chosen(plan: str, number: int | None) -> Revision:
    """The revision of that number, or the one in force.

    Raises:
        NotDone: there is none.
    """
    revisions = _revisions(plan)
    if number is None:
        if revisions[0].document is None:
            raise NotDone(f"{plan} is removed", f"failover plans show {plan} --revisions")
        return revisions[0]
    chosen = next((revision for revision in revisions if revision.number == number), None)
    if chosen is None:
        raise NotDone(f"{plan} has no revision {number}", f"failover plans show {plan} --revisions")
    return chosen


def _document(revision: Revision) -> str:
    return revision.document or ""


def _revision_line(revision: Revision) -> str:
    what = "removed" if revision.document is None else "put"
    return f"{revision.number:>4}  {_moment(revision.at)}  {what} by {revision.by or 'nobody knows whom'}"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"
