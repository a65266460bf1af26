"""How long clients of every library stand still: for each loss, by settings and role, medians of five drills in which
all of them work side by side; 35 minutes. Broken off, it goes on where it was."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.clients import LOSSES
from bench.drills import forget, repeated
from bench.result import Result

COUNTED: Final = ("duplicates", "lost", "skipped", "out_of_order")


def measure() -> list[Result]:
    """Run the drills, and sum up their reports.

    Raises:
        NotMeasured: if a drill fails.
    """
    results: list[Result] = []
    for loss, options in LOSSES.items():
        results += summary(loss, repeated(f"families-{loss}", *options, "--more-clients", "all"))
    forget("families")
    return results


def summary(loss: str, reports: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    """Of each client the median of the drills in which it came back, in how many it never did, and the most records
    that came twice, were lost, skipped or out of order in any of them, where there were such."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for report in reports:
        for client in report["clients"]:
            kind = " ".join(client[part] for part in ("family", "version", "settings", "role"))
            rows.setdefault(f"families.{loss}.{kind}", []).append(client)
    for label, clients in rows.items():
        seconds = [client["recovered_s"] for client in clients if client["recovered_s"] is not None]
        if seconds:
            yield Result(name=label, value=statistics.median(seconds), unit="s", limit=None)
        if never := len(clients) - len(seconds):
            yield Result(name=f"{label}.never", value=never, unit=f"of {len(clients)} drills", limit=None)
        for counted in COUNTED:
            most = max((client[counted] or 0 for client in clients), default=0)
            if most:
                yield Result(name=f"{label}.{counted}", value=most, unit="records, at most", limit=None)
        errors = sorted({error for client in clients for error in client["errors"]})
        if errors:
            yield Result(name=f"{label}.errors", value=len(errors), unit=f"kinds: {', '.join(errors)}", limit=None)
