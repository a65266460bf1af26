"""`failover plans`: whether a plan's document is good, and the plans that are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from command import alarms, deployed_plans, plan_stack
from command.output import Line, show, show_json, show_next
from command.plan_files import remedy_of_missing, text_of, unreadable_because
from failover.errors import BadPlan
from failover.plan.consistency import warnings
from failover.plan.document import read_document
from failover.plan.model import parse
from failover.plan.renamed import old_names
from failover.wording import Problem

Status = Literal["good", "refused", "unreadable"]

app = typer.Typer(
    help="Plans: two sites, the links between them, the name clients know, and the policy.", no_args_is_help=True
)
app.command("put")(deployed_plans.put)
app.command("list")(deployed_plans.list_plans)
app.command("show")(deployed_plans.show_plan)
app.command("diff")(deployed_plans.diff)
app.command("remove")(deployed_plans.remove)
app.command("alarms")(alarms.alarms)
app.command("stack")(plan_stack.stack)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check says of one file."""

    file: str
    plan: str | None
    status: Status
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """For machines."""
        as_fields = {
            name: [dict(zip(("path", "what"), pair, strict=True)) for pair in getattr(self, name)]
            for name in ("problems", "warnings")
        }
        return asdict(self) | as_fields


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Plans, in YAML; - is the standard input.")],
    strict: Annotated[bool, typer.Option("--strict", help="Take a warning for a reason to refuse.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say whether plans are good, and of each wrong field what to write. Nothing is asked of any service.

    Exits with 0 if all plans are good, 1 if one is refused, 2 if one can't be read.
    """
    checked = [_checked(file) for file in files]
    if as_json:
        show_json({"plans": [check.as_document() for check in checked]})
    else:
        show(line for check in checked for line in _lines(check))
    statuses = {check.status for check in checked}
    wrong = [check.file for check in checked if check.status == "refused"]
    missing = [check.file for check in checked if check.status == "unreadable"]
    if not as_json:
        show((f"next: {remedy_of_missing(Path(file))}", "dim") for file in missing)
    if not as_json and wrong:
        show_next(f"mend what is named (docs/plan.md has every field), then failover plans check {' '.join(wrong)}")
    refused = "refused" in statuses or (strict and any(check.warnings for check in checked))
    raise typer.Exit(2 if "unreadable" in statuses else int(refused))


def _checked(file: str) -> Checked:
    try:
        text = text_of(file)
    except (OSError, UnicodeDecodeError) as error:
        return Checked(file=file, plan=None, status="unreadable", problems=(("(file)", unreadable_because(error)),))
    try:
        plan = parse(text)
    except BadPlan as error:
        return Checked(file=file, plan=None, status="refused", problems=tuple(error.problems))
    return Checked(
        file=file, plan=plan.name, status="good", warnings=(*old_names(read_document(text).content), *warnings(plan))
    )


def _lines(checked: Checked) -> Iterator[Line]:
    match checked.status:
        case "good":
            more = f", {len(checked.warnings)} warning(s)" if checked.warnings else ""
            yield f"{checked.file}: plan {checked.plan} is good{more}", "green"
        case "refused":
            yield f"{checked.file}: refused, {len(checked.problems)} wrong field(s)", "red"
        case "unreadable":
            yield f"{checked.file}: can't be read", "red"
    for path, what in checked.problems:
        yield f"  {path} {what}"
    for path, what in checked.warnings:
        yield f"  warning: {path} {what}", "yellow"
