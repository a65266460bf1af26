"""Step Functions: moto's engine, with what it lacks of AWS or does otherwise.

A start under the name of a running execution with the same input is that execution, and any other start under a used
name is refused; a definition that AWS would refuse is refused; callbacks keep their cause, and are refused once their
task is over; executions can be redriven, and tell EventBridge and CloudWatch how they end.
"""

from __future__ import annotations

import datetime
import functools
import re
import sys
import threading
import uuid
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidName
from moto.stepfunctions.parser import api, models
from moto.stepfunctions.parser.api import ExecutionNotRedrivable, HistoryEventType, InvalidDefinition, TaskTimedOut
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client as engine_clients
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution_worker
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.parser.utils import TMP_THREADS
from moto.stepfunctions.responses import StepFunctionResponse

from drill.aws import jsonata_evaluation, service_casing
from drill.aws.clients import Clients
from drill.aws.definition_check import problems
from drill.aws.events import put_service_event
from drill.aws.metrics import MetricDatum, MetricSink

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
PARSED_AT_MOST = 32
PATHS_AT_MOST = 512
_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}

# The engine's classes, as things whose methods can be replaced.
_Backend: Any = StepFunctionsParserBackend
_Response: Any = StepFunctionResponse
_Execution: Any = Execution
_Ending: Any = BaseExecutionWorkerCommunication
_Worker: Any = ExecutionWorker
_State: Any = CommonStateField


def install(clients: Clients, metrics: MetricSink) -> None:
    """Change moto's engine for this process. Once only."""
    jsonata_evaluation.install()
    service_casing.install()
    _name_errors()
    _use_clients(clients)
    _check_definitions()
    _parse_once()
    _start_by_name()
    _keep_causes()
    _tell_status(metrics)
    _redrive()


def _use_clients(clients: Clients) -> None:
    """moto makes a client for every call of a task: 50 ms each."""

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return clients.of(service, region)

    original = engine_clients.boto_client_for
    for module in list(sys.modules.values()):
        if getattr(module, "boto_client_for", None) is original:
            module.boto_client_for = client_for  # type: ignore[attr-defined]


def _name_errors() -> None:
    """The engine's errors say their code in a field that moto's answers do not look at."""
    for error in vars(api).values():
        if isinstance(error, type) and issubclass(error, AWSError) and "code" in vars(error):
            error.TYPE = vars(error)["code"]


def _check_definitions() -> None:
    validate = _Backend._validate_definition

    def validate_more(definition: str) -> None:
        validate(definition)
        violations = problems(definition)
        if violations:
            raise InvalidDefinition(message="Invalid State Machine Definition: " + "; ".join(violations))

    _Backend._validate_definition = staticmethod(validate_more)


def _parse_once() -> None:
    """moto parses a definition as it is put, and anew for every execution: the failover's takes 0.6 s, for which all of
    this process waits. The states that are made of it keep nothing of an execution, which has that in its environment;
    nor do paths, which it parses each time they are used."""

    @functools.lru_cache(maxsize=PARSED_AT_MOST)
    def program(definition: str) -> EvalComponent:
        return AmazonStateLanguageParser.parse(definition)[0]

    parser: Any = SimpleNamespace(parse=lambda definition: (program(definition), None))
    for module in (models, execution_worker):
        module.AmazonStateLanguageParser = parser  # type: ignore[attr-defined]
    path_parsers: tuple[Any, ...] = (result_path, json_path)
    for paths in path_parsers:
        paths.parse = functools.lru_cache(maxsize=PATHS_AT_MOST)(paths.parse)


