"""The protected groups' offsets: a sample that is old enough must have been reached by the standby."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.kafka.offsets import Offsets as CommittedOffsets
from failover.link import Mirror, PartitionLag
from failover.plan.model import Plan
from failover.readiness import check, offsets
from failover.readiness.groups import GroupOffsets, Sample, Sampled, of_mirrored, offset_age
from tests.claims import reaches

Judged = Callable[..., Any]
NOW, LIMIT = 1_000_000.0, 60.0
A, B = ("orders", 0), ("orders", 1)
Offsets = dict[tuple[str, int], int]


def sample(ago: float, offsets: Offsets) -> Sample:
    return Sample(NOW - ago, {"fulfilment": offsets})


@pytest.mark.parametrize(
    ("active", "standby", "of_before", "status"),
    [
        ({A: 5}, {A: 5}, None, "pass"),
        ({A: 5}, {A: 9}, None, "pass"),
        ({A: 5}, {A: 4}, None, "unknown"),
        ({A: 5}, {A: 4}, {A: 4}, "pass"),
        ({A: 5}, {A: 4}, {A: 5}, "fail"),
        ({A: 5, B: 1}, {A: 5}, {A: 3}, "pass"),
        ({A: 5, B: 1}, {A: 5}, {A: 3, B: 1}, "fail"),
        ({A: 2, B: 5}, {A: 2, B: 4}, {A: 9, B: 4}, "pass"),
        ({}, {}, None, "warn"),
        ({A: 5}, {}, {A: 5}, "fail"),
    ],
)
def test_the_standby_has_what_the_active_cluster_had(
    judged: Judged, active: Offsets, standby: Offsets, of_before: Offsets | None, status: str
) -> None:
    known = None if of_before is None else sample(100, of_before)
    assert (
        judged(offset_age(GroupOffsets(group="fulfilment", active=active, standby=standby), known, LIMIT, NOW)).status
        == status
    )


@pytest.mark.parametrize(
    ("state", "status"), [("EMPTY", "pass"), (None, "pass"), ("UNKNOWN", "pass"), ("STABLE", "fail")]
)
def test_a_group_that_is_active_on_the_standby_is_not_synced(judged: Judged, state: str | None, status: str) -> None:
    assert (
        judged(
            offset_age(GroupOffsets(group="fulfilment", active={A: 5}, standby={A: 5}, state=state), None, LIMIT, NOW)
        ).status
        == status
    )


def test_a_group_that_was_not_sampled_yet_is_unknown(judged: Judged) -> None:
    known = Sample(NOW - 100, {"billing": {A: 1}})
    assert (
        judged(offset_age(GroupOffsets(group="fulfilment", active={A: 5}, standby={A: 4}), known, LIMIT, NOW)).status
        == "unknown"
    )


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=30))
def test_there_is_a_sample_to_judge_by_from_the_limit_on_and_it_is_never_younger(pauses: list[float]) -> None:
    sampled, now, first = Sampled(), NOW, None
    for pause in pauses:
        judge = sampled.to_judge_by(now, LIMIT)
        assert (judge is not None) == (first is not None and now - first >= LIMIT)
        assert judge is None or now - judge.at >= LIMIT
        after = sampled.after({"fulfilment": {A: int(now)}}, now, LIMIT)
        first = now if first is None else first
        sampled, now = after, now + pause
    reaches(sampled.to_judge_by(now, LIMIT))


@given(
    st.dictionaries(st.sampled_from([A, B]), st.integers(0, 9), min_size=1),
    st.dictionaries(st.sampled_from([A, B]), st.integers(0, 9)),
)
def test_it_passes_without_a_sample_only_if_nothing_is_behind(active: Offsets, standby: Offsets) -> None:
    status = check(
        "it", offset_age(GroupOffsets(group="fulfilment", active=active, standby=standby), None, LIMIT, NOW)
    ).status
    reaches(active.keys() <= standby.keys(), floor=0.2)
    assert (status == "pass") == all(standby.get(spot, -1) >= offset for spot, offset in active.items())


def test_offsets_of_topics_without_a_mirror_are_left_out() -> None:
    assert of_mirrored({A: 1, ("local", 0): 2}, {"orders"}) == {A: 1}


@pytest.mark.parametrize(
    ("untold", "status"),
    [({}, "pass"), ({"unknown": {B: "no leader"}}, "unknown"), ({"refused": {B: "no right"}}, "unknown")],
)
def test_a_part_of_a_groups_offsets_is_not_taken_for_the_whole(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch, untold: dict[str, Any], status: str
) -> None:
    at = {"east": CommittedOffsets({A: 5, B: 7}), "west": CommittedOffsets({A: 5, B: 7})}
    if untold:
        at["west"] = CommittedOffsets({A: 5}, **untold)
    monkeypatch.setattr(offsets, "committed_offsets", lambda _, site, *__: at[site])
    monkeypatch.setattr(offsets, "cluster_at", lambda *_: SimpleNamespace(groups=list))
    monkeypatch.setattr(offsets, "_limit", lambda _: LIMIT)
    monkeypatch.setattr(offsets, "load_samples", lambda *_: Sampled(None, None))
    monkeypatch.setattr(offsets, "keep_samples", lambda *_: None)
    mirror = Mirror(topic="orders", status="ACTIVE", lags=(PartitionLag(0, 0, 5), PartitionLag(1, 0, 7)))
    orders = plan(protect={"groups": ["fulfilment"]})
    snapshot: Any = SimpleNamespace(
        plan=orders, active="east", standby="west", mirrors=lambda: [mirror], book=None, now=NOW
    )
    found = check("group-offsets", offsets.group_offsets(snapshot))
    assert found.status == status
    if untold:
        assert "west does not tell the offsets of group fulfilment for 1 partitions: orders[1]" in found.evidence[0]
