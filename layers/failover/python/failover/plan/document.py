"""Reading a plan's YAML text, strictly: what YAML would take for something else than people mean is refused.

YAML 1.1 takes `22:30` for 1350 and `yes` for true, and PyYAML takes the last of two equal keys. A plan is data that
people write by hand and that moves production, so each of those is named by its path instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from failover.wording import Problem, join

SIZE_LIMIT: Final = 262_144
"""Of a plan, in bytes: an execution keeps the text it claimed in one item of the ledger, which may have 400 KB
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html). 1,000 topics take 30 KB."""
DEPTH_LIMIT: Final = 20

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_TRUE_OR_FALSE: Final = re.compile(r"(?i:yes|no|on|off)")
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_ODD_NUMBER: Final = re.compile(
    r"[-+]?(0[0-9_]+|0[xob][0-9a-fA-F_]+|[0-9]+_[0-9_]*|\.[0-9]+|[0-9.]+[eE][-+]?[0-9]+|\.(inf|Inf|INF|nan|NaN|NAN))"
)


@dataclass(frozen=True)
class Document:
    """What a YAML text holds, as far as it can be read."""

    content: dict[str, Any]
    problems: tuple[Problem, ...]


def read_document(text: str, limit: int | None = SIZE_LIMIT) -> Document:
    """The mapping in a YAML text; every reason why it is no document is a problem, none is raised.

    `limit`: what its store keeps, in bytes; None: it is kept in no store.
    """
    size = len(text.encode(errors="surrogatepass"))
    too_large = (
        [("(document)", f"is {size:,} bytes, and the ledger keeps {limit:,}: leave out comments, or topics")]
        if limit is not None and size > limit
        else []
    )
    try:
        problems = [*too_large, *_references(text)]
        if problems:
            return Document({}, tuple(problems))
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError) as error:
        return Document({}, (("(document)", f"is not YAML: {' '.join(str(error).split())}"),))
    if not isinstance(root, MappingNode):
        return Document({}, (("(document)", "must be a mapping"),))
    reader = _Reader()
    content = reader.value(root, "")
    return Document(content, tuple(reader.problems))


def _references(text: str) -> Iterator[Problem]:
    """Aliases, tags, and nesting deeper than any plan has: found before a node is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = f"line {event.start_mark.line + 1}"  # type: ignore[union-attr]
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            yield "(document)", f"is nested deeper than {DEPTH_LIMIT} on {line}"
            return
        if isinstance(event, yaml.AliasEvent):
            yield "(document)", f"refers to *{event.anchor} on {line}: write out what it stands for"
        elif tag := getattr(event, "tag", None):
            yield "(document)", f"has the tag {tag} on {line}: leave it out"


class _Reader:
    """Values of nodes, and the problems met on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def value(self, node: Node, path: str) -> Any:
        match node:
            case MappingNode():
                return self._mapping(node, path)
            case SequenceNode():
                return [self.value(item, join(path, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, path)
        raise TypeError(f"YAML has no node {type(node).__name__}")

    def _mapping(self, node: MappingNode, path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = self._key(key_node, path), key_node.start_mark.line + 1
            if key is None:
                continue
            here = join(path, key)
            if key in values:
                self.problems.append((here, f"is given twice, on lines {lines[key]} and {line}: keep one"))
                continue
            values[key] = self.value(value_node, here)
            lines[key] = line
        return values

    def _key(self, node: Node, path: str) -> str | None:
        where = path or "(document)"
        line = node.start_mark.line + 1
        if not isinstance(node, ScalarNode):
            self.problems.append((where, f"has a key on line {line} that is no word"))
            return None
        if node.value == "<<" and not node.style:
            self.problems.append((where, f"merges another mapping (<<) on line {line}: write out what it stands for"))
            return None
        if not isinstance(self._scalar(node, join(path, node.value)), str):
            self.problems.append(
                (where, f'has the key {node.value} on line {line}, which is no word: write "{node.value}"')
            )
            return None
        return str(node.value)

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        text = node.value
        if node.style:  # quoted, or a block
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        if _INTEGER.fullmatch(text):
            return int(text) if len(text) < 20 else text
        if _DECIMAL.fullmatch(text):
            return float(text)
        if meaning := _doubtful(text):
            self.problems.append((path, meaning))
        return text


def _doubtful(text: str) -> str | None:
    """Why a bare word may mean something else to YAML than to people, and what to write; None if it can't."""
    if _TRUE_OR_FALSE.fullmatch(text):
        return f'is {text}, which YAML may take for true or false: write true or false, or "{text}" if it is a name'
    if _BASE_60.fullmatch(text):
        return f'is {text}, which YAML may take for a number of base 60: write "{text}"'
    if _ODD_NUMBER.fullmatch(text):
        return f'is {text}: write the number in plain digits, or "{text}" if it is a name'
    return None
