"""From a template to a page: the layout, parts and style that every page shares are beside this file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from report import wording

FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Where a step is on the axis of its table, in percent of the axis."""

    left: float
    width: float


def bar(started: float, ended: float, axis: tuple[float, float]) -> Bar:
    """The bar of what lasted from `started` to `ended`. `axis`: its first and last moment."""
    first, last = axis
    room = max(last - first, 0.001)
    left = min(max(100 * (started - first) / room, 0.0), 100.0)
    return Bar(left=left, width=min(max(100 * (ended - started) / room, 0.0), 100.0 - left))


def render(
    template: str, *folders: Path, filters: Mapping[str, Callable[..., str]] | None = None, **context: Any
) -> str:
    """A page. `folders`: where its own templates are; `filters`: those of its own."""
    environment = _environment(folders, tuple((filters or {}).items()))
    return environment.get_template(template).render(**context)


@cache
def _environment(folders: tuple[Path, ...], filters: tuple[tuple[str, Callable[..., str]], ...]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": wording.count,
        "seconds": wording.seconds,
        "utc": wording.utc,
        "records": wording.records,
        **dict(filters),
    }
    return environment
