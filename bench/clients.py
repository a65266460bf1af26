"""How long clients stand still: for each loss and policy, writers and readers with recommended and default settings,
medians of five drills each; 45 minutes. Broken off, it goes on where it was."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bench.drills import forget, number, repeated
from bench.result import Result


class Limits(NamedTuple):
    """Seconds, of a client of each kind; None: measured, and told."""

    writer: float | None = None
    reader: float | None = None


LOSSES: Final[Mapping[str, tuple[str, ...]]] = {
    "loud": ("--loss", "loud"),
    "silent": ("--loss", "silent"),
    "near-clients": ("--loss", "silent", "--gateways", "near-clients"),
}
"""Each by its options. `near-clients` is the silent loss of a cluster's region whose gateways stand elsewhere."""
LIMITS: Final[Mapping[tuple[str, str, str], Limits]] = {
    ("loud", "balanced", "recommended"): Limits(8, 10),
    ("loud", "fast", "recommended"): Limits(6, 8),
    ("loud", "balanced", "default"): Limits(10, 12),
    ("silent", "balanced", "recommended"): Limits(14, 16),
    ("silent", "fast", "recommended"): Limits(11, 13),
    ("near-clients", "balanced", "recommended"): Limits(12, 14),
    ("near-clients", "fast", "recommended"): Limits(9, 11),
    ("near-clients", "balanced", "default"): Limits(12, 14),
}
"""By loss, policy and settings."""


def measure() -> list[Result]:
    """Run the drills, and sum up their reports.

    Raises:
        NotMeasured: if a drill fails.
    """
    results = []
    for loss, policy in dict.fromkeys((loss, policy) for loss, policy, _ in LIMITS):
        reports = repeated(f"clients-{loss}-{policy}", *LOSSES[loss], "--policy", policy)
        results += summary(loss, policy, reports)
    forget("clients")
    return results


def summary(loss: str, policy: str, reports: Sequence[Mapping[str, Any]]) -> list[Result]:
    """The median of each client; one that never came back in one of the drills is not measured, which is never right.
    Beside it the most records that a reader skipped in any of them."""
    results = []
    of_reports = [{(c["settings"], c["role"]): c for c in report["clients"]} for report in reports]
    for settings, role in sorted({key for clients in of_reports for key in clients}):
        label = f"clients.{loss}.{policy}.{settings}.{role}"
        clients = [by_kind[settings, role] for by_kind in of_reports]
        seconds = [client["recovered_s"] for client in clients]
        limit = getattr(LIMITS.get((loss, policy, settings), Limits()), role)
        value = None if None in seconds else statistics.median(seconds)
        results.append(Result(name=label, value=value, unit="s", limit=limit))
        if role == "reader":
            skipped = max(number(client, "skipped") for client in clients)
            results.append(Result(name=f"{label}.skipped", value=skipped, unit="records, at most", limit=0))
    return results
