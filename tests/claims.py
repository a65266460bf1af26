"""A property that is asked of examples must be reached by enough of them: one that never is holds of anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class _Count:
    """Of the test that runs: how many examples there were, and how many came to what it claims."""

    examples: int = 0
    reached: int = 0
    floor: float = 0.0


_count = _Count()


def reaches(condition: object, floor: float = 0.2) -> bool:
    """Count an example, and say whether the claim is to be asked of it; the test fails if less than this part of its
    examples reaches the claim. Where it holds of each, tell which examples could break it."""
    _count.examples += 1
    _count.reached += bool(condition)
    _count.floor = floor
    return bool(condition)


@contextmanager
def claims_counted(*, is_property: bool) -> Iterator[None]:
    """Run a test; a property that counted no example, or too few that reach its claim, fails."""
    global _count
    _count = _Count()
    yield
    assert _count.examples or not is_property, "this property does not count how often its claim is reached"
    assert _count.reached >= _count.floor * _count.examples, f"{_count.reached} of {_count.examples} reach the claim"
