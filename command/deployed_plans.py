"""`failover plans put|list|show|diff|remove`: the plans of a controller, and their revisions."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Final

import typer

from command.choice import Yes, confirm, meant
from command.completion import complete_plan
from command.controller import Controller, connected
from command.errors import NotDone
from command.operators import ask
from command.output import show, show_exactly, show_json, show_next, show_table
from command.plan_files import File, plan_of, readable_text
from command.status import Json
from command.words import moment
from failover.plan.consistency import warnings
from failover.plan.model import Plan
from failover.plan.store import Revision, current_revision, deployed_plans, replaced_revisions

PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name.", autocompletion=complete_plan)]
ROW: Final = ("plan", "sites", "hostname", "revision", "at", "by")
"""What is listed of a plan."""
Number = Annotated[int | None, typer.Option("--revision", help="Not the one in force, but that one.")]


def put(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Plans, in YAML; - is the standard input.")],
    as_json: Json = False,
) -> None:
    """Put plans, or change those of their names: each is checked, in force at once, and nothing else is deployed."""
    texts = [readable_text(file) for file in files]
    plans = [plan_of(text, file) for text, file in zip(texts, files, strict=True)]
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
    controller = connected(context)
    rows = [_row(name, plan) for name, plan in sorted(deployed_plans().items())]
    if as_json:
        show_json({"plans": rows})
        return
    if not rows:
        raise NotDone("no plan is deployed", "failover plans put FILE")
    show_table([[str(row.get(name, "")) for name in ROW] for row in rows])
    show_next(controller.command("status"))


def show_plan(
    context: typer.Context,
    plan: PlanName,
    number: Number = None,
    revisions: Annotated[bool, typer.Option("--revisions", help="Say who put which revision, and when.")] = False,
    as_json: Json = False,
) -> None:
    """Print a plan as it was put."""
    controller = connected(context)
    if revisions:
        rows = _revisions(controller, plan)
        if as_json:
            show_json([_as_document(revision) for revision in rows])
        else:
            show_table([_revision_row(revision) for revision in rows])
        return
    chosen = _chosen(controller, plan, number)
    if as_json:
        show_json(_as_document(chosen) | {"document": _document(chosen)})
    else:
        show_exactly(_document(chosen))


def diff(
    context: typer.Context, plan: PlanName, file: File = "-", number: Number = None, as_json: Json = False
) -> None:
    """Say what putting a file would change of a plan. Exits with 0 if nothing, with 1 if something."""
    controller = connected(context)
    chosen, text = _chosen(controller, plan, number), readable_text(file)
    lines = list(
        difflib.unified_diff(
            _document(chosen).splitlines(), text.splitlines(), f"{plan}, revision {chosen.number}", file, lineterm=""
        )
    )
    if as_json:
        show_json({"plan": plan, "revision": chosen.number, "changes": lines})
    else:
        show((line, {"+": "green", "-": "red"}.get(line[:1], "")) for line in lines)
    raise typer.Exit(int(bool(lines)))


def remove(context: typer.Context, plan: PlanName, yes: Yes = False, as_json: Json = False) -> None:
    """Remove a plan: nothing of it is watched or moved any more. Its revisions and its ledger stay."""
    controller = connected(context)
    _chosen(controller, plan, None)
    confirm(plan, yes=yes)
    answer = ask(controller, "/plans/remove", {"plan": plan})
    if as_json:
        show_json(answer)
        return
    show([f"{plan} is removed, by revision {answer['revision']}"])
    show_next(controller.command("plans list"))


def _row(name: str, plan: Plan | Exception) -> dict[str, Any]:
    revision = current_revision(name)
    put_by: dict[str, Any] = {}
    if revision is not None:
        at = moment(revision.at) if revision.at else "nobody knows when"
        put_by = {"revision": revision.number, "at": at, "by": revision.by or "nobody knows whom"}
    if not isinstance(plan, Plan):
        return {"plan": name, "sites": "refused", "hostname": str(plan).splitlines()[0]} | put_by
    return {"plan": name, "sites": " and ".join(plan.sites), "hostname": plan.hostname} | put_by


def _revisions(controller: Controller, plan: str) -> list[Revision]:
    """The last first.

    Raises:
        NotDone: there never was one.
    """
    current = current_revision(plan)
    if current is None:
        raise NotDone(
            f"there never was a plan {plan!r}: {meant(plan, deployed_plans())}", controller.command("plans list")
        )
    return [current, *(revision for revision in replaced_revisions(plan) if revision.number < current.number)]


def _chosen(controller: Controller, plan: str, number: int | None) -> Revision:
    """The revision of that number, or the one in force.

    Raises:
        NotDone: there is none.
    """
    revisions, listing = _revisions(controller, plan), controller.command(f"plans show {plan} --revisions")
    if number is None:
        if revisions[0].document is None:
            raise NotDone(f"{plan} is removed", listing)
        return revisions[0]
    chosen = next((revision for revision in revisions if revision.number == number), None)
    if chosen is None:
        raise NotDone(f"{plan} has no revision {number}", listing)
    return chosen


def _document(revision: Revision) -> str:
    return revision.document or ""


def _revision_row(revision: Revision) -> tuple[str, ...]:
    what = "removed" if revision.document is None else "put"
    origin = f", for {revision.origin}" if revision.origin else ""
    return f"{revision.number:>4}", moment(revision.at), f"{what} by {revision.by or 'nobody knows whom'}{origin}"


def _as_document(revision: Revision) -> dict[str, Any]:
    """For machines, without its text."""
    return {
        "plan": revision.plan,
        "revision": revision.number,
        "removed": revision.document is None,
        "by": revision.by,
        "at": revision.at,
        "origin": revision.origin,
    }
