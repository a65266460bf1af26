"""SAM's resources: functions, layers and state machines, with the events that SAM makes rules and schedules of.

Source: "AWS SAM resources and properties", AWS SAM developer guide.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from drill.aws import resources
from drill.aws.intrinsics import TemplateError, read_yaml
from drill.aws.lambda_functions import Function
from drill.aws.template import Creator, Resource, Stack
from drill.process import temporary_directory

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_RULES = ("EventBridgeRule", "CloudWatchEvent")
_TARGET = ("Input", "InputPath", "InputTransformer")


def layer(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    content = stack.path.parent / properties["ContentUri"]
    if (content / "python").is_dir():
        entries: tuple[Path, ...] = (content / "python",)
    elif (content / "__init__.py").is_file():
        entries = (_folder_of(content),)
    elif stack.dependencies_path:
        entries = stack.dependencies_path
    else:
        raise TemplateError(
            f"{logical_id}: {content} has no python directory; run `sam build` and load the built template, "
            "or give dependencies_path"
        )
    arn = stack.arn("lambda", f"layer:{properties.get('LayerName', logical_id)}:1")
    stack.layers[arn] = tuple(entry.resolve() for entry in entries)
    return Resource("AWS::Serverless::LayerVersion", arn, {"Arn": arn})


def _folder_of(package: Path) -> Path:
    """A directory that holds nothing but a package, as a layer does that is built of it; gone with the process."""
    folder = temporary_directory(f"layer-of-{package.name}-")
    (folder / package.name).symlink_to(package.resolve())
    return folder


def function(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("FunctionName", stack.physical_name(logical_id))
    arn = stack.arn("lambda", f"function:{name}")
    code = (stack.path.parent / properties["CodeUri"]).resolve()
    if not code.is_dir():
        raise TemplateError(f"{logical_id}: there is no directory {code}")
    invoke = properties.get("EventInvokeConfig", {})
    variables = properties.get("Environment", {}).get("Variables", {})
    version = stack.runtime.add(
        Function(
            name=name,
            arn=arn,
            region=stack.region,
            handler=properties["Handler"],
            code=code,
            layers=tuple(entry for layer in properties.get("Layers", []) for entry in stack.layers[layer]),
            environment={key: str(value) for key, value in variables.items()},
            timeout_s=float(properties.get("Timeout", 3)),
            memory_mb=int(properties.get("MemorySize", 128)),
            log_group=properties.get("LoggingConfig", {}).get("LogGroup", ""),
            max_retries=int(invoke.get("MaximumRetryAttempts", 2)),
            on_failure=_destination(stack, logical_id, invoke.get("DestinationConfig", {}).get("OnFailure")),
            dead_letter=properties.get("DeadLetterQueue", {}).get("TargetArn"),
        )
    )
    _events(stack, logical_id, arn, properties.get("Events", {}))
    alias = properties.get("AutoPublishAlias")
    published = {"Version": f"{arn}:{version}", "Alias": f"{arn}:{alias}"} if alias else {}
    return Resource("AWS::Serverless::Function", name, {"Arn": arn} | published)


def state_machine(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("Name", stack.physical_name(logical_id))
    definition = properties.get("Definition")
    if definition is None:
        path = stack.path.parent / properties["DefinitionUri"]
        definition = read_yaml(path.read_text(encoding="utf-8"))
    text = substituted(logical_id, json.dumps(definition), properties.get("DefinitionSubstitutions", {}))
    arn = stack.client("stepfunctions").create_state_machine(
        name=name, definition=text, roleArn=stack.role(), type=properties.get("Type", "STANDARD")
    )["stateMachineArn"]
    _events(stack, logical_id, arn, properties.get("Events", {}))
    return Resource("AWS::Serverless::StateMachine", arn, {"Arn": arn, "Name": name})


def substituted(logical_id: str, definition: str, substitutions: dict[str, Any]) -> str:
    """The definition's JSON text with each `${Name}` replaced, as CloudFormation does it: in the text.

    Raises:
        TemplateError: if one is used and not given, or given and not used.
    """
    used = set(_SUBSTITUTION.findall(definition))
    missing, idle = used - substitutions.keys(), substitutions.keys() - used
    if missing or idle:
        raise TemplateError(f"{logical_id}: substitutions not given: {sorted(missing)}, not used: {sorted(idle)}")
    return _SUBSTITUTION.sub(lambda place: str(substitutions[place[1]]), definition)


def _destination(stack: Stack, logical_id: str, destination: dict[str, Any] | None) -> str | None:
    if destination is None:
        return None
    if "Destination" in destination:
        return str(destination["Destination"])
    if destination["Type"] == "SQS":
        return str(resources.queue(stack, f"{logical_id}EventInvokeConfigOnFailure", {}).attributes["Arn"])
    raise TemplateError(f"{logical_id}: give the Destination of OnFailure")


def _events(stack: Stack, logical_id: str, arn: str, events: dict[str, Any]) -> None:
    for name, event in events.items():
        kind, properties, event_id = event["Type"], event.get("Properties", {}), f"{logical_id}{name}"
        if kind in _RULES:
            rule = {"EventPattern": properties["Pattern"], **_subset(properties, "EventBusName", "State")}
            rule["Targets"] = [_target(event_id, arn, properties)]
            resources.rule(
                stack, event_id, rule | ({"Name": properties["RuleName"]} if "RuleName" in properties else {})
            )
        elif kind == "Schedule":
            enabled = properties.get("State") or ("ENABLED" if properties.get("Enabled", True) else "DISABLED")
            rule = {"ScheduleExpression": properties["Schedule"], "State": enabled, **_subset(properties, "Name")}
            resources.rule(stack, event_id, {**rule, "Targets": [_target(event_id, arn, properties)]})
        elif kind == "ScheduleV2":
            target = {"Arn": arn, **_subset(properties, "Input", "RetryPolicy", "DeadLetterConfig")}
            schedule = _subset(properties, "ScheduleExpression", "State", "Name", "Description", "FlexibleTimeWindow")
            resources.schedule(stack, event_id, {**schedule, "Target": target})
        else:
            raise TemplateError(f"{event_id}: the drill has no events of type {kind}")


def _target(event_id: str, arn: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"Id": f"{event_id}Target", "Arn": arn, **_subset(properties, *_TARGET, "RetryPolicy", "DeadLetterConfig")}


def _subset(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


SERVERLESS_CREATORS: dict[str, Creator] = {
    "AWS::Serverless::Function": function,
    "AWS::Serverless::LayerVersion": layer,
    "AWS::Serverless::StateMachine": state_machine,
}
