"""A document of mappings and lists, read into frozen dataclasses by their type hints.

It says every wrong field at once, each with its path. A field `boot_port` is called `bootPort` in the document, unless
its metadata gives another `name`. Pydantic does more than that, and would be half of the time a gateway takes to start.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

Shape = TypeVar("Shape")


class Misfit(ValueError):
    """The document has wrong fields; `problems` names each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read(shape: type[Shape], document: object) -> Shape:
    """The document as an instance of a dataclass, whose `__post_init__` may refuse it with a ValueError.

    Raises:
        Misfit: if it is none.
    """
    problems: list[str] = []
    instance = _Reader(problems).read(shape, document, "")
    if problems:
        raise Misfit(problems)
    return typing.cast("Shape", instance)


class _Reader:
    """Reads on after a problem, so that all are told; what it returns then is of no use."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems

    def read(self, kind: Any, value: object, path: str) -> Any:
        if kind is Any:
            return value
        if isinstance(kind, type) and is_dataclass(kind):
            return self._dataclass(kind, value, path)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):  # with None, and nothing else
            return None if value is None else self.read(arguments[0], value, path)
        if origin is typing.Literal:
            return value if value in arguments else self._wrong(path, " or ".join(map(repr, arguments)), value)
        if origin is tuple:
            if not isinstance(value, list):
                return self._wrong(path, "a list", value)
            return tuple(self.read(arguments[0], item, f"{path}.{index}") for index, item in enumerate(value))
        if origin is dict:
            if not isinstance(value, Mapping):
                return self._wrong(path, "a mapping", value)
            return {str(key): self.read(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
        if kind is int and isinstance(value, str) and value.isdecimal():
            return int(value)
        return value if type(value) is kind else self._wrong(path, f"of type {kind.__name__}", value)

    def _dataclass(self, kind: Any, value: object, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(path, "a mapping", value)
        fields_by_name = _fields(kind)
        for name in value.keys() - fields_by_name.keys():
            self._problems.append(f"{_joined(path, name)}: there is no such field")
        values: dict[str, Any] = {}
        before = len(self._problems)
        for name, (field, hint) in fields_by_name.items():
            if name in value:
                values[field.name] = self.read(hint, value[name], _joined(path, name))
            elif field.default is MISSING and field.default_factory is MISSING:
                self._problems.append(f"{_joined(path, name)}: is missing")
        if len(self._problems) > before:
            return None
        try:
            return kind(**values)
        except ValueError as error:
            self._problems.append(f"{path or '(all)'}: {error}")
            return None

    def _wrong(self, path: str, expected: str, value: object) -> None:
        self._problems.append(f"{path or '(all)'}: must be {expected}, not {value!r}")


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Field[Any], Any]]:
    hints = typing.get_type_hints(kind)
    return {field.metadata.get("name", _camel(field.name)): (field, hints[field.name]) for field in fields(kind)}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _joined(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
