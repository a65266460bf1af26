"""Gateway fleets on Kubernetes clusters of their own, with Confluent's operator; their pods end with the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import yaml

from drill import fixture_plan
from drill.fixture_plan import HOME
from drill.fleets import NODES, Document, Spawn, zones
from drill.network.plain_http import plain
from drill.process import Child
from gateway.cfk import controller_rules, gateway_resource

from failover.plan.model import parse  # isort: skip
from failover.plan.fleets import CfkFleet  # isort: skip

ACCEPTED_AFTER_S: Final = 1.2
CANARY_S: Final = 1.5


class CfkFleets:
    """One Kubernetes cluster for each site, with Confluent's operator; its pods end with it."""

    def __init__(self, spawn: Spawn, instances: int, logs: Path, in_plan: Document, configuration: Document) -> None:
        self._spawn = spawn
        self.size = instances
        self._logs = logs
        self._in_plan = in_plan
        self._configuration = configuration
        self._clusters: dict[str, Child] = {}

    def in_plan(self, site: str, balancer: str) -> Document:
        return fixture_plan.cfk_fleet(site, balancer) | self._in_plan

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(max_workers=len(balancers)) as pool:
            started = {site: pool.submit(self._start, plan, site, admin) for site, admin in balancers.items()}
        self._clusters = {site: cluster.result() for site, cluster in started.items()}
        for site, cluster in self._clusters.items():
            plan["sites"][site]["fleets"][0]["eks"] |= {
                name: cluster.ready[name] for name in ("endpoint", "certificate_authority")
            }

    def processes(self, site: str) -> list[Child]:
        return [self._clusters[site]]

    def instances(self, site: str) -> list[str]:
        ready = {"type": "Ready", "status": "True"}
        pods = plain.get(f"{self._clusters[site].ready['control']}/objects").json()["pods"]
        return [pod["metadata"]["name"] for pod in pods if ready in pod["status"]["conditions"]]

    def lose_zone(self, site: str) -> None:
        self.trouble(site, "lost-zones", zones(site)[:1])

    def trouble(self, site: str, door: str, body: Any) -> None:
        """Use one of the doors of a site's cluster."""
        plain.put(f"{self._clusters[site].ready['control']}/{door}", json=body, timeout=10).raise_for_status()

    def _start(self, document: Document, site: str, admin: str) -> Child:
        plan = parse(yaml.safe_dump(document))
        (fleet,) = plan.site(site).fleets
        if not isinstance(fleet, CfkFleet):
            raise TypeError(f"the fleet of {site} is of kind {fleet.kind}")
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": fleet.gateway, "annotations": {"drill/balancer": admin}},
            "spec": {"selector": {"app": fleet.gateway}},
        }
        config = {
            "name": fleet.eks.name,
            "log_dir": str(self._logs / f"pods-{site}"),
            "manifests": [gateway_resource(plan, HOME, fleet=fleet, settings=NODES, replicas=self.size), service],
            "access": {"drill": "drill"},
            "rules": controller_rules(fleet),
            "lag_s": ACCEPTED_AFTER_S,
            "canary_s": CANARY_S,
            "zones": zones(site),
            **self._configuration,
        }
        return self._spawn("drill.kubernetes.cluster", config, f"kubernetes-{site}")
