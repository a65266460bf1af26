"""What moto works out anew for each request, though it never changes: which services and which actions it has, and
which nodes of a parsed DynamoDB expression a check is about. They take it more time than the rest of most requests."""

from __future__ import annotations

import functools
from typing import Any

from moto import backends
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.dynamodb.parsing import ast_nodes

_list_modules = backends.list_of_moto_modules
_syntax: Any = ast_nodes
_responses: Any = responses
_processors: dict[tuple[type, type], Any] = {}


def install() -> None:
    """From now on this process's moto works these out once."""
    backends.list_of_moto_modules = _modules
    _responses.method_names_from_class = functools.cache(method_names_from_class)
    _syntax.DepthFirstTraverser.traverse_node_recursively = _traverse


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
