"""The parts of AWS on one machine, put together. Import it only after moto's environment is set: see cloud.py."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.core.config import default_user_config

from drill.aws import dynamodb, ec2_tables, moto_speed, sdk_data, step_functions  # noqa: F401  (its tables: before moto)
from drill.aws.clients import Clients
from drill.aws.cloudwatch import QUEUES_EVERY_S, feed, measure_queues, repeat
from drill.aws.events import EventBus, put_service_event
from drill.aws.lambda_async import AsyncInvoker
from drill.aws.lambda_process import Surroundings
from drill.aws.lambda_runtime import LambdaRuntime
from drill.aws.messages import sent_messages
from drill.aws.metrics import MetricStore
from drill.aws.precedence import Precedence
from drill.aws.regions import Regions
from drill.aws.schedules import Schedules
from drill.aws.server import Door, serve
from drill.aws.targets import Targets
from drill.aws.template import Stack
from drill.network.listeners import port_of

if TYPE_CHECKING:
    from drill.aws.cloud import CloudConfig


class Machine:
    """Everything that answers for AWS in this process."""

    def __init__(self, config: CloudConfig, listeners: Sequence[socket.socket]) -> None:
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        self.config = config
        self.listeners = listeners
        self.endpoint = f"http://{config.host.advertised}:{port_of(listeners[0])}"
        self.metrics = MetricStore()
        self.regions = Regions()
        self.clients = Clients(self.endpoint)
        endpoints = sdk_data.lead_to(config.log_dir / "sdk")
        surroundings = Surroundings(
            python=str(config.python),
            endpoint=self.endpoint,
            log_dir=config.log_dir,
            runtime_path=tuple(config.runtime_path),
            environment=endpoints | config.function_environment,
            cold_start_s=config.cold_start_s,
        )
        self.runtime = LambdaRuntime(
            surroundings,
            self.metrics.add,
            concurrency=config.concurrency,
            precedence=Precedence(config.plan_ahead, config.plans_aside),
        )
        self.targets = Targets(self.clients, self.regions)
        self.invoker = AsyncInvoker(self.runtime, self.targets.send, config.async_retry_delays_s)
        self.targets.invoke_async = self.invoker.accept
        self.bus = EventBus(self.targets, self.regions, copies=config.event_copies, delivery_s=config.event_delivery_s)
        self.schedules = Schedules(self.bus, self.regions)
        self._health: Callable[[], dict[str, bool]] = dict
        self._names: Callable[[], list[dict[str, Any]]] = list
        self._name_changes: Callable[[], list[dict[str, Any]]] = list

    def start(self) -> dict[str, Any]:
        """Answer, create the stack, start what acts on its own. Gives the ready line."""
        dynamodb.install()
        moto_speed.install()
        self.bus.install()
        step_functions.install(self.clients, self.metrics.add)
        if self.config.state_clock_rate != 1.0:
            state_clock: Any = importlib.import_module("drill.aws.state_clock")
            state_clock.install(self.config.state_clock_rate)
        feed(self.metrics.add)
        reports = {
            "events": self.bus.recorded,
            "health-checks": lambda: self._health(),
            "invocations": self.runtime.invocations,
            "messages": lambda: sent_messages(self.config.account),
            "name-changes": lambda: self._name_changes(),
            "name-servers": lambda: self._names(),
            "metrics": self.metrics.report,
            "regions": self.regions.lost,
            "workers": self.runtime.pids,
        }
        serve(
            self.listeners,
            self.regions,
            lambda moto: Door(
                moto,
                self.regions,
                runtime=self.runtime,
                invoker=self.invoker,
                reports=reports,
                start_schedules=self.schedules.start,
            ),
        )
        ready: dict[str, Any] = {"endpoint": self.endpoint}
        self._start_bridges()
        config = self.config
        if config.template is not None:
            ready |= self._load(config.stack_name, config.region, config.template, config.parameters)
        ready["stacks"] = {
            more.name: self._load(more.name, more.region, more.template, more.parameters) for more in config.more_stacks
        }
        repeat(lambda: measure_queues(self.metrics.add), QUEUES_EVERY_S, "queues")
        if self.config.schedules:
            self.schedules.start()
        return ready

    def wait(self) -> None:
        """Until this process is ended by its parent."""
        threading.Event().wait()

    def _load(self, name: str, region: str, template: Path, parameters: dict[str, Any]) -> dict[str, Any]:
        stack = Stack(
            template.resolve(),
            parameters,
            name=name,
            account=self.config.account,
            region=region,
            clients=self.clients,
            runtime=self.runtime,
            dependencies_path=tuple(self.config.dependencies_path),
        )
        outputs = stack.load()
        resources = {
            logical_id: {"type": resource.type, "ref": resource.ref, "arn": resource.arn}
            for logical_id, resource in stack.resources.items()
            if resource.type not in stack.ignored
        }
        return {"outputs": outputs, "resources": resources, "ignored": stack.ignored}

    def _start_bridges(self) -> None:
        """Before the template is loaded: bridges add to moto's API what a template may use."""
        for bridge in self._bridges():
            bridge.install()
            bridge.start()

    def _bridges(self) -> Iterator[Any]:
        """What moto has no life for, each in a module of its own, imported only if it is wanted."""
        config = self.config
        if config.alarms:
            alarms: Any = importlib.import_module("drill.aws.alarms")
            evaluator = alarms.AlarmEvaluator(config.account, self.metrics, self._put_event, self.regions)
            evaluator.evaluates = config.alarm_evaluation
            yield evaluator
        if config.health_checks:
            health_checks: Any = importlib.import_module("drill.aws.health_checks")
            checks = health_checks.HealthChecks(config.account, self.metrics.add)
            self._health = checks.statuses
            yield checks
        if config.name_in_sync_s is not None:
            name_changes: Any = importlib.import_module("drill.aws.name_changes")
            names = name_changes.NameChanges(config.account, config.name_in_sync_s, seed=config.seed)
            self._names, self._name_changes = names.answered, names.durations
            yield names
        if config.ecs_task is not None:
            ecs: Any = importlib.import_module("drill.aws.ecs")
            yield ecs.EcsBridge(
                config.account,
                self.regions,
                config.log_dir,
                config.ecs_start_delay_s,
                module=config.ecs_task,
                host=config.host,
            )

    def _put_event(self, event: dict[str, Any]) -> None:
        """An AWS service's event, on the bus of its own `region` and `account`, else of the stack's."""
        account, region = event.get("account", self.config.account), event.get("region", self.config.region)
        put_service_event(account, region, event)
