"""A gateway fleet of Kroxylicious, the open-source engine, run by its operator.

A route is the virtual cluster's `targetKafkaServiceRef`. The engine reads its configuration once, at start; the
operator puts a checksum of what it was made of into the pods' template, so a new target is a roll of the Deployment,
which is called like the KafkaProxy (kroxylicious-operator, ProxyDeploymentDependentResource). There is no fence: a
KafkaService that leads nowhere stands for it where the plan names one, else the proxy is scaled to zero, with all its
clusters.
Fields: https://github.com/kroxylicious/kroxylicious, kroxylicious-kubernetes-api, v1alpha1.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from failover.aws.clients import Role
from failover.errors import FleetRejected, Obstacle
from failover.fleets import FenceKind, FleetState, Instance
from failover.fleets.cfk import DEPLOYMENTS, PODS
from failover.fleets.cfk_state import REFUSED_AFTER_S
from failover.fleets.change_annotation import Change, change_of, conditions_of, observed_generation, since
from failover.fleets.guarded_patch import asking_for, patched, scaled
from failover.fleets.kubernetes import Api, EksApi, Object
from failover.fleets.pods import bootstrap_of, is_ready, replicas_of, zone_of
from failover.fleets.rollout import Refusal, Rollout
from failover.plan.fleets import KroxyliciousFleet
from failover.plan.model import FENCED

CLUSTERS: Final = "apis/kroxylicious.io/v1alpha1 virtualkafkaclusters"
PROXIES: Final = "apis/kroxylicious.io/v1alpha1 kafkaproxies"
SERVICES: Final = "apis/kroxylicious.io/v1alpha1 kafkaservices"
TIER: Final = "roll"


@dataclass(frozen=True, kw_only=True)
class View(Rollout):
    """One look at a fleet."""

    fleet: KroxyliciousFleet
    cluster: Object
    proxy: Object

    @property
    def replicas(self) -> int:
        """How many instances there shall be."""
        return replicas_of(self.proxy)

    @property
    def scaled_to_zero(self) -> bool:
        """Whether it shall have no instance."""
        return self.replicas == 0

    @property
    def service(self) -> str:
        """The KafkaService that the virtual cluster leads to."""
        return str(self.cluster["spec"]["targetKafkaServiceRef"]["name"])

    @property
    def fence_kind(self) -> FenceKind | None:
        """How it is fenced."""
        if self.scaled_to_zero:
            return "scaled to zero"
        return "leads nowhere" if self.service == self.fleet.services.get(FENCED) else None

    @property
    def target(self) -> str | None:
        """Where it leads to."""
        if self.fence_kind:
            return FENCED
        return next((site for site, service in self.fleet.services.items() if service == self.service), None)

    @cached_property
    def change(self) -> Change | None:
        """The controller's last change, if that is what the virtual cluster still says."""
        change = change_of(self.cluster)
        return change if change is not None and self.fleet.services.get(change.to) == self.service else None

    def conditions(self) -> list[Mapping[str, Any]]:
        """Those of the virtual cluster that speak of its present spec."""
        generation = self.cluster["metadata"]["generation"]
        return [condition for condition in conditions_of(self.cluster) if observed_generation(condition) >= generation]

    @property
    def accepted(self) -> bool:
        """Whether the operator has found all that the present spec names."""
        statuses = {str(condition.get("type")): condition.get("status") for condition in self.conditions()}
        return (
            observed_generation(self.cluster.get("status")) >= self.cluster["metadata"]["generation"]
            and statuses.get("ResolvedRefs") == "True"
            and statuses.get("Accepted", "True") == "True"
        )

    @property
    def refused(self) -> str | None:
        """The operator's words, if it can't do what was changed."""
        return self.refusal.words if self.refusal is not None and self.refusal.is_answer else None

    @property
    def stalled_because(self) -> str | None:
        """Why it won't settle by itself."""
        return self.refusal.retry_because if self.refusal is not None and not self.refusal.is_answer else None

    @cached_property
    def refusal(self) -> Refusal | None:
        """What the operator has against the last change, whenever that was."""
        if self.change is None:
            return None
        for condition in self.conditions():
            stood = self.now - since(condition, self.change)
            if condition.get("status") == "False" and stood >= REFUSED_AFTER_S:
                words = f"{condition.get('type')}: {condition.get('reason')}: {condition.get('message')}"
                return Refusal(words=words, stood_s=stood)
        return None

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The pods that clients may be connected to, and what is proven of each."""
        port = self.fleet.port
        return tuple(
            Instance(
                name=pod["metadata"]["name"],
                bootstrap=bootstrap_of(pod, port) if port and is_ready(pod) else None,
                zone=zone_of(pod),
                proof=self.proof(pod),
            )
            for pod in self.carrying
        )

    def proof(self, pod: Object) -> str | None:
        """Why a pod is held to run the present configuration; None if it is not."""
        if self.change is None:
            return "is of the Deployment's present template"
        return "was not there before the change" if pod["metadata"]["uid"] not in self.change.before else None

    @property
    def detail(self) -> str:
        """What there is to see, in one line."""
        if self.scaled_to_zero:
            return f"scaled to zero, {len(self.pods)} pods left"
        proven = sum(instance.proof is not None for instance in self.instances)
        remarks = [f"{proven} of {len(self.instances)} instances proven, led to KafkaService {self.service}"]
        if not self.accepted:
            remarks.append("the operator has not accepted the present spec")
        remarks += [
            f"{condition.get('type')} is {condition.get('status')}: {condition.get('message')}"
            for condition in self.conditions()
            if condition.get("status") != "True"
        ]
        return "; ".join(remarks)


class KroxyliciousCluster:
    """A `Fleet` that is one virtual cluster of a KafkaProxy."""

    def __init__(
        self, fleet: KroxyliciousFleet, region: str, api: Api | None = None, *, role: Role | None = None
    ) -> None:
        self._fleet = fleet
        self._api = api or EksApi(fleet.eks, region, fleet.namespace, role)
        self._where = f"virtual cluster {fleet.virtual_cluster} in namespace {fleet.namespace} of {self._api.where}"

    def look(self) -> FleetState:
        """What the virtual cluster leads to, and which pods have started since it does."""
        view = self._view()
        refused = f"the operator refused {self._where}: {view.refused}"
        return FleetState(
            target=view.target,
            settled=view.settled,
            instances=view.instances,
            detail=view.detail,
            tier=TIER,
            fence_kind=view.fence_kind,
            stalled_because=view.stalled_because,
            refused_because=refused if view.refused is not None else None,
            missing=view.missing,
            size=view.replicas,
        )

    def obstacles(self) -> list[Obstacle]:
        """A KafkaService of the plan that is not there: the operator tells only once it is led to."""
        return [
            Obstacle(
                f"{self._where} could not be led to {target}: there is no KafkaService {name}",
                "apply it, or correct the plan",
            )
            for target, name in self._fleet.services.items()
            if self._api.get_if_there(SERVICES, name) is None
        ]

    def route(self, target: str) -> None:
        """Lead the virtual cluster to another KafkaService, or have no instance at all."""
        view = self._view()
        service = self._fleet.services.get(target)
        if service is None and target != FENCED:
            raise FleetRejected(f"{self._where} has no KafkaService for {target!r} in the plan")
        if service is None:
            self._scale(view, 0)
            return
        if view.service != service or view.stalled_because is not None:
            operations = [
                {"op": "test", "path": "/spec/proxyRef/name", "value": self._fleet.proxy},
                {"op": "test", "path": "/spec/targetKafkaServiceRef/name", "value": view.service},
                {"op": "replace", "path": "/spec/targetKafkaServiceRef/name", "value": service},
            ]
            patched(self._api, CLUSTERS, read=view.cluster, operations=operations, change=self._change(view, target))
        if view.replicas == 0:  # only now: no instance shall come up that leads to where it led before
            last = change_of(view.proxy)
            self._scale(view, (last.replicas if last is not None else None) or self._fleet.instances)

    def size(self) -> int:
        """The KafkaProxy's replicas."""
        return replicas_of(self._api.get(PROXIES, self._fleet.proxy))

    def raise_to(self, instances: int) -> None:
        """Raise the KafkaProxy's replicas: pods come beside those that run."""
        proxy = self._api.get(PROXIES, self._fleet.proxy)
        if replicas_of(proxy) < instances:
            scaled(self._api, PROXIES, read=proxy, replicas=instances)

    def _scale(self, view: View, replicas: int) -> None:
        operations = [asking_for(view.proxy, replicas)]
        patched(self._api, PROXIES, read=view.proxy, operations=operations, change=self._change(view, FENCED))

    @staticmethod
    def _change(view: View, target: str) -> Change:
        last = change_of(view.proxy)
        return Change(
            id=uuid.uuid4().hex,
            to=target,
            tier=TIER,
            at=round(view.now, 3),
            before=tuple(pod["metadata"]["uid"] for pod in view.pods),
            replicas=view.replicas or (last.replicas if last is not None else None),
        )

    def _view(self) -> View:
        """The virtual cluster first: what is read after it is not older than the spec it is held against."""
        cluster = self._api.get(CLUSTERS, self._fleet.virtual_cluster)
        if cluster["spec"].get("proxyRef", {}).get("name") != self._fleet.proxy:
            raise FleetRejected(f"{self._where} is not of KafkaProxy {self._fleet.proxy}")
        proxy = self._api.get(PROXIES, self._fleet.proxy)
        deployment = self._api.get_if_there(DEPLOYMENTS, self._fleet.proxy)
        labels = {"app.kubernetes.io/name": "kroxylicious", "app.kubernetes.io/instance": self._fleet.proxy}
        pods = self._api.find(PODS, labels)
        return View(
            fleet=self._fleet, cluster=cluster, proxy=proxy, deployment=deployment, pods=tuple(pods), now=time.time()
        )
