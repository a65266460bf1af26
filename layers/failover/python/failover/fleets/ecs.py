"""A gateway fleet on ECS: one service, and one pre-registered task definition for each way it can be routed.

The container reads its configuration once, at start, so a new route is a new task: UpdateService with the other task
definition (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html). Tasks that lead
elsewhere, or are fenced, are of no use: all are replaced at once (minimumHealthyPercent 0). Those that lead there
already, by an older revision of the definition, work on until the new ones do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar

from failover.aws.clients import Role, client
from failover.aws.errors import aws_errors
from failover.errors import FleetRejected, FleetUnavailable, Obstacle
from failover.fleets import FleetState, Instance
from failover.plan.fleets import EcsFleet
from failover.plan.model import FENCED
from failover.validation import endpoint

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import ListTasksRequestTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_NEVER_BACK: Final = {"maximumPercent": 200, "deploymentCircuitBreaker": {"enable": False, "rollback": False}}
"""A deployment that is rolled back leads clients back to the lost site."""
ALL_AT_ONCE: Final = {"minimumHealthyPercent": 0, **_NEVER_BACK}
ROLLING: Final = {"minimumHealthyPercent": 100, **_NEVER_BACK}
ADMIN_PORT: Final = 9190
_ANY_ADDRESS: Final = (None, "", "0.0.0.0", "::")  # noqa: S104 - those that lead nowhere from another host
DRAINING_S: Final = 30
SOON_S: Final = 8
LEAVES_WITHIN_S: Final = 2 * 3600
"""No task takes longer to go once others took its place: a target group lets it drain for an hour at most, and Fargate
stop for two minutes (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html)."""
LOOK_AGAIN_S: Final = (3, 6)
"""Between two looks at a deployment that has taken longer: what may be asked of ECS is an account's in a region
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html)."""
_TERMINATES: Final = "deregistration_delay.connection_termination.enabled"
_DELAY: Final = "deregistration_delay.timeout_seconds"
_REGISTER: Final = "register it again, and name the new revision in the plan"
_DESCRIBED_AT_ONCE: Final = 100
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
_OVER: Final = ("DEPROVISIONING", "STOPPED", "DELETED")
"""Of a task whose containers have ended
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html)."""


class EcsService:
    """A `Fleet` that is one ECS service."""

    def __init__(
        self,
        fleet: EcsFleet,
        region: str,
        ecs: ECSClient | None = None,
        balancing: ElasticLoadBalancingv2Client | None = None,
        *,
        role: Role | None = None,
    ) -> None:
        self._fleet = fleet
        self._balancing = balancing
        self._region = region
        self._role = role
        self._ecs = ecs if ecs is not None else client("ecs", region, attempts=1, role=role)
        self._where = f"service {fleet.service} of ECS cluster {fleet.cluster} in {region}"

    def look(self) -> FleetState:
        """What the service runs: its deployments, and the tasks that are there, unless the service says already that
        its deployment is not that far: all fleets of a region are asked for within one limit."""
        service = self._service()
        deployments = service.get("deployments", [])
        primary = _primary(service)
        current = primary.get("taskDefinition", service.get("taskDefinition"))
        target = next((site for site, arn in self._fleet.task_definitions.items() if arn == current), None)
        desired = int(service.get("desiredCount", 0))
        if desired and target is not None and _failure(primary) is None and _is_under_way(service):
            return _deploying(service, target, vacated=target == FENCED and self._is_vacated(service))
        tasks = self._tasks(with_leaving=_may_have_leaving(service))
        running = [t for t in tasks if t.get("lastStatus") == "RUNNING" and t.get("desiredStatus") != "STOPPED"]
        if desired == 0:
            detail = f"scaled to zero, {len(tasks)} tasks are left"
            return FleetState(
                target=FENCED, settled=not tasks, instances=(), detail=detail, fence_kind="scaled to zero", size=0
            )
        previous = [task for task in tasks if task.get("taskDefinitionArn") != current]
        alone = len(deployments) == 1 and not previous
        settled = alone and len(running) >= desired and primary.get("rolloutState", "COMPLETED") == "COMPLETED"
        runs = str(current).rsplit("/", 1)[-1]
        detail = f"{len(running)} of {desired} tasks run {runs}, {len(previous)} of a previous revision are left"
        failure = _failure(primary)
        port = _route_port(service) or int(self._fleet.bootstrap.rpartition(":")[2])
        return FleetState(
            target=target,
            settled=settled,
            instances=tuple(_instance(task, str(current), port) for task in running),
            detail="; ".join([detail, *([failure] if failure else [])]),
            fence_kind="route" if target == FENCED else None,
            vacated=target == FENCED and alone,
            stalled_because=failure,
            look_again_s=_look_again_s(primary),
            missing=max(0, desired - len(running)) if alone and failure is None else 0,
            size=desired,
        )

    def route(self, target: str) -> None:
        """Deploy the task definition of that target: all tasks at once, unless those that are there lead to it, too. A
        deployment of it that has failed is followed by another one."""
        desired = self._fleet.task_definitions.get(target)
        if desired is None:
            raise FleetRejected(f"{self._where} has no task definition for {target!r}")
        service = self._service()
        of_now = {service.get("taskDefinition"), *(d.get("taskDefinition") for d in service.get("deployments", []))}
        leads_there = {_family(str(definition)) for definition in of_now} == {_family(desired)}
        self._update(
            taskDefinition=desired,
            deploymentConfiguration=ROLLING if leads_there else ALL_AT_ONCE,
            **({} if service.get("desiredCount") else {"desiredCount": self._fleet.instances}),
            **({"forceNewDeployment": True} if _failure(_primary(service)) else {}),
        )

    def scale_to_zero(self) -> None:
        """Scale it to zero, so that every connection to it ends; a route brings its instances back."""
        self._update(desiredCount=0)

    def size(self) -> int:
        """The service's desired count."""
        return int(self._service().get("desiredCount", 0))

    def raise_to(self, instances: int) -> None:
        """Raise the desired count: tasks come beside those that run, and none is replaced."""
        if self.size() < instances:
            self._update(desiredCount=instances)

    def obstacles(self) -> list[Obstacle]:
        """Somebody else deploys the service; a task definition is not there any more; the load balancer would keep the
        connections of tasks that are gone."""
        service = self._service()
        return [*self._deployed_otherwise(service), *self._missing_definitions(), *self._undrained_connections(service)]

    def _deployed_otherwise(self, service: dict[str, Any]) -> Iterator[Obstacle]:
        controller = (service.get("deploymentController") or {}).get("type", "ECS")
        configuration = service.get("deploymentConfiguration") or {}
        strategy = configuration.get("strategy", "ROLLING")
        if controller != "ECS":
            what = f"{self._where} is deployed by {controller}: its task definition can't be changed by UpdateService"
            yield Obstacle(what, "make the service anew, with the deployment controller ECS")
        elif strategy != "ROLLING":
            what = f"{self._where} is deployed by the strategy {strategy}, which takes minutes beyond the tasks' start"
            yield Obstacle(what, "take the strategy ROLLING; a fleet of kind ecs-blue-green has both colours warm")
        if (alarms := configuration.get("alarms") or {}).get("enable") and alarms.get("rollback"):
            what = f"{self._where} rolls a deployment back while one of {', '.join(alarms['alarmNames'])} is in alarm"
            yield Obstacle(what, "take them from its deployment configuration: it would go back to the lost site")

    def _missing_definitions(self) -> Iterator[Obstacle]:
        for target, definition in self._fleet.task_definitions.items():
            try:
                answer = self._call(self._ecs.describe_task_definition, taskDefinition=definition)
            except FleetRejected as error:
                yield Obstacle(f"the task definition for {target} is not there: {error}", _REGISTER)
            else:
                if answer["taskDefinition"].get("status", "ACTIVE") != "ACTIVE":
                    yield Obstacle(f"the task definition for {target}, {definition}, was deregistered", _REGISTER)

    def _undrained_connections(self, service: dict[str, Any]) -> Iterator[Obstacle]:
        balancing = self._balancing
        if balancing is None:
            balancing = client("elbv2", self._region, attempts=1, role=self._role)
        for group in sorted({str(it["targetGroupArn"]) for it in _balancers(service) if "targetGroupArn" in it}):
            answer = self._call(balancing.describe_target_group_attributes, TargetGroupArn=group)
            set_to = {attribute["Key"]: attribute["Value"] for attribute in answer["Attributes"]}
            if set_to.get(_TERMINATES) != "true" or int(set_to.get(_DELAY, "300")) > DRAINING_S:
                what = f"target group {group} of {self._where} keeps connections to tasks that are taken from it"
                yield Obstacle(what, f"set {_TERMINATES} to true and {_DELAY} to {DRAINING_S} at most")

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

    def _tasks(self, *, with_leaving: bool = True) -> list[dict[str, Any]]:
        """Those that may have connections: a task that is on its way out serves those it has until it is stopped.
        `with_leaving`: those on their way out, too."""
        arns = [*self._listed("RUNNING"), *(self._listed("STOPPED") if with_leaving else ())]
        tasks: list[dict[str, Any]] = []
        for first in range(0, len(arns), _DESCRIBED_AT_ONCE):
            some = arns[first : first + _DESCRIBED_AT_ONCE]
            answer = self._call(self._ecs.describe_tasks, cluster=self._fleet.cluster, tasks=some)
            tasks += map(dict, answer["tasks"])
        return [task for task in tasks if task.get("lastStatus") not in _OVER]

    def _is_vacated(self, service: dict[str, Any]) -> bool:
        """Whether a service that is being deployed shall have no task of a previous revision, and has none: by its
        deployments, which tell of those that are to come, too, and by its tasks, which tell of those on their way out.
        """
        current, previous = _primary(service), [d for d in service["deployments"] if d.get("status") != "PRIMARY"]
        if any(d.get(count) != 0 for d in previous for count in ("desiredCount", "pendingCount", "runningCount")):
            return False
        return all(task.get("taskDefinitionArn") == current["taskDefinition"] for task in self._tasks())

    def _listed(self, desired: Literal["RUNNING", "STOPPED"]) -> list[str]:
        arns: list[str] = []
        request: ListTasksRequestTypeDef = {
            "cluster": self._fleet.cluster,
            "serviceName": self._fleet.service,
            "desiredStatus": desired,
        }
        while True:
            page = self._call(self._ecs.list_tasks, **request)
            arns += page["taskArns"]
            if not page.get("nextToken"):
                return arns
            request["nextToken"] = page["nextToken"]

    def _call(
        self, operation: Callable[Arguments, Answer], *_: Arguments.args, **arguments: Arguments.kwargs
    ) -> Answer:
        return called(self._where, operation, *_, **arguments)


