"""How often the code binds a word that names nothing: `python -m bench.vocabulary [FOLDER …]` lists every place.

`found`, `kept` and `each` say where a value comes from or that there are several; the field's noun says what it is.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.result import Result

ROOT: Final = Path(__file__).resolve().parent.parent
WORDS: Final = frozenset(
    {"said", "told", "found", "kept", "left", "asked", "given", "wanted", "known", "seen", "taken", "held", "each"}
)
CEILINGS: Final[Mapping[str, int]] = {
    "layers": 14,
    "functions": 0,
    "statemachines": 0,
    "command": 0,
    "gateway": 0,
    "drill": 2,
    "simulation": 85,
    "bench": 0,
}
"""The most places a folder may have. They go down with every name that is mended, and never up."""

_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True)
class Binding:
    """One place where a name is bound."""

    path: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.name}"


def measure() -> list[Result]:
    """The bindings of the words in each folder, and their sum."""
    counts = {folder: len(bindings(folder)) for folder in CEILINGS}
    results = [
        Result(name=f"vocabulary.{name}", value=count, unit="names", limit=CEILINGS[name])
        for name, count in counts.items()
    ]
    return [*results, Result(name="vocabulary", value=sum(counts.values()), unit="names", limit=sum(CEILINGS.values()))]


def bindings(folder: str) -> list[Binding]:
    """Where the Python files of a folder of the repository bind a name that has one of the words as a part."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [
        Binding(path, line, name)
        for path in paths
        for line, name in names_bound(path.read_text())
        if WORDS & {part.lower() for part in _PART.findall(name)}
    ]


def names_bound(source: str) -> Iterator[tuple[int, str]]:
    """Each variable, field, parameter, function, class and alias that a source text binds, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case (
                ast.arg(arg=name)
                | ast.alias(asname=str(name))
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name


if __name__ == "__main__":
    for result in measure():
        print(f"{result.value:>6g} {result.name}")
    for folder in sys.argv[1:]:
        print(*bindings(folder), sep="\n")
