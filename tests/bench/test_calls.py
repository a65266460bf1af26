"""A call says what its values are: no fifth positional argument, and fields by name where there are four or more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("layers", "functions", "statemachines", "command", "gateway", "drill", "bench")
VARIADIC = {"pack", "pack_into", "submit", "partial", "warning", "Group", "Table", "_subset", "_docker"}
"""Callables that take any number of values of one kind, or pass them on."""
OF_OTHERS = {"ServiceTask", "start"}
"""Of libraries, without names that would be theirs to keep."""


def positional_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and sum(not isinstance(arg, ast.Starred) for arg in node.args) >= 5:
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] not in VARIADIC | OF_OTHERS:
                yield node.lineno, name


def positional_dataclasses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        fields = [ast.unparse(line.annotation) for line in node.body if isinstance(line, ast.AnnAssign)]
        plain = [field for field in fields if "ClassVar" not in field]
        loose = any("dataclass" in name and "kw_only" not in name for name in decorators) and "KW_ONLY" not in fields
        if loose and len(plain) >= 4:
            yield node.lineno, node.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_values_are_given_by_name(folder: str) -> None:
    places = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for find in (positional_calls, positional_dataclasses)
        for line, name in find(ast.parse(path.read_text()))
    ]
    assert places == []


def test_what_is_refused_and_what_is_not() -> None:
    source = """
call(1, 2, 3, 4, 5)
call(1, 2, 3, 4, *rest, five=5)
pool.submit(1, 2, 3, 4, 5)
@dataclass(frozen=True)
class Loose: a: int; b: int; c: int; d: int
@dataclass(kw_only=True)
class Named: a: int; b: int; c: int; d: int
@dataclass
class Partly: a: int; _: KW_ONLY; b: int; c: int; d: int
@dataclass
class Small: a: int; b: int; c: ClassVar[int]; d: int
"""
    tree = ast.parse(source)
    assert list(positional_calls(tree)) == [(2, "call")]
    assert [name for _, name in positional_dataclasses(tree)] == ["Loose"]
