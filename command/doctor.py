"""`failover doctor`: what of a Kafka client's configuration will hurt in a failover, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from command.client_rules import Advice, Severity, advice
from command.client_settings import LIBRARIES, ClientSettings, NoClientSettings, read_settings
from command.output import Line, complain, show, show_json

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
        typer.Argument(metavar="FILE...", help="Java properties, librdkafka's JSON, Spring's files, Python."),
    ],
    library: Annotated[
        str | None, typer.Option(help=f"Whose settings they are, if a file does not show it: {', '.join(LIBRARIES)}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what of a client's configuration will hurt in a failover, with what was measured and what to write instead.

    Exits with 0 if nothing ends a client or costs records, 1 if something does, 2 if a file holds no client's settings.
    """
    named = next((each for each in LIBRARIES if each == library), None)
    if library is not None and named is None:
        raise typer.BadParameter(f"there is no library {library!r}; there are {', '.join(LIBRARIES)}")
    clients: list[ClientSettings] = []
    unreadable = False
    for file in files:
        try:
            clients += read_settings(file, named)
        except (NoClientSettings, OSError, UnicodeDecodeError) as error:
            complain(str(error))
            unreadable = True
    found = [(client, advice(client)) for client in clients]
    if as_json:
        show_json(
            {
                "clients": [
                    {"where": client.where, "library": client.library, "advice": [asdict(each) for each in advices]}
                    for client, advices in found
                ]
            }
        )
    else:
        show(line for client, advices in found for line in _lines(client, advices))
    hurts = any(each.severity in ("ends", "loses") for _, advices in found for each in advices)
    raise typer.Exit(2 if unreadable else int(hurts))


def _lines(client: ClientSettings, advices: list[Advice]) -> Iterator[Line]:
    yield f"{client.where} ({client.library}): {len(advices) or 'nothing'} to say"
    for each in advices:
        yield f"  {_WORDS[each.severity]}: {each.setting} = {each.value}", _STYLES[each.severity]
        yield f"    {each.why}"
        if each.measured:
            yield f"    measured: {each.measured}"
        if each.better:
            yield f"    better: {each.better}"
