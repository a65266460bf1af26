"""A Kubernetes cluster in one process: the API over HTTPS with a certificate of its own, controllers, the operators.

`python -m drill.kubernetes.cluster '<JSON of ClusterConfig>'` announces {endpoint, certificate_authority, control}.
At `control`, over plain HTTP, what no cluster has: see `Doors`.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import socket
import sys
import threading
from pathlib import Path
from typing import Any, Final, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Receive, Scope, Send

from drill.kubernetes.api import Access, Api
from drill.kubernetes.cfk import Behaviour, Operator
from drill.kubernetes.crds import KINDS, stored
from drill.kubernetes.deployments import Deployments
from drill.kubernetes.kroxylicious import Kroxylicious
from drill.kubernetes.pods import Pods, Timing
from drill.kubernetes.services import Services
from drill.kubernetes.store import Store
from drill.network import admin_http
from drill.network.admin_http import Reply, as_json
from drill.network.certificate import certificate
from drill.ports import LOOPBACK
from drill.process import announce, configuration, exit_with_parent, temporary_directory

LOG = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 0.05


class ClusterConfig(BaseModel):
    """What the process is told. `access`: secret access key by access key id; `rules`: RBAC rules, as in a Role.

    `licence` is what every licence Secret holds; `cfk`: the operator's release. Durations in seconds.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    namespace: str = "confluent"
    log_dir: Path
    manifests: list[dict[str, Any]] = []
    access: dict[str, str]
    rules: list[dict[str, Any]]
    licence: str = "enterprise"
    cfk: tuple[int, ...] = (3, 3, 34)
    lag_s: float = 0.3
    canary_s: float = 0.5
    canary: Literal["passes", "waits", "crashes"] = "passes"
    ready_after_s: float = 0.3
    termination_s: float = 0.1
    drain_s: float = 10.0
    zones: list[str] = []


