"""What has expired is deleted page by page, for as long as there is time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from tests.conftest import Context


class Expired:
    """A ledger with pages of items that have expired."""

    def delete_expired(self, now: float) -> Iterator[int]:
        assert now > 0
        yield from (2, 3)


class LittleTime(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 1000


@pytest.mark.parametrize(
    ("context", "answer"),
    [(Context(), {"deleted": 5, "done": True}), (LittleTime(), {"deleted": 2, "done": False})],
)
def test_the_sweep_ends_of_itself_before_its_time_is_over_and_says_so(
    function: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    context: Context,
    answer: dict[str, int | bool],
) -> None:
    sweep = function("sweep_ledger")
    monkeypatch.setattr(sweep, "ledger", Expired)
    assert sweep.handler({}, context) == answer
