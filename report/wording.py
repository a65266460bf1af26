"""Figures and times in the words of every page. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "not known"
MINUTE, HOUR = 60, 3600
"""In seconds."""


def count(figure: float | None) -> str:
    """A number of records, or of anything else."""
    return UNKNOWN if figure is None else f"{figure:,.0f}"


def between(low: int, high: int) -> str:
    """A number of records, at least and at most."""
    return f"{low:,} to {high:,}"


def records(figure: int) -> str:
    """A number of records, with the noun."""
    return counted(figure, "record")


def counted(figure: int, noun: str) -> str:
    """A number of things, with their noun."""
    return f"{figure:,} {noun}{'' if figure == 1 else 's'}"


def seconds(figure: float | None) -> str:
    """A duration in seconds; below ten seconds to the hundredth."""
    if figure is None:
        return UNKNOWN
    return f"{figure:.1f} s" if abs(figure) >= 10 else f"{figure:.2f} s"


def span(figure: float) -> str:
    """A duration as people say it."""
    if figure < 2 * MINUTE:
        return f"{figure:.0f} s"
    if figure < 2 * HOUR:
        return f"{figure // MINUTE:.0f} min {figure % MINUTE:.0f} s"
    return f"{figure // HOUR:.0f} h {figure % HOUR / MINUTE:.0f} min"


def utc(at: float) -> str:
    """A time of day, with the date."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: float) -> str:
    """A time of day, where the date stands nearby."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def about(figure: float) -> str:
    """A duration by which nobody sets a watch."""
    if figure < MINUTE:
        return "less than a minute"
    return f"about {counted(round(figure / MINUTE), 'minute')}"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names, at most so many of them."""
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
