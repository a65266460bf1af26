"""ECS services that really run: each task is a gateway process, registered at its load balancer while it is alive.

moto keeps clusters, services and task definitions; it starts nothing. A service's tag `drill:answers-at` says where
something answers that stands for its tasks, which then are no processes. Its tag `drill:balancer` is the URL of its
load balancer's admin; two services that have target groups may share one, and its listeners tell which of them new
connections are led to. This bridge starts and stops the tasks of every service as ECS does
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html): a new task
definition is a new PRIMARY deployment, and the tasks of before go as minimumHealthyPercent lets them.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from moto.ecs.models import EC2ContainerServiceBackend, Service, Task, ecs_backends

from drill.aws.limits import LAUNCHES, Buckets
from drill.aws.listeners import leads_to, target_groups
from drill.aws.regions import Regions
from drill.network.plain_http import plain
from drill.ports import HERE, Host
from drill.process import Child, ChildFailed, spawn

LOG = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 0.05
RESTART_AFTER_S: Final = 1.0
MODULE: Final = "drill.gateway.instance"
ADMIN_PORT: Final = 9190
BALANCER_TAG: Final = "drill:balancer"
ANSWERS_AT_TAG: Final = "drill:answers-at"
_Backend: Any = EC2ContainerServiceBackend


class ServiceTask(Task):
    """A task that is in the state its process is in; moto would move it on whenever it is described. And moto knows no
    zones."""

    availability_zone: str = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.created_at = datetime.now(UTC)

    def advance(self) -> None:
        """Stay."""


@dataclass(frozen=True)
class NoProcess:
    """What is in the place of a task's process where something else answers for it, at a port."""

    port: int
    alive: bool = True

    @property
    def ready(self) -> dict[str, Any]:
        return {"routes": {"kafka": self.port}, "brokers": {"kafka": []}}

    def kill(self) -> None:
        """Who answers for it goes with its site."""


@dataclass(kw_only=True)
class Running:
    """A task, its process once that is ready, and the ports it listens on."""

    task: ServiceTask
    starting: Future[Child] | Future[Child | NoProcess] | None
    stopped: threading.Event
    """Before its process has begun it never does."""
    child: Child | NoProcess | None = None

    @property
    def definition(self) -> str:
        return str(self.task.task_definition_arn)

    @property
    def ports(self) -> tuple[int, ...]:
        """The route's bootstrap port, then one a broker slot."""
        if self.child is None:
            return ()
        ready = self.child.ready
        return tuple(port for name, first in ready["routes"].items() for port in (first, *ready["brokers"][name]))

    @property
    def admin_port(self) -> list[tuple[int, int]]:
        """The port of its metrics, inside the container and outside."""
        port = self.child.ready.get("admin_port") if self.child is not None else None
        return [(ADMIN_PORT, int(port))] if port else []


@dataclass(kw_only=True)
class Fleet:
    """What the bridge knows of one service."""

    region: str
    service: Service
    tasks: list[Running] = field(default_factory=list)
    not_before: float = 0.0
    settled_as: tuple[str, int, bool] | None = None
    """For what it is settled, where nothing changes by itself: no task of it is a process."""

    @property
    def balancer(self) -> str | None:
        """The URL of its load balancer's admin."""
        return _tag(self.service, BALANCER_TAG)

    @property
    def targets(self) -> list[tuple[int, ...]]:
        """The ports of each task that is alive."""
        return sorted(running.ports for running in self.tasks if running.child is not None)


