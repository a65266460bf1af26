"""JSON Patch (RFC 6902): the operations test, add, replace and remove, all of them or none."""

from __future__ import annotations

import copy
from typing import Any


class PatchRefused(ValueError):
    """The patch does not apply; nothing of it was done."""


def patched(document: Any, operations: Any) -> Any:
    """A copy of the document with the operations done, in their order.

    Raises:
        PatchRefused: in the words of the API server's library, where a `test` fails or a path leads nowhere.
    """
    if not isinstance(operations, list):
        raise PatchRefused("a JSON Patch is a list of operations")
    document = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchRefused(f"not an operation: {operation!r}")
        _apply(document, operation)
    return document


def _apply(document: Any, operation: dict[str, Any]) -> None:
    path = operation["path"]
    keys = [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:]]
    if not keys:
        raise PatchRefused("the whole document can't be patched")
    parent = document
    for key in keys[:-1]:
        parent = _member(parent, key, path)
    last, value = keys[-1], copy.deepcopy(operation.get("value"))
    match operation.get("op"):
        case "test":
            if _member(parent, last, path) != value:
                raise PatchRefused(f"testing value {path} failed: test failed")
        case "add":
            if isinstance(parent, list):
                parent.insert(len(parent) if last == "-" else _index(parent, last, path, len(parent)), value)
            else:
                _mapping(parent, path)[last] = value
        case "replace":
            _member(parent, last, path)
            parent[_index(parent, last, path) if isinstance(parent, list) else last] = value
        case "remove":
            _member(parent, last, path)
            del parent[_index(parent, last, path) if isinstance(parent, list) else last]
        case other:
            raise PatchRefused(f"unexpected kind: {other}")


def _member(parent: Any, key: str, path: str) -> Any:
    if isinstance(parent, list):
        return parent[_index(parent, key, path)]
    if key not in _mapping(parent, path):
        raise PatchRefused(f"replace operation does not apply: doc is missing key: {path}: missing value")
    return parent[key]


def _mapping(parent: Any, path: str) -> dict[str, Any]:
    if not isinstance(parent, dict):
        raise PatchRefused(f"doc is missing path: {path}: missing value")
    return parent


def _index(parent: list[Any], key: str, path: str, last: int | None = None) -> int:
    highest = len(parent) - 1 if last is None else last
    if not key.isdecimal() or int(key) > highest:
        raise PatchRefused(f"doc is missing path: {path}: unable to access invalid index: {key}")
    return int(key)
