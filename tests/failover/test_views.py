"""What a vantage point's view says of the sites, and since when it says so."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from failover.detection.evidence import Probe, Signal, View, unbroken
from failover.detection.observation import Observation, Observations

NOW = 1_000_000.0


def probe(site: str, service: str, healthy: bool | None) -> Probe:
    return Probe(site=site, service=service, healthy=healthy, took_seconds=0.1, why="" if healthy else "no answer")


def view(*healthy: bool | None, isolated_because: str | None = None) -> View:
    services = [(site, service) for site in ("east", "west") for service in ("kafka", "gateway", "rest")]
    return View(
        vantage="us-east-1",
        at=NOW,
        probes=tuple(probe(*each, answer) for each, answer in zip(services, healthy, strict=True)),
        isolated_because=isolated_because,
    )


def test_a_vantage_point_says_lost_of_a_site_whose_clients_it_sees_cut_off() -> None:
    east, west = view(False, True, True, True, True, False).signals()
    assert (east.says_lost, west.says_lost) == (True, False)
    assert (east.source, east.vantage, east.why) == ("probe/us-east-1", "us-east-1", "kafka: no answer")
    assert [signal.says_lost for signal in view(True, False, True, None, True, True).signals()] == [True, False]


def test_an_ill_vantage_point_and_a_probe_that_failed_itself_say_nothing() -> None:
    assert not any(signal.says_lost for signal in view(*[False] * 6, isolated_because="sees nothing").signals())
    assert not any(signal.says_lost for signal in view(None, None, None, True, True, True).signals())


@pytest.mark.parametrize(
    ("at", "lost", "since"),
    [(NOW + 2, True, NOW - 9), (NOW + 30, True, NOW + 30), (NOW + 2, False, NOW + 2)],
    ids=["goes on", "was silent in between", "changed its mind"],
)
def test_since_when_a_source_says_so_is_told_from_what_it_said_before(at: float, lost: bool, since: float) -> None:
    before = Signal(site="east", source="probe/a", says_lost=True, at=NOW, since=NOW - 9, kind="probe")
    assert (
        unbroken(
            Signal(site="east", source="probe/a", says_lost=lost, at=at, since=at, kind="probe"), before, gap=15
        ).since
        == since
    )


def test_an_observation_is_of_one_plan_at_least_and_says_by_which_version() -> None:
    one = Observation(plan="orders", view=view(*(True,) * 6))
    assert Observations(observations=(one,)).version == 2
    with pytest.raises(ValidationError):
        Observations(observations=())
