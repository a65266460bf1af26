"""ECS: one service a site, whose instances are all replaced when its task definition is another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulation.aws.errors import NotSimulated
from simulation.scheduler import Scheduler
from simulation.sites import SITES, Instance, Sites, route_of

Answer = dict[str, Any]
_SITE_OF = {region: site for site, region in SITES.items()}


class Ecs:
    """The gateway fleets, as their regions' control planes tell and change them."""

    def __init__(self, scheduler: Scheduler, sites: Sites, tell: Callable[[str], None]) -> None:
        self._clock = scheduler
        self._sites = sites
        self._tell = tell

    def call(self, region: str, operation: str, request: Answer) -> Answer:
        """Carry an operation out."""
        site = _SITE_OF[region]
        match operation:
            case "DescribeServices":
                return {"services": [self._service(site, request["services"][0])], "failures": []}
            case "ListTasks":
                running = request.get("desiredStatus", "RUNNING") == "RUNNING"
                return {"taskArns": [each.name for each in self._instances(site) if running]}
            case "DescribeTasks":
                return {"tasks": [self._task(site, number, each) for number, each in enumerate(self._instances(site))]}
            case "DescribeTaskDefinition":
                return {"taskDefinition": {"taskDefinitionArn": request["taskDefinition"], "status": "ACTIVE"}}
            case "UpdateService":
                return self._update(site, request)
        raise NotSimulated(f"ECS {operation}")

    def _instances(self, site: str) -> list[Instance]:
        return self._sites.sites[site].fleet.instances

    def _ready(self, instance: Instance) -> bool:
        return instance.ready_at <= self._clock.now

    def _service(self, site: str, name: str) -> Answer:
        fleet = self._sites.sites[site].fleet
        complete = sum(map(self._ready, fleet.instances)) == fleet.desired
        deployment = {
            "status": "PRIMARY",
            "taskDefinition": fleet.definition,
            "rolloutState": "COMPLETED" if complete else "IN_PROGRESS",
        }
        return {
            "serviceName": name,
            "status": "ACTIVE",
            "desiredCount": fleet.desired,
            "taskDefinition": fleet.definition,
            "deployments": [deployment],
            "loadBalancers": [],
        }

    def _task(self, site: str, number: int, instance: Instance) -> Answer:
        network = 0 if site == "east" else 1
        return {
            "taskArn": instance.name,
            "taskDefinitionArn": instance.definition,
            "lastStatus": "RUNNING" if self._ready(instance) else "PENDING",
            "desiredStatus": "RUNNING",
            "availabilityZone": f"{SITES[site]}{'abc'[number % 3]}",
            "containers": [{"networkInterfaces": [{"privateIpv4Address": f"10.0.{network}.{number}"}]}],
        }

    def _update(self, site: str, request: Answer) -> Answer:
        fleet = self._sites.sites[site].fleet
        fleet.definition = request.get("taskDefinition", fleet.definition)
        fleet.desired = request.get("desiredCount", fleet.desired)
        self._sites.deploy(fleet)
        self._tell(f"the fleet of {site} is routed to {route_of(fleet.definition)}, {fleet.desired} instances")
        return {"service": self._service(site, request["service"])}
