"""Whether clients can still write to the site that is left: asked of all fleets of a plan, wherever they stand."""

from __future__ import annotations

import pytest

from failover.errors import FailoverError, FleetRejected, FleetUnavailable
from failover.execution.unfenced_fleets import unfenced_fleets
from failover.fleets import FleetState
from failover.plan.location import Location
from failover.plan.model import FENCED, parse


class Gateway:
    """A fleet that leads somewhere, and may not answer its first looks."""

    def __init__(self, target: str | None) -> None:
        self.target = target
        self.errors: list[FailoverError] = []

    def look(self) -> FleetState:
        if self.errors:
            raise self.errors.pop()
        return FleetState(target=self.target, settled=False, instances=(), detail="")


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> dict[str, Gateway]:
    """Both sites' fleets, fenced and led to west."""
    gateways = {"gateway-east": Gateway(FENCED), "gateway-west": Gateway("west")}

    def fleets_of(location: Location) -> list[tuple[str, Gateway]]:
        return [(fleet.name, gateways[fleet.name]) for fleet in location.fleets]

    monkeypatch.setattr("failover.execution.unfenced_fleets.fleets_of", fleets_of)
    return gateways


def test_no_fleet_that_is_fenced_or_leads_to_the_site_that_takes_over_lets_anybody_write(
    gateways: dict[str, Gateway], plan_text: str
) -> None:
    assert unfenced_fleets(parse(plan_text), "west") == []


@pytest.mark.parametrize("name", ["gateway-east", "gateway-west"])
@pytest.mark.parametrize(("target", "where"), [("east", "east"), (None, "no site of the plan")])
def test_every_other_one_is_named_with_where_it_leads(
    gateways: dict[str, Gateway], plan_text: str, name: str, target: str | None, where: str
) -> None:
    gateways[name].target = target
    assert unfenced_fleets(parse(plan_text), "west") == [f"{name} leads to {where}"]


def test_a_fleet_that_can_not_be_looked_at_is_not_taken_for_fenced(
    gateways: dict[str, Gateway], plan_text: str
) -> None:
    fenced = gateways["gateway-east"]
    fenced.errors = [FleetUnavailable("reset")]
    assert unfenced_fleets(parse(plan_text), "west") == [], "one connection that is reset is no silence"
    fenced.errors = [FleetUnavailable("reset"), FleetUnavailable("reset")]
    with pytest.raises(FleetUnavailable):
        unfenced_fleets(parse(plan_text), "west")
    fenced.errors = [FleetRejected("no such service")]
    with pytest.raises(FleetRejected):
        unfenced_fleets(parse(plan_text), "west")
