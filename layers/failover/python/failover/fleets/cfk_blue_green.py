"""A gateway fleet on Kubernetes in two colours: a Gateway of Confluent for Kubernetes for each site, both warm, and one
Service whose selector leads clients to one of them.

Moving the selector moves new connections only; those that are there stay where they are until their pod is gone. So the
Gateway of before is scaled to zero once the other one has taken over, and only then the fleet is settled.
"""

from __future__ import annotations

import functools
import time
import uuid
from typing import Final

from failover.errors import FleetRejected, Obstacle
from failover.fleets import FleetState
from failover.fleets.cfk import PODS, CfkGateway
from failover.fleets.change_annotation import Change, change_of
from failover.fleets.guarded_patch import patched
from failover.fleets.kubernetes import Api, EksApi, Object
from failover.fleets.pods import carries_clients
from failover.plan.fleets import CfkBlueGreenFleet
from failover.plan.model import FENCED

SERVICES: Final = "api/v1 services"
TIER: Final = "blue/green"


class BlueGreenGateways:
    """A `Fleet` that is two Gateways and a Service."""

    def __init__(self, fleet: CfkBlueGreenFleet, region: str, api: Api | None = None) -> None:
        self._fleet = fleet
        self._region = region
        self._api = api or EksApi(fleet.eks, region, fleet.namespace)
        self._where = f"service {fleet.service} in namespace {fleet.namespace} of {self._api.where}"

    def look(self) -> FleetState:
        """Which Gateway the selector leads to, what that one is, and whether pods of the other still carry clients."""
        service = self._service()
        selected = self._selected(service)
        state = self._gateway(selected).look()
        target = state.target if state.target in (selected, FENCED) else None
        left = self._left(service, selected)
        stalled_because = state.stalled_because
        if left and target == selected:
            stalled_because = f"{', '.join(left)} of before still carry connections: to be scaled to zero"
        detail = f"the selector leads to {self._fleet.gateways[selected]}: {state.detail}"
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
        """The next thing to do: warm up the target's Gateway, move the selector, or empty the Gateway of before."""
        service = self._service()
        selected = self._selected(service)
        if target == FENCED:
            self._gateway(selected).route(FENCED)
            return
        if target not in self._fleet.gateways:
            raise FleetRejected(f"{self._where} has no gateway for {target!r} in the plan")
        wanted = self._gateway(target)
        state = wanted.look()
        if not state.routed_to(target):
            wanted.route(target)
        elif not state.accepts_clients:
            return
        elif selected != target:
            self._move(service, selected, target)
        else:
            self._gateway(self._other(selected)).scale_to_zero()

    def obstacles(self) -> list[Obstacle]:
        """Those of each Gateway to its own site's cluster; one that is not warm."""
        found = [each for site in self._fleet.gateways for each in self._gateway(site).obstacles()]
        idle = self._other(self._selected(self._service()))
        if (state := self._gateway(idle).look()).fence_kind == "scaled to zero":
            what = f"gateway {self._fleet.gateways[idle]} of {self._where}, for {idle}, is not warm: {state.detail}"
            found.append(Obstacle(what, f"scale it to {self._fleet.instances}, or a failover has to"))
        return found

    def _move(self, service: Object, selected: str, target: str) -> None:
        before, after = self._fleet.gateways[selected], self._fleet.gateways[target]
        change = Change(
            id=uuid.uuid4().hex,
            to=target,
            tier=TIER,
            at=round(time.time(), 3),
            before=tuple(pod["metadata"]["uid"] for pod in self._pods(before)),
        )
        operations = [
            {"op": "test", "path": "/spec/selector/app", "value": before},
            {"op": "replace", "path": "/spec/selector/app", "value": after},
        ]
        patched(self._api, SERVICES, service, operations, change)

    def _left(self, service: Object, selected: str) -> list[str]:
        """The pods that had clients when the selector was moved here, and may have them still."""
        change = change_of(service)
        if change is None or change.to != selected:
            return []
        now = time.time()
        return [
            pod["metadata"]["name"]
            for pod in self._pods(self._fleet.gateways[self._other(selected)])
            if pod["metadata"]["uid"] in change.before and carries_clients(pod, now)
        ]

    def _service(self) -> Object:
        return self._api.get(SERVICES, self._fleet.service)

    def _selected(self, service: Object) -> str:
        app = (service["spec"].get("selector") or {}).get("app")
        for site, gateway in self._fleet.gateways.items():
            if gateway == app:
                return site
        raise FleetRejected(f"{self._where} selects app={app!r}, none of {sorted(self._fleet.gateways.values())}")

    def _other(self, site: str) -> str:
        return next(other for other in self._fleet.gateways if other != site)

    def _pods(self, gateway: str) -> list[Object]:
        return self._api.find(PODS, {"app": gateway, "platform.confluent.io/type": "gateway"})

    @functools.cache  # noqa: B019 - a fleet is kept as long as the container
    def _gateway(self, site: str) -> CfkGateway:
        return CfkGateway(self._fleet.gateway(site), self._region, self._api)
