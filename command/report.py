"""`failover report`: what became of an execution, in lines, as a page, on paper."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from command.choice import chosen_plan, meant
from command.controller import Controller, connected
from command.errors import NotDone
from command.output import Line, show, show_json, show_next
from command.status import Json, execution_document
from command.words import moment
from failover.documents.stops import last_stop, stop_line
from failover.documents.whole_report import WholeReport
from failover.execution.ending import cause_in_words
from failover.execution.report import headline
from failover.execution.whole_report import whole_report
from failover.ledger.records import ExecutionRecord

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
"""Those that print a page to PDF without a window."""
PRINTING_S: Final = 60


def report(
    context: typer.Context,
    execution: Annotated[
        str | None,
        typer.Argument(metavar="EXECUTION", help="Its name, as `failover history` has it; by default the last one."),
    ] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="Its plan; not needed where there is one.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write report.html and report.json into this directory.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf, too; needs Chromium or Chrome.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    as_json: Json = False,
) -> None:
    """Say what became of an execution: its end, its steps, and what was lost; or make its page."""
    controller = connected(context)
    of = chosen_plan(plan)
    record = _record(controller, of.name, execution)
    whole = whole_report(controller.book, of.name, record.name)
    watch = controller.command(f"status {of.name} --watch")
    if save is not None or pdf or open_it:
        if whole is None:
            raise NotDone(f"{record.name} has no report yet", watch)
        folder = save or Path(tempfile.mkdtemp(prefix=f"{record.name}-"))
        page = _written(whole, folder, of_drill=controller.options.drill)
        files = {"page": str(page)} | ({"pdf": str(_printed(page))} if pdf else {})
        opened = open_it and webbrowser.open(page.resolve().as_uri())
        if as_json:
            show_json({"execution": record.name} | files)
            return
        show(files.values())
        if open_it and not opened:
            show([("no browser was found here that shows it: open the file by hand", "yellow")])
        show_next(controller.command(_after(of.name, record)))
        return
    if as_json:
        show_json(execution_document(record) | {"report": record.document})
        return
    show(_report_lines(record))
    show_next(watch if whole is None else controller.command(_after(of.name, record)))


def _record(controller: Controller, plan: str, execution: str | None) -> ExecutionRecord:
    """What the ledger has of an execution, or of the last one.

    Raises:
        NotDone: there is none.
    """
    record = controller.book.execution(plan, execution) if execution is not None else None
    if record is not None:
        return record
    records = controller.book.executions(plan)
    if not records:
        raise NotDone(f"{plan} had no execution yet", controller.command(f"start failover {plan} --dry-run"))
    if execution is None:
        return records[0]
    names = meant(execution, (record.name for record in records))
    raise NotDone(f"{plan} had no execution {execution!r}: {names}", controller.command(f"history {plan}"))


def _after(plan: str, record: ExecutionRecord) -> str:
    """What comes after an execution that has ended."""
    if record.status == "failed" and record.superseded_by is None:
        return f"redrive {plan}"
    if record.status == "succeeded" and not record.document.get("dry_run"):
        follows = {"failover": "restore", "restore": "failback"}.get(record.kind)
        if follows is not None:
            return f"start {follows} {plan} --dry-run"
    return f"status {plan}"


def _written(whole: WholeReport, folder: Path, *, of_drill: bool) -> Path:
    """The page, beside the same for machines."""
    # Not at the top, as in _report_lines: every command would wait for the pages' templates.
    from report import execution_page

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(execution_page(whole, on_stand_ins=of_drill), encoding="utf-8")
    return page


def _printed(page: Path) -> Path:
    """The page on paper, beside it.

    Raises:
        NotDone: there is no browser that prints, or it did not.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NotDone(
            f"no browser here prints to PDF; the page is {page}", f"install one of {', '.join(BROWSERS)}, or print it"
        )
    paper = page.with_suffix(".pdf")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    try:
        subprocess.run(
            [browser, *options, page.resolve().as_uri()], capture_output=True, check=True, timeout=PRINTING_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise NotDone(f"{browser} did not print the page {page}: {error}", "open it, and print it by hand") from None
    return paper


def _report_lines(record: ExecutionRecord) -> Iterator[Line]:
    from report.evidence import summary

    document = record.document
    if not document:
        yield f"{record.name}: {record.status} since {moment(record.started_at)}; it has no report yet", "yellow"
        return
    good = document["outcome"] == "succeeded"
    yield headline(document), "bold green" if good else "bold red" if document["outcome"] == "failed" else "bold"
    starter = document.get("started_by") or "the controller"
    yield f"  {record.name}, started by {starter} at {moment(record.started_at)}"
    for name in ("reason", "why"):
        if document.get(name):
            yield f"  {name}: {document[name]}"
    if answer := document.get("approval"):
        yield f"  {answer['answer']} by {answer['by']} at {moment(answer['at'])}: {answer['why'] or 'no reason given'}"
    for stop in document.get("stops", ()):
        yield f"  {stop_line(stop)}", "yellow"
    if document.get("stopped_at"):
        yield f"  stopped{cause_in_words(document)}", "red"
    if stop := last_stop(document):
        yield f"  do: {stop['remedy']}, then redrive it", "bold"
    yield ""
    for step in document.get("steps", ()):
        yield f"  {step['status']:<8} {step['step']:<28} {step['took_seconds']:6.1f} s, {step['calls']} call(s)"
        if would := summary(step.get("observed", {})):  # Of a dry run.
            yield f"           {would}", "dim"
