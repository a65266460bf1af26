"""`failover doctor`: what of a Kafka client's configuration will hurt in a failover, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from command.client_rules import Advice, Severity, advice
from command.client_settings import LIBRARIES, ClientSettings, NoClientSettings, read_settings
from command.output import Line, complain, show, show_json, show_next
from command.plan_files import remedy_of_missing, unreadable_because

_STYLES: Final[dict[Severity, str]] = {"ends": "red", "loses": "red", "slow": "yellow", "note": ""}
_WORDS: Final[dict[Severity, str]] = {
    "ends": "never comes back",
    "loses": "loses, skips or doubles records",
    "slow": "comes back late",
    "note": "to be known",
}


def doctor(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Java properties, librdkafka's JSON, Spring's files, Python."),
    ],
    library: Annotated[
        str | None, typer.Option(help=f"Whose settings they are, if a file does not show it: {', '.join(LIBRARIES)}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what of a client's configuration will hurt in a failover, with what was measured and what to write instead.

    Exits with 0 if nothing ends a client or costs records, 1 if something does, 2 if a file holds no client's settings.
    """
    named = next((candidate for candidate in LIBRARIES if candidate == library), None)
    if library is not None and named is None:
        raise typer.BadParameter(f"there is no library {library!r}; there are {', '.join(LIBRARIES)}")
    clients: list[ClientSettings] = []
    unreadable = False
    for file in files:
        try:
            clients += read_settings(file, named)
        except (OSError, UnicodeDecodeError) as error:
            complain(f"{file}: {unreadable_because(error)}", f"next: {remedy_of_missing(file)}")
            unreadable = True
        except NoClientSettings as error:
            complain(str(error), f"next: name a file with a client's settings, or say whose: --library {LIBRARIES[0]}")
            unreadable = True
    diagnoses = [(client, advice(client)) for client in clients]
    if as_json:
        show_json(
            {
                "clients": [
                    {"where": client.where, "library": client.library, "advice": [asdict(remark) for remark in advices]}
                    for client, advices in diagnoses
                ]
            }
        )
    else:
        show(line for client, advices in diagnoses for line in _lines(client, advices))
    if not as_json and diagnoses:
        show_next("docs/clients.md: what each setting does in a failover, and what was measured")
    hurts = any(remark.severity in ("ends", "loses") for _, advices in diagnoses for remark in advices)
    raise typer.Exit(2 if unreadable else int(hurts))


def _lines(client: ClientSettings, advices: list[Advice]) -> Iterator[Line]:
    yield f"{client.where} ({client.library}): {len(advices) or 'nothing'} to say"
    for remark in advices:
        yield f"  {_WORDS[remark.severity]}: {remark.setting} = {remark.value}", _STYLES[remark.severity]
        yield f"    {remark.why}"
        if remark.measured:
            yield f"    measured: {remark.measured}"
        if remark.better:
            yield f"    better: {remark.better}"