class EcsBridge:
    """Reconciles the services of every region, until `close`."""

    def __init__(
        self,
        account: str,
        regions: Regions,
        log_dir: Path,
        start_delay_s: float = 0.0,
        module: str = MODULE,
        host: Host = HERE,
    ) -> None:
        self._account = account
        self._regions = regions
        self._log_dir = log_dir
        self._start_delay_s = start_delay_s
        self._module = module
        self._host = host
        self._launches = Buckets()
        self._fleets: dict[tuple[str, str, str], Fleet] = {}
        self._registered: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="ecs-task")
        self._thread = threading.Thread(target=self._run, name="ecs", daemon=True)

    def install(self) -> None:
        """Make moto's API tell of this bridge's tasks and deployments."""
        bridge = self
        update, describe = _Backend.update_service, _Backend.list_tasks

        def update_service(backend: Any, properties: dict[str, Any]) -> Service:
            with bridge._lock:
                service: Service = update(backend, properties)
                bridge._redeploy(service)
            return service

        def list_tasks(backend: Any, *args: Any, **kwargs: Any) -> list[Task]:
            names = ("cluster_str", "container_instance", "family", "started_by", "service_name", "desired_status")
            arguments = dict(zip(names, args, strict=False)) | kwargs
            service = arguments.get("service_name")
            group = f"service:{str(service).rsplit('/', 1)[-1]}" if service else None
            desired_status = arguments.get("desired_status") or "RUNNING"
            tasks = describe(backend, *args, **kwargs)
            return [
                t for t in tasks if t.desired_status == desired_status and group in (None, getattr(t, "group", None))
            ]

        _Backend.update_service = update_service
        _Backend.list_tasks = list_tasks

    def start(self) -> None:
        """Begin to reconcile."""
        self._thread.start()

    def close(self) -> None:
        """End every task."""
        self._over.set()
        self._thread.join(5.0)
        with self._lock:
            for fleet in self._fleets.values():
                for running in fleet.tasks:
                    _end(running)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for region, backend in list(ecs_backends[self._account].items()):
                for service in list(backend.services.values()):
                    try:
                        with self._lock:
                            self._reconcile(region, backend, service)
                    except Exception:
                        LOG.exception("service %s could not be reconciled", service.name)

    def _reconcile(self, region: str, backend: Any, service: Service) -> None:
        key = region, str(service.cluster_name), str(service.name)
        fleet = self._fleets.get(key) or self._fleets.setdefault(key, Fleet(region=region, service=service))
        is_lost = self._regions.is_lost(region, "ecs")
        state = str(service.task_definition), int(service.desired_count), is_lost
        if fleet.settled_as == state:
            return
        if is_lost:
            self._lose(fleet)
        else:
            self._converge(backend, service, fleet)
        is_settled = is_lost or service.deployments[0]["rolloutState"] == "COMPLETED"
        fleet.settled_as = state if is_settled and _tag(service, ANSWERS_AT_TAG) else None

    def _converge(self, backend: Any, service: Service, fleet: Fleet) -> None:
        region = fleet.region
        self._lose_zones(fleet)
        self._collect(service, fleet)
        of_now = [task for task in fleet.tasks if task.definition == service.task_definition]
        of_before = [task for task in fleet.tasks if task.definition != service.task_definition]
        self._stop(backend, service, fleet, _surplus(service, of_now, of_before))
        for _ in range(len(of_now), service.desired_count):
            if time.monotonic() >= fleet.not_before and self._launches.take(region, LAUNCHES):
                self._start_task(backend, service, fleet)
        self._register(fleet)
        self._tell(service, fleet)

    def _start_task(self, backend: Any, service: Service, fleet: Fleet) -> None:
        definition = backend.describe_task_definition(service.task_definition)
        cluster = backend._get_cluster(service.cluster_name)
        task = ServiceTask(
            cluster, definition, None, {}, backend, group=f"service:{service.name}", launch_type="FARGATE"
        )
        task.last_status = "PENDING"
        task.availability_zone = self._emptiest_zone(fleet)
        environment = {e["name"]: e["value"] for e in definition.container_definitions[0].get("environment", [])}
        backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
        stopped = threading.Event()
        starting = _answering(service) or self._pool.submit(
            self._spawn, f"{service.name}-{task.id[:8]}.log", environment, stopped
        )
        fleet.tasks.append(Running(task=task, starting=starting, stopped=stopped))

    def _spawn(self, log: str, environment: dict[str, str], stopped: threading.Event) -> Child:
        if stopped.wait(self._start_delay_s):
            raise ChildFailed(self._module, "was stopped before it began", self._log_dir / log)
        return spawn(
            self._module,
            {"listen_host": self._host.listen},
            log=self._log_dir / log,
            env=environment,
        )

    def _collect(self, service: Service, fleet: Fleet) -> None:
        """Take over the tasks whose process is ready, and forget those whose process has ended."""
        for running in list(fleet.tasks):
            if running.starting is not None and running.starting.done():
                try:
                    running.child = running.starting.result()
                except ChildFailed:
                    LOG.exception("a task of %s did not start", service.name)
                    self._forget(fleet, running)
                    continue
                running.starting = None
                running.task.last_status = "RUNNING"
                container: Any = running.task.containers[0]
                container.last_status = "RUNNING"
                published = [*((port, port) for port in running.ports), *running.admin_port]
                container.network_bindings = [
                    {"bindIP": self._host.advertised, "containerPort": inside, "hostPort": port, "protocol": "tcp"}
                    for inside, port in published
                ]
            if running.child is not None and not running.child.alive:
                self._forget(fleet, running)

    def _forget(self, fleet: Fleet, running: Running) -> None:
        fleet.tasks.remove(running)
        fleet.not_before = time.monotonic() + RESTART_AFTER_S
        running.task.desired_status = running.task.last_status = "STOPPED"

    def _stop(self, backend: Any, service: Service, fleet: Fleet, surplus: list[Running]) -> None:
        if not surplus:
            return
        for running in surplus:
            fleet.tasks.remove(running)
            running.task.desired_status = running.task.last_status = "STOPPED"
            backend.tasks.get(service.cluster_name, {}).pop(running.task.task_arn, None)
        self._register(fleet)
        for running in surplus:
            _end(running)

    def _lose_zones(self, fleet: Fleet) -> None:
        for running in fleet.tasks:
            if running.child is not None and self._regions.is_zone_lost(running.task.availability_zone):
                running.child.kill()

    def _emptiest_zone(self, fleet: Fleet) -> str:
        """Where ECS starts a task: in the zone of the region that has the fewest of the service's."""
        zones = [running.task.availability_zone for running in fleet.tasks]
        there = (f"{fleet.region}{letter}" for letter in "abc")
        return min((zone for zone in there if not self._regions.is_zone_lost(zone)), key=zones.count)

    def _lose(self, fleet: Fleet) -> None:
        for running in list(fleet.tasks):
            _end(running)
            self._forget(fleet, running)

    def _register(self, fleet: Fleet) -> None:
        """Tell the balancer its targets, and where its listeners lead, whenever that changes."""
        admin = fleet.balancer
        if admin is None:
            return
        registration: dict[str, Any] = {"targets": fleet.targets}
        if target_groups(fleet.service):
            sharing = {other.service.name: other for other in self._fleets.values() if other.balancer == admin}
            owners = {group: name for name, other in sharing.items() for group in target_groups(other.service)}
            registration = {
                "groups": {name: other.targets for name, other in sharing.items()},
                "leads_to": leads_to(self._account, fleet.region, owners),
            }
        if registration != self._registered.get(admin):
            with suppress(httpx.HTTPError):
                plain.put(f"{admin}/targets", json=registration, timeout=2.0)
                self._registered[admin] = registration

    def _redeploy(self, service: Service) -> None:
        """A new task definition is a new PRIMARY deployment, from the very answer of UpdateService on."""
        primary = service.deployments[0] if service.deployments else None
        if primary is None or primary["taskDefinition"] == service.task_definition:
            return
        primary["status"] = "ACTIVE"
        new = {
            **primary,
            "id": f"ecs-svc/{uuid.uuid4().int % 10**19}",
            "status": "PRIMARY",
            "taskDefinition": service.task_definition,
            "createdAt": datetime.now(UTC),
            "updatedAt": datetime.now(UTC),
            "runningCount": 0,
            "pendingCount": service.desired_count,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "ECS deployment in progress.",
        }
        service.deployments.insert(0, new)

    def _tell(self, service: Service, fleet: Fleet) -> None:
        """Counts and deployments, as DescribeServices gives them."""
        self._redeploy(service)
        running = [task.definition for task in fleet.tasks if task.child is not None]
        service.running_count = len(running)
        service.pending_count = len(fleet.tasks) - len(running)
        deployments: list[dict[str, Any]] = service.deployments
        for deployment in list(deployments):
            definition = deployment["taskDefinition"]
            deployment["runningCount"] = running.count(definition)
            deployment["pendingCount"] = sum(task.definition == definition for task in fleet.tasks) - running.count(
                definition
            )
            deployment["desiredCount"] = service.desired_count if deployment["status"] == "PRIMARY" else 0
            if deployment["status"] != "PRIMARY" and not any(task.definition == definition for task in fleet.tasks):
                deployments.remove(deployment)
        primary = deployments[0]
        complete = len(deployments) == 1 and primary["runningCount"] >= service.desired_count
        primary["rolloutState"] = "COMPLETED" if complete else "IN_PROGRESS"


