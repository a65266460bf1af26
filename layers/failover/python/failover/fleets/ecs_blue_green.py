"""A gateway fleet on ECS in two colours: a service for each site, both warm, behind the listeners of one Network Load
Balancer. Each listener forwards to a target group of both services, of which one has all the weight
(https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html).

Moving the weight moves new connections only; those that are there stay where they are until their task is gone. So the
service of before is scaled to zero once the other one has taken over, and only then the fleet is settled. That clients
left a service, and when, is kept as a tag of it, written before the first listener is moved: whoever looks next can
tell the tasks that had clients from those that were started since. Until a load balancer's data plane has followed,
which takes it a while (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/nlb-resources-for-blue-green.html),
a new connection may still be led to the service of before: with no task there, it fails, and the client tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from failover.aws.clients import client
from failover.errors import FleetRejected, Obstacle
from failover.fleets import FleetState
from failover.fleets.ecs import EcsService, called
from failover.plan.fleets import EcsBlueGreenFleet
from failover.plan.model import FENCED

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TagTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ActionTypeDef, TargetGroupTupleTypeDef

LEFT: Final = "kafka-failover:clients-left"
TIER: Final = "blue/green"
_ALL: Final = 100


@dataclass(frozen=True)
class Listener:
    """A listener, and the weight of each target group it forwards to."""

    arn: str
    weights: Mapping[str, int]


@dataclass(frozen=True)
class View:
    """Both services and the listeners, as they are. `groups`: by site, a service's target group for each port of its
    containers; `arns`: of the services; `left`: when clients were led away from a service, if they ever were."""

    listeners: tuple[Listener, ...]
    groups: Mapping[str, Mapping[int, str]]
    arns: Mapping[str, str]
    left: Mapping[str, datetime]

    def led_to(self, listener: Listener) -> set[str | None]:
        """The sites whose services a listener leads to, with None for whatever else."""
        owners = {group: site for site, groups in self.groups.items() for group in groups.values()}
        return {owners.get(group) for group, weight in listener.weights.items() if weight > 0}

    @property
    def selected(self) -> set[str | None]:
        """The same of all listeners."""
        return {site for listener in self.listeners for site in self.led_to(listener)}

    def weights(self, listener: Listener, target: str) -> dict[str, int] | None:
        """The weights that lead a listener to the service of `target`, all on the port it is for; None if it forwards
        to no port of a service."""
        for port, wanted in self.groups[target].items():
            others = {groups[port] for groups in self.groups.values() if port in groups}
            if others & listener.weights.keys():
                return {group: _ALL if group == wanted else 0 for group in sorted(others)}
        return None


class BlueGreenServices:
    """A `Fleet` that is two ECS services and a Network Load Balancer."""

    def __init__(
        self,
        fleet: EcsBlueGreenFleet,
        region: str,
        ecs: ECSClient | None = None,
        balancing: ElasticLoadBalancingv2Client | None = None,
    ) -> None:
        self._fleet = fleet
        self._ecs = ecs if ecs is not None else client("ecs", region, attempts=1)
        self._balancing = balancing if balancing is not None else client("elbv2", region, attempts=1)
        self._services = {
            site: EcsService(fleet.service(site), region, self._ecs, self._balancing) for site in fleet.services
        }
        self._where = f"fleet {fleet.name} of ECS cluster {fleet.cluster} in {region}"

    def look(self) -> FleetState:
        """Which service the listeners lead to, what that one is, and whether tasks of the other still carry clients."""
        view = self._view()
        if len(view.selected) != 1 or None in view.selected:
            led = " and ".join(sorted(site or "what the plan does not name" for site in view.selected))
            return FleetState(
                target=None, settled=False, instances=(), detail=f"its listeners lead to {led or 'nothing'}", tier=TIER
            )
        selected = str(*view.selected)
        state = self._services[selected].look()
        target = state.target if state.target in (selected, FENCED) else None
        left = self._left(view, selected)
        stalled_because = state.stalled_because
        if left and target == selected:
            stalled_because = f"tasks {', '.join(left)} of before still carry connections: to be scaled to zero"
        detail = f"the listeners lead to {self._fleet.services[selected]}: {state.detail}"
        return FleetState(
            target=target,
            settled=state.settled and not left,
            instances=state.instances,
            detail="; ".join([detail, *([stalled_because] if stalled_because else [])]),
            tier=TIER,
            fence_kind=state.fence_kind,
            stalled_because=stalled_because,
            refused_because=state.refused_because,
            missing=0 if left else state.missing,
        )

    def route(self, target: str) -> None:
        """The next thing to do: warm up the target's service, move the listeners, or empty the service of before."""
        view = self._view()
        if target == FENCED:
            for site in view.selected - {None}:
                self._services[str(site)].route(FENCED)
            return
        if target not in self._services:
            raise FleetRejected(f"{self._where} has no service for {target!r}")
        state = self._services[target].look()
        if not state.routed_to(target):
            self._services[target].route(target)
        elif not state.accepts_clients:
            return
        elif view.selected != {target}:
            self._move(view, target)
        else:
            self._services[self._other(target)].scale_to_zero()

    def obstacles(self) -> list[Obstacle]:
        """Those of each service; a listener that could not be moved; a service that is not warm."""
        view = self._view()
        found = list(dict.fromkeys(each for service in self._services.values() for each in service.obstacles()))
        for listener in view.listeners:
            if any(view.weights(listener, site) is None for site in self._services):
                what = f"listener {listener.arn} forwards to no target group of both services of {self._where}"
                found.append(Obstacle(what, "register both services with target groups for the port it is for"))
        for site, service in self._services.items():
            if view.selected != {site} and (state := service.look()).fence_kind == "scaled to zero":
                what = f"service {self._fleet.services[site]} of {self._where}, for {site}, is not warm: {state.detail}"
                found.append(Obstacle(what, f"set its desired count to {self._fleet.instances}, or a failover has to"))
        return found

    def _move(self, view: View, target: str) -> None:
        """Lead the listeners to a service: that of the bootstrap, the plan's first, as the last."""
        tags: list[TagTypeDef] = [{"key": LEFT, "value": datetime.now(UTC).isoformat()}]
        called(self._where, self._ecs.tag_resource, resourceArn=view.arns[self._other(target)], tags=tags)
        for listener in reversed(view.listeners):
            weights = view.weights(listener, target)
            if weights is None:
                raise FleetRejected(f"listener {listener.arn} forwards to no target group of {self._where}")
            if weights != listener.weights:
                groups: list[TargetGroupTupleTypeDef] = [
                    {"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()
                ]
                action: ActionTypeDef = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
                called(self._where, self._balancing.modify_listener, ListenerArn=listener.arn, DefaultActions=[action])

    def _left(self, view: View, selected: str) -> list[str]:
        """The tasks that had clients when the listeners were moved away from them, and may have them still."""
        other = self._other(selected)
        return self._services[other].tasks_created_before(view.left[other]) if other in view.left else []

    def _view(self) -> View:
        answer = called(
            self._where,
            self._ecs.describe_services,
            cluster=self._fleet.cluster,
            services=list(self._fleet.services.values()),
            include=["TAGS"],
        )
        described = {service["serviceName"]: service for service in answer.get("services", [])}
        if missing := sorted(self._fleet.services.values() - described.keys()):
            raise FleetRejected(f"{self._where} has no service {', '.join(missing)}")
        services = {site: described[name] for site, name in self._fleet.services.items()}
        tags = {site: {tag["key"]: tag["value"] for tag in it.get("tags") or []} for site, it in services.items()}
        listeners = called(self._where, self._balancing.describe_listeners, ListenerArns=self._fleet.listeners)
        found = {listener["ListenerArn"]: listener for listener in listeners["Listeners"]}
        return View(
            listeners=tuple(Listener(arn, _weights(found[arn])) for arn in self._fleet.listeners),
            groups={site: _groups(service) for site, service in services.items()},
            arns={site: str(service["serviceArn"]) for site, service in services.items()},
            left={site: _moment(kept[LEFT]) for site, kept in tags.items() if LEFT in kept},
        )

    def _other(self, site: str) -> str:
        return next(other for other in self._services if other != site)


def _moment(text: str) -> datetime:
    """The time in a tag; of one that tells none, now: any task that is there may have had clients."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _groups(service: Mapping[str, Any]) -> dict[int, str]:
    balancers = service.get("loadBalancers") or []
    return {int(each["containerPort"]): str(each["targetGroupArn"]) for each in balancers if "targetGroupArn" in each}


def _weights(listener: Mapping[str, Any]) -> dict[str, int]:
    """What a listener forwards to. An action without weights gives all of it to its one target group."""
    weights: dict[str, int] = {}
    for action in listener.get("DefaultActions") or []:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        if not groups and "TargetGroupArn" in action:
            groups = [{"TargetGroupArn": action["TargetGroupArn"]}]
        weights |= {str(group["TargetGroupArn"]): int(group.get("Weight", 1)) for group in groups}
    return weights
