"""Times and tables as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86_400
"""In seconds."""
GAP = "  "
"""Between two columns."""


def moment(seconds: float) -> str:
    """A time, from seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def ago(seconds: float, now: float) -> str:
    """How long ago a time was; both are seconds since 1970."""
    return f"{span(max(0.0, now - seconds))} ago"


def span(seconds: float) -> str:
    """A duration, in the unit that says enough."""
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names and what is said of each, one below the other."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    yield from (f"  {name:<{width}}  {text}" for name, text in listed)


def columns(rows: Sequence[Sequence[str]], room: int | None = None) -> Iterator[str]:
    """Rows whose columns stand below each other. `room`: characters of a line; of a table that is broader, the columns
    that have no room stand in a line below those that have."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    fitting = len(widths)
    while room is not None and fitting > 1 and _breadth(widths[:fitting]) > room:
        fitting -= 1
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        yield GAP.join(cells[:fitting]).rstrip()
        if below := GAP.join(cells[fitting:]).rstrip():
            yield f"    {below}"


def _breadth(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)
