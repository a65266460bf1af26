"""What is in doubt before a person's execution changes anything, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from failover.decision.doubts import doubts_of_fleets, doubts_of_name, doubts_of_sites, only_unanswered
from failover.detection.evidence import Probe, View
from failover.dns import NameState
from failover.errors import DnsRejected, DnsUnavailable, FleetRejected, FleetUnavailable
from failover.fleets import FleetState
from failover.plan.model import Plan, parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return parse((ROOT / "plans" / "orders.yaml").read_text())


def test_services_that_do_not_answer_and_a_controller_that_can_not_tell_are_doubts() -> None:
    def probe(site: str, healthy: bool | None, **more: Any) -> Probe:
        return Probe(site=site, service="kafka", healthy=healthy, took_seconds=0.1, **more)

    probes = (probe("east", True), probe("west", False, why="no answer"), probe("west", None, refused=True))
    assert list(doubts_of_sites(View(vantage="here", at=1.0, probes=probes))) == [
        "west kafka does not answer: no answer"
    ]
    unknown = View(vantage="here", at=1.0, probes=(probe("east", None, why="no secret"), probes[0]))
    assert only_unanswered(list(doubts_of_sites(unknown))) and not only_unanswered(
        list(doubts_of_sites(View(vantage="here", at=1.0, probes=probes)))
    )
    isolated = View(vantage="here", at=1.0, probes=(), isolated_because="cut off")
    assert list(doubts_of_sites(isolated)) == ["the controller is cut off"]


class Looked:
    """A name or a fleet that is so, or can't be looked at."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def look(self, *_: Any) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("found", "doubts"),
    [
        (NameState(record="T", answers={}, in_sync=True), []),
        (NameState(record="T", answers={}, in_sync=False), ["the client hostname leads to T, not to T"]),
        (NameState(record="x", answers={}, in_sync=True), ["the client hostname leads to x, not to T"]),
        (
            NameState(record=None, answers={}, in_sync=True),
            ["the client hostname leads to no site of the plan, not to T"],
        ),
        (DnsUnavailable("silent"), ["the client hostname can't be looked at: silent"]),
        (DnsRejected("refused"), ["the client hostname can't be looked at: refused"]),
        (None, []),
    ],
)
def test_a_name_that_does_not_lead_to_the_site_is_a_doubt_and_no_name_is_none(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, found: Any, doubts: list[str]
) -> None:
    target = plan.site("east").dns_target.lower()
    if isinstance(found, NameState) and found.record == "T":
        found = NameState(record=target, answers={}, in_sync=found.in_sync)
    monkeypatch.setattr("failover.decision.doubts.client_name_of", lambda _: None if found is None else Looked(found))
    assert doubts_of_name(plan, "east") == [doubt.replace("T", target) for doubt in doubts]


def test_who_did_not_answer_is_told_from_who_refused(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, unanswered in ((DnsUnavailable("silent"), True), (DnsRejected("refused"), False)):
        monkeypatch.setattr("failover.decision.doubts.client_name_of", lambda _, error=error: Looked(error))
        assert only_unanswered(doubts_of_name(plan, "east")) is unanswered
    for failure, unanswered in ((FleetUnavailable("silent"), True), (FleetRejected("refused"), False)):
        monkeypatch.setattr("failover.decision.doubts.fleets_of", lambda _, failure=failure: [("F", Looked(failure))])
        assert only_unanswered(doubts_of_fleets(plan, {"east": {"east"}})) is unanswered


def state(**changes: Any) -> FleetState:
    known: dict[str, Any] = {"target": "east", "settled": True, "instances": (), "detail": "so it is"}
    return FleetState(**known | changes)


@pytest.mark.parametrize(
    ("found", "doubts"),
    [
        (state(), []),
        (state(target="west"), []),
        (state(target="fenced"), ["fleet F leads to fenced: so it is"]),
        (state(target=None), ["fleet F leads to what the plan does not name: so it is"]),
        (state(settled=False), ["fleet F is not settled: so it is"]),
        (FleetRejected("no such service"), ["fleet F is out of reach: no such service"]),
    ],
)
def test_a_fleet_that_leads_elsewhere_or_is_not_settled_is_a_doubt(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, found: Any, doubts: list[str]
) -> None:
    monkeypatch.setattr("failover.decision.doubts.fleets_of", lambda site: [(site.region, Looked(found))])
    name = plan.site("east").region
    assert doubts_of_fleets(plan, {"east": {"east", "west"}}) == [doubt.replace("F", name) for doubt in doubts]
    assert doubts_of_fleets(plan, {}) == []


@pytest.mark.parametrize(
    ("answers", "doubts"),
    [
        ({"ns1": "east", "ns2": "west"}, []),
        ({"ns1": "elsewhere", "ns2": "west"}, ["name servers lead the client hostname to elsewhere"]),
    ],
)
def test_a_name_that_leads_to_every_location_is_in_doubt_only_where_it_leads_elsewhere(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], doubts: list[str]
) -> None:
    targets = {site: plan.site(site).dns_target.lower() for site in plan.sites}
    state = NameState(record=None, answers={name: targets.get(to, to) for name, to in answers.items()}, in_sync=False)
    monkeypatch.setattr("failover.decision.doubts.client_name_of", lambda _: Looked(state))
    everywhere = plan.model_copy(update={"dns": EverywhereDns()})
    monkeypatch.setattr("failover.decision.doubts.targets_of", lambda _: targets)
    assert doubts_of_name(everywhere, "east") == doubts


class EverywhereDns:
    """Records that lead to every location at once."""

    answers_every_location = True
