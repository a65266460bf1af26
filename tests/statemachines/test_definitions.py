"""The state machines' definitions: what AWS would refuse, or what would end an execution by an oversight."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonata
import pytest
import yaml

import failover
from failover.errors import FailoverError, TransientError

ROOT = Path(__file__).resolve().parents[2]
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.yaml"))


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from states(inner)


def definition(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_jsonata_expression_parses(path: Path) -> None:
    found = re.findall(r"\{%(.*?)%\}", re.sub(r"\$\{\w+\}", "1", path.read_text()))
    assert found
    for expression in found:
        jsonata.Jsonata(expression)


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_state_is_reached_and_leads_somewhere(path: Path) -> None:
    def check(machine: dict[str, Any]) -> None:
        named = {machine["StartAt"]}
        for state in machine["States"].values():
            choices = state.get("Choices", []) + state.get("Catch", [])
            named |= {each["Next"] for each in [*choices, state] if "Next" in each}
            named |= {state["Default"]} if "Default" in state else set()
            assert state.get("End") or "Next" in state or state["Type"] in ("Choice", "Succeed", "Fail")
            for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
                check(inner)
        assert named == set(machine["States"])

    check(definition(path))


@pytest.mark.parametrize("machine", ["failover", "switchover", "restore", "practice"])
def test_every_task_has_a_timeout_and_is_called_again_after_every_transient_error(machine: str) -> None:
    for module in pkgutil.walk_packages(failover.__path__, "failover."):
        importlib.import_module(module.name)
    transient = {each.__name__ for each in below(TransientError)} - {"TransientError"}
    for name, state in states(definition(ROOT / "statemachines" / f"{machine}.asl.yaml")):
        if state["Type"] != "Task":
            continue
        assert "TimeoutSeconds" in state, name
        if (name.startswith(("Flip", "Route", "Lead")) and name.endswith(("Again", "First"))) or name == "FenceBeside":
            continue  # whatever goes wrong there is caught, and the proof or the reroute looks again
        again = {error for each in state["Catch"] if "Output" in each for error in each["ErrorEquals"]}
        assert transient | {"Lambda.TooManyRequestsException", "States.Timeout"} <= again, name


def below(kind: type[FailoverError]) -> set[type[FailoverError]]:
    return {kind, *(deeper for each in kind.__subclasses__() for deeper in below(each))}


def test_no_error_is_both_retried_and_refused() -> None:
    names = [each.__name__ for each in below(FailoverError)]
    assert len(names) == len(set(names))


def test_variables_of_an_inner_scope_have_names_of_their_own() -> None:
    """Step Functions refuses an inner Assign of an outer variable's name."""

    def check(machine: dict[str, Any], outer: set[str]) -> None:
        own: set[str] = set()
        for state in machine["States"].values():
            own |= set(state.get("Assign", {}))
            own |= {name for catch in state.get("Catch", []) for name in catch.get("Assign", {})}
        assert not own & outer
        for state in machine["States"].values():
            for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
                check(inner, own | outer)

    for path in MACHINES:
        check(definition(path), set())