def _surplus(service: Service, of_now: list[Running], of_before: list[Running]) -> list[Running]:
    """The tasks to stop now: all of before where nothing must stay healthy, else as many as new ones have come up."""
    scaled_in = of_now[service.desired_count :]
    settings = getattr(service, "deployment_configuration", None) or {}
    keep = -(-service.desired_count * int(settings.get("minimumHealthyPercent", 100)) // 100)
    ready = sum(task.child is not None for task in of_now)
    may_go = len(of_before) if keep == 0 else max(0, len(of_before) + ready - keep)
    return scaled_in + of_before[: min(may_go, len(of_before))]


def _tag(service: Service, key: str) -> str | None:
    return next((tag["value"] for tag in service.tags if tag["key"] == key), None)


def _answering(service: Service) -> Future[Child | NoProcess] | None:
    """What stands for a task of a service, and is there already; None: a process is to be started."""
    where = _tag(service, ANSWERS_AT_TAG)
    if where is None:
        return None
    answering = Future[Child | NoProcess]()
    answering.set_result(NoProcess(int(where.rpartition(":")[2])))
    return answering


def _end(running: Running) -> None:
    running.stopped.set()
    if running.starting is not None:
        running.starting.add_done_callback(lambda started: None if started.exception() else started.result().kill())
    if running.child is not None:
        running.child.kill()
