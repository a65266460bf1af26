"""A property that is asked of examples must be reached by enough of them: one that never is holds of anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st


class Claim:
    """How many examples there were, and how many came to what is claimed."""

    def __init__(self) -> None:
        self.examples = 0
        self.reached = 0

    def reaches(self, condition: object) -> bool:
        """Count an example, and say whether the claim is to be asked of it."""
        self.examples += 1
        self.reached += bool(condition)
        return bool(condition)

    def check(self, floor: float) -> None:
        """Fail if less than this part of the examples reached it."""
        assert self.reached >= floor * self.examples > 0, f"{self.reached} of {self.examples} reach the claim"


def claimed(*strategies: Any, floor: float) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """A property test that is given a `Claim` and the examples; it fails if less than this part of them reaches it."""

    def property_test(holds: Callable[..., None]) -> Callable[[], None]:
        def test() -> None:
            claim = Claim()

            @given(st.tuples(*strategies))
            def examples(drawn: tuple[Any, ...]) -> None:
                holds(claim, *drawn)

            examples()
            claim.check(floor)

        test.__name__, test.__doc__, test.__module__ = holds.__name__, holds.__doc__, holds.__module__
        return test

    return property_test
