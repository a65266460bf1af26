"""The link's configuration: what may be changed, and what a change drags along."""

from __future__ import annotations

import json

import pytest

from drill.confluent import link_configs
from drill.confluent.link_configs import GROUP_FILTERS, OFFSET_SYNC, OFFSET_SYNC_MS, Change, ConfigRefused, LinkConfigs


def filters(*rows: tuple[str, str, str]) -> str:
    names = ("name", "patternType", "filterType")
    return json.dumps({"groupFilters": [dict(zip(names, row, strict=True)) for row in rows]})


def syncing(text: str) -> LinkConfigs:
    return LinkConfigs().changed([Change(OFFSET_SYNC, "true"), Change(GROUP_FILTERS, text)])


def test_a_new_link_syncs_the_groups_it_was_given() -> None:
    configs = link_configs.initial(["fulfilment"], 1.5, {})
    assert configs.synced_groups(["fulfilment", "other"]) == ("fulfilment",)
    assert configs.seconds(OFFSET_SYNC_MS) == 1.5
    assert link_configs.initial([], 30, {}).synced_groups(["fulfilment"]) == ()


def test_switching_offset_sync_off_clears_its_filters_for_good() -> None:
    configs = link_configs.initial(["fulfilment"], 30, {}).changed([Change(OFFSET_SYNC, "false")])
    configs = configs.changed([Change(OFFSET_SYNC, "true")])
    assert configs.value(GROUP_FILTERS) == ""
    assert configs.synced_groups(["fulfilment"]) == ()
    assert not configs.configured(OFFSET_SYNC)


def test_deleting_the_switch_clears_the_filters_too() -> None:
    configs = link_configs.initial(["fulfilment"], 30, {}).changed([Change(OFFSET_SYNC, None)])
    assert configs.value(GROUP_FILTERS) == ""


@pytest.mark.parametrize(
    ("rows", "selected"),
    [
        ([("*", "LITERAL", "INCLUDE")], ("a1", "a2", "b")),
        ([("a", "PREFIXED", "INCLUDE")], ("a1", "a2")),
        ([("a", "LITERAL", "INCLUDE")], ()),
        ([("*", "LITERAL", "INCLUDE"), ("a2", "LITERAL", "EXCLUDE")], ("a1", "b")),
        ([("a2", "LITERAL", "EXCLUDE")], ()),
    ],
)
def test_group_filters(rows: list[tuple[str, str, str]], selected: tuple[str, ...]) -> None:
    assert syncing(filters(*rows)).synced_groups(["a1", "a2", "b"]) == selected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("link.mode", "SOURCE"),
        ("cluster.link.retry.timeout.ms", "1"),
        ("no.such.config", "1"),
        (OFFSET_SYNC, "yes"),
        (OFFSET_SYNC_MS, "0"),
        (OFFSET_SYNC_MS, "soon"),
        (GROUP_FILTERS, "{"),
        (GROUP_FILTERS, '{"groupFilters":[{"name":"a"}]}'),
    ],
)
def test_what_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigRefused, match=name.replace(".", r"\.")):
        LinkConfigs().changed([Change(name, value)])


def test_a_batch_is_made_whole_or_not_at_all() -> None:
    configs = LinkConfigs()
    with pytest.raises(ConfigRefused):
        configs.changed([Change(OFFSET_SYNC_MS, "1000"), Change("link.mode", "SOURCE")])
    assert configs.value(OFFSET_SYNC_MS) == "30000"
