"""What is deployed, read from the template: each function's environment, and the state machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from drill.aws.intrinsics import Intrinsics, parameter_values, read_yaml
from simulation.functions import ROOT
from simulation.regions import REGION

ACCOUNT: Final = "123456789012"
STACK: Final = "failover"
STATE_MACHINE: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:failover"
SWITCHOVER: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:switchover"
RESTORE: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:restore"
PRACTICE: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:practice"
WATCH: Final = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:watch"
EXPRESS: Final = frozenset({WATCH})
"""The machines whose executions are over within minutes, and can't be described."""
_MACHINES: Final = {
    "FailoverStateMachine": STATE_MACHINE,
    "SwitchoverStateMachine": SWITCHOVER,
    "RestoreStateMachine": RESTORE,
    "PracticeStateMachine": PRACTICE,
    "WatchStateMachine": WATCH,
}
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:notifications"
PARAMETERS: Final = {
    "ClientHostnames": "kafka.orders.example.com",
    "HostedZones": "Z0123456789ORDERS",
    "Secrets": "*",
}
LAMBDAS_RETRIES: Final = 2
"""Of an asynchronous call, where the template says nothing."""
_PLACE: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One stack."""

    environments: dict[str, dict[str, str]]
    """Of each function, by the name of its folder."""
    timeouts: dict[str, float]
    """Of each function, in seconds."""
    retries: dict[str, int]
    """How often each function is called again that was called asynchronously and failed."""
    machines: dict[str, dict[str, Any]]
    """The definition of each state machine, as it is deployed, by ARN."""


def deployment() -> Deployment:
    """The stack of the template in this tree."""
    template = read_yaml((ROOT / "template.yaml").read_text(encoding="utf-8"))
    resources = template["Resources"]
    folders = {
        name: each["Properties"]["CodeUri"].rpartition("/")[2]
        for name, each in resources.items()
        if each["Type"] == "AWS::Serverless::Function"
    }

    def ref(name: str) -> str:
        """Of a function in any version: its folder."""
        named = _MACHINES | {"Notifications": TOPIC, "Ledger": "ledger"}
        return named.get(name) or folders.get(name.removesuffix(".Version"), name)

    declared = template["Parameters"]
    values: dict[str, Any] = parameter_values(declared, {k: v for k, v in PARAMETERS.items() if k in declared})
    values |= {
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::StackName": STACK,
        "AWS::URLSuffix": "amazonaws.com",
    }
    intrinsics = Intrinsics(template, values, ref, lambda name, attribute: ref(name))
    every = template["Globals"]["Function"]["Environment"]["Variables"]
    environments, timeouts, retries = {}, {}, {}
    timeout = template["Globals"]["Function"]["Timeout"]
    for name, folder in folders.items():
        properties = resources[name]["Properties"]
        own = properties.get("Environment", {}).get("Variables", {})
        variables: dict[str, Any] = intrinsics.resolve(every | own)
        timeouts[folder] = float(properties.get("Timeout", timeout))
        retries[folder] = properties.get("EventInvokeConfig", {}).get("MaximumRetryAttempts", LAMBDAS_RETRIES)
        environments[folder] = _of_lambda() | {key: str(value) for key, value in variables.items()}
    machines = {arn: _definition(resources[name]["Properties"], intrinsics) for name, arn in _MACHINES.items()}
    return Deployment(environments=environments, timeouts=timeouts, retries=retries, machines=machines)


def _definition(properties: dict[str, Any], intrinsics: Intrinsics) -> Any:
    substitutions = intrinsics.resolve(properties["DefinitionSubstitutions"])
    text = (ROOT / properties["DefinitionUri"]).read_text(encoding="utf-8")
    deployed = _PLACE.sub(lambda place: str(substitutions[place[1]]), text)
    return yaml.load(deployed, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _of_lambda() -> dict[str, str]:
    """What Lambda sets, and what keeps the SDK from looking for more."""
    return {
        "AWS_ACCESS_KEY_ID": "simulation",
        "AWS_SECRET_ACCESS_KEY": "simulation",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
