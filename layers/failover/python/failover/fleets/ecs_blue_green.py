"""A gateway fleet on ECS in two colours: a service for each site, both warm, behind the listeners of one Network Load
Balancer. Each listener forwards to a target group of both services, of which one has all the weight
(https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html).

That clients left a service, and when, is kept as a tag of it, written before the first listener is moved: whoever looks
next can tell the tasks that had clients from those that were started since. Until a load balancer's data plane has
followed, which takes it a while
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/nlb-resources-for-blue-green.html),
a new connection may still be led to the previous service: with no task there, it fails, and the client tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from failover.aws.clients import Role, client
from failover.errors import FleetRejected, Obstacle
from failover.fleets.blue_green import BlueGreenFleet
from failover.fleets.ecs import EcsService, called
from failover.plan.fleets import EcsBlueGreenFleet

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TagTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ActionTypeDef, TargetGroupTupleTypeDef

SWITCHED_AT_TAG: Final = "kafka-failover:clients-left"
_ALL: Final = 100


@dataclass(frozen=True)
class Listener:
    """A listener, and the weight of each target group it forwards to."""

    arn: str
    weights: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """A `Switch` that is the listeners of a load balancer, which lead to one of two services."""

    where: str
    ecs: ECSClient
    balancing: ElasticLoadBalancingv2Client
    services: Mapping[str, EcsService]
    """By site, as all that follows."""
    groups: Mapping[str, Mapping[int, str]]
    """A service's target group for each port of its containers."""
    arns: Mapping[str, str]
    switched_at: Mapping[str, datetime]
    """When clients were led away from a service, if they ever were."""
    listeners: tuple[Listener, ...]
    leads: str = "its listeners lead to"

    @property
    def selected(self) -> set[str | None]:
        """The sites whose services any of them leads to, with None for whatever else."""
        owners = {group: site for site, groups in self.groups.items() for group in groups.values()}
        return {owners.get(group) for it in self.listeners for group, weight in it.weights.items() if weight > 0}

    def weights(self, listener: Listener, site: str) -> dict[str, int] | None:
        """The weights that lead a listener to the service of a site, all on the port it is for; None if it forwards to
        no port of a service."""
        for port, site_group in self.groups[site].items():
            others = {groups[port] for groups in self.groups.values() if port in groups}
            if others & listener.weights.keys():
                return {group: _ALL if group == site_group else 0 for group in sorted(others)}
        return None

    def turn_to(self, site: str) -> None:
        """One listener after the other: that of the bootstrap, the plan's first, as the last."""
        tags: list[TagTypeDef] = [{"key": SWITCHED_AT_TAG, "value": datetime.now(UTC).isoformat()}]
        for other in self.arns.keys() - {site}:
            called(self.where, self.ecs.tag_resource, resourceArn=self.arns[other], tags=tags)
        for listener in reversed(self.listeners):
            weights = self.weights(listener, site)
            if weights is None:
                raise FleetRejected(f"listener {listener.arn} forwards to no target group of {self.where}")
            if weights != listener.weights:
                groups: list[TargetGroupTupleTypeDef] = [
                    {"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()
                ]
                action: ActionTypeDef = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
                called(self.where, self.balancing.modify_listener, ListenerArn=listener.arn, DefaultActions=[action])

    def still_connected_to(self, site: str) -> list[str]:
        """The tasks that were there when the listeners were turned away from them."""
        return self.services[site].tasks_created_before(self.switched_at[site]) if site in self.switched_at else []


class BlueGreenServices(BlueGreenFleet):
    """A `Fleet` that is two ECS services and a Network Load Balancer."""

    def __init__(
        self,
        fleet: EcsBlueGreenFleet,
        region: str,
        ecs: ECSClient | None = None,
        balancing: ElasticLoadBalancingv2Client | None = None,
        *,
        role: Role | None = None,
    ) -> None:
        self._fleet = fleet
        self._ecs = ecs if ecs is not None else client("ecs", region, attempts=1, role=role)
        self._balancing = balancing if balancing is not None else client("elbv2", region, attempts=1, role=role)
        self._services = {
            site: EcsService(fleet.service(site), region, self._ecs, self._balancing) for site in fleet.services
        }
        super().__init__(
            f"fleet {fleet.name} of ECS cluster {fleet.cluster} in {region}", fleet.services, self._services
        )

    def obstacles(self) -> list[Obstacle]:
        """Those of each service; a listener that could not be moved; a service that is not warm."""
        listeners = self._switch()
        obstacles = list(dict.fromkeys(it for service in self._services.values() for it in service.obstacles()))
        for listener in listeners.listeners:
            if any(listeners.weights(listener, site) is None for site in self._services):
                what = f"listener {listener.arn} forwards to no target group of both services of {self._where}"
                obstacles.append(Obstacle(what, "register both services with target groups for the port it is for"))
        for site, service in self._services.items():
            if listeners.selected != {site} and (state := service.look()).fence_kind == "scaled to zero":
                what = f"service {self._names[site]} of {self._where}, for {site}, is not warm: {state.detail}"
                obstacles.append(
                    Obstacle(what, f"set its desired count to {self._fleet.instances}, or a failover has to")
                )
        return obstacles

    def _switch(self) -> Listeners:
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
        answered = called(self._where, self._balancing.describe_listeners, ListenerArns=self._fleet.listeners)
        by_arn = {listener["ListenerArn"]: listener for listener in answered["Listeners"]}
        return Listeners(
            where=self._where,
            ecs=self._ecs,
            balancing=self._balancing,
            services=self._services,
            listeners=tuple(Listener(arn, _weights(by_arn[arn])) for arn in self._fleet.listeners),
            groups={site: _groups(service) for site, service in services.items()},
            arns={site: str(service["serviceArn"]) for site, service in services.items()},
            switched_at={
                site: _moment(of_service[SWITCHED_AT_TAG])
                for site, of_service in tags.items()
                if SWITCHED_AT_TAG in of_service
            },
        )


def _moment(text: str) -> datetime:
    """The time in a tag; of one that tells none, now: any task that is there may have had clients."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _groups(service: Mapping[str, Any]) -> dict[int, str]:
    balancers = service.get("loadBalancers") or []
    return {
        int(balancer["containerPort"]): str(balancer["targetGroupArn"])
        for balancer in balancers
        if "targetGroupArn" in balancer
    }


def _weights(listener: Mapping[str, Any]) -> dict[str, int]:
    """What a listener forwards to. An action without weights gives all of it to its one target group."""
    weights: dict[str, int] = {}
    for action in listener.get("DefaultActions") or []:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        if not groups and "TargetGroupArn" in action:
            groups = [{"TargetGroupArn": action["TargetGroupArn"]}]
        weights |= {str(group["TargetGroupArn"]): int(group.get("Weight", 1)) for group in groups}
    return weights
