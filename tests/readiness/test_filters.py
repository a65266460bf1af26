"""Which names a link's filters select."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.readiness.filters import BadFilters, Filter, read_filters, selects, selects_all
from tests.claims import reaches

names = st.text(alphabet="abc.*", min_size=1, max_size=6)
filters = st.builds(Filter, names, st.booleans(), st.booleans())
ALL = Filter("*", prefixed=False, includes=True)


def as_text(rows: Iterable[Filter]) -> str:
    """As it stands in a link's configuration."""
    return json.dumps(
        {
            "groupFilters": [
                {
                    "name": row.name,
                    "patternType": "PREFIXED" if row.prefixed else "LITERAL",
                    "filterType": "INCLUDE" if row.includes else "EXCLUDE",
                }
                for row in rows
            ]
        }
    )


@given(st.lists(filters, max_size=6))
def test_filters_are_read_as_they_were_written(rows: list[Filter]) -> None:
    reaches(len(rows) > 1)
    assert read_filters(as_text(rows), "groupFilters") == tuple(rows)


@given(st.lists(filters, max_size=6), names)
def test_a_name_is_selected_if_one_includes_it_and_none_excludes_it(rows: list[Filter], name: str) -> None:
    def speaks(row: Filter) -> bool:
        if row.name == "*" and not row.prefixed:
            return True
        return name[: len(row.name)] == row.name if row.prefixed else name == row.name

    included = [row for row in rows if row.includes and speaks(row)]
    excluded = [row for row in rows if not row.includes and speaks(row)]
    reaches(included or excluded, floor=0.1)
    assert selects(rows, name) is (bool(included) and not excluded)


@given(st.lists(filters, max_size=6), names)
def test_the_order_of_filters_does_not_matter(rows: list[Filter], name: str) -> None:
    reaches(len(set(rows)) > 1)
    assert selects(rows, name) is selects(rows[::-1], name)


@given(st.lists(filters | st.just(ALL), max_size=3), names)
def test_filters_that_select_all_select_each(rows: list[Filter], name: str) -> None:
    if reaches(selects_all(rows), floor=0.05):
        assert selects(rows, name)


@given(names)
def test_nothing_is_selected_by_no_filter_and_everything_by_the_wildcard(name: str) -> None:
    reaches(name)
    assert not selects((), name)
    assert selects((ALL,), name) and selects_all((ALL,))
    assert not selects_all((ALL, Filter("x", prefixed=True, includes=False)))


def test_a_star_that_is_a_prefix_is_a_star_and_no_wildcard() -> None:
    star = Filter("*", prefixed=True, includes=True)
    assert not selects((star,), "orders") and selects((star,), "*orders") and not selects_all((star,))


@pytest.mark.parametrize("text", ["", "  ", None])
def test_an_empty_configuration_has_no_filter(text: str | None) -> None:
    assert read_filters(text, "groupFilters") == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"topicFilters": []}',
        '{"groupFilters": 3}',
        '{"groupFilters": [1]}',
        '{"groupFilters": [{"name": "a"}]}',
        '{"groupFilters": [{"name": "", "filterType": "INCLUDE"}]}',
        '{"groupFilters": [{"name": "a", "patternType": "REGEX", "filterType": "INCLUDE"}]}',
    ],
)
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(BadFilters):
        read_filters(text, "groupFilters")
