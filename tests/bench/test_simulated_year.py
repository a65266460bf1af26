"""The simulated year is no rubber stamp: it finds nothing against the policies there are, and much against bad ones."""

from __future__ import annotations

import pytest

from bench.simulated_year import EVERYTHING, HOME, POLICIES, YEAR_S, Tally, Trouble, simulate, year
from failover.plan.policy import Policy

pytestmark = pytest.mark.slow


def weeks(policy: Policy) -> Tally:
    return simulate(policy, year(7, YEAR_S / 26))


@pytest.mark.parametrize("name", POLICIES)
def test_no_failover_is_false_and_no_outage_is_missed(name: str) -> None:
    tally = weeks(POLICIES[name])
    assert tally.must >= 1
    assert (tally.false, tally.missed) == (0, 0), tally.stories


def test_one_vantage_point_alone_fails_over_falsely() -> None:
    hasty = Policy(mode="automatic", fast_path=True, quorum=1, min_vantage_points=1, hold_seconds=0)
    assert weeks(hasty).false > 0


def test_a_policy_that_only_looks_on_misses_every_outage() -> None:
    tally = weeks(Policy(mode="observe"))
    assert tally.failovers == 0 and tally.missed == tally.must > 0


def test_an_outage_of_both_sites_is_left_alone() -> None:
    troubles = [
        Trouble(start=at, end=5000, site=site, services=EVERYTHING) for at, site in ((1000, "west"), (1100, HOME))
    ]
    assert simulate(POLICIES["fast path"], troubles).failovers == 0


def test_the_same_seed_is_the_same_year() -> None:
    assert year(1, YEAR_S / 26) == year(1, YEAR_S / 26) != year(2, YEAR_S / 26)
