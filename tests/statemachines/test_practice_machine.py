"""The practice's machine calls its function until the outcome is kept, and fails if clients were not led back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.statemachines.scripted import Machine, done, fails, waiting


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ([waiting(why="stays"), done(outcome="succeeded", why="back")], "SUCCEEDED", None),
        ([done(outcome="stood-down", why="a doubt")], "SUCCEEDED", None),
        ([fails("ServiceUnavailable"), done(outcome="succeeded", why="back")], "SUCCEEDED", None),
        ([done(outcome="failed", why="elsewhere")], "FAILED", "PracticeFailed"),
        ([fails("MalformedEvent")], "FAILED", "MalformedEvent"),
        ([fails("LedgerUnavailable")], "FAILED", "StepDeadlineExceeded"),
    ],
)
def test_it_ends_as_its_function_says(
    practice: Machine, script: list[dict[str, Any]], status: str, error: str | None
) -> None:
    run = practice.run(RunPractice=script)
    assert (run.status, run.error) == (status, error)


def test_at_the_last_chance_its_function_is_told_so(practice: Machine) -> None:
    run = practice.run(RunPractice=[waiting(why="stays"), waiting(why="stays"), done(outcome="failed", why="late")])
    told = [event["last_chance"] for event in run.of("RunPractice")]
    assert told[0] is False and run.of("RunPractice")[0]["practice"].startswith("Practice-")
