"""A SAM template brought to life: what CloudFormation would create, in moto and in this machine's Lambda.

Source or built template alike: `template.yaml` with its code as it lies in the tree, or `.aws-sam/build/template.yaml`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill.aws.clients import Clients
from drill.aws.intrinsics import Intrinsics, TemplateError, parameter_values, read_yaml
from drill.aws.lambda_runtime import LambdaRuntime

LOG = logging.getLogger(__name__)

IGNORED = {
    "AWS::Budgets::Budget": "budget",
    "AWS::CloudWatch::Dashboard": "cloudwatch",
    "AWS::IAM::ManagedPolicy": "iam",
    "AWS::IAM::Policy": "iam",
    "AWS::IAM::Role": "iam",
    "AWS::KMS::Alias": "kms",
    "AWS::KMS::Key": "kms",
    "AWS::Lambda::Permission": "lambda",
    "AWS::Lambda::Url": "lambda",
    "AWS::Logs::LogGroup": "logs",
    "AWS::Logs::MetricFilter": "logs",
    "AWS::ResourceGroups::Group": "resource-groups",
    "AWS::SNS::TopicPolicy": "sns",
    "AWS::SQS::QueuePolicy": "sqs",
    "AWS::Scheduler::ScheduleGroup": "scheduler",
}
"""Resource types that nothing of the drill looks at, with their ARN's service: they get names and ARNs, and no more."""
BUCKET_POLICY = "AWS::S3::BucketPolicy"
_POLICIES = ("Policies", "PolicyDocument", "Role")


@dataclass(frozen=True)
class Resource:
    """What came of a resource: what its Ref and its GetAtts give."""

    type: str
    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str | None:
        return self.attributes.get("Arn") or (self.ref if self.ref.startswith("arn:") else None)


Creator = Callable[["Stack", str, dict[str, Any]], Resource]


