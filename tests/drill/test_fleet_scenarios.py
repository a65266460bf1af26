"""Every scenario of the fleets ends as the table says, played with the deployed functions and state machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.rerouting.expected_outcomes import TABLE, as_markdown
from drill.rerouting.scenarios import SETUPS, Setup, run_all

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = {(row.scenario, row.fleet): row.ending for row in TABLE}

OF_ALL_CASES = ("ecs, out of reach", "cfk", "cfk, out of reach", "cfk, one stuck", "cfk, unlicensed")
"""Setups that `make test` leaves to `make test-all`: there, a whole drill runs on Kubernetes and one on ECS whose lost
site is out of reach, and each step meets such fleets and such troubles (tests/functions)."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "setup",
    [
        pytest.param(setup, id=name, marks=pytest.mark.exhaustive if name in OF_ALL_CASES else ())
        for name, setup in SETUPS.items()
    ],
)
def test_every_scenario_ends_as_it_is_written(setup: Setup, tmp_path: Path) -> None:
    ended = dict(run_all(setup, tmp_path))
    assert ended == {name: ENDINGS[name, setup.fleet] for name in setup.scenarios}


def test_every_row_of_the_table_is_played_and_no_story_is_without_a_row() -> None:
    played = [(name, setup.fleet) for setup in SETUPS.values() for name in setup.scenarios]
    assert sorted(played) == sorted(ENDINGS)
    assert len(TABLE) == len(ENDINGS)


def test_the_documentation_shows_the_table_that_is_asserted() -> None:
    assert as_markdown() in (ROOT / "docs" / "scenarios.md").read_text()
