"""The active site dies at a step of a switchover: a failover takes over from the very state that is there."""

from __future__ import annotations

import json

import pytest

from simulation.takeovers import takeovers
from tests.simulation.conftest import Lives


def _taken_over(lives: Lives, *, few: bool) -> None:
    played = lives.run(*(["--few"] if few else []), module="simulation.takeovers")
    assert played.returncode == 0, played.stderr
    ended = json.loads(played.stdout)
    assert ended.keys() == takeovers(few=few).keys()
    assert {name: end for name, end in ended.items() if end["broken"] or end["active"] != "west"} == {}
    assert {end["executions"][-1] for end in ended.values()} == {"succeeded"}


@pytest.mark.slow
def test_a_failover_takes_over_where_a_switchover_differs_most(lives: Lives) -> None:
    _taken_over(lives, few=True)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_a_failover_takes_over_from_every_state_of_a_switchover(lives: Lives) -> None:
    _taken_over(lives, few=False)