class Server:
    """The API server, which can be gone for a while; its port stays its own."""

    def __init__(self, api: Api, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.serve(api)
        listener = socket.create_server((LOOPBACK, 0))
        self.port = int(listener.getsockname()[1])
        self._start(listener)

    def serve(self, api: Api) -> None:
        """Answer for this one from now on."""
        self._application: ASGIApp = api.application()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    def _start(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=0,
            ssl_certfile=self._certificate,
            ssl_keyfile=self._key,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="api", daemon=True)
        self._thread.start()

    def gone(self) -> None:
        """Refuse every connection, and close those that are there."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(5.0)

    def back(self) -> None:
        """Answer again."""
        if not self._thread.is_alive():
            self._start(socket.create_server((LOOPBACK, self.port), reuse_port=False))


class Cluster:
    """All of it, and the thread that lets its controllers look."""

    def __init__(self, config: ClusterConfig) -> None:
        self.store = Store()
        timing = Timing(ready_after=config.ready_after_s, termination=config.termination_s, drain=config.drain_s)
        self.pods = Pods(self.store, config.log_dir, licence=config.licence, timing=timing, zones=config.zones)
        self.operator = Operator(
            self.store, Behaviour(lag_s=config.lag_s, canary_s=config.canary_s, canary=config.canary)
        )
        self.api = Api(
            store=self.store,
            pods=self.pods,
            namespace=config.namespace,
            access=Access(config.name, config.access, config.rules),
            cfk=config.cfk,
        )
        self._controllers = (
            self.pods,
            self.operator,
            Kroxylicious(self.store, config.lag_s),
            Deployments(self.store, self.pods),
            Services(self.store, self.pods),
        )
        self._over = threading.Event()
        plurals = {kind.kind: kind.plural for kind in KINDS}
        for manifest in config.manifests:
            plural = plurals[manifest["kind"]]
            self.store.create(plural, stored(plural, manifest, config.cfk))
        self._thread = threading.Thread(target=self._run, name="controllers", daemon=True)

    def start(self) -> None:
        """Let the controllers look, again and again."""
        self._thread.start()

    def close(self) -> None:
        """End every pod."""
        self._over.set()
        self._thread.join(5.0)
        self.pods.close()

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for controller in self._controllers:
                try:
                    controller.look()
                except Exception:
                    LOG.exception("%s could not look", type(controller).__name__)


class Doors:
    """What a test or a drill does to a cluster: each door takes and gives JSON.

    PUT /operator, /faults and /timing change fields of `Behaviour`, `Faults` and `Timing`; PUT /rules gives other RBAC
    rules, /stuck the names of pods whose mount is never renewed, /lost-zones those of zones, /api {"gone": bool},
    /conditions and /annotations those of a Gateway.
    PUT /cluster makes it another one, from its `ClusterConfig`, at the same addresses.
    GET /objects gives every object, /asked how often each verb was asked for on each resource.
    """

    def __init__(self, cluster: Cluster, server: Server) -> None:
        self._cluster = cluster
        self._server = server

    def routes(self) -> admin_http.Routes:
        """The doors by method and path."""
        return {
            ("PUT", "/cluster"): self._anew,
            ("PUT", "/operator"): self._operator,
            ("PUT", "/faults"): self._faults,
            ("PUT", "/rules"): self._rules,
            ("PUT", "/stuck"): self._stuck,
            ("PUT", "/timing"): self._timing,
            ("PUT", "/lost-zones"): self._lost_zones,
            ("PUT", "/api"): self._api,
            ("PUT", "/conditions"): self._conditions,
            ("PUT", "/annotations"): self._annotations,
            ("GET", "/asked"): lambda _: as_json(self._cluster.api.requests),
            ("GET", "/objects"): lambda _: as_json({k.plural: self._cluster.store.find(k.plural) for k in KINDS}),
        }

    def _anew(self, body: Any) -> Reply:
        config = ClusterConfig.model_validate(body)
        self._cluster.close()
        self._cluster = Cluster(config)
        self._server.serve(self._cluster.api)
        self._server.back()
        self._cluster.start()
        return as_json({"name": config.name})

    def _operator(self, body: Any) -> Reply:
        self._cluster.operator.behaviour = dataclasses.replace(self._cluster.operator.behaviour, **body)
        return as_json(dataclasses.asdict(self._cluster.operator.behaviour))

    def _faults(self, body: Any) -> Reply:
        self._cluster.api.faults = dataclasses.replace(self._cluster.api.faults, **body)
        return as_json(dataclasses.asdict(self._cluster.api.faults))

    def _rules(self, body: Any) -> Reply:
        self._cluster.api.access.rules = list(body)
        return as_json(body)

    def _stuck(self, body: Any) -> Reply:
        self._cluster.pods.stuck = set(body)
        return as_json(sorted(self._cluster.pods.stuck))

    def _timing(self, body: Any) -> Reply:
        self._cluster.pods.timing = dataclasses.replace(self._cluster.pods.timing, **body)
        return as_json(dataclasses.asdict(self._cluster.pods.timing))

    def _lost_zones(self, body: Any) -> Reply:
        self._cluster.pods.lost_zones = set(body)
        return as_json(body)

    def _api(self, body: Any) -> Reply:
        (self._server.gone if body["gone"] else self._server.back)()
        return as_json(body)

    def _conditions(self, body: Any) -> Reply:
        with self._cluster.store.lock:
            gateway = self._cluster.store.get("gateways", body["gateway"])
            gateway.setdefault("status", {})["conditions"] = body["conditions"]
            self._cluster.store.update("gateways", gateway, status=True)
        return as_json(body)

    def _annotations(self, body: Any) -> Reply:
        with self._cluster.store.lock:
            gateway = self._cluster.store.get("gateways", body["gateway"])
            gateway["metadata"]["annotations"] = body["annotations"]
            self._cluster.store.update("gateways", gateway)
        return as_json(body)


async def run(config: ClusterConfig) -> None:
    """Serve until the process ends."""
    cluster = Cluster(config)
    authority, chain, key = certificate(temporary_directory("kubernetes-"))
    server = Server(cluster.api, chain, key)
    doors = await admin_http.serve(Doors(cluster, server).routes())
    cluster.start()
    announce(
        {
            "endpoint": f"https://{LOOPBACK}:{server.port}",
            "certificate_authority": base64.b64encode(authority).decode(),
            "control": f"http://{LOOPBACK}:{doors}",
        }
    )
    await asyncio.Event().wait()


def main() -> None:
    config = configuration(ClusterConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
