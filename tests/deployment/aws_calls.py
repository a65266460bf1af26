"""The AWS operations that a function's code can reach, read from its source: names, imports and classes are followed,
nothing is run.

A method that is called on something whose class is not evident is looked for in every class that the code reaches: so
too much is found rather than too little. AWS's clients are told by where they come from: `client("…")`, or an
annotation such as `ECSClient`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore import xform_name
from botocore.session import Session

ROOT: Final = Path(__file__).resolve().parents[2]
LAYERS: Final = (ROOT / "layers/failover/python", ROOT / "report")
_LOADED_BY_NAME: Final = re.compile(r"(failover[\w.]*):(\w+)")
_ANNOTATED: Final = {
    "CloudWatchClient": "cloudwatch",
    "DynamoDBClient": "dynamodb",
    "ECSClient": "ecs",
    "EKSClient": "eks",
    "ElasticLoadBalancingv2Client": "elbv2",
    "EventBridgeClient": "events",
    "LambdaClient": "lambda",
    "Route53Client": "route53",
    "Route53RecoveryClusterClient": "route53-recovery-cluster",
    "S3Client": "s3",
    "SFNClient": "stepfunctions",
    "SNSClient": "sns",
    "STSClient": "sts",
    "SecretsManagerClient": "secretsmanager",
}
_LIBRARIES: Final = {
    "DynamoDBPersistenceLayer": ("dynamodb", {"get_item", "put_item", "update_item", "delete_item"}),
    "SecretsProvider": ("secretsmanager", {"get_secret_value"}),
}
"""What Powertools calls with a client that it is given."""


_OF_CONTAINERS: Final = {name for kind in (dict, list, set, str) for name in dir(kind)}
"""`get` of no evident class is a dictionary's: our own classes are evident where they are asked."""


@functools.cache
def operations(service: str) -> frozenset[str]:
    """The methods of a client that are operations of the service."""
    return frozenset(map(xform_name, Session().get_service_model(service).operation_names))


@dataclass(eq=False)
class Module:
    """One file. `names`: what a name of it stands for, a definition of its own or `module:name` of another."""

    name: str
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Definition:
    """A function, a class or an assigned name. `owner`: the class that it is a method of."""

    module: Module
    node: ast.AST
    owner: Definition | None = None
    members: dict[str, Definition] = field(default_factory=dict)
    fields: dict[str, ast.AST] = field(default_factory=dict)
    """Annotated in the class's body; the annotation."""


