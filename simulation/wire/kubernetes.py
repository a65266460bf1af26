"""The Kubernetes API of a site's cluster, with gateway fleets in it: the drill's store, Deployment controller and
operators, in virtual time, and pods without processes."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import yaml

from drill.kubernetes.cfk import Behaviour, Operator
from drill.kubernetes.crds import KINDS, Invalid, stored
from drill.kubernetes.deployments import Deployments
from drill.kubernetes.json_patch import PatchRefused, patched
from drill.kubernetes.kroxylicious import Kroxylicious
from drill.kubernetes.pods import CONFIG_MAP
from drill.kubernetes.store import Conflict, NotFound, Object, Store, timestamp
from simulation.aws.errors import NotSimulated
from simulation.scheduler import Event, Process
from simulation.sites import Instance, Site, definition_of
from simulation.wire.rest import Answer, TooMany, door_of
from simulation.world import World

LOOK_EVERY_S: Final = 0.25
BUSY_S: Final = 3.0
"""After a change of an object nothing changes any more by itself."""
_READY_AFTER_S: Final = 0.4
_CONNECT_S: Final = 2.0
_GRACE_S: Final = 30
_ENDS_AFTER_S: Final = 0.6
_CFK: Final = (3, 3, 34)
_PATH: Final = re.compile(r"/apis?/(?:[^/]+/)?v1\w*/namespaces/[^/]+/([^/]+)(?:/([^/]+))?(?:/proxy/(.+))?")
_PLURALS: Final = {kind.kind: kind.plural for kind in KINDS}


def add_cluster(life: World, site: str, name: str, manifests: Sequence[Mapping[str, Any]]) -> None:
    """A site's fleet is in a cluster of that name from now on, made of these manifests."""
    cluster = Cluster(life, life.sites.sites[site], manifests)
    life.http[f"{name}.simulation"] = cluster.send
    life.put_back[site] = cluster.put_back
    life.scheduler.spawn(cluster.run, Process(f"controllers of {name}"))


@dataclass
class Pod:
    """What a pod does. `config`: what it runs with."""

    ready_at: float
    config: str
    ends_at: float | None = None


class Pods:
    """The kubelet, for the Deployment controller: pods begin, are Ready a little later, and end a little after they
    were deleted."""

    def __init__(self, life: World, store: Store, network: int) -> None:
        self._life = life
        self._store = store
        self._network = network
        self._numbers = itertools.count(1)
        self.running: dict[str, Pod] = {}

    def start(self, owner: Object, labels: dict[str, str], template: dict[str, Any]) -> None:
        """Make a pod of a ReplicaSet's template."""
        number = next(self._numbers)
        name = f"{owner['metadata']['name']}-{number:05}"
        references = [{"kind": "ReplicaSet", "name": owner["metadata"]["name"], "controller": True}]
        status = {"phase": "Running", "podIP": f"10.0.{self._network}.{number}", "conditions": []}
        metadata = {"name": name, "labels": labels, "ownerReferences": references}
        spec = dict(template["spec"])
        self._store.create("pods", {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status})
        self.running[name] = Pod(self._life.now + _READY_AFTER_S, self._config(spec))

    def terminate(self, name: str) -> None:
        """Delete a pod."""
        pod = self._store.get("pods", name)
        if "deletionTimestamp" not in pod["metadata"]:
            until = datetime.fromtimestamp(self._life.now, UTC) + timedelta(seconds=_GRACE_S)
            pod["metadata"]["deletionTimestamp"] = timestamp(until)
            self._store.update("pods", pod)
            self.running[name].ends_at = self._life.now + _ENDS_AFTER_S

    def look(self) -> None:
        """Take over what has become due. A ConfigMap that is mounted whole is renewed in place."""
        for name, running in list(self.running.items()):
            if running.ends_at is not None and running.ends_at <= self._life.now:
                del self.running[name]
                self._store.delete("pods", name)
                continue
            pod = self._store.get("pods", name)
            (container,) = pod["spec"]["containers"]
            if not any("subPath" in mount for mount in container["volumeMounts"]):
                running.config = self._config(pod["spec"])
            ready = [{"type": "Ready", "status": str(running.ready_at <= self._life.now)}]
            if pod["status"]["conditions"] != ready:
                self._store.update("pods", pod | {"status": pod["status"] | {"conditions": ready}}, status=True)

    def _config(self, spec: Mapping[str, Any]) -> str:
        (volume,) = spec["volumes"]
        return str(self._store.get("configmaps", volume["configMap"]["name"])["data"][CONFIG_MAP])


