"""The schemas of what leaves the controller are those of its types, and what is not described is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from command.document_schemas import DOCUMENTS, EVENTS, FOLDER, path, schema, schema_text
from tests.emitted import mismatches

OPERATE = Path(__file__).resolve().parents[2] / "docs" / "operate.md"
AGAIN = "`python -m command.document_schemas` was not run since"
DECISION: dict[str, Any] = {
    "version": 1,
    "plan": "orders",
    "at": 1.5,
    "by": "judge/us-west-2",
    "site": "east",
    "verdict": "wait",
    "why": "0 of 2 votes",
    "guard": "quorum_not_met",
    "votes": [],
    "on": ["failover-1"],
    "started": None,
    "times": 1,
    "until": 1.5,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_written_anew_after_a_change(name: str) -> None:
    assert path(name).read_text() == schema_text(name), AGAIN
    Draft202012Validator.check_schema(schema(name))


def test_no_schema_is_of_a_document_that_is_gone() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {path(name).name for name in DOCUMENTS}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_says_of_which_version_it_is(name: str) -> None:
    part_of_another = {"evidence"}
    assert name in part_of_another or "version" in json.loads(path(name).read_text())["properties"]


def test_every_step_has_the_schema_of_its_report() -> None:
    functions = Path(__file__).resolve().parents[2] / "functions"
    steps = {f"step-{app.parent.name}" for app in functions.glob("*/app.py") if "handler = step(" in app.read_text()}
    assert steps == {name for name in DOCUMENTS if name.startswith("step-")}


def test_operators_are_told_of_every_event_and_where_its_schema_is() -> None:
    rows = [line for line in OPERATE.read_text().splitlines() if line.startswith("| `")]
    told = {
        name: row.split("|")[3].strip(" `")
        for row in rows
        if row.count("|") == 4 and ".schema.json" in row
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert told == {event: path(document).name for event, document in EVENTS.items()}


def test_a_field_that_lacks_or_is_not_described_is_a_mismatch() -> None:
    assert mismatches("decision", DECISION) == []
    assert mismatches("decision", DECISION | {"feeling": "good"})
    assert mismatches("decision", {name: value for name, value in DECISION.items() if name != "guard"})
    assert mismatches("decision", DECISION | {"at": "today"})


def test_an_event_that_is_too_long_lacks_what_it_names() -> None:
    assert "decision" in EVENTS.values()
    short = {name: value for name, value in DECISION.items() if name != "why"}
    assert mismatches("decision", short)
    assert mismatches("decision", short | {"left_out": ["why"]}) == []
