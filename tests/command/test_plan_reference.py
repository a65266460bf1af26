"""docs/plan.md and the JSON Schema say of a plan what the model takes, field by field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from command.plan_reference import DOCUMENT, SCHEMA, document, schema, schema_text
from failover.plan.model import load_plan

PLANS = sorted((Path(__file__).resolve().parents[2] / "plans").glob("*.yaml"))
AGAIN = "`python -m command.plan_reference` was not run since"


@pytest.fixture
def editor() -> Draft202012Validator:
    """What an editor knows of a plan."""
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def orders() -> dict[str, Any]:
    return dict(yaml.safe_load(PLANS[0].with_name("orders.yaml").read_text()))


def test_the_document_has_every_field_of_the_model() -> None:
    assert DOCUMENT.read_text() == document(), AGAIN


def test_the_schema_in_the_repository_is_that_of_the_model() -> None:
    assert SCHEMA.read_text() == schema_text(), AGAIN


def test_every_field_says_what_it_means() -> None:
    parts = {"Plan": schema(), **schema()["$defs"]}
    silent = [
        f"{part}.{name}"
        for part, described in parts.items()
        for name, field in described.get("properties", {}).items()
        if not field.get("description", "").partition("\n\n")[0].rstrip().endswith(".")
    ]
    assert silent == []


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_every_plan_in_the_repository_is_good_and_names_its_schema(path: Path, editor: Draft202012Validator) -> None:
    load_plan(path)
    assert path.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA.name}\n")
    assert list(editor.iter_errors(yaml.safe_load(path.read_text()))) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("polcy",), {}),
        (("policy", "mode"), "auto"),
        (("policy", "quorum"), 0),
        (("policy", "fast_path"), "yes"),
        (("sites", "east", "region"), "mars-1"),
        (("sites", "east", "fleets", 0, "kind"), "nomad"),
        (("sites", "east", "alarms"), [7]),
        (("dns", "ttl"), "5"),
    ],
)
def test_an_editor_marks_what_would_be_refused(
    path: tuple[str | int, ...], wrong: Any, editor: Draft202012Validator
) -> None:
    plan = copy.deepcopy(orders())
    part: Any = plan
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = wrong
    assert list(editor.iter_errors(plan))