class Cluster:
    """One namespace of a cluster, and its controllers."""

    def __init__(self, life: World, site: Site, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._life = life
        self._site = site
        self._busy_until = life.now + BUSY_S
        self._touched = Event(life.scheduler)
        self._manifests = [dict(manifest) for manifest in manifests]
        self._store = Store()
        self._pods = Pods(life, self._store, 0 if site.name == "east" else 1)
        pods: Any = self._pods
        self._controllers = (
            self._pods,
            Operator(self._store, Behaviour(lag_s=0.2, canary_s=0.2)),
            Kroxylicious(self._store, 0.2),
            Deployments(self._store, pods),
        )
        for manifest in manifests:
            if (plural := _PLURALS.get(manifest["kind"])) is not None:
                self._store.create(plural, stored(plural, dict(manifest), _CFK))
        self.look()

    def run(self) -> None:
        """Let the controllers look, again and again, for a while after each change."""
        while True:
            if self._life.now >= self._busy_until:
                self._touched = Event(self._life.scheduler)
                self._life.scheduler.wait((self._touched,))
            self._life.scheduler.sleep(LOOK_EVERY_S)
            self.look()

    def put_back(self) -> None:
        """Somebody's tool applies the manifests as they were."""
        for manifest in self._manifests:
            if (plural := _PLURALS.get(manifest["kind"])) is not None:
                now = self._store.get(plural, manifest["metadata"]["name"])
                self._store.update(plural, now | {"spec": stored(plural, dict(manifest), _CFK)["spec"]})
        self._touch()

    def _touch(self) -> None:
        self._busy_until = self._life.now + BUSY_S
        self._touched.set()

    def look(self) -> None:
        """One round of the controllers; and where clients are led by what is there then."""
        for controller in self._controllers:
            controller.look()
        services = self._store.find("services")
        selector = services[0]["spec"]["selector"] if services else {}
        pods = [pod for pod in self._store.find("pods", selector) if _is_ready(pod)]
        fleet, before = self._site.fleet, [(each.name, each.definition) for each in self._site.fleet.instances]
        fleet.instances = [
            Instance(pod["metadata"]["name"], definition_of(self._site.name, self._route(pod)), 0.0) for pod in pods
        ]
        fleet.desired = len(pods)
        fleet.definition = fleet.instances[0].definition if pods else "none"
        if before != [(each.name, each.definition) for each in fleet.instances]:
            for notice in self._life.moved:
                notice()

    def _route(self, pod: Object) -> str:
        """Where a pod leads clients."""
        (route,) = _gateway(self._pods.running[pod["metadata"]["name"]].config)["routes"]
        return "fenced" if route.get("fence") else str(route["streamingDomain"]["name"])

    def send(self, request: httpx.Request) -> httpx.Response:
        """The API server's answer.

        Raises:
            httpx.TransportError: there is none.
        """
        door = door_of(request)
        operation = f"{request.method} {request.url.path.rpartition('/namespaces/')[2]}"
        if not self._site.up["control"]:
            self._life.scheduler.sleep(_CONNECT_S)
            raise door.unreached()
        changes = request.method != "GET" and request.url.params.get("dryRun") != "All"
        try:
            status, body = self._life.make(
                "kubernetes", operation, lambda: self._answer(request), door, changes=changes
            )
        except TooMany:
            status, body = _failure(429, "too many requests, please try again later")
        if isinstance(body, str):
            return httpx.Response(status, text=body, request=request)
        return httpx.Response(status, json=body, request=request)

    def _answer(self, request: httpx.Request) -> Answer:
        match = _PATH.fullmatch(request.url.path)
        if match is None:
            raise NotSimulated(f"{request.method} {request.url.path}")
        plural, name, proxied = match.groups()
        methods: Mapping[str, Callable[[], Answer]] = {
            "GET": lambda: self._get(plural, name, request) if proxied is None else self._ask(name, proxied),
            "PATCH": lambda: self._patch(plural, name, request),
            "DELETE": lambda: self._delete(plural, name),
        }
        try:
            return methods[request.method]()
        except NotFound:
            return _failure(404, f'{plural} "{name}" not found')
        except (PatchRefused, Invalid) as error:
            return _failure(422, str(error))
        except Conflict as error:
            return _failure(409, str(error))

    def _get(self, plural: str, name: str | None, request: httpx.Request) -> Answer:
        if name is not None:
            return 200, self._store.get(plural, name)
        selector = request.url.params.get("labelSelector", "")
        labels = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        return 200, {"items": self._store.find(plural, labels)}

    def _patch(self, plural: str, name: str, request: httpx.Request) -> Answer:
        changed = stored(plural, patched(self._store.get(plural, name), json.loads(request.content)), _CFK)
        if request.url.params.get("dryRun") == "All":
            return 200, changed
        self._life.tell(f"{plural} {name} is patched")
        self._touch()
        return 200, self._store.update(plural, changed)

    def _delete(self, plural: str, name: str) -> Answer:
        pod = self._store.get(plural, name)
        self._pods.terminate(name)
        self._touch()
        return 200, pod

    def _ask(self, name: str, path: str) -> Answer:
        """A pod itself, through the API server."""
        pod = self._store.get("pods", name.partition(":")[0])
        config = _gateway(self._pods.running[pod["metadata"]["name"]].config)
        if path == "config":
            return 200, {"configId": config.get("configId")}
        labels = f'virtual_cluster="{config["routes"][0]["name"]}",state="serving"'
        return 200, f"kroxylicious_virtual_cluster_state{{{labels}}} 1\n"


@functools.lru_cache(maxsize=64)
def _gateway(config: str) -> Mapping[str, Any]:
    gateway: Mapping[str, Any] = yaml.safe_load(config)["gateway"]
    return gateway


def _is_ready(pod: Object) -> bool:
    ready = any(condition["status"] == "True" for condition in pod["status"]["conditions"])
    return ready and "deletionTimestamp" not in pod["metadata"]


def _failure(code: int, message: str) -> Answer:
    return code, {"kind": "Status", "message": message, "code": code}
