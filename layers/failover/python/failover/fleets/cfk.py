"""A gateway fleet on Kubernetes that is one Gateway resource of Confluent for Kubernetes.

A route is changed by one JSON Patch: it tests the route's name, replaces the whole `streamingDomain`, and gives a fresh
`configId` where hot reload can take it. What was there before is kept in the same patch, so that whoever looks next can
tell pods and conditions of the previous revision from those of the change. How far it is, `cfk_state.View` judges.
"""

from __future__ import annotations

import copy
import re
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from failover.aws.clients import Role
from failover.errors import FleetRejected, Obstacle
from failover.fleets import FleetState, metrics
from failover.fleets.cfk_state import (
    BLOCKED,
    ROLL,
    PodAnswer,
    View,
    is_blocked,
    is_failure,
    parse_answer,
)
from failover.fleets.change_annotation import Change, change_of, conditions_of, digests, is_new
from failover.fleets.guarded_patch import patched, scaled
from failover.fleets.kubernetes import Api, EksApi, Object
from failover.fleets.pods import carries_clients, replicas_of
from failover.plan.fleets import CfkFleet, Domain
from failover.plan.gateway_route import HEADERS, config_id, extension_headers, hot_reload, is_fenced
from failover.plan.model import FENCED

GATEWAYS: Final = "apis/platform.confluent.io/v1beta1 gateways"
DEPLOYMENTS: Final = "apis/apps/v1 deployments"
PODS: Final = "api/v1 pods"
CONFIG_PORT: Final = 9180
FENCE: Final = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}
FENCE_SINCE: Final = (1, 2)
_PODS_AT_ONCE: Final = 16
_DYNAMIC: Final = "its route is dynamic: it leads each topic by rules of its own, which a failover can't change"
_PROBE_ID: Final = "fo-probe"
_VERSION: Final = re.compile(r":v?(\d+)\.(\d+)\.")


