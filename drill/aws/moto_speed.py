"""What takes moto the longest, made quick: which services and which actions it has, which nodes of a parsed DynamoDB
expression a check is about, and of which type an attribute is. The first three it works out anew for each request."""

from __future__ import annotations

import functools
from typing import Any

from moto import backends
from moto.core import responses
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.parsing import ast_nodes

_list_modules = backends.list_of_moto_modules
_syntax: Any = ast_nodes
_responses: Any = responses
_serialize_structure = BaseJSONSerializer._serialize_type_structure
_PLAIN = frozenset({"S", "N", "BOOL", "NULL"})
_processors: dict[tuple[type, type], Any] = {}


def install() -> None:
    """From now on, for this process's moto."""
    backends.list_of_moto_modules = _modules
    _responses.method_names_from_class = functools.cache(method_names_from_class)
    _syntax.DepthFirstTraverser.traverse_node_recursively = _traverse
    BaseJSONSerializer._serialize_type_structure = _serialize  # type: ignore[assignment,method-assign]


@functools.cache
def _modules() -> tuple[str, ...]:
    return tuple(_list_modules())


@functools.cache
def _is_node(kind: Any) -> bool:
    return issubclass(kind, _syntax.Node)


def _traverse(traverser: Any, node: Any, child_id: int = -1) -> Any:
    """As moto's, from the leaves up."""
    if not _is_node(node.__class__):
        return node
    parent = node.parent
    for index, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, index)
        _traverse(traverser, child, index)
    if (process := _processor(traverser, type(node))) is not None:
        node = process(traverser, node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


def _processor(traverser: Any, kind: type) -> Any:
    """The method of the traverser's class for nodes of this class; None if it leaves them alone."""
    key = type(traverser), kind
    if key not in _processors:
        fitting = (method.__func__ for of, method in traverser._processing_map().items() if issubclass(kind, of))
        _processors[key] = next(fitting, None)
    return _processors[key]


def _serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """moto looks for each of ten types in an attribute's value, under a dozen spellings; it has one, as it is sent."""
    if shape.name == "AttributeValue" and key and isinstance(value, dict) and value.keys() <= _PLAIN:
        serializer._default_serialize(serialized, value, shape, key)
    else:
        _serialize_structure(serializer, serialized, value, shape=shape, key=key)
