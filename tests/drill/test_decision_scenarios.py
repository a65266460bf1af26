"""Every scenario of the decision ends as the table says, played with the deployed functions and state machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.decision.expected_outcomes import TABLE, Ending, as_markdown
from drill.decision.scenarios import SETUPS, Setup, run_all

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = {row.scenario: row.ending for row in TABLE}
OF_ALL_CASES = ("a cluster is lost", "a region is lost")
"""Setups that `make test` leaves to `make test-all`: a cluster is lost before two controllers, a region in the drill
that is run as its user runs it, and where Route 53 is lost with it."""


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
    ended: dict[str, Ending] = dict(run_all(setup, tmp_path))
    assert ended == {name: ENDINGS[name] for name in setup.scenarios}


def test_every_row_of_the_table_is_played_and_no_story_is_without_a_row() -> None:
    played = [name for setup in SETUPS.values() for name in setup.scenarios]
    assert sorted(played) == sorted(ENDINGS)
    assert len(TABLE) == len(ENDINGS)


def test_the_documentation_shows_the_table_that_is_asserted() -> None:
    assert as_markdown() in (ROOT / "docs" / "scenarios.md").read_text()
