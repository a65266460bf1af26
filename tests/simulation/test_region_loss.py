"""A region is lost with every plan in it, within an account's limits: no plan stops because others ask, too."""

from __future__ import annotations

import json

import pytest

from tests.simulation.conftest import Lives

FEW = ("--plans", "6", "--lambdas", "20", "--route53", "5", "1")
"""So few requests for so few plans that they stand in each other's way as hundreds do."""


@pytest.mark.slow
def test_plans_that_share_a_zone_and_an_accounts_limits_are_all_led_over(lives: Lives) -> None:
    lost = lives.run(*FEW, module="simulation.region_loss")
    assert lost.returncode == 0, lost.stderr
    figures = json.loads(lost.stdout)
    assert (figures["stopped"], figures["stopped_because"], figures["unexpected"]) == (0, {}, [])
    assert figures["throttled"], "they do stand in each other's way"
    assert figures["changes"] < figures["plans"], "one of them changed the zone for others, too"
    assert figures["route53"]["route53 ChangeResourceRecordSets"] <= 2 * figures["plans"]
