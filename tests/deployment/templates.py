"""The templates as the tests of what is deployed read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.yaml"))


class Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags."""


def _tag(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tag)


def yaml_of(path: Path) -> Any:
    """A template, with a mapping for each short tag."""
    return yaml.load(path.read_text(), Loader=Loader)


TEMPLATE, SIGNALS, ALARMS = (yaml_of(ROOT / f"{name}.yaml") for name in ("template", "signals", "command/alarms"))
RESOURCES = TEMPLATE["Resources"]
OWN_KEY = {"If": ["KeyIsNamed", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}


def of_type(kind: str, template: dict[str, Any] = TEMPLATE) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}


def statements(function: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of its own, and of the managed policies it refers to."""
    for policy in function.get("Policies", []):
        managed = RESOURCES[policy["Ref"]]["Properties"]["PolicyDocument"] if "Ref" in policy else policy
        yield from managed["Statement"]
