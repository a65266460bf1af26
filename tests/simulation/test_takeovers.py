"""A site dies at a step of a switchover: a failover takes over from the very state that is there, on to the other site
if it was the active one, and back if it was the one to take over."""

from __future__ import annotations

import json

import pytest

from simulation.takeovers import takeovers, ways_back
from tests.simulation.conftest import Lives


def _taken_over(lives: Lives, *, few: bool) -> None:
    played = lives.run(*(["--few"] if few else []), module="simulation.takeovers")
    assert played.returncode == 0, played.stderr
    ended = json.loads(played.stdout)
    on, back = takeovers(few=few).keys(), ways_back(few=few).keys()
    assert ended.keys() == on | back
    assert {name: end["broken"] for name, end in ended.items() if end["broken"]} == {}
    assert {(ended[name]["active"], ended[name]["executions"][-1]) for name in on} == {("west", "succeeded")}
    half_done = [ended[name] for name in back if ended[name]["executions"][0] == "superseded"]
    assert {(end["active"], end["executions"][-1]) for end in half_done} == {("east", "succeeded")}
    assert len(half_done) >= len(back) // 2


@pytest.mark.slow
def test_a_failover_takes_over_where_a_switchover_differs_most(lives: Lives) -> None:
    _taken_over(lives, few=True)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_a_failover_takes_over_from_every_state_of_a_switchover(lives: Lives) -> None:
    _taken_over(lives, few=False)
