"""A gateway fleet on Kubernetes in two colours: a Gateway of Confluent for Kubernetes for each site, both warm, and one
Service whose selector leads clients to one of them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Final

from failover.aws.clients import Role
from failover.errors import Obstacle
from failover.fleets.blue_green import TIER, BlueGreenFleet
from failover.fleets.cfk import PODS, CfkGateway
from failover.fleets.change_annotation import Change, change_of
from failover.fleets.guarded_patch import patched
from failover.fleets.kubernetes import Api, EksApi, Object, Operation
from failover.fleets.pods import carries_clients
from failover.plan.fleets import CfkBlueGreenFleet

SERVICES: Final = "api/v1 services"
_APP: Final = "/spec/selector/app"


class BlueGreenGateways(BlueGreenFleet):
    """A `Fleet` that is two Gateways and a Service."""

    def __init__(
        self, fleet: CfkBlueGreenFleet, region: str, api: Api | None = None, *, role: Role | None = None
    ) -> None:
        self._fleet = fleet
        self._api = api or EksApi(fleet.eks, region, fleet.namespace, role)
        super().__init__(
            f"service {fleet.service} in namespace {fleet.namespace} of {self._api.where}",
            fleet.gateways,
            {site: CfkGateway(fleet.gateway(site), region, self._api) for site in fleet.gateways},
        )

    def obstacles(self) -> list[Obstacle]:
        """Those of each Gateway to its own site's cluster; one that is not warm."""
        obstacles = [it for gateway in self._colours.values() for it in gateway.obstacles()]
        selected = self._switch().selected
        for site, gateway in self._colours.items():
            if selected != {site} and (state := gateway.look()).fence_kind == "scaled to zero":
                what = f"gateway {self._names[site]} of {self._where}, for {site}, is not warm: {state.detail}"
                obstacles.append(Obstacle(what, f"scale it to {self._fleet.instances}, or a failover has to"))
        return obstacles

    def _switch(self) -> Selector:
        return Selector(fleet=self._fleet, api=self._api, service=self._api.get(SERVICES, self._fleet.service))


@dataclass(frozen=True, kw_only=True)
class Selector:
    """A `Switch` that is the selector of a Service."""

    fleet: CfkBlueGreenFleet
    api: Api
    service: Object
    leads: str = "its selector leads to"

    @property
    def selected(self) -> set[str | None]:
        """The site whose Gateway's pods it selects."""
        return {next((site for site, gateway in self.fleet.gateways.items() if gateway == self._app), None)}

    def turn_to(self, site: str) -> None:
        """One patch, which keeps on the Service which pods had the clients until then."""
        before = self._app
        change = Change(
            id=uuid.uuid4().hex,
            to=site,
            tier=TIER,
            at=round(time.time(), 3),
            before=tuple(pod["metadata"]["uid"] for pod in self._pods(before)) if before else (),
        )
        operations: list[Operation] = [{"op": "add", "path": _APP, "value": self.fleet.gateways[site]}]
        if before:
            operations = [{"op": "test", "path": _APP, "value": before}, *operations]
        if not self.service["spec"].get("selector"):
            operations = [{"op": "add", "path": "/spec/selector", "value": {}}, *operations]
        patched(self.api, SERVICES, read=self.service, operations=operations, change=change)

    def still_connected_to(self, site: str) -> list[str]:
        """The pods that were there when the selector was turned away from them."""
        change = change_of(self.service)
        if change is None or self.selected != {change.to}:
            return []
        now = time.time()
        return [
            pod["metadata"]["name"]
            for pod in self._pods(self.fleet.gateways[site])
            if pod["metadata"]["uid"] in change.before and carries_clients(pod, now)
        ]

    @property
    def _app(self) -> str | None:
        return (self.service["spec"].get("selector") or {}).get("app")

    def _pods(self, gateway: str) -> list[Object]:
        return self.api.find(PODS, {"app": gateway, "platform.confluent.io/type": "gateway"})