def _start_by_name() -> None:
    start = _Backend.start_execution
    one_at_a_time = threading.Lock()

    def start_execution(
        self: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: Any = None,
        trace_header: Any = None,
    ) -> Any:
        if name is not None and not _NAME.fullmatch(name):
            raise InvalidName(f"Invalid Name: '{name}'")
        del TMP_THREADS[:]  # moto keeps every thread it ever started there
        with one_at_a_time:
            return start(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    _Backend.start_execution = start_execution


def _keep_causes() -> None:
    succeed, fail = _Backend.send_task_success, _Backend.send_task_failure

    def refuse_if_over(backend: Any, token: str) -> None:
        for execution in backend._get_executions():
            env = execution.exec_worker.env
            endpoint = env and env.callback_pool_manager.get(token)
            if endpoint and (endpoint._notify_event.is_set() or execution.status != "RUNNING"):
                raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")

    def send_task_success(self: Any, task_token: str, outcome: str) -> Any:
        refuse_if_over(self, task_token)
        return succeed(self, task_token, outcome)

    def send_task_failure(self: Any, task_token: str, error: str | None = None, cause: str | None = None) -> Any:
        refuse_if_over(self, task_token)
        return fail(self, task_token, error, cause)

    def answer_failure(self: Any) -> Any:
        token, error, cause = (self._get_param(name) for name in ("taskToken", "error", "cause"))
        self.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
        return EmptyResult()

    _Backend.send_task_success = send_task_success
    _Backend.send_task_failure = send_task_failure
    _Response.send_task_failure = answer_failure


def _tell_status(metrics: MetricSink) -> None:
    start, terminated = _Execution.start, _Ending.terminated

    def start_and_tell(self: Any) -> None:
        start(self)
        _publish(self, metrics, "RUNNING")

    def terminated_and_tell(self: Any) -> None:
        terminated(self)
        _publish(self.execution, metrics, self.execution.status)

    _Execution.start = start_and_tell
    _Ending.terminated = terminated_and_tell


def _publish(execution: Any, metrics: MetricSink, status: str) -> None:
    """The event of a standard execution's new status, and its metrics.

    The status is the change's own: a short execution has ended by the time its start is published.

    Source: "Step Functions Execution Status Change" in "Automating event delivery", Step Functions developer guide.
    """
    machine = {"StateMachineArn": execution.state_machine_arn}
    over = status != "RUNNING"
    metrics(MetricDatum(namespace="AWS/States", name=_METRICS[status], dimensions=machine, value=1.0, unit="Count"))
    if over:
        took_ms = (execution.stop_date - execution.start_date).total_seconds() * 1000
        metrics(
            MetricDatum(
                namespace="AWS/States", name="ExecutionTime", dimensions=machine, value=took_ms, unit="Milliseconds"
            )
        )
    if execution.state_machine.sm_type == "EXPRESS":
        return
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date) if over else None,
        "input": execution.execution_input,
        "output": to_json_str(execution.output) if status == "SUCCEEDED" else None,
        "error": execution.error if over else None,
        "cause": execution.cause if over else None,
        "redriveCount": getattr(execution, "redrive_count", 0),
    }
    put_service_event(
        execution.account_id,
        execution.region_name,
        {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "resources": [execution.exec_arn],
            "detail": detail,
        },
    )


def _redrive() -> None:
    enter, environment = _State._eval_body, _Worker._get_evaluation_environment
    describe = _Response.describe_execution

    def enter_and_note(self: Any, env: Any) -> None:
        if not env.is_frame():
            env.entered = (self.name, env.states.get_input())
        enter(self, env)

    def environment_with_count(self: Any) -> Environment:
        env: Any = environment(self)
        env.states.context_object.context_object_data["Execution"]["RedriveCount"] = 0
        return env  # type: ignore[no-any-return]

    def describe_execution(self: Any) -> ActionResult:
        response: Any = describe(self).result
        execution = self.stepfunction_backend.describe_execution(response["executionArn"])
        if execution.stop_date is not None:
            response["stopDate"] = execution.stop_date
        if execution.status == "SUCCEEDED":  # moto gives a text as it is, and no null
            response["output"] = to_json_str(execution.output, separators=(",", ":"))
        response["redriveCount"] = getattr(execution, "redrive_count", 0)
        return ActionResult(response)

    def redrive_execution(self: Any) -> ActionResult:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        redrive(execution)
        return ActionResult({"redriveDate": datetime.datetime.now(datetime.UTC)})

    _State._eval_body = enter_and_note
    _Worker._get_evaluation_environment = environment_with_count
    _Response.describe_execution = describe_execution
    _Response.redrive_execution = redrive_execution


def redrive(execution: Any) -> None:
    """Go on with an execution from the state that it failed in, with that state's input and the variables as they were.

    A failed Map or Parallel state runs anew as a whole, where AWS runs its unsuccessful parts only.

    Raises:
        ExecutionNotRedrivable: if it is running, has succeeded, is of an express machine, or never entered a state.
    """
    worker = execution.exec_worker
    env = worker.env
    if execution.status in ("RUNNING", "SUCCEEDED") or execution.state_machine.sm_type == "EXPRESS":
        raise ExecutionNotRedrivable(f"Execution is {execution.status} and can't be redriven: {execution.exec_arn}")
    if not hasattr(env, "entered"):
        raise ExecutionNotRedrivable(f"Execution never entered a state: {execution.exec_arn}")
    name, state_input = env.entered
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    execution.exec_status = type(execution.exec_status)("RUNNING")
    execution.stop_date = execution.error = execution.cause = None
    env._frames.clear()
    env.stack.clear()
    env.heap.clear()
    env._program_state = None
    env.next_state_name = name
    env.states.reset(state_input)
    context = env.states.context_object.context_object_data["Execution"]
    context["RedriveCount"] = execution.redrive_count
    context["RedriveTime"] = datetime.datetime.now(datetime.UTC).isoformat()
    env.event_manager.add_event(context=env.event_history_context, event_type=HistoryEventType.ExecutionRedriven)
    program = worker._get_evaluation_entrypoint()

    def run() -> None:
        EvalComponent.eval(program, env)
        worker._execution_communication.terminated()

    threading.Thread(target=run, daemon=True).start()


def _milliseconds(moment: datetime.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
