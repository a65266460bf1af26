"""What a rule hands its target: the event, a part of it, a constant, or a template filled in.

Source: "Amazon EventBridge input transformation", EventBridge user guide.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_PLACE = re.compile(r"<([^<>\s]+)>")
_MISSING = object()


def target_input(target: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    """JSON text for `target` (a PutTargets entry)."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_value_or(at_path(event, target["InputPath"]), None))
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        values = {name: at_path(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
        values |= {
            "aws.events.event": event,
            "aws.events.event.json": event,
            "aws.events.event.ingestion-time": event["time"],
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
        }
        return fill(transformer["InputTemplate"], values)
    return json.dumps(event)


def at_path(document: Any, path: str) -> Any:
    """The value at a path of EventBridge's JSONPath subset (`$.a.b[0]`); a mark of its own if there is none."""
    for match in _STEP.finditer(path.removeprefix("$")):
        name, index = match.groups()
        try:
            document = document[name] if index is None else document[int(index)]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return document


def fill(template: str, values: dict[str, Any]) -> str:
    """The template with each `<name>` replaced: bare by JSON, inside a string by the characters of the value."""
    filled, last = [], 0
    for place in _PLACE.finditer(template):
        if place[1] not in values:
            continue
        filled.append(template[last : place.start()])
        value = values[place[1]]
        if _in_string(template[: place.start()]):
            text = _value_or(value, "")
            filled.append(json.dumps(text if isinstance(text, str) else json.dumps(text))[1:-1])
        else:
            filled.append(json.dumps(_value_or(value, None)))
        last = place.end()
    return "".join(filled) + template[last:]


def _in_string(before: str) -> bool:
    return len(re.findall(r'(?<!\\)"', before)) % 2 == 1


def _value_or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is _MISSING else value
