"""Names that fields of a plan had before: a plan that is stored under them goes on being read, and is warned of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from failover.wording import Problem, join

_RENAMED: Final = (("policy", "vantage_points", "min_vantage_points"),)
"""A part of the plan, the name that one of its fields had, and the one it has now."""


def with_new_names(content: dict[str, Any]) -> dict[str, Any]:
    """A plan's content under the names of now. Where a field has one value under the old name and another one under the
    new, the old one is left to be refused."""
    for part, old, new in _renamed_in(content):
        content = content | {part: {new if name == old else name: value for name, value in content[part].items()}}
    return content


def old_names(content: dict[str, Any]) -> Iterator[Problem]:
    """What is to be renamed in a plan's content."""
    for part, old, new in _renamed_in(content):
        yield join(part, old), f"is the name of before: write {new}"


def _renamed_in(content: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for part, old, new in _RENAMED:
        fields = content.get(part)
        if isinstance(fields, dict) and old in fields and fields.get(new, fields[old]) == fields[old]:
            yield part, old, new
