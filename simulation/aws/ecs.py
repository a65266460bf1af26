"""ECS: services whose instances are all replaced when their task definition is another. A site has one, or one of each
colour behind the listener of a load balancer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from simulation.aws.errors import NotSimulated
from simulation.scheduler import Scheduler
from simulation.sites import REGIONS, Fleet, Instance, Sites, route_of

Answer = dict[str, Any]
_PLACE_OF = {region: where for where, region in REGIONS.items()}


class Ecs:
    """The gateway fleets, as their regions' control planes tell and change them."""

    def __init__(self, scheduler: Scheduler, sites: Sites, tell: Callable[[str], None]) -> None:
        self._clock = scheduler
        self._sites = sites
        self._tell = tell
        self.colours: dict[str, Fleet] = {}
        """By name, the services of fleets in two colours."""
        self.balancers: dict[str, list[Answer]] = {}
        """The target groups of each of them."""
        self.tags: dict[str, list[Answer]] = {}

    def call(self, region: str, operation: str, request: Answer) -> Answer:
        """Carry an operation out."""
        site = _PLACE_OF[region]
        match operation:
            case "DescribeServices":
                return {"services": [self._service(site, name) for name in request["services"]], "failures": []}
            case "ListTasks":
                running = request.get("desiredStatus", "RUNNING") == "RUNNING"
                instances = self._fleet(site, request["serviceName"]).instances
                return {"taskArns": [instance.name for instance in instances if running]}
            case "DescribeTasks":
                fleets = [self._sites.fleet(site), *self.colours.values()]
                of_name = {
                    instance.name: (number, instance) for of in fleets for number, instance in enumerate(of.instances)
                }
                return {"tasks": [self._task(site, *of_name[name]) for name in request["tasks"] if name in of_name]}
            case "TagResource":
                self.tags[request["resourceArn"]] = request["tags"]
                return {}
            case "DescribeTaskDefinition":
                definition = {"taskDefinitionArn": request["taskDefinition"], "status": "ACTIVE"}
                return {"taskDefinition": definition | {"requiresCompatibilities": ["FARGATE"], "cpu": "2048"}}
            case "UpdateService":
                return self._update(site, request)
        raise NotSimulated(f"ECS {operation}")

    def _fleet(self, site: str, service: str) -> Fleet:
        return self.colours.get(service, self._sites.fleet(site))

    def _ready(self, instance: Instance) -> bool:
        return instance.ready_at <= self._clock.now

    def _service(self, site: str, name: str) -> Answer:
        fleet = self._fleet(site, name)
        complete = sum(map(self._ready, fleet.instances)) >= fleet.desired
        deployment = {
            "status": "PRIMARY",
            "taskDefinition": fleet.definition,
            "createdAt": datetime.fromtimestamp(fleet.deployed_at, UTC),
            "runningCount": sum(map(self._ready, fleet.instances)),
            "rolloutState": "COMPLETED" if complete else "IN_PROGRESS",
        }
        return {
            "serviceName": name,
            "serviceArn": name,
            "status": "ACTIVE",
            "launchType": "FARGATE",
            "desiredCount": fleet.desired,
            "taskDefinition": fleet.definition,
            "deployments": [deployment],
            "loadBalancers": self.balancers.get(name, []),
            "tags": self.tags.get(name, []),
        }

    def _task(self, site: str, number: int, instance: Instance) -> Answer:
        address = f"{self._sites.addresses}{list(REGIONS).index(site)}.{number}"
        return {
            "taskArn": instance.name,
            "taskDefinitionArn": instance.definition,
            "lastStatus": "RUNNING" if self._ready(instance) else "PENDING",
            "desiredStatus": "RUNNING",
            "availabilityZone": f"{REGIONS[site]}{'abc'[number % 3]}",
            "containers": [{"networkInterfaces": [{"privateIpv4Address": address}]}],
        }

    def _update(self, site: str, request: Answer) -> Answer:
        fleet = self._fleet(site, request["service"])
        before = fleet.definition
        fleet.definition = request.get("taskDefinition", fleet.definition)
        fleet.desired = request.get("desiredCount", fleet.desired)
        if fleet.definition != before or request.get("forceNewDeployment"):
            self._sites.deploy(fleet)
        else:
            self._sites.scale(fleet)
        colour = f", {fleet.colour}," if fleet.colour else ""
        self._tell(f"the fleet of {site}{colour} is routed to {route_of(fleet.definition)}, {fleet.desired} instances")
        return {"service": self._service(site, request["service"])}
