"""One fault at any outgoing call of any function: it ends as without the fault, and nothing stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulation.crash_matrix.scenarios import SCENARIOS
from tests.simulation.conftest import ROOT, Lives

LEFT_OUT: dict[str, str] = {}
"""Functions whose calls are not tried, and why."""
PLAYED = {function for scenario in SCENARIOS for function in scenario.functions}
GIVEN_UP_AT = {function for scenario in SCENARIOS if scenario.given_up for function in scenario.given_up.functions}
SAMPLED = 10
"""One case of so many is in `make test`,"""
PARTS = 6
"""in so many tests, for they take long."""


def test_no_function_is_left_out_but_by_name_and_reason() -> None:
    every = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    assert every == PLAYED | LEFT_OUT.keys() and not PLAYED & LEFT_OUT.keys()


def test_what_waits_for_nobody_is_never_given_up() -> None:
    """Only a switchover has clients stand still, before its point of no return; a practice is two of them."""
    assert {scenario.name for scenario in SCENARIOS if scenario.given_up} == {
        "practised",
        "switchover",
        "switchover over a link of one way",
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_single_fault_changes_no_end(lives: Lives, part: int) -> None:
    scenarios = SCENARIOS[part::PARTS]
    named = [argument for scenario in scenarios for argument in ("--scenario", scenario.name)]
    counts = _counts(lives, "--one-in", str(SAMPLED), *named)
    played = {function for scenario in scenarios for function in scenario.functions}
    assert counts["all"]["tried"] > 100 and counts.keys() - {"all"} <= played


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_no_single_fault_at_any_call_changes_an_end(lives: Lives) -> None:
    counts = _counts(lives)
    assert counts["all"]["tried"] > 13_000 and counts.keys() - {"all"} == PLAYED


def _counts(lives: Lives, *arguments: str) -> dict[str, Any]:
    """How the cases ended, by function: as without the fault, or given up where clients stand still."""
    tried = lives.run("--json", *arguments, module="simulation.crash_matrix", timeout=3500)
    assert tried.returncode == 0, tried.stderr
    counts: dict[str, Any] = json.loads(tried.stdout)
    for count in counts.values():
        assert count["tried"] == count["ended as without"] + count["given up"] and count["stopped"] == 0
    given_up = {function for function, count in counts.items() if count["given up"]}
    assert given_up - {"all"} <= GIVEN_UP_AT
    return counts
