"""The parts of the RTO are in their order, never negative, and add up to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drill.report.rto import PARTS, Milestones, split_rto
from tests.claims import reaches

KILLED = 1_795_427_112.345
NAMES = ("alarm", "decided", "promoted", "routes", "dns")
offset = st.floats(min_value=-5, max_value=120)
milestones = st.builds(
    Milestones,
    killed=st.just(KILLED),
    first_acknowledged=st.floats(min_value=0, max_value=120).map(lambda s: KILLED + s),
    **{name: st.none() | offset.map(lambda s: KILLED + s) for name in NAMES},
)


def milliseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1000)


@given(milestones)
def test_parts_add_up_to_the_total_whatever_the_milestones(seen: Milestones) -> None:
    rto, _ = split_rto(seen)
    parts = [getattr(rto, part) for part in PARTS]
    reaches(any(parts))
    assert sum(map(milliseconds, parts)) == milliseconds(rto.total)
    assert all(part is None or part >= 0 for part in parts)


@given(milestones)
def test_every_part_that_is_not_measured_has_its_reason(seen: Milestones) -> None:
    rto, reasons = split_rto(seen)
    missing = [part for part in PARTS if getattr(rto, part) is None]
    reaches(missing)
    assert [reason.split(":")[0] for reason in reasons] == [f"RTO, {part}" for part in missing]


def test_each_part_is_the_time_to_its_milestone() -> None:
    seen = Milestones(killed=0, alarm=20, decided=21, promoted=23, routes=23.5, dns=24.25, first_acknowledged=25)
    rto, reasons = split_rto(seen)
    assert rto.model_dump() == {
        "total": 25.0,
        "detection": 20.0,
        "decision": 1.0,
        "promotion": 2.0,
        "routes": 0.5,
        "dns": 0.75,
        "clients": 0.75,
        "readers": None,
    }
    assert reasons == ()
    assert seen.alarm_to_dns == 4.25


def test_routes_that_were_ready_before_the_promotion_cost_nothing() -> None:
    rto, _ = split_rto(
        Milestones(killed=0, alarm=20, decided=21, promoted=23, routes=22, dns=24, first_acknowledged=25)
    )
    assert (rto.promotion, rto.routes, rto.dns) == (2.0, 0.0, 1.0)


def test_clients_that_are_faster_than_the_end_of_the_flip_cost_nothing() -> None:
    rto, _ = split_rto(
        Milestones(killed=0, alarm=20, decided=21, promoted=23, routes=22, dns=26, first_acknowledged=24.5)
    )
    assert (rto.total, rto.dns, rto.clients) == (24.5, 1.5, 0.0)


def test_the_time_of_a_missing_milestone_is_within_the_next_part() -> None:
    rto, reasons = split_rto(Milestones(killed=0, decided=21, promoted=23, routes=22, dns=24, first_acknowledged=25))
    assert (rto.detection, rto.decision) == (None, 21.0)
    assert reasons == ("RTO, detection: the event that set it off was not seen; its time is within decision",)


def test_clients_that_never_came_back_have_no_total() -> None:
    rto, reasons = split_rto(Milestones(killed=0, alarm=20, decided=21, promoted=23, routes=22, dns=24))
    assert (rto.total, rto.clients, rto.dns) == (None, None, 1.0)
    assert len(reasons) == 1
