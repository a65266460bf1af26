"""The controller's source, and what its names stand for: imports, classes and AWS's clients. Nothing is run.

AWS's clients are told by where they come from: `client("…")`, or an annotation such as `ECSClient`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LAYERS: Final = (ROOT / "layers/failover/python", ROOT / "report")
CLIENTS: Final = {
    "CloudWatchClient": "cloudwatch",
    "DynamoDBClient": "dynamodb",
    "ECSClient": "ecs",
    "EKSClient": "eks",
    "ElasticLoadBalancingv2Client": "elbv2",
    "EventBridgeClient": "events",
    "IAMClient": "iam",
    "LambdaClient": "lambda",
    "Route53Client": "route53",
    "Route53RecoveryClusterClient": "route53-recovery-cluster",
    "S3Client": "s3",
    "SFNClient": "stepfunctions",
    "SNSClient": "sns",
    "STSClient": "sts",
    "SecretsManagerClient": "secretsmanager",
    "ServiceQuotasClient": "service-quotas",
}


@dataclass(eq=False)
class Module:
    """One file. `names`: what a name of it stands for, a definition of its own or `module:name` of another."""

    name: str
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
    """Every module of the layers, and those of functions as they are asked for."""

    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self.modules: dict[str, Module] = {}
        for layer in LAYERS:
            for path in layer.rglob("*.py"):
                name = ".".join(path.relative_to(layer).with_suffix("").parts).removesuffix(".__init__")
                self._read(name, path)

    def handler(self, app: Path) -> str:
        """The name of a function's handler."""
        if str(app) not in self.modules:
            self._read(str(app), app)
        return f"{app}:handler"

    @functools.cache  # noqa: B019
    def scope(self, definition: Definition) -> Scope:
        """What names mean there."""
        return Scope(self, definition)

    @functools.cache  # noqa: B019 - there is one of these for good
    def bases(self, of: Definition) -> list[Definition]:
        """Every class that one is made of."""
        named = [self.find(of.module.names.get(ast.unparse(base), "")) for base in getattr(of.node, "bases", ())]
        return [each for base in named if isinstance(base, Definition) for each in (base, *self.bases(base))]

    @functools.cache  # noqa: B019
    def replaces(self, other: Definition, of: Definition) -> bool:
        """Whether a class is made of another, or does as that protocol says."""
        bases = self.bases(other)
        if of in bases or not any("Protocol" in ast.unparse(base) for base in getattr(of.node, "bases", ())):
            return of in bases
        return {name for each in (other, *bases) for name in (*each.members, *each.fields)} >= of.members.keys()

    def _read(self, name: str, path: Path) -> None:
        tree = ast.parse(path.read_text())
        module = self.modules[name] = Module(name)
        for node in _executed(tree.body):
            self._define(module, node)

    def _define(self, module: Module, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.names |= _imported(node)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            return
        definition = Definition(module, node)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
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


class Scope:
    """What names mean within a definition."""

    def __init__(self, sources: Sources, definition: Definition) -> None:
        self._sources = sources
        self._owner = definition.owner
        self.names = dict(definition.module.names)
        self._local: dict[str, list[ast.AST]] = {}
        self._parameters: set[str] = set()
        for node in ast.walk(definition.node):
            match node:
                case ast.Import() | ast.ImportFrom():
                    self.names |= _imported(node)
                case ast.arg(arg=name):
                    self._assign(ast.Name(name), node.annotation)
                    self._parameters |= {name} if node.annotation is None else set()
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

    def is_parameter(self, node: ast.AST) -> bool:
        """Whether it is a parameter that is not annotated."""
        return isinstance(node, ast.Name) and node.id in self._parameters

    def type(self, node: ast.AST | None) -> str | Module | Definition | None:
        """The service whose client an expression or annotation is, or a module or class of ours; None if it is not
        evident."""
        match node:
            case ast.Call(func=ast.Name(id="client"), args=[ast.Constant(value=str() as service), *_]):
                return service
            case ast.Call(func=function):
                return self._returned(function)
            case ast.Await(value=awaited):
                return self.type(awaited)
            case ast.IfExp(body=left, orelse=right) | ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.type(left) or self.type(right)
            case ast.Name(id=name) if name in CLIENTS:
                return CLIENTS[name]
            case ast.Name(id="self" | "cls"):
                return self._owner
            case ast.Name(id=name) if name in self._local:
                values = self._local.pop(name)
                types = {self.type(value) for value in values}
                self._local[name] = values
                return types.pop() if len(types) == 1 else None
            case ast.Name(id=name):
                found = self._sources.find(self.names.get(name, ""))
                return found if isinstance(found, Module) or is_class(found) else None
            case ast.Attribute():
                return self._member(node)
        return None

    def _member(self, node: ast.Attribute) -> str | Module | Definition | None:
        owner = self.type(node.value)
        if isinstance(owner, Module):
            found = self._sources.find(f"{owner.name}:{node.attr}")
            return found if isinstance(found, Module) or is_class(found) else None
        return self._attribute(owner, node.attr) if isinstance(owner, Definition) else None

    def _returned(self, function: ast.AST) -> str | Module | Definition | None:
        if is_class(made := self.type(function)) and isinstance(function, ast.Name | ast.Attribute):
            return made if not isinstance(function, ast.Name) or function.id not in self._local else None
        found: Module | Definition | None = None
        match function:
            case ast.Name(id=name):
                found = self._sources.find(self.names.get(name, ""))
            case ast.Attribute(value=of, attr=name):
                owner = self.type(of)
                if isinstance(owner, Module):
                    found = self._sources.find(f"{owner.name}:{name}")
                elif isinstance(owner, Definition):
                    relatives = (owner, *self._sources.bases(owner))
                    found = next((each.members[name] for each in relatives if name in each.members), None)
        if isinstance(found, Definition) and isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self._sources.scope(found).type(found.node.returns)
        return None

    def _attribute(self, owner: Definition, name: str) -> str | Module | Definition | None:
        """What an attribute is: a field, a property, or what a class's `__init__` makes of it."""
        for relative in (owner, *self._sources.bases(owner)):
            if name in relative.members:
                returned = relative.members[name].node
                return self._sources.scope(relative.members[name]).type(getattr(returned, "returns", None))
            if name in relative.fields:
                return self._sources.scope(relative).type(relative.fields[name])
            if "__init__" in relative.members:
                made = self._sources.scope(relative.members["__init__"])
                for node in ast.walk(relative.members["__init__"].node):
                    match node:
                        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value):
                            if attr == name:
                                return made.type(value)
        return None


def is_class(found: object) -> bool:
    return isinstance(found, Definition) and isinstance(found.node, ast.ClassDef)


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


def expressions(node: Any) -> Iterator[ast.AST]:
    """What is evaluated: no annotations, no methods of a class, which are reached by their names."""
    if isinstance(node, ast.ClassDef):
        parts = [*node.bases, *node.keywords, *node.decorator_list]
        parts += [each for each in node.body if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = node.args
        parts = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
        parts += [*node.body, *node.decorator_list] if not isinstance(node, ast.Lambda) else [node.body]
    elif isinstance(node, ast.AnnAssign):
        parts = [node.target, *([node.value] if node.value is not None else [])]
    else:
        parts = list(ast.iter_child_nodes(node))
    yield node
    for part in parts:
        yield from expressions(part)
