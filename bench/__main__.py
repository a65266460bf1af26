"""Run benchmarks, print a table, write `bench/results.json`: `python -m bench [SECTION …]`.

`--list` says which sections there are. The exit status is 1 if a limit is not kept, or a number could not be taken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import (
    client_families,
    clients,
    crash_matrix,
    drills,
    ecs_fleets,
    fleets,
    gateway_flip,
    gateway_integrity,
    gateway_latency,
    gateway_start,
    gateway_throughput,
    imports,
    java_clients,
    lives,
    looks,
    many,
    mutants,
    names,
    policies,
    promotion,
    readiness,
    rescue,
    reversal,
    signals,
    vocabulary,
)
from bench.result import Benchmark, NotMeasured, Result

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "imports": imports.measure,
    "vocabulary": vocabulary.measure,
    "gateway": gateway_throughput.results,
    "gateway-integrity": gateway_integrity.measure,
    "gateway-latency": gateway_latency.measure,
    "gateway-flip": gateway_flip.measure,
    "gateway-start": gateway_start.measure,
    "fleets": fleets.measure,
    "ecs-fleets": ecs_fleets.measure,
    "promotion": promotion.measure,
    "reversal": reversal.measure,
    "rescue": rescue.measure,
    "readiness": readiness.measure,
    "signals": signals.measure,
    "looks": looks.measure,
    "names": names.measure,
    "crash-matrix": crash_matrix.measure,
    "lives": lives.measure,
    "policies": policies.measure,
    "many": many.measure,
    "mutants": mutants.measure,
    "drills": drills.measure,
    "clients": clients.measure,
    "client-families": client_families.measure,
    "java-clients": java_clients.measure,
}
RESULTS: Final = Path(__file__).resolve().parent / "results.json"

console = Console()


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Any of: {', '.join(BENCHMARKS)}. By default, all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The file for the results.")] = RESULTS,
    list_sections: Annotated[bool, typer.Option("--list", help="List the sections, and measure nothing.")] = False,
) -> None:
    """Measure the project's numbers and hold them against their limits."""
    if list_sections:
        console.print(sections())
        return
    if unknown := sorted(set(names or []) - BENCHMARKS.keys()):
        typer.echo(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", err=True)
        raise typer.Exit(2)
    results: list[Result] = []
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            results += measured(name, BENCHMARKS[name])
    console.print(table(results))
    out.write_text(json.dumps({result.name: result.as_json() for result in results}, indent=2) + "\n")
    if not all(result.ok for result in results):
        raise typer.Exit(1)


def sections() -> Table:
    """Every section, and what it measures."""
    shown = Table("section", "what it measures", box=None)
    for name, benchmark in BENCHMARKS.items():
        about = (sys.modules[benchmark.__module__].__doc__ or "").partition("\n\n")[0]
        shown.add_row(name, " ".join(about.split()))
    return shown


def measured(name: str, benchmark: Benchmark) -> list[Result]:
    """The benchmark's results; if it can't measure, one result that says so and is not ok."""
    try:
        return list(benchmark())
    except NotMeasured as error:
        console.print(f"[red]{escape(name)}: {escape(str(error))}[/]")
        return [Result(name=name, value=None, unit="", limit=None)]


def table(results: list[Result]) -> Table:
    """The results as a table."""
    shown = Table("benchmark", "value", "limit", "", box=None)
    shown.columns[1].justify = shown.columns[2].justify = "right"
    for result in results:
        value = "not measured" if result.value is None else f"{result.value:,.1f} {result.unit}"
        sign = "≥" if result.at_least else "≤"
        limit = "" if result.limit is None else f"{sign} {result.limit:,g} {result.unit}"
        shown.add_row(result.name, value, limit, "[green]ok[/]" if result.ok else "[red]not ok[/]")
    return shown


if __name__ == "__main__":
    typer.run(main)
