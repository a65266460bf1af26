"""A gateway fleet on ECS: one service, and one pre-registered task definition for each way it can be routed.

The container reads its configuration once, at start, so a new route is a new task: UpdateService with the other task
definition (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html). Tasks that lead
elsewhere, or are fenced, are of no use: all are replaced at once (minimumHealthyPercent 0). Those that lead there
already, by an older revision of the definition, work on until the new ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from failover.aws import client, is_transient
from failover.errors import FleetRejected, FleetUnavailable
from failover.gateway import FleetState, Instance, Obstacle
from failover.plan import FENCED
from failover.plan_fleets import EcsFleet

ALL_AT_ONCE: Final = {"minimumHealthyPercent": 0, "maximumPercent": 200}
ROLLING: Final = {"minimumHealthyPercent": 100, "maximumPercent": 200}
_DESCRIBED_AT_ONCE: Final = 100
_OVER: Final = ("DEPROVISIONING", "STOPPED", "DELETED")
"""Of a task whose containers have ended
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html)."""


class EcsService:
    """A `Fleet` that is one ECS service."""

    def __init__(self, fleet: EcsFleet, region: str, ecs: Any = None) -> None:
        self._fleet = fleet
        self._ecs = ecs if ecs is not None else client("ecs", region, attempts=1)
        self._where = f"service {fleet.service} of ECS cluster {fleet.cluster} in {region}"

    def look(self) -> FleetState:
        """What the service runs: its deployments, and the tasks that are there."""
        service = self._service()
        deployments = service.get("deployments", [])
        primary: dict[str, Any] = next((d for d in deployments if d.get("status") == "PRIMARY"), {})
        wanted = primary.get("taskDefinition", service.get("taskDefinition"))
        target = next((site for site, arn in self._fleet.task_definitions.items() if arn == wanted), None)
        tasks = self._tasks()
        running = [t for t in tasks if t.get("lastStatus") == "RUNNING" and t.get("desiredStatus") != "STOPPED"]
        desired = int(service.get("desiredCount", 0))
        if desired == 0:
            detail = f"scaled to zero, {len(tasks)} tasks are left"
            return FleetState(FENCED, not tasks, (), detail, fence_kind="scaled to zero")
        of_before = [task for task in tasks if task.get("taskDefinitionArn") != wanted]
        settled = (
            len(deployments) == 1
            and not of_before
            and len(running) >= desired
            and primary.get("rolloutState", "COMPLETED") == "COMPLETED"
        )
        runs = str(wanted).rsplit("/", 1)[-1]
        detail = f"{len(running)} of {desired} tasks run {runs}, {len(of_before)} of before are left"
        if primary.get("rolloutState") == "FAILED":
            raise FleetRejected(
                f"the deployment of {self._where} failed: {primary.get('rolloutStateReason', 'no reason')}"
            )
        port = _route_port(service) or int(self._fleet.bootstrap.rpartition(":")[2])
        instances = tuple(_instance(task, str(wanted), port) for task in running)
        return FleetState(target, settled, instances, detail, fence_kind="route" if target == FENCED else None)

    def route(self, target: str) -> None:
        """Deploy the task definition of that target: all tasks at once, unless those that are there lead to it, too."""
        wanted = self._fleet.task_definitions.get(target)
        if wanted is None:
            raise FleetRejected(f"{self._where} has no task definition for {target!r}")
        service = self._service()
        of_now = {service.get("taskDefinition"), *(d.get("taskDefinition") for d in service.get("deployments", []))}
        leads_there = {_family(str(definition)) for definition in of_now} == {_family(wanted)}
        self._update(
            taskDefinition=wanted,
            deploymentConfiguration=ROLLING if leads_there else ALL_AT_ONCE,
            **({} if service.get("desiredCount") else {"desiredCount": self._fleet.instances}),
        )

    def empty(self) -> None:
        """Scale it to zero, so that every connection to it ends; a route brings its instances back."""
        self._update(desiredCount=0)

    def obstacles(self) -> list[Obstacle]:
        """Another one than ECS itself deploys the service: it refuses UpdateService then."""
        controller = (self._service().get("deploymentController") or {}).get("type", "ECS")
        if controller == "ECS":
            return []
        what = f"{self._where} is deployed by {controller}: its task definition can't be changed by UpdateService"
        return [Obstacle(what, "make the service anew, with the deployment controller ECS")]

    def tasks_created_before(self, moment: datetime) -> list[str]:
        """The names of the tasks that were there at a moment, and still are."""
        return [_name(task) for task in self._tasks() if "createdAt" not in task or task["createdAt"] <= moment]

    def _update(self, **change: Any) -> None:
        self._call(self._ecs.update_service, cluster=self._fleet.cluster, service=self._fleet.service, **change)

    def _service(self) -> dict[str, Any]:
        answer = self._call(self._ecs.describe_services, cluster=self._fleet.cluster, services=[self._fleet.service])
        services = answer.get("services", [])
        if not services or services[0].get("status") == "INACTIVE":
            raise FleetRejected(f"there is no {self._where}")
        return dict(services[0])

    def _tasks(self) -> list[dict[str, Any]]:
        """Those that may have connections: a task that is on its way out serves those it has until it is stopped."""
        arns = [arn for wanted in ("RUNNING", "STOPPED") for arn in self._listed(wanted)]
        tasks: list[dict[str, Any]] = []
        for first in range(0, len(arns), _DESCRIBED_AT_ONCE):
            some = arns[first : first + _DESCRIBED_AT_ONCE]
            tasks += self._call(self._ecs.describe_tasks, cluster=self._fleet.cluster, tasks=some)["tasks"]
        return [task for task in tasks if task.get("lastStatus") not in _OVER]

    def _listed(self, desired: str) -> list[str]:
        arns: list[str] = []
        start: dict[str, str] = {}
        of = {"cluster": self._fleet.cluster, "serviceName": self._fleet.service, "desiredStatus": desired}
        while True:
            page = self._call(self._ecs.list_tasks, **of, **start)
            arns += page["taskArns"]
            if not page.get("nextToken"):
                return arns
            start = {"nextToken": page["nextToken"]}

    def _call(self, operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        return called(self._where, operation, **arguments)


def called(where: str, operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """What an operation of an AWS client answers.

    Raises:
        FleetUnavailable: nobody answered; repeating it may help.
        FleetRejected: it was refused.
    """
    try:
        return operation(**arguments)
    except (ClientError, BotoCoreError) as error:
        if is_transient(error):
            raise FleetUnavailable(f"no answer for {where}: {error}") from error
        raise FleetRejected(f"{where}: {error}") from error


def _instance(task: dict[str, Any], wanted: str, port: int) -> Instance:
    address = _attached(task)
    bootstrap = _bound(task) or (f"{address}:{port}" if address else None)
    proof = f"runs {wanted.rsplit('/', 1)[-1]}" if task.get("taskDefinitionArn") == wanted else None
    return Instance(_name(task), bootstrap, task.get("availabilityZone") or None, proof=proof)


def _name(task: dict[str, Any]) -> str:
    return str(task.get("taskArn", "")).rsplit("/", 1)[-1]


def _family(definition: str) -> str:
    """A task definition without its revision: what it is for."""
    return definition.rpartition(":")[0]


def _route_port(service: dict[str, Any]) -> int | None:
    """The route's bootstrap port on a task: the first of those that load balancers lead to, one a broker after it."""
    return min((int(each["containerPort"]) for each in service.get("loadBalancers") or []), default=None)


def _bound(task: dict[str, Any]) -> str | None:
    """The first published port: the route's bootstrap port (bridge and host network mode)."""
    for container in task.get("containers", []):
        for binding in container.get("networkBindings", []):
            if binding.get("hostPort"):
                return f"{binding.get('bindIP', '127.0.0.1')}:{binding['hostPort']}"
    return None


def _attached(task: dict[str, Any]) -> str | None:
    """The task's own address (awsvpc network mode)."""
    for container in task.get("containers", []):
        for interface in container.get("networkInterfaces", []):
            if interface.get("privateIpv4Address"):
                return str(interface["privateIpv4Address"])
    return None