class Sources:
    """Every module of the layers and one function's own."""

    def __init__(self, app: Path) -> None:
        self.definitions: dict[str, Definition] = {}
        self.modules: dict[str, Module] = {}
        for layer in LAYERS:
            for path in layer.rglob("*.py"):
                name = ".".join(path.relative_to(layer).with_suffix("").parts).removesuffix(".__init__")
                self._read(name, path)
        self.app = self._read("app", app)

    def _read(self, name: str, path: Path) -> Module:
        module = self.modules[name] = Module(name, _parsed(path))
        for node in _executed(module.tree.body):
            self._define(module, node)
        return module

    def _define(self, module: Module, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.names |= _imported(node)
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            return
        definition = Definition(module, node)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            definition.members = {each.name: Definition(module, each, definition) for each in methods}
            annotated = (each for each in node.body if isinstance(each, ast.AnnAssign))
            definition.fields = {
                each.target.id: each.annotation for each in annotated if isinstance(each.target, ast.Name)
            }
        for name in names:
            module.names[name] = f"{module.name}:{name}"
            self.definitions[f"{module.name}:{name}"] = definition

    def find(self, name: str) -> Definition | Module | None:
        """What `module:name` stands for, re-exports followed; None if it is not ours."""
        module, _, symbol = name.partition(":")
        if not symbol:
            return self.modules.get(module)
        while name not in self.definitions:
            module, _, symbol = name.partition(":")
            if f"{module}.{symbol}" in self.modules:
                return self.modules[f"{module}.{symbol}"]
            if module not in self.modules or self.modules[module].names.get(symbol, name) == name:
                return None
            name = self.modules[module].names[symbol]
        return self.definitions[name]


class Reach:
    """What is reached from a function's handler, and the operations in it: `dynamodb:GetItem` is `("dynamodb",
    "get_item")` here."""

    def __init__(self, app: Path) -> None:
        self.sources = Sources(app)
        self.calls: set[tuple[str, str]] = set()
        self._reached: set[Definition] = set()
        self._classes: set[Definition] = set()
        self._methods: set[str] = set()
        """Called on what is of no evident class."""
        self._uses: set[tuple[Definition, str]] = set()
        """Members of an evident class, or of whatever takes its place."""
        self._waiting: list[Definition] = []
        self._scopes: dict[Definition, Scope] = {}
        self._enter("app:handler")
        while self._waiting:
            while self._waiting:
                definition = self._waiting.pop()
                self._read(definition, self.scope(definition))
            for of, name in tuple(self._uses):
                for relative in self._family(of):
                    if name in relative.members:
                        self._reach(relative.members[name])

    def scope(self, definition: Definition) -> Scope:
        """What names mean there."""
        if definition not in self._scopes:
            self._scopes[definition] = Scope(self, definition)
        return self._scopes[definition]

    def _enter(self, name: str) -> None:
        found = self.sources.find(name)
        if isinstance(found, Definition):
            self._reach(found)

    def _reach(self, definition: Definition) -> None:
        if definition in self._reached:
            return
        self._reached.add(definition)
        if isinstance(definition.node, ast.ClassDef):
            self._classes.add(definition)
            for name, method in definition.members.items():
                if name in self._methods or name.startswith("__"):
                    self._reach(method)
        self._waiting.append(definition)

    def _read(self, definition: Definition, scope: Scope) -> None:
        for node in _expressions(definition.node):
            if isinstance(node, ast.ImportFrom | ast.Import):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._use(scope, node.id)
            elif isinstance(node, ast.Attribute):
                self._use_attribute(scope, node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._use_text(node.value)

    def _use(self, scope: Scope, name: str) -> None:
        if name in _LIBRARIES:
            service, methods = _LIBRARIES[name]
            self.calls |= {(service, method) for method in methods}
        if (full := scope.names.get(name)) is not None:
            self._enter(full)

    def _use_text(self, text: str) -> None:
        """A class that is loaded by its name; an operation that is named."""
        if _LOADED_BY_NAME.fullmatch(text) is not None:
            self._enter(text)
        elif "_" in text:
            self.calls |= {(service, text) for service in _ANNOTATED.values() if text in operations(service)}

    def _use_attribute(self, scope: Scope, node: ast.Attribute) -> None:
        name, of = node.attr, scope.type(node.value)
        match of:
            case str():
                if name in operations(of):
                    self.calls.add((of, name))
            case Module():
                self._enter(f"{of.name}:{name}")
            case Definition():
                self._uses.add((of, name))
            case None if name not in _OF_CONTAINERS:
                self._methods.add(name)
                for reached in tuple(self._classes):
                    if name in reached.members:
                        self._reach(reached.members[name])

    def _family(self, of: Definition) -> Iterator[Definition]:
        """A class, those it is made of, and those that are reached and made of it, or do as the protocol says; and what
        they are made of."""
        yield of
        yield from self.bases(of)
        protocol = any("Protocol" in ast.unparse(base) for base in getattr(of.node, "bases", ()))
        for other in tuple(self._classes):
            if of in self.bases(other) or (protocol and self._has(other) >= of.members.keys()):
                yield from (other, *self.bases(other))

    def _has(self, one: Definition) -> set[str]:
        """The names of a class's methods and fields, those of what it is made of as well."""
        return {name for each in (one, *self.bases(one)) for name in (*each.members, *each.fields)}

    def bases(self, of: Definition) -> list[Definition]:
        """Every class that one is made of."""
        found: list[Definition] = []
        for base in getattr(of.node, "bases", ()):
            named = self.sources.find(of.module.names.get(base.id, "")) if isinstance(base, ast.Name) else None
            if isinstance(named, Definition):
                found += [named, *self.bases(named)]
        return found


class Scope:
    """What names mean within a definition."""

    def __init__(self, reach: Reach, definition: Definition) -> None:
        self._reach = reach
        self._owner = definition.owner
        self.names = dict(definition.module.names)
        self._local: dict[str, list[ast.AST]] = {}
        for node in ast.walk(definition.node):
            match node:
                case ast.Import() | ast.ImportFrom():
                    self.names |= _imported(node)
                case ast.arg(arg=name):
                    self._assign(ast.Name(name), node.annotation)
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._assign(target, value)
                case ast.AnnAssign(target=target, annotation=annotation):
                    self._assign(target, annotation)
                case ast.NamedExpr(target=target, value=value):
                    self._assign(target, value)
                case ast.For(target=target) | ast.comprehension(target=target):
                    self._assign(target, None)
                case ast.withitem(optional_vars=ast.AST() as target):
                    self._assign(target, None)

    def _assign(self, target: ast.AST, value: ast.AST | None) -> None:
        match target, value:
            case ast.Name(id=name), _:
                self._local.setdefault(name, []).append(value or ast.Constant(None))
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                for one, its in zip(targets, values, strict=True):
                    self._assign(one, its)
            case ((ast.Tuple(elts=targets) | ast.List(elts=targets)), _):
                for one in targets:
                    self._assign(one, None)

    def type(self, node: ast.AST | None) -> str | Module | Definition | None:
        """The service whose client an expression or annotation is, or a module or class of ours; None if it is not
        evident."""
        match node:
            case ast.Call(func=ast.Name(id="client"), args=[ast.Constant(value=str() as service), *_]):
                return service
            case ast.Call(func=function):
                return self._returned(function)
            case ast.IfExp(body=left, orelse=right) | ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.type(left) or self.type(right)
            case ast.Name(id=name) if name in _ANNOTATED:
                return _ANNOTATED[name]
            case ast.Name(id="self" | "cls"):
                return self._owner
            case ast.Name(id=name) if name in self._local:
                values = self._local.pop(name)
                types = {self.type(value) for value in values}
                self._local[name] = values
                return types.pop() if len(types) == 1 else None
            case ast.Name(id=name):
                found = self._reach.sources.find(self.names.get(name, ""))
                return found if isinstance(found, Module) or _is_class(found) else None
            case ast.Attribute(value=of, attr=name):
                owner = self.type(of)
                if isinstance(owner, Module):
                    found = self._reach.sources.find(f"{owner.name}:{name}")
                    return found if isinstance(found, Module) or _is_class(found) else None
                return self._attribute(owner, name) if isinstance(owner, Definition) else None
        return None

    def _returned(self, function: ast.AST) -> str | Module | Definition | None:
        if _is_class(made := self.type(function)) and isinstance(function, ast.Name | ast.Attribute):
            return made if not isinstance(function, ast.Name) or function.id not in self._local else None
        found: Module | Definition | None = None
        match function:
            case ast.Name(id=name):
                found = self._reach.sources.find(self.names.get(name, ""))
            case ast.Attribute(value=of, attr=name):
                owner = self.type(of)
                if isinstance(owner, Module):
                    found = self._reach.sources.find(f"{owner.name}:{name}")
                elif isinstance(owner, Definition):
                    relatives = (owner, *self._reach.bases(owner))
                    found = next((each.members[name] for each in relatives if name in each.members), None)
        if isinstance(found, Definition) and isinstance(found.node, ast.FunctionDef):
            return self._reach.scope(found).type(found.node.returns)
        return None

    def _attribute(self, owner: Definition, name: str) -> str | Module | Definition | None:
        """What an attribute is: a field, a property, or what a class's `__init__` makes of it."""
        for relative in (owner, *self._reach.bases(owner)):
            if name in relative.members:
                returned = relative.members[name].node
                return self._reach.scope(relative.members[name]).type(getattr(returned, "returns", None))
            if name in relative.fields:
                return self._reach.scope(relative).type(relative.fields[name])
            if "__init__" in relative.members:
                made = self._reach.scope(relative.members["__init__"])
                for node in ast.walk(relative.members["__init__"].node):
                    match node:
                        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value):
                            if attr == name:
                                return made.type(value)
        return None


def _is_class(found: object) -> bool:
    return isinstance(found, Definition) and isinstance(found.node, ast.ClassDef)


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's or a class's body, but for what only type checkers read."""
    for node in body:
        if isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from _executed([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _executed([*node.body, *node.orelse, *node.finalbody])
        else:
            yield node


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {each.asname or each.name: each.name for each in node.names}
    return {each.asname or each.name: f"{node.module}:{each.name}" for each in node.names}


def _expressions(node: Any) -> Iterator[ast.AST]:
    """What is evaluated: no annotations, no methods of a class, which are reached by their names."""
    if isinstance(node, ast.ClassDef):
        parts = [*node.bases, *node.keywords, *node.decorator_list]
        parts += [each for each in node.body if not isinstance(each, ast.FunctionDef)]
    elif isinstance(node, ast.FunctionDef | ast.Lambda):
        arguments = node.args
        parts = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
        parts += [*node.body, *node.decorator_list] if isinstance(node, ast.FunctionDef) else [node.body]
    elif isinstance(node, ast.AnnAssign):
        parts = [node.target, *([node.value] if node.value is not None else [])]
    else:
        parts = list(ast.iter_child_nodes(node))
    yield node
    for part in parts:
        yield from _expressions(part)
