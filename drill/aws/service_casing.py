"""Names and values of Step Functions' service integrations, which moto leaves as boto has them.

A state machine writes `aws-sdk` parameters in PascalCase and reads results in it, whatever the service's own casing is;
times in results are ISO 8601 text.
"""

from __future__ import annotations

import datetime
import re
from functools import cache
from typing import Any

import botocore.session
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService

_ACRONYM = re.compile(r"([A-Z])([A-Z]+)(?=[A-Z][a-z]|$|\d)")


def install() -> None:
    """Give the engine's two empty methods a body."""
    StateTaskService._normalise_parameters = _parameters  # type: ignore[method-assign]
    StateTaskService._normalise_response = _response  # type: ignore[method-assign]


@cache
def _operation(service: str, action: str) -> Any:
    model = _session().get_service_model(service)
    names = {name.lower(): name for name in model.operation_names}
    name = names.get(action)
    return None if name is None else model.operation_model(name)


@cache
def _session() -> Any:
    return botocore.session.get_session()


def _operation_of(task: StateTaskService, service: str | None, action: str | None) -> Any:
    boto_action = task._get_boto_service_action(action).replace("_", "").lower()
    return _operation(task._get_boto_service_name(service), boto_action)


def _parameters(
    self: StateTaskService,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation_of(self, boto_service_name, service_action_name)
    if operation is not None and isinstance(parameters, dict):
        converted = _to_boto(parameters, operation.input_shape)
        parameters.clear()
        parameters.update(converted)


def _response(
    self: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation_of(self, boto_service_name, service_action_name)
    if operation is not None and isinstance(response, dict):
        converted = _from_boto(response, operation.output_shape)
        response.clear()
        response.update(converted)


def _to_boto(value: Any, shape: Any) -> Any:
    if shape is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        own = {names.get(name.lower(), name): item for name, item in value.items()}
        return {name: _to_boto(item, shape.members.get(name)) for name, item in own.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_to_boto(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _to_boto(item, shape.value) for name, item in value.items()}
    return value


def _from_boto(value: Any, shape: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if shape is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        return {_pascal(name): _from_boto(item, shape.members.get(name)) for name, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_from_boto(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _from_boto(item, shape.value) for name, item in value.items()}
    return value


def _pascal(name: str) -> str:
    upper = name[0].upper() + name[1:]
    return _ACRONYM.sub(lambda match: match[1] + match[2].lower(), upper)
