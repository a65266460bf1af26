"""The state machines' files: written by the generator, and read by CloudFormation as by us."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from statemachines import MACHINES
from statemachines.text import asl

FOLDER = Path(__file__).resolve().parents[2] / "statemachines"
FILES = sorted(FOLDER.glob("*.asl.yaml"))


def test_every_file_is_what_the_generator_writes() -> None:
    assert {path.name: path.read_text() for path in FILES} == {
        f"{name}.asl.yaml": asl(machine()) for name, machine in MACHINES.items()
    }, "write them anew: python -m statemachines"


def shorthand(text: str) -> list[str]:
    """Every alias, anchor and merge key: CloudFormation takes an alias for a string and `<<` for a key."""
    events = list(yaml.parse(text, Loader=yaml.SafeLoader))
    anchors = [str(anchor) for event in events if (anchor := getattr(event, "anchor", None))]
    return anchors + [event.value for event in events if isinstance(event, yaml.ScalarEvent) and event.value == "<<"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_has_an_alias_or_a_merge_key(path: Path) -> None:
    assert shorthand(path.read_text()) == []


def test_an_alias_and_a_merge_key_are_seen() -> None:
    assert shorthand("a: &x {b: 1}\nc: *x\nd: {<<: {e: 1}}") == ["x", "x", "<<"]


def test_what_occurs_twice_is_written_twice() -> None:
    again = {"Seconds": 1}
    assert shorthand(asl({"first": again, "second": again})) == []
