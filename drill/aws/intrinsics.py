"""CloudFormation's template language: its YAML tags, intrinsic functions, conditions and parameters.

Source: "Intrinsic function reference", AWS CloudFormation user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

NO_VALUE = object()
_PLACE = re.compile(r"\$\{(!?)([A-Za-z0-9_.:]+)\}")


class TemplateError(ValueError):
    """The template, or what it was given, is not something that AWS would deploy, or that the drill can."""


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader where PyYAML was built with it: ten times faster."""


class _Loader(_SafeLoader):  # type: ignore[misc]
    """YAML 1.1 with CloudFormation's tags as {"Fn::…": …}; dates stay text."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str) -> Any:
    """YAML or JSON, with CloudFormation's tags."""
    return yaml.load(text, Loader=_Loader)


class Intrinsics:
    """Resolves values of one template.

    `ref(logical_id)` and `attribute(logical_id, name)` give what a resource's Ref and GetAtt give.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        values: Mapping[str, Any],
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
    ) -> None:
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._values = values
        self._ref = ref
        self._attribute = attribute
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._resolve_ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": lambda value: self._join(*value),
            "Fn::Split": lambda value: self.resolve(value[1]).split(self.resolve(value[0])),
            "Fn::Select": lambda value: self.resolve(value[1])[int(self.resolve(value[0]))],
            "Fn::FindInMap": self._find_in_map,
            "Fn::Equals": lambda value: str(self.resolve(value[0])) == str(self.resolve(value[1])),
            "Fn::Not": lambda value: not self.resolve(value[0]),
            "Fn::And": lambda value: all(self.resolve(condition) for condition in value),
            "Fn::Or": lambda value: any(self.resolve(condition) for condition in value),
        }

    def resolve(self, node: Any) -> Any:
        """`node` with every intrinsic function in it resolved, and what is AWS::NoValue left out.

        Raises:
            TemplateError: for a function or a name that there is not.
        """
        if isinstance(node, list):
            return [value for item in node if (value := self.resolve(item)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name in self._functions and not (name == "Condition" and not isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the drill does not know {name}")
        return {name: value for name, inner in node.items() if (value := self.resolve(inner)) is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a named condition holds."""
        if name not in self._conditions:
            raise TemplateError(f"there is no condition {name!r}")
        return bool(self.resolve(self._conditions[name]))

    def _resolve_ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._values[name] if name in self._values else self._ref(name)

    def _get_att(self, value: Any) -> Any:
        logical_id, name = value if isinstance(value, list) else value.split(".", 1)
        return self._attribute(logical_id, self.resolve(name))

    def _sub(self, value: Any) -> str:
        text, own = (value, {}) if isinstance(value, str) else (value[0], self.resolve(value[1]))

        def replacement(place: re.Match[str]) -> str:
            literal, name = place.groups()
            if literal:
                return "${" + name + "}"
            if name in own:
                return str(own[name])
            resolved = self._resolve_ref(name) if "." not in name else self._get_att(name)
            return ",".join(map(str, resolved)) if isinstance(resolved, list) else str(resolved)

        return _PLACE.sub(replacement, text)

    def _if(self, value: Any) -> Any:
        name, then, otherwise = value
        return self.resolve(then if self.condition(name) else otherwise)

    def _join(self, separator: str, parts: Any) -> str:
        return separator.join(str(part) for part in self.resolve(parts))

    def _find_in_map(self, value: Any) -> Any:
        names = [self.resolve(part) for part in value[:3]]
        entry: Any = self._mappings
        for name in names:
            if name not in entry:
                raise TemplateError(f"there is nothing in Mappings at {names}")
            entry = entry[name]
        return entry


def parameter_values(declared: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each of the template's parameters.

    Raises:
        TemplateError: if one is missing, unknown, or not allowed.
    """
    unknown = sorted(overrides.keys() - declared.keys())
    if unknown:
        raise TemplateError(f"the template has no parameters {', '.join(unknown)}")
    values = {}
    for name, description in declared.items():
        if name not in overrides and "Default" not in description:
            raise TemplateError(f"parameter {name} has no default and was not given")
        values[name] = _parameter(name, description, overrides.get(name, description.get("Default")))
    return values


def _parameter(name: str, description: Mapping[str, Any], value: Any) -> Any:
    kind = description.get("Type", "String")
    if kind.startswith(("List<", "CommaDelimitedList")):
        return list(value) if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
    pattern = description.get("AllowedPattern")
    if pattern and not re.search(pattern, str(value)):
        raise TemplateError(f"parameter {name} is {value!r}, which does not match {pattern}")
    allowed = description.get("AllowedValues")
    if allowed and str(value) not in [str(choice) for choice in allowed]:
        raise TemplateError(f"parameter {name} is {value!r}, which is none of {allowed}")
    if kind == "Number":
        return float(value) if "." in str(value) else int(value)
    return str(value)
