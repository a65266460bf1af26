"""`failover rescue`: what was saved of a site before it was restored, and how to have it.

It reads S3 alone: rescued records outlive what the ledger keeps of their execution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from command.choice import chosen_plan
from command.controller import connected
from command.errors import NotDone
from command.output import Line, show, show_json, show_next, show_table
from command.status import Json, PlanName
from failover.rescue.archive import Archive, rescues_of

Of = Annotated[
    str | None, typer.Option("--execution", help="The restore that saved them; not needed where there is one.")
]

app = typer.Typer(help="Show or export the records that were rescued before a site was restored.", no_args_is_help=True)


@app.command("show")
def show_rescued(
    context: typer.Context,
    plan: PlanName = None,
    execution: Of = None,
    as_json: Json = False,
) -> None:
    """Say what was saved of each partition, and whether S3 has it still as it was.

    Exits with 0 if it has, 1 if an object is missing or another.
    """
    controller = connected(context)
    archive = _archive(plan, execution)
    indexes, unfinished = list(archive.indexes()), archive.unfinished()
    damaged = [problem for index in indexes for problem in archive.damaged(index)]
    if as_json:
        show_json({"execution": archive.execution, "partitions": indexes, "unfinished": unfinished, "damaged": damaged})
    else:
        _show(archive.execution, indexes, unfinished, damaged)
        show_next(controller.command(f"rescue export {archive.plan} --execution {archive.execution} --to FOLDER"))
    raise typer.Exit(int(bool(damaged)))


@app.command("export")
def export_rescued(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", help="The folder to write to: one file a partition, a record a line.")],
    plan: PlanName = None,
    execution: Of = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="Only this topic; more than once for more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write rescued records to files, each object compared with the checksum that it was saved with."""
    controller = connected(context)
    archive = _archive(plan, execution)
    indexes = [index for index in archive.indexes() if not topic or index["range"]["topic"] in topic]
    if not indexes:
        listing = controller.command(f"rescue show {archive.plan}")
        raise NotDone("nothing of these topics was rescued", f"{listing} lists what was")
    written = list[dict[str, Any]]()
    for index in indexes:
        file, records = _export(archive, index, to)
        written.append({"file": str(file), "records": records})
        if not as_json:
            show([f"{file}: {records:,} records"])
    if as_json:
        show_json({"execution": archive.execution, "files": written})
    else:
        show_next(controller.command(f"status {archive.plan}"))


def _archive(plan: str | None, execution: str | None) -> Archive:
    """What was rescued by that execution, or by the only one.

    Raises:
        NotDone: the plan keeps nothing, nothing was rescued, or by more than one.
    """
    of = chosen_plan(plan)
    if of.rescue is None:
        raise NotDone(f"plan {of.name} has no rescue", "say in the plan where stranded records are to be kept")
    executions = rescues_of(of.rescue, of.name)
    if not executions:
        raise NotDone(f"nothing was rescued of plan {of.name}", "failover history says which restores there were")
    if execution is None and len(executions) > 1:
        raise NotDone(f"{len(executions)} restores rescued records: {', '.join(executions)}", "name one: --execution")
    chosen = execution or executions[0]
    if chosen not in executions:
        raise NotDone(f"nothing was rescued by {chosen!r}", f"there are {', '.join(executions)}")
    return Archive(of.rescue, of.name, chosen)


def _export(archive: Archive, index: Mapping[str, Any], folder: Path) -> tuple[Path, int]:
    """A partition's file, and how many records it holds. It has its name once it is whole."""
    place = index["range"]
    file = folder / place["topic"] / f"{place['partition']}.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    records = 0
    with unfinished.open("wb") as lines:
        for segment in index["segments"]:
            body = archive.read(segment["key"], segment["sha256"])
            lines.write(body)
            records += body.count(b"\n")
    unfinished.replace(file)
    return file, records


def _show(execution: str, indexes: list[dict[str, Any]], unfinished: list[str], damaged: list[str]) -> None:
    rows = [["partition", "offsets", "records", "no record", "gone", "bytes", "objects"]]
    for index in indexes:
        place, saved = index["range"], index["saved"]
        counts = [f"{saved[name]:,}" for name in ("records", "without_record", "gone", "size", "objects")]
        rows.append([f"{place['topic']}[{place['partition']}]", f"{place['begin']}-{place['end'] - 1}", *counts])
    records = sum(index["saved"]["records"] for index in indexes)
    show([f"{execution} saved {records:,} records of {len(indexes)} partitions"])
    show_table(rows)
    show(_state_of(indexes, unfinished, damaged))


def _state_of(indexes: list[dict[str, Any]], unfinished: list[str], damaged: list[str]) -> Iterator[Line]:
    yield from ((f"not saved to its end: {folder}", "yellow") for folder in unfinished)
    yield from ((f"damaged: {problem}", "red") for problem in damaged)
    if indexes and not damaged:
        yield "every object is in S3 as it was saved", "green"
