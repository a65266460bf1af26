"""A state machine as YAML that CloudFormation reads as we do: no alias, no merge key."""

from __future__ import annotations

from typing import Any

import yaml

_HEAD = "# Written by `python -m statemachines`; the flow is in statemachines/*.py\n"


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: CloudFormation takes an alias for a string."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """JSONata quotes with single quotes, so that it is read best between double ones."""
    style = '"' if value.startswith("{%") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Plain.add_representer(str, _text)


def asl(machine: dict[str, Any]) -> str:
    """The text of a state machine's file."""
    return _HEAD + yaml.dump(machine, Dumper=_Plain, sort_keys=False, width=1000, allow_unicode=True)