def called(
    where: str, operation: Callable[Arguments, Answer], *_: Arguments.args, **arguments: Arguments.kwargs
) -> Answer:
    """What an operation of an AWS client answers.

    Raises:
        FleetUnavailable: nobody answered; repeating it may help.
        FleetRejected: it was refused.
    """
    with aws_errors(where, transient=FleetUnavailable, final=FleetRejected):
        return operation(*_, **arguments)


def _instance(task: dict[str, Any], task_definition: str, port: int) -> Instance:
    address, published = _attached(task), _published(task)
    route = next((at for inside, at in published if inside != ADMIN_PORT), None)
    admin = next((at for inside, at in published if inside == ADMIN_PORT), None)
    return Instance(
        name=_name(task),
        bootstrap=route or (endpoint(address, port) if address else None),
        zone=task.get("availabilityZone") or None,
        proof=f"runs {task_definition.rsplit('/', 1)[-1]}"
        if task.get("taskDefinitionArn") == task_definition
        else None,
        metrics=admin or (endpoint(address, ADMIN_PORT) if address else None),
    )


def _name(task: dict[str, Any]) -> str:
    return str(task.get("taskArn", "")).rsplit("/", 1)[-1]


def _family(definition: str) -> str:
    """A task definition without its revision: what it is for."""
    return definition.rpartition(":")[0]


