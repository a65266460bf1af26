"""Which mutants there are of a module, and which of them are drawn."""

from __future__ import annotations

import functools
import hashlib
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.work_item import MutationSpec

ROOT: Final = Path(__file__).resolve().parent.parent
OPERATORS: Final = re.compile(
    r"ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot"
    r"|IsNot_Is)|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul)|ReplaceAndWithOr|ReplaceOrWithAnd|AddNot"
    r"|ReplaceUnaryOperator_Delete_Not|ReplaceTrueWithFalse|ReplaceFalseWithTrue|NumberReplacer|ExceptionReplacer"
    r"|ZeroIterationForLoop|ReplaceContinueWithBreak|ReplaceBreakWithContinue"
)
"""Turned comparisons and conditions, constants by one, errors that are not caught, loops that do nothing. Others make
what types or linters would see, or what no test could tell apart."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One small change."""

    module: str
    """Its path in the tree."""
    spec: MutationSpec
    line: str
    text_mark: str
    """Which text of the module it is a change of."""

    @property
    def key(self) -> str:
        """What it is called where outcomes are noted."""
        return f"{self.module} {self.text_mark} {self.spec.operator_name} {self.spec.occurrence}"

    def __str__(self) -> str:
        return (
            f"{self.module}:{self.spec.start_pos[0]} {self.spec.operator_name.partition('/')[2]}: {self.line.strip()}"
        )


@functools.cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def core() -> list[str]:
    """The modules of the product's core, by path."""
    return [path for path in _matching("core") if (ROOT / path).stat().st_size > 0]


def test_files() -> list[str]:
    """The files of the tests that hold it, by path."""
    last = _matching("last")
    return [name for name in _matching("tests") if name not in last] + last


def _matching(key: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for pattern in _read("core.toml")[key] for path in sorted(ROOT.glob(pattern))]


def drawn(module: str, seed: int, count: int) -> list[Mutant]:
    """So many mutants of a module, in no order; the same ones for the same seed and text, also among more."""
    mutants = list(_mutants(module))
    random.Random(f"{seed} {module}").shuffle(mutants)
    return mutants[:count]


def _mutants(module: str) -> Iterator[Mutant]:
    text = (ROOT / module).read_text(encoding="utf-8")
    lines, mark = text.splitlines(), hashlib.sha256(text.encode()).hexdigest()[:12]
    for item in _all_work_items([ROOT / module], {}):
        (spec,) = item.mutations
        if OPERATORS.search(spec.operator_name):
            mutant = Mutant(module=module, spec=spec, line=lines[spec.start_pos[0] - 1], text_mark=mark)
            if not _is_equivalent(mutant):
                yield mutant


def _is_equivalent(mutant: Mutant) -> bool:
    return any(
        re.search(kind.get("operator", ""), mutant.spec.operator_name)
        and re.search(kind.get("line", ""), mutant.line)
        and kind.get("module", mutant.module) == mutant.module
        for kind in _read("equivalent.toml")["equivalent"]
    )
