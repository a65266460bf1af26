"""The oracle is not blind: a fault that is put back into the product breaks the promise it belongs to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Lived = dict[str, dict[str, dict[str, Any]]]
SEEDS = (
    "accepted is taken for done",
    "a superseded execution goes on",
    "what is held back is not told",
    "an end is not told",
    "who ended and holds the lease is not told",
    "a denial is forgotten",
    "a redrive stops where it stopped",
    "a secret is read once",
    "unknown is told as zero",
    "an answer is the whole world",
    "what is decided is kept for ever",
    "an error of no class of its own",
    "a secret is told",
    "a hook is called too early",
    "what is not saved is truncated",
)
"""Those that a seed is known of, among the first 2,000."""
BREAKS = {
    "accepted is taken for done": 1,
    "a fleet that serves is not led over": 1,
    "gateways near the clients are not led over": 1,
    "a superseded execution goes on": 2,
    "what is held back is not told": 3,
    "an end is not told": 3,
    "who ended and holds the lease is not told": 3,
    "an alarm that stands ages out": 4,
    "a name is used up": 4,
    "an end that its execution did not tell is told by nobody": 3,
    "a silent moment is a new beginning": 3,
    "a holder whose region is silent is not told": 3,
    "a denial is forgotten": 5,
    "a redrive stops where it stopped": 6,
    "a secret is read once": 6,
    "unknown is told as zero": 7,
    "an answer is the whole world": 8,
    "what is decided is kept for ever": 8,
    "an error of no class of its own": 9,
    "a secret is told": 10,
    "what is not saved is truncated": 11,
    "a hook is called too early": 12,
}


@pytest.fixture(scope="module")
def lived() -> Lived:
    """What becomes of each fault's story, as the product is, and with the fault."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "failover" / "python")))
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation.faults_put_back"],
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONHASHSEED": "0", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=580,
    )
    answer: Lived = json.loads(told.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", BREAKS)
def test_a_fault_that_is_put_back_breaks_its_promise(lived: Lived, fault: str) -> None:
    assert lived[fault]["before"]["broken"] == []
    assert BREAKS[fault] in lived[fault]["after"]["broken"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", SEEDS)
def test_a_seed_of_the_simulation_finds_a_fault_that_is_put_back(lived: Lived, fault: str) -> None:
    assert BREAKS[fault] in lived[fault]["of seed"]["broken"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("fault", "figure"), [("nothing is started", "missed"), ("one voice is enough", "false")])
def test_a_decision_that_is_wrong_is_counted(lived: Lived, fault: str, figure: str) -> None:
    assert lived[fault]["before"][figure] == 0
    assert lived[fault]["after"][figure] == 1