def _primary(service: dict[str, Any]) -> dict[str, Any]:
    return next(
        (deployment for deployment in service.get("deployments", []) if deployment.get("status") == "PRIMARY"), {}
    )


def _failure(deployment: dict[str, Any]) -> str | None:
    """Why a deployment ended without success, if it did. Nothing but another deployment changes that, and none of ours
    fails so: it has no circuit breaker."""
    if deployment.get("rolloutState") != "FAILED":
        return None
    return f"its last deployment failed: {deployment.get('rolloutStateReason', 'no reason')}"


def _is_under_way(service: dict[str, Any]) -> bool:
    """Whether tasks of before are to go yet, or none of its definition runs: a look at them would tell no more."""
    running = _primary(service).get("runningCount")
    return running is not None and (running == 0 or len(service.get("deployments", [])) > 1)


def _may_have_leaving(service: dict[str, Any]) -> bool:
    """Whether a task of a previous revision may be on its way out yet, or the service is to have none at all. One of
    the present revision that is leads where the others do. Beyond Fargate a host that is cut off ends nothing."""
    created = _primary(service).get("createdAt")
    is_alone = len(service.get("deployments", [])) == 1 and service.get("launchType") == "FARGATE"
    if not (is_alone and service.get("desiredCount") and isinstance(created, datetime)):
        return True
    return (datetime.now(UTC) - created).total_seconds() < LEAVES_WITHIN_S


