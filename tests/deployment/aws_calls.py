"""The AWS operations that a function's code can reach, read from its source: names, imports and classes are followed,
nothing is run.

A method that is called on something whose class is not evident is looked for in every class that the code reaches: so
too much is found rather than too little.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from botocore import xform_name
from botocore.session import Session

from tests.deployment.sources import CLIENTS, Definition, Module, Scope, Sources, expressions, is_class

_LOADED_BY_NAME: Final = re.compile(r"(failover[\w.]*):(\w+)")
_LIBRARIES: Final = {
    "DynamoDBPersistenceLayer": ("dynamodb", {"get_item", "put_item", "update_item", "delete_item"}),
    "SecretsProvider": ("secretsmanager", {"get_secret_value"}),
}
"""What Powertools calls with a client that it is given."""


_CLIENT: Final = "failover.aws.clients:client"
_TAKES_ON_A_ROLE: Final = ("sts", "assume_role")
"""What a client does first that is made with a role; one without does not."""
_OF_CONTAINERS: Final = {name for kind in (dict, list, set, str) for name in dir(kind)}
"""`get` of no evident class is a dictionary's, but of a lambda's parameter, which can't be annotated."""


_SESSION: Final = Session()
_SOURCES: Final = Sources()


@functools.cache
def operations(service: str) -> frozenset[str]:
    """The methods of a client that are operations of the service."""
    return frozenset(map(xform_name, _SESSION.get_service_model(service).operation_names))


@dataclass
class Uses:
    """What one definition uses: operations, names, members of evident classes, and methods of no evident class."""

    calls: set[tuple[str, str]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    members: set[tuple[Definition, str]] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)

    def read(self, node: ast.AST, scope: Scope) -> None:
        """Add what an expression uses."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                service, methods = _LIBRARIES.get(name, ("", set()))
                self.calls |= {(service, method) for method in methods}
                self.names |= {scope.names.get(name, "")} - {_CLIENT}
            case ast.Call(func=ast.Name(id="client"), keywords=options) if "role" in {each.arg for each in options}:
                self.calls.add(_TAKES_ON_A_ROLE)
            case ast.Constant(value=str() as text) if _LOADED_BY_NAME.fullmatch(text):
                self.names.add(text)
            case ast.Constant(value=str() as text) if "_" in text:
                self.calls |= {(service, text) for service in CLIENTS.values() if text in operations(service)}
            case ast.Attribute(value=of, attr=name):
                match scope.type(of):
                    case str() as service if name in operations(service):
                        self.calls.add((service, name))
                    case Module() as module:
                        self.names.add(f"{module.name}:{name}")
                    case Definition() as owner:
                        self.members.add((owner, name))
                    case None if name not in _OF_CONTAINERS or scope.is_parameter(of):
                        self.methods.add(name)


@functools.cache
def _uses(definition: Definition) -> Uses:
    uses = Uses()
    for node in expressions(definition.node):
        uses.read(node, _SOURCES.scope(definition))
    return uses


class Reach:
    """What is reached from a function's handler, and the operations in it: `dynamodb:GetItem` is `("dynamodb",
    "get_item")` here."""

    def __init__(self, app: Path) -> None:
        self.calls: set[tuple[str, str]] = set()
        self._reached: set[Definition] = set()
        self._classes: set[Definition] = set()
        self._methods: set[str] = set()
        self._members: set[tuple[Definition, str]] = set()
        self._waiting: list[Definition] = []
        self._enter(_SOURCES.handler(app))
        while self._waiting:
            while self._waiting:
                self._follow(_uses(self._waiting.pop()))
            for of, name in tuple(self._members):
                self._reach_in(self._family(of), name)

    def _follow(self, uses: Uses) -> None:
        self.calls |= uses.calls
        self._members |= uses.members
        for name in uses.names:
            self._enter(name)
        for name in uses.methods - self._methods:
            self._methods.add(name)
            self._reach_in(tuple(self._classes), name)

    def _enter(self, name: str) -> None:
        found = _SOURCES.find(name)
        if isinstance(found, Definition):
            self._reach(found)

    def _reach(self, definition: Definition) -> None:
        if definition in self._reached:
            return
        self._reached.add(definition)
        self._waiting.append(definition)
        if is_class(definition):
            self._classes.add(definition)
            for name in definition.members:
                if name in self._methods or name.startswith("__"):
                    self._reach(definition.members[name])

    def _reach_in(self, classes: Iterable[Definition], name: str) -> None:
        for each in classes:
            if name in each.members:
                self._reach(each.members[name])

    def _family(self, of: Definition) -> Iterator[Definition]:
        """A class, those it is made of, and those that are reached and made of it, or do as the protocol says; and what
        they are made of."""
        yield from (of, *_SOURCES.bases(of))
        for other in tuple(self._classes):
            if _SOURCES.replaces(other, of):
                yield from (other, *_SOURCES.bases(other))
