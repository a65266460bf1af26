"""What is wrong with a document, in its own words: pydantic's errors by the path of a field, and what to write."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sized
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails

Problem = tuple[str, str]
"""The path of a field in a document, and what is wrong with it."""

_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_MOMENT: Final = "a date and time with its offset from UTC, such as 2026-11-23T22:00:00Z"
_SENTENCES: Final = {
    "missing": "is missing",
    "value_error": "{error}",
    "greater_than_equal": "must be at least {ge}, not {value}",
    "less_than_equal": "must be at most {le}, not {value}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most: {value}",
    "too_short": "must have {min_length} entries or more, and has {length}",
    "too_long": "must have {max_length} entries at most, and has {length}",
    "literal_error": "must be {expected}, not {value}",
    "union_tag_invalid": "has a kind that is none of {expected_tags}: {tag!r}",
    "union_tag_not_found": "has no kind: write which one it is",
}
"""What is wrong, by the type of pydantic's error."""


def problems_of(
    error: ValidationError, content: Any, model: type[BaseModel], *, shows_text: bool = True
) -> list[Problem]:
    """Every wrong field by its path in `content`, and what to write there.

    A problem that only follows from one deeper down is left out. `shows_text`: whether text that stands in a wrong
    field may be told, or might be a secret that was put there by mistake.
    """
    wording = _Wording(content, model, shows_text)
    return [(wording.path(problem), wording.what(problem)) for problem in _causes(error)]


def join(path: str, part: str | int) -> str:
    """The path of a field, or of an element, of what is at `path`."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


def shown(value: Any) -> str:
    """A value as it would stand in a document; what is long or nested by its kind alone."""
    match value:
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _Unshown():
            return "text"
        case str():
            return repr(value) if len(value) <= 80 else f"{value[:77]!r}…"
        case None:
            return "nothing"
    return json.dumps(value)


@functools.cache
def _schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {}


class _Unshown(str):
    """Text that is not to be told."""

    __slots__ = ()


def _causes(error: ValidationError) -> Iterator[ErrorDetails]:
    problems = error.errors()
    for problem in problems:
        depth = len(problem["loc"])
        if not any(len(p["loc"]) > depth and p["loc"][:depth] == problem["loc"] for p in problems):
            yield problem


class _Wording:
    """Words for the errors of one document, which a model describes."""

    def __init__(self, content: Any, model: type[BaseModel], shows_text: bool) -> None:
        self._content = content
        self._model = model
        self._shows_text = shows_text

    @property
    def _schema(self) -> Mapping[str, Any]:
        return _schema_of(self._model)

    def path(self, problem: ErrorDetails) -> str:
        """The path of the field. Pydantic's has the kind of a part or the class that was tried in it, too."""
        path = ""
        for part in self._parts(problem):
            path = join(path, part)
        return path or "(document)"

    def what(self, problem: ErrorDetails) -> str:
        """What is wrong, and what is right."""
        kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
        if isinstance(value, str) and not self._shows_text:
            value = _Unshown(value)
        if kind == "extra_forbidden":
            return self._unknown(problem)
        if kind == "string_pattern_mismatch":
            return f"must be {self._form(str(context['pattern']))}, not {shown(value)}"
        if kind in _TYPES:
            return f"must be {_TYPES[kind]}, not {shown(value)}{_instead(kind, value)}"
        if kind.startswith(("datetime", "timezone")):
            return f"must be {_MOMENT}, not {shown(value)}"
        if kind in _SENTENCES:
            length = len(value) if isinstance(value, Sized) else 0
            return _SENTENCES[kind].format(value=shown(value), length=length, **context)
        return f"{problem['msg']}, not {shown(value)}"

    def _parts(self, problem: ErrorDetails) -> list[str | int]:
        """The parts of its location that are fields and elements of the document."""
        location = [part for part in problem["loc"] if part != "[key]"]
        value, parts = self._content, list[str | int]()
        for index, part in enumerate(location):
            if part in (
                value if isinstance(value, dict) else range(len(value)) if isinstance(value, list | tuple) else ()
            ):
                value = value[part]
            elif index < len(location) - 1 or problem["type"] != "missing":
                continue
            parts.append(part)
        return parts or list(location)

    def _form(self, pattern: str) -> str:
        return next(_descriptions(self._schema, pattern), f"of the form {pattern}")

    def _unknown(self, problem: ErrorDetails) -> str:
        *_, name = parts = self._parts(problem)
        fields = self._fields(parts[:-1])
        if nearest := get_close_matches(str(name), fields, n=1):
            return f"is no field here: did you mean {nearest[0]}?"
        return f"is no field here: there are {', '.join(fields)}" if fields else "is no field here"

    def _fields(self, parts: list[str | int]) -> list[str]:
        """The fields that the part of the plan at a path may have."""
        schema, value = self._resolved(self._schema, self._content), self._content
        for part in parts:
            value = value[part]
            below = schema["items"] if isinstance(part, int) else _of_field(schema, part)
            schema = self._resolved(below, value)
        return list(schema.get("properties", ()))

    def _resolved(self, schema: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
        """What a reference refers to; of several alternatives, the one whose kind, or most of whose fields, it has."""
        if "$ref" in schema:
            return self._resolved(self._schema["$defs"][schema["$ref"].rpartition("/")[2]], value)
        alternatives = schema.get("oneOf") or schema.get("anyOf") or ()
        if not alternatives:
            return schema
        resolved = [self._resolved(alternative, value) for alternative in alternatives]
        return max(resolved, key=lambda alternative: _likeness(alternative, value))


def _of_field(schema: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    by_name: Mapping[str, Any] = schema.get("properties", {})
    by_pattern: Mapping[str, Any] = schema.get("patternProperties", {})
    return by_name.get(field) or next(iter(by_pattern.values()), None) or schema.get("additionalProperties") or {}


def _likeness(schema: Mapping[str, Any], value: Any) -> tuple[bool, int]:
    fields = schema.get("properties", {})
    if not isinstance(value, dict):
        return False, 0
    return fields.get("kind", {}).get("const") == value.get("kind", ""), len(fields.keys() & value.keys())


def _descriptions(schema: Any, pattern: str) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("pattern") == pattern and "description" in schema:
            yield schema["description"]
        for below in schema.values():
            yield from _descriptions(below, pattern)
    elif isinstance(schema, list):
        for below in schema:
            yield from _descriptions(below, pattern)


def _instead(kind: str, value: Any) -> str:
    """What to write where only the way of writing is wrong."""
    match kind, value:
        case _, _Unshown():
            return ""
        case "string_type", bool() | int() | float():
            return f': write "{json.dumps(value)}"'
        case "int_type" | "int_from_float" | "float_type", str() if re.fullmatch("[0-9]{1,15}", value):
            return f": write {value} without quotes"
        case "bool_type", str() if value in ("true", "false"):
            return f": write {value} without quotes"
        case "tuple_type" | "list_type", str() | int() | float():
            return f": write [{value}]"
    return ""