def _deploying(service: dict[str, Any], target: str, *, vacated: bool) -> FleetState:
    primary = _primary(service)
    desired, running = int(service["desiredCount"]), int(primary["runningCount"])
    previous = sum(int(of.get("runningCount", 0)) for of in service["deployments"]) - running
    runs = str(primary.get("taskDefinition")).rsplit("/", 1)[-1]
    return FleetState(
        target=target,
        settled=False,
        instances=(),
        detail=f"{running} of {desired} tasks run {runs}, {previous} of a previous revision are left",
        fence_kind="route" if target == FENCED else None,
        vacated=vacated,
        look_again_s=_look_again_s(primary),
        size=desired,
    )


def _look_again_s(primary: dict[str, Any]) -> int:
    """A task that does not run within seconds is one that Fargate takes its time for, and others wait beside it."""
    created = primary.get("createdAt")
    if not isinstance(created, datetime) or (datetime.now(UTC) - created).total_seconds() < SOON_S:
        return 1
    return random.randint(*LOOK_AGAIN_S)  # noqa: S311 - jitter


def _route_port(service: dict[str, Any]) -> int | None:
    """The route's bootstrap port on a task: the first of those that load balancers lead to, one a broker after it."""
    return min((int(balancer["containerPort"]) for balancer in _balancers(service)), default=None)


def _balancers(service: dict[str, Any]) -> list[dict[str, Any]]:
    return list(service.get("loadBalancers") or [])


def _published(task: dict[str, Any]) -> list[tuple[int, str]]:
    """Each port of the containers, and where it is published (bridge and host network mode), the route's bootstrap
    first."""
    return [
        (int(binding.get("containerPort", 0)), endpoint(binding["bindIP"], binding["hostPort"]))
        for container in task.get("containers", [])
        for binding in container.get("networkBindings", [])
        if binding.get("hostPort") and binding.get("bindIP") not in _ANY_ADDRESS
    ]


def _attached(task: dict[str, Any]) -> str | None:
    """The task's own address (awsvpc network mode)."""
    for container in task.get("containers", []):
        for interface in container.get("networkInterfaces", []):
            if address := interface.get("privateIpv4Address") or interface.get("ipv6Address"):
                return str(address)
    return None
