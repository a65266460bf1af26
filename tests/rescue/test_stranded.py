"""Nothing is truncated until every stranded offset is accounted for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.errors import RescueIncomplete
from failover.rescue.stranded import Saved, Stranded, StrandedRange, refuse_unsaved, unsaved

RANGE = StrandedRange(topic="orders", partition=3, begin=100, end=150)
STRANDED = Stranded("east", (RANGE,))
WHOLE = Saved(begin=100, next_offset=150, records=48, without_record=2)


def test_what_is_saved_may_be_truncated() -> None:
    assert unsaved(STRANDED, {RANGE.spot: WHOLE}) == []
    refuse_unsaved([])


def test_a_plan_without_stranded_records_may_be_truncated() -> None:
    assert unsaved(Stranded("east", ()), {}) == []


@pytest.mark.parametrize(
    ("saved", "why"),
    [
        (None, "nothing of 50 offsets"),
        (replace(WHOLE, begin=101), "nothing of 50 offsets"),
        (replace(WHOLE, next_offset=149), "1 offsets are not saved yet"),
        (replace(WHOLE, records=47), "49 offsets are accounted for, 50 diverged"),
        (replace(WHOLE, records=49), "51 offsets are accounted for, 50 diverged"),
        (replace(WHOLE, records=44, gone=4), "4 offsets are not on east any more"),
    ],
)
def test_what_is_not_saved_is_named_and_not_truncated(saved: Saved | None, why: str) -> None:
    reasons = unsaved(STRANDED, {RANGE.spot: saved} if saved else {})
    assert [why in reason and "orders[3]" in reason for reason in reasons] == [True]
    with pytest.raises(RescueIncomplete, match="nothing was truncated"):
        refuse_unsaved(reasons)


def test_a_plan_may_go_on_without_what_the_site_does_not_have_any_more() -> None:
    saved = replace(WHOLE, records=44, gone=4)
    assert unsaved(STRANDED, {RANGE.spot: saved}, without_gone=True) == []
    assert unsaved(STRANDED, {RANGE.spot: replace(saved, records=43)}, without_gone=True) != []


def test_records_written_since_the_saving_are_not_saved() -> None:
    grown = Stranded("east", (replace(RANGE, end=151),))
    assert unsaved(grown, {RANGE.spot: WHOLE}) == ["orders[3]: 1 offsets are not saved yet"]
