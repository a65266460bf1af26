"""The sample events are whole: every function has one, every file is played, and the next step finds what it needs."""

from __future__ import annotations

import json

from drill.sam_local.samples import EVENTS, SAMPLES, Sample, replay, without_chance
from tests.deployment.test_sam_local_guard import TEMPLATES

FUNCTIONS = {
    name
    for name, resource in TEMPLATES["template.yaml"]["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function" and "Condition" not in resource
}
NOT_OF_THIS_WORLD = {"local-env", "sweep_ledger", "serve_operators", "deploy_plan"}
"""Settings, and what is deployed under a condition alone."""


def test_every_function_has_a_sample_and_every_file_is_played() -> None:
    assert {sample.function for sample in SAMPLES} == FUNCTIONS
    files = {path.stem for path in EVENTS.glob("*.json")} - NOT_OF_THIS_WORLD
    assert sorted(sample.file for sample in SAMPLES) == sorted(files)


def test_an_input_of_the_state_machine_is_given_as_claim_gets_it() -> None:
    event = json.loads(Sample("Claim", "manual-start", start=True).event)
    assert event["start"] == json.loads((EVENTS / "manual-start.json").read_text())
    assert event["execution_name"] == "manual-start"


def test_a_step_that_waits_or_lacks_an_instance_is_called_again() -> None:
    calls: list[str] = []

    def invoke(logical_id: str, event: bytes) -> dict[str, object]:
        calls.append(logical_id)
        waits = logical_id == "Fence" and calls.count("Fence") < 3
        missing = int(logical_id == "SwitchRoutes" and calls.count("SwitchRoutes") < 2)
        return {"status": "waiting" if waits else "done", "observed": {"missing": missing}, "retry_after": 0}

    answers = {sample.file: answer for sample, answer in replay(invoke)}
    assert calls.count("Fence") == 3
    assert answers["fence"]["status"] == "done"
    assert answers["switch_routes"]["observed"]["missing"] == 0


def test_answers_are_compared_without_what_is_chance_and_with_all_else() -> None:
    def answer(port: int, at: float, status: str) -> dict[str, object]:
        return {"at": at, "answers": {f"127.0.0.1:{port}": "gw-west"}, "status": status, "writable": port > 1}

    same = without_chance(answer(20_001, 1.5, "done")), without_chance(answer(31_999, 2.25, "done"))
    assert same[0] == same[1]
    assert same[0] != without_chance(answer(20_001, 1.5, "waiting"))
    assert same[0] != without_chance(answer(1, 1.5, "done")), "what is true or false is no chance"
