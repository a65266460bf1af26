"""Writes what describes a plan from its model: the table of docs/plan.md, and the JSON Schema for editors.

`python -m command.plan_reference`, after a change of the model; a test says if it was forgotten. The meaning of a field
is the docstring below it.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from failover.plan.base import PlanModel
from failover.plan.model import Plan

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = ROOT / "docs" / "plan.md"
SCHEMA: Final = ROOT / "plans" / "plan.schema.json"
MARK: Final = "<!-- From here on written by `python -m command.plan_reference`. -->\n"
_AS_A_SITES: Final = "fleets.<place>."
"""What is in them is described where a site has it."""
_MUST_BE: Final = "\n\nMust be "
Schema = Mapping[str, Any]


def main() -> None:
    """Write both."""
    DOCUMENT.write_text(document())
    SCHEMA.write_text(schema_text())


def document() -> str:
    """docs/plan.md: its beginning as it stands, then every field."""
    beginning = DOCUMENT.read_text().partition(MARK)[0]
    return beginning + MARK + "".join(dict.fromkeys(_sections("", schema(), schema())))


def schema_text() -> str:
    """The JSON Schema of a plan, as it stands in its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of a plan, with the meaning of every field."""
    described: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Plan.model_json_schema()}
    for model in _models(PlanModel):
        part = described if model is Plan else described["$defs"].get(model.__name__)
        for name, meaning in _meanings(model).items() if part else ():
            field = part["properties"][name]
            words = field.get("description")
            field["description"] = f"{meaning}{_MUST_BE}{words}." if words else meaning
    return described


def _models(model: type[PlanModel]) -> Iterator[type[PlanModel]]:
    for submodel in model.__subclasses__():
        yield submodel
        yield from _models(submodel)


def _meanings(model: type[PlanModel]) -> dict[str, str]:
    """The docstring of each field, of its own and inherited."""
    meanings: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, PlanModel) and base is not PlanModel:
            meanings |= dict(_docstrings(base))
    return meanings


def _docstrings(model: type[PlanModel]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in itertools.pairwise(statements):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                yield name, " ".join(meaning.split())


def _sections(path: str, part: Schema, root: Schema) -> Iterator[str]:
    """A table of the fields of a part of the plan, then one for each part inside it."""
    kind = part["properties"].get("kind", {}).get("const")
    title = f"`{path}` of kind `{kind}`" if kind else f"`{path}`" if path else "The plan itself"
    rows = [_row(name, field, name in part.get("required", ()), root) for name, field in part["properties"].items()]
    table = ["| field | is | default | meaning |", "|---|---|---|---|", *rows]
    yield "\n".join([f"\n## {title}\n", f"{' '.join(part['description'].split())}\n", *table, ""])
    for name, field in part["properties"].items():
        for below, inner in _parts(f"{path}.{name}" if path else name, field, root):
            if not below.startswith(_AS_A_SITES):
                yield from _sections(below, inner, root)


def _row(name: str, field: Schema, required: bool, root: Schema) -> str:
    meaning, _, words = field["description"].partition(_MUST_BE)
    form = words.removesuffix(".") or _form({key: field[key] for key in field if key != "description"}, root)
    return f"| `{name}` | {form} | {'required' if required else _default(field)} | {meaning} |".replace("\n", " ")


def _parts(path: str, field: Schema, root: Schema) -> Iterator[tuple[str, Schema]]:
    """The parts that a field holds, with their paths."""
    if "$ref" in field:
        part = root["$defs"][field["$ref"].rpartition("/")[2]]
        if "properties" in part:
            yield path, part
    for alternative in (*field.get("oneOf", ()), *field.get("anyOf", ())):
        yield from _parts(path, alternative, root)
    if "items" in field:
        yield from _parts(f"{path}[]", field["items"], root)
    if by_name := _by_name(field):
        yield from _parts(f"{path}.<{'place' if path == 'fleets' else 'site'}>", by_name, root)


def _by_name(field: Schema) -> Schema | None:
    """What a mapping holds by name; None if it is no mapping."""
    inner = next(iter(field.get("patternProperties", {}).values()), None) or field.get("additionalProperties")
    return inner if isinstance(inner, dict) else None


def _form(value: Schema, root: Schema) -> str:
    """What a value has to look like, in words."""
    if "enum" in value or "const" in value:
        return ", ".join(f"`{choice}`" for choice in value.get("enum", [value.get("const")]))
    if alternatives := value.get("anyOf"):
        return " or ".join(
            _form(alternative, root) for alternative in alternatives if alternative.get("type") != "null"
        )
    if "items" in value:
        return f"list: {_form(value['items'], root)}"
    if by_name := _by_name(value):
        return f"by name: {_form(by_name, root)}"
    if "$ref" in value or "oneOf" in value:
        return "see below"
    if value.get("format") == "date-time":
        return "a date and time"
    return str(value.get("description") or _TYPES[value["type"]].format(range=_range(value)))


_TYPES: Final = {"string": "text", "boolean": "`true` or `false`", "integer": "whole number{range}"}


def _range(field: Schema) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    if most is None:
        return "" if least is None else f", {least:,} or more"
    return f", {least or 0:,} to {most:,}"


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, [], "") or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default)}`" if isinstance(default, list | bool) else f"`{default}`"


if __name__ == "__main__":
    main()