class CfkGateway:
    """A `Fleet` that is one Gateway resource."""

    def __init__(self, fleet: CfkFleet, region: str, api: Api | None = None, *, role: Role | None = None) -> None:
        self._fleet = fleet
        self._api = api or EksApi(fleet.eks, region, fleet.namespace, role)
        self._where = f"gateway {fleet.gateway} in namespace {fleet.namespace} of {self._api.where}"

    def look(self) -> FleetState:
        """What the Gateway wants, and what each of its pods says it runs."""
        view = self._view()
        refused = f"the operator refused {self._where}: {view.refused}; mend it, and apply a new configId"
        return FleetState(
            target=view.target,
            settled=view.settled,
            instances=view.instances,
            detail=view.detail,
            tier=view.tier,
            fence_kind=view.fence_kind,
            stalled_because=view.stalled_because,
            refused_because=refused if view.refused is not None else None,
            missing=view.missing,
            size=view.replicas,
        )

    def route(self, target: str) -> None:
        """Patch the Gateway; or, if that was done and did not reach some pods, replace those."""
        view = self._view()
        if view.blocked:
            raise FleetRejected(f"{self._where} has the annotation {BLOCKED}: the operator would not act; remove it")
        if view.is_dynamic:
            raise FleetRejected(f"{self._where}: {_DYNAMIC}")
        if view.target == target and view.replaceable:
            for pod in view.replaceable:
                self._api.delete(PODS, pod["metadata"]["name"])
            return
        self._patch(view, target)

    def obstacles(self) -> list[Obstacle]:
        """An operator that is told not to act; a route that can't be switched; pods that can't say what they run; a
        domain of the plan that the Gateway does not declare; a change that the API server would not take."""
        view = self._view()
        obstacles = []
        if view.is_dynamic:
            obstacles.append(
                Obstacle(f"{self._where}: {_DYNAMIC}", "give its clients a static route, or switch it by hand")
            )
        if view.has_no_ids and not self._takes_ids(view):
            within = self._fleet.reload_within_seconds
            what = f"{self._where} has hotReload on, and its definition no configId: no pod can say what it runs, so"
            what += f" {within} s after a change every pod is replaced"
            obstacles.append(Obstacle(what, "install chart 0.1718.34 or later, or turn hotReload off"))
        if view.blocked:
            obstacles.append(
                Obstacle(f"{self._where} has the annotation {BLOCKED}", "remove it: the operator does not act")
            )
        declared = {
            (domain.get("name"), server.get("id"))
            for domain in view.spec.get("streamingDomains") or []
            for server in (domain.get("kafkaCluster") or {}).get("bootstrapServers") or []
        }
        for target, domain in self._fleet.domains.items():
            if (domain.name, domain.bootstrap_server_id) not in declared:
                what = f"{self._where} declares no streaming domain {domain.name}/{domain.bootstrap_server_id}"
                obstacles.append(
                    Obstacle(f"{what}, which the plan has for {target}", "declare it, or correct the plan")
                )
        return [*obstacles, *([] if view.is_dynamic else self._refusals(view))]

    def scale_to_zero(self) -> None:
        """Scale it to zero, so that every connection to it ends; a route brings back the instances there were."""
        view = self._view()
        if not view.scaled_to_zero:
            self._send(view, view.spec | {"replicas": 0}, FENCED)

    def size(self) -> int:
        """The Gateway's replicas."""
        return replicas_of(self._api.get(GATEWAYS, self._fleet.gateway))

    def raise_to(self, instances: int) -> None:
        """Raise the Gateway's replicas: pods come beside those that run.

        Raises:
            FleetRejected: its operator was told not to act.
        """
        gateway = self._api.get(GATEWAYS, self._fleet.gateway)
        if is_blocked(gateway):
            raise FleetRejected(f"{self._where} has the annotation {BLOCKED}: the operator would not act")
        if replicas_of(gateway) < instances:
            scaled(self._api, GATEWAYS, read=gateway, replicas=instances)

    def _refusals(self, view: View) -> Iterator[Obstacle]:
        """Each change of a failover, tried without effect: rights, the definition's rules, admission webhooks."""
        for target in (*self._fleet.domains, FENCED):
            try:
                self._send(view, self._spec_for(view, target), target, dry_run=True)
            except FleetRejected as error:
                change = "fenced" if target == FENCED else f"routed to {target}"
                yield Obstacle(f"{self._where} could not be {change}: {error}", "mend what the answer names")

    def _takes_ids(self, view: View) -> bool:
        """Whether the Gateway's definition has `configId`: one that has not drops it without an error."""
        operations = [{"op": "add", "path": "/spec/configId", "value": _PROBE_ID}]
        stored = self._api.patch(GATEWAYS, view.gateway["metadata"]["name"], operations, dry_run=True)
        return bool(stored["spec"].get("configId") == _PROBE_ID)

    def _patch(self, view: View, target: str) -> None:
        """The patch, tried without effect first: a server that does not know a field drops it without an error."""
        desired = self._spec_for(view, target)
        stored = self._send(view, desired, target, dry_run=True)
        if target == FENCED and desired["replicas"] and not is_fenced(stored["spec"]["routes"][view.index]):
            desired = copy.deepcopy(view.spec) | {"replicas": 0}
        elif desired.get("configId") is not None and stored["spec"].get("configId") != desired["configId"]:
            desired.pop("configId")
        self._send(view, desired, target)

    def _send(self, view: View, desired: dict[str, Any], target: str, *, dry_run: bool = False) -> Object:
        operations, change = self._operations(view, desired, target), self._change(view, desired, target)
        return patched(self._api, GATEWAYS, read=view.gateway, operations=operations, change=change, dry_run=dry_run)

    def _spec_for(self, view: View, target: str) -> dict[str, Any]:
        """The spec as it shall be."""
        desired = copy.deepcopy(view.spec)
        desired.setdefault("replicas", 1)
        route = desired["routes"][view.index]
        if target == FENCED:
            if not _can_fence(desired):
                return desired | {"replicas": 0}
            route["fence"] = FENCE
        else:
            domain = self._fleet.domains.get(target)
            if domain is None:
                raise FleetRejected(f"{self._where} has no streaming domain for {target!r} in the plan")
            route["streamingDomain"] = {"name": domain.name, "bootstrapServerId": domain.bootstrap_server_id}
            route.pop("fence", None)
            if domain.secret_store is not None:
                route["security"] = route.get("security", {}) | {"secretStore": domain.secret_store}
            self._name_cluster(route, domain)
        last = change_of(view.gateway)
        if desired["replicas"] == 0:
            desired["replicas"] = (last.replicas if last is not None else None) or self._fleet.instances
        if hot_reload(desired):
            desired["configId"] = config_id(desired, view.index)
        return desired

    def _name_cluster(self, route: dict[str, Any], domain: Domain) -> None:
        """Give the route the extension headers of a domain in place of those of another one; others stay."""
        per_cluster = {name for domain in self._fleet.domains.values() for name in domain.extension_headers}
        present = extension_headers(route)
        headers = {name: value for name, value in present.items() if name not in per_cluster} | domain.extension_headers
        if headers != present:
            security = route.get("security", {})
            cluster = {name: value for name, value in (security.get("cluster") or {}).items() if name != HEADERS}
            route["security"] = security | {"cluster": cluster | ({HEADERS: headers} if headers else {})}

    def _operations(self, view: View, desired: dict[str, Any], target: str) -> list[dict[str, Any]]:
        route = f"/spec/routes/{view.index}"
        present, changed = view.route, desired["routes"][view.index]
        operations: list[dict[str, Any]] = [{"op": "test", "path": f"{route}/name", "value": self._fleet.route}]
        if target != FENCED:
            operations.append({"op": "add", "path": f"{route}/streamingDomain", "value": changed["streamingDomain"]})
        if changed.get("security") != present.get("security"):
            operations.append({"op": "add", "path": f"{route}/security", "value": changed["security"]})
        if changed.get("fence"):
            operations.append({"op": "add", "path": f"{route}/fence", "value": changed["fence"]})
        elif present.get("fence"):
            operations.append({"op": "remove", "path": f"{route}/fence"})
        if desired["replicas"] != view.spec.get("replicas", 1):
            operations.append({"op": "add", "path": "/spec/replicas", "value": desired["replicas"]})
        if desired.get("configId") != view.spec.get("configId"):
            operations.append({"op": "add", "path": "/spec/configId", "value": desired["configId"]})
        return operations

    @staticmethod
    def _change(view: View, desired: dict[str, Any], target: str) -> Change:
        last = change_of(view.gateway)
        # What the operator has against the same change, and is asked about again, is an answer if it stands on.
        same = view.change if view.target == target else None
        stale = [it for it in conditions_of(view.gateway) if same is None or not (is_failure(it) and is_new(it, same))]
        return Change(
            id=str(desired.get("configId") or uuid.uuid4().hex),
            to=target,
            tier=view.tier if hot_reload(desired) else ROLL,
            at=round(view.now, 3),
            before=tuple(pod["metadata"]["uid"] for pod in view.pods),
            conditions=digests(stale),
            replicas=view.spec.get("replicas", 1) or (last.replicas if last is not None else None),
        )

    def _view(self) -> View:
        """The Gateway first: what is read after it is not older than the spec it is held against."""
        gateway = self._api.get(GATEWAYS, self._fleet.gateway)
        labels = {"app": self._fleet.gateway, "platform.confluent.io/type": "gateway"}
        with ThreadPoolExecutor(max_workers=_PODS_AT_ONCE) as pool:
            deployment = pool.submit(self._api.get_if_there, DEPLOYMENTS, self._fleet.gateway)  # called like it
            pods = self._api.find(PODS, labels)
            now = time.time()
            names = [pod["metadata"]["name"] for pod in pods if carries_clients(pod, now)]
            answers = {pod["metadata"]["name"]: PodAnswer() for pod in pods} | dict(
                zip(names, pool.map(self._ask, names), strict=True)
            )
            return View(
                fleet=self._fleet,
                gateway=gateway,
                deployment=deployment.result(),
                pods=tuple(pods),
                answers=answers,
                now=now,
            )

    def _ask(self, pod: str) -> PodAnswer:
        config = self._api.ask_pod(pod, CONFIG_PORT, "config")
        text = self._api.ask_pod(pod, metrics.PORT, "metrics") if config[0] else config  # who is silent is asked once
        return parse_answer(config, text, self._fleet.route)


def _can_fence(spec: dict[str, Any]) -> bool:
    """Whether the image may know fences: those before 1.2 do not, and a tag that tells no version is tried."""
    version = _VERSION.search(str((spec.get("image") or {}).get("application", "")))
    return version is None or (int(version[1]), int(version[2])) >= FENCE_SINCE
