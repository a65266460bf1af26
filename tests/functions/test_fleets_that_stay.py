"""Fleets that clients come through before and after: led over after the promotion, and never given up for lost, unless
they are fenced or the name leads nobody to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import FleetState
from tests.fleets_near_clients import near_clients, of_both_sites
from tests.functions.test_fleets_out_of_reach import Fleet, refused_connection, state

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
STARTED = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}


@pytest.fixture
def plan_text(request: pytest.FixtureRequest) -> str:
    return json.dumps(getattr(request, "param", near_clients)())


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The locations that the name leads nobody to."""
    places: set[str] = set()
    monkeypatch.setattr("failover.execution.out_of_service.leads_nobody_to", lambda _, where: where in places)
    return places


@pytest.fixture
def claimed(deployed: Any, call: Call, left_out: set[str]) -> dict[str, Any]:
    return call("claim", STARTED)


@pytest.fixture
def lead_over(claimed: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Calls switch_routes as the machine does for the fleet near the clients."""

    def run(fleet: Fleet, **more: Any) -> dict[str, Any]:
        monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: fleet)
        (staying,) = claimed["fleets_staying"]
        return call("switch_routes", {"execution": claimed["execution"], "staying": True} | staying | more)

    return run


def test_a_fleet_near_the_clients_stays(claimed: dict[str, Any]) -> None:
    assert claimed["fleets_staying"] == [{"site": "frankfurt", "fleet": "gateway-frankfurt"}]
    assert claimed["fleets_joining"] == claimed["fleets_leaving"] == []


@pytest.mark.parametrize("plan_text", [of_both_sites], indirect=True)
def test_fleets_of_both_sites_that_serve_at_all_times_stay(claimed: dict[str, Any]) -> None:
    assert [fleet["fleet"] for fleet in claimed["fleets_staying"]] == ["gateway-east", "gateway-west"]
    assert claimed["fleets_joining"] == claimed["fleets_leaving"] == []


def test_it_is_routed_and_waited_for(lead_over: Any) -> None:
    fleet = Fleet(state("east"), state("west"))
    assert (lead_over(fleet)["status"], lead_over(fleet)["status"], fleet.routed) == ("waiting", "done", ["west"])


@pytest.mark.parametrize("error", [refused_connection(), FleetUnavailable("silent")])
def test_out_of_reach_it_is_waited_for_until_the_name_leads_nobody_to_it(
    lead_over: Any, left_out: set[str], error: FleetUnavailable
) -> None:
    report = lead_over(Fleet(error), last_chance=True)
    assert (report["status"], report["observed"]["out_of_service"]) == ("waiting", "")
    left_out.add("frankfurt")
    report = lead_over(Fleet(error))
    assert report["status"] == "done" and "leads nobody to it" in report["observed"]["out_of_service"]


def test_one_that_is_on_its_way_is_left_at_the_last_chance_if_the_name_leads_nobody_to_it(
    lead_over: Any, left_out: set[str]
) -> None:
    assert lead_over(Fleet(state("east")), last_chance=True)["status"] == "waiting"
    left_out.add("frankfurt")
    assert lead_over(Fleet(state("east")))["status"] == "waiting", "there is time"
    report = lead_over(Fleet(state("east")), last_chance=True)
    assert report["status"] == "done" and "leads nobody to it" in report["observed"]["out_of_service"]
    report = lead_over(Fleet(state("west")), last_chance=True)
    assert report["status"] == "done" and "out_of_service" not in report["observed"]


def test_out_of_reach_it_is_done_with_if_this_execution_proved_it_fenced(
    lead_over: Any, claimed: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proven, fleet in ((False, Fleet(state("east"))), (True, Fleet(state("fenced")))):
        monkeypatch.setattr("failover.fleets.fleet_of", lambda *_, fleet=fleet: fleet)
        report = call("fence", {"execution": claimed["execution"]})
        assert report["observed"]["fleets"] == {"gateway-frankfurt": "fenced" if proven else "fencing"}
        assert lead_over(Fleet(refused_connection()))["status"] == ("done" if proven else "waiting")


def test_one_that_is_refused_its_route_stops_the_execution_unless_nobody_comes_to_it(
    lead_over: Any, left_out: set[str]
) -> None:
    refused = Fleet(state("west", refused_because="ApplyFailed: no such secret"))
    with pytest.raises(FleetRejected, match="no such secret"):
        lead_over(refused)
    left_out.add("frankfurt")
    assert lead_over(refused)["status"] == "done"


def test_a_dry_run_says_where_it_would_be_routed(claimed: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(state("east"))
    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: fleet)
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    (staying,) = dry["fleets_staying"]
    report = call("switch_routes", {"execution": dry["execution"], "staying": True} | staying)
    assert (report["status"], report["observed"]["would_route_to"], fleet.routed) == ("done", "west", [])


@pytest.mark.parametrize("plan_text", [of_both_sites, near_clients], indirect=True)
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_fence_fences_every_fleet_that_clients_come_through(
    claimed: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    fleets: dict[str, Fleet] = {}

    def fleet_of(described: Any, *_: Any) -> Fleet:
        return fleets.setdefault(described.name, Fleet(state("east")))

    monkeypatch.setattr("failover.fleets.fleet_of", fleet_of)
    call("fence", {"execution": claimed["execution"], "everywhere": everywhere})
    assert set(fleets) == {fleet["fleet"] for fleet in claimed["fleets_staying"]}
    assert all(fleet.routed == ["fenced"] for fleet in fleets.values())


@pytest.mark.parametrize("plan_text", [of_both_sites], indirect=True)
def test_a_proof_leaves_out_no_fleet_that_clients_may_come_to(
    claimed: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch, left_out: set[str]
) -> None:
    def fleet_of(described: Any, *_: Any) -> Fleet:
        east = described.name == "gateway-east"
        return Fleet(refused_connection() if east else FleetState(target="west", settled=True, instances=(), detail=""))

    monkeypatch.setattr("failover.fleets.fleet_of", fleet_of)
    monkeypatch.setattr("failover.kafka.factory.as_client", lambda plan, bootstrap, ask: [])
    request = {"execution": claimed["execution"]}
    unproven = call("verify", request)["observed"]["unproven"]
    assert any(line.startswith("fleet gateway-east is out of reach") for line in unproven)
    left_out.add("east")
    report = call("verify", request)["observed"]
    assert not any("gateway-east" in line for line in report["unproven"])
    assert "nobody works through fleet gateway-east: the client hostname leads nobody to it" in report["proven"]


@pytest.mark.parametrize("plan_text", [of_both_sites], indirect=True)
def test_a_switchover_is_in_doubt_of_a_fleet_that_leads_elsewhere_than_clients_are(
    claimed: dict[str, Any], function: Any
) -> None:
    from failover.ledger.execution import Execution
    from failover.plan.store import plan_named

    execution = Execution.model_validate(claimed["execution"])
    assert function("precheck")._expected_targets(plan_named("orders"), execution) == {
        "east": {"east"},
        "west": {"east"},
    }


@pytest.mark.parametrize("plan_text", [of_both_sites], indirect=True)
def test_a_restore_leads_over_what_missed_the_failover_and_is_in_no_doubt_of_it(deployed: Any, function: Any) -> None:
    from failover.plan.store import plan_named

    expected = function("precheck_restore")._expected_targets(plan_named("orders"), "west")
    assert expected == {"west": {"west"}, "east": {"west", "east", "fenced"}}
