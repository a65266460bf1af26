"""What the filters of a cluster link select: names taken literally or as a prefix, included or excluded; `*` is all.

Source: Confluent's documentation of `consumer.offset.group.filters` and `auto.create.mirror.topics.filters`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field, ValidationError


class BadFilters(ValueError):
    """A filter configuration that can't be read."""


class _Row(BaseModel):
    name: str = Field(min_length=1)
    pattern_type: Literal["LITERAL", "PREFIXED"] = Field(default="LITERAL", alias="patternType")
    filter_type: Literal["INCLUDE", "EXCLUDE"] = Field(alias="filterType")


@dataclass(frozen=True)
class Filter:
    """One row of a link's filters."""

    name: str
    prefixed: bool
    includes: bool

    @property
    def of_all(self) -> bool:
        """Whether it is the wildcard, which is a literal `*`."""
        return self.name == "*" and not self.prefixed

    def matches(self, name: str) -> bool:
        """Whether it speaks of this name."""
        return self.of_all or (name.startswith(self.name) if self.prefixed else name == self.name)


def read_filters(text: str | None, kind: Literal["groupFilters", "topicFilters"]) -> tuple[Filter, ...]:
    """The filters in a link's configuration; none for an empty one.

    Raises:
        BadFilters: saying what is wrong.
    """
    if not text or not text.strip():
        return ()
    try:
        rows = [_Row.model_validate(row) for row in json.loads(text)[kind]]
    except ValidationError as error:
        raise BadFilters(f"{kind}: {error.errors()[0]['loc']} {error.errors()[0]['msg']}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise BadFilters(f"no JSON with {kind}: {type(error).__name__}") from None
    return tuple(Filter(row.name, row.pattern_type == "PREFIXED", row.filter_type == "INCLUDE") for row in rows)


def selects(filters: Iterable[Filter], name: str) -> bool:
    """Whether a name is selected: one filter includes it, and none excludes it."""
    speaking = [rule for rule in filters if rule.matches(name)]
    return bool(speaking) and all(rule.includes for rule in speaking)


def selects_all(filters: Iterable[Filter]) -> bool:
    """Whether every name is selected, those too that nobody has thought of yet."""
    filters = list(filters)
    return any(rule.of_all for rule in filters) and all(rule.includes for rule in filters)