class Stack:
    """One template with its parameters; resources are created when they are first referred to.

    `dependencies_path` are the sys.path entries that stand for a layer whose source holds no `python` directory, that
    is, one that must be built first.
    """

    def __init__(
        self,
        path: Path,
        parameters: Mapping[str, Any],
        *,
        name: str,
        account: str,
        region: str,
        clients: Clients,
        runtime: LambdaRuntime,
        dependencies_path: tuple[Path, ...] = (),
    ) -> None:
        self.path = path
        self.name = name
        self.account = account
        self.region = region
        self.clients = clients
        self.runtime = runtime
        self.dependencies_path = dependencies_path
        self.layers: dict[str, tuple[Path, ...]] = {}
        self.resources: dict[str, Resource] = {}
        self.ignored: dict[str, list[str]] = {}
        self._template: dict[str, Any] = read_yaml(path.read_text(encoding="utf-8"))
        self._creating: list[str] = []
        values = parameter_values(self._template.get("Parameters", {}), parameters)
        values |= {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": name,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{name}/drill",
            "AWS::NotificationARNs": [],
        }
        self.intrinsics = Intrinsics(self._template, values, self._ref, self._attribute)

    def load(self) -> dict[str, Any]:
        """Create every resource whose condition holds. Gives the template's outputs.

        Raises:
            TemplateError: for what AWS would not deploy, or the drill can't stand for.
        """
        for logical_id, described in self._template["Resources"].items():
            if "Condition" not in described or self.intrinsics.condition(described["Condition"]):
                self.create(logical_id)
        for kind, ids in sorted(self.ignored.items()):
            LOG.info("%s: nothing stands for %s", kind, ", ".join(ids))
        outputs = self._template.get("Outputs", {})
        return {
            name: self.intrinsics.resolve(output["Value"])
            for name, output in outputs.items()
            if "Condition" not in output or self.intrinsics.condition(output["Condition"])
        }

    def create(self, logical_id: str) -> Resource:
        """The resource of that logical id, created if it isn't yet.

        Raises:
            TemplateError: if there is none, or creating it needs itself.
        """
        if logical_id in self.resources:
            return self.resources[logical_id]
        described = self._template["Resources"].get(logical_id) or self._generated(logical_id)
        if described is None:
            raise TemplateError(f"the template has nothing named {logical_id!r}")
        if logical_id in self._creating:
            raise TemplateError(f"circular dependency: {' -> '.join([*self._creating, logical_id])}")
        self._creating.append(logical_id)
        try:
            kind = described["Type"]
            needed = described.get("DependsOn", [])
            for other in [needed] if isinstance(needed, str) else needed:
                self.create(other)
            self.resources[logical_id] = self._creator(kind)(self, logical_id, self._properties(kind, described))
        finally:
            self._creating.pop()
        return self.resources[logical_id]

    def _generated(self, logical_id: str) -> dict[str, Any] | None:
        """What SAM makes for a function, and a template may refer to: `<function>Role` and `<function>Url`."""
        for ending, kind in (("Role", "AWS::IAM::Role"), ("Url", "AWS::Lambda::Url")):
            function = self._template["Resources"].get(logical_id.removesuffix(ending), {})
            if logical_id.endswith(ending) and function.get("Type") == "AWS::Serverless::Function":
                return {"Type": kind}
        return None

    def _ref(self, name: str) -> Any:
        """What a Ref gives: of a resource, or of what SAM publishes of a function, such as `Step.Version`."""
        logical_id, _, published = name.partition(".")
        return self._attribute(logical_id, published) if published else self.create(logical_id).ref

    def client(self, service: str) -> Any:
        return self.clients.of(service, self.region)

    def physical_name(self, logical_id: str) -> str:
        """What CloudFormation names a resource that has no name of its own, without its random end."""
        return f"{self.name}-{logical_id}"

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"

    def role(self) -> str:
        """The role that SAM would make for a function or a state machine."""
        return self.arn("iam", f"role/{self.name}-role")

    def _creator(self, kind: str) -> Creator:
        from drill.aws.resources import CREATORS
        from drill.aws.serverless import SERVERLESS_CREATORS

        if kind in IGNORED:
            return lambda stack, logical_id, properties: _ignore(stack, kind, logical_id, properties)
        creator = CREATORS.get(kind) or SERVERLESS_CREATORS.get(kind)
        if creator is None:
            raise TemplateError(f"the drill has nothing to stand for {kind}")
        return creator

    def _properties(self, kind: str, described: Mapping[str, Any]) -> dict[str, Any]:
        own = described.get("Properties", {})
        section = self._template.get("Globals", {}).get(kind.removeprefix("AWS::Serverless::"), {})
        unresolved = merged(section, own) if kind.startswith("AWS::Serverless::") else own
        # A function's policies name what it may touch, which may well be what is created by it; IAM is not played.
        # A bucket's is, as S3 heeds it.
        excluded = () if kind == BUCKET_POLICY else _POLICIES
        resolved: dict[str, Any] = self.intrinsics.resolve(
            {key: value for key, value in unresolved.items() if key not in excluded}
        )
        return resolved

    def _attribute(self, logical_id: str, name: str) -> Any:
        attributes = self.create(logical_id).attributes
        if name not in attributes:
            raise TemplateError(f"{logical_id} has no attribute {name!r} in the drill")
        return attributes[name]


def merged(general: Any, own: Any) -> Any:
    """SAM's Globals: maps are merged, lists joined, anything else is the resource's own."""
    if (
        isinstance(general, dict)
        and isinstance(own, dict)
        and not any(key.startswith("Fn::") for key in (*general, *own))
    ):
        return {
            key: merged(general[key], own[key]) if key in general and key in own else own.get(key, general.get(key))
            for key in (*general, *(key for key in own if key not in general))
        }
    if isinstance(general, list) and isinstance(own, list):
        return [*general, *own]
    return own


def _ignore(stack: Stack, kind: str, logical_id: str, properties: dict[str, Any]) -> Resource:
    stack.ignored.setdefault(kind, []).append(logical_id)
    short = kind.rpartition("::")[2]
    own = next((str(properties[key]) for key in (f"{short}Name", "Name") if key in properties), None)
    name = own or stack.physical_name(logical_id)
    resource = {"LogGroup": f"log-group:{name}:*", "Role": f"role/{name}", "Key": f"key/{name}"}.get(short, name)
    arn = stack.arn(IGNORED[kind], resource)
    url = f"https://{name.lower()}.lambda-url.{stack.region}.on.aws/"
    return Resource(kind, name, {"Arn": arn, "KeyId": name, "RoleId": name, "FunctionUrl": url})
