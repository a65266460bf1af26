"""Pods that really run: each is a gateway process, with the mounted configuration as a file of its own.

What the kubelet does: start the process, make the pod Ready some time after it has started (its probe asks `/livez`,
so a dead upstream does not matter), renew the mounted ConfigMap in place, end the process of a deleted pod.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from drill.kubernetes.store import NotFound, Object, Store, timestamp
from drill.ports import LOOPBACK
from drill.process import Child, ChildFailed, spawn

LOG = logging.getLogger(__name__)
MODULE: Final = "drill.gateway.instance"
GRACE_S: Final = 30
ADMIN_PORT: Final = 9190
CONFIG_PORT: Final = 9180
CONFIG_MAP: Final = "gateway.yaml"
ZONE: Final = "topology.kubernetes.io/zone"
_VERSION: Final = re.compile(r":(\d+\.\d+\.\d+)")


@dataclass(kw_only=True)
class Running:
    """A pod's process, once it is up, and its mounted file."""

    pod: str
    file: Path
    mounted: str
    starting: Future[Child] | None
    child: Child | None = None
    up_at: float = 0.0
    ends_at: float | None = None

    @property
    def ports(self) -> tuple[int, ...]:
        """The bootstrap's port, then one a broker slot, of every route."""
        if self.child is None:
            return ()
        ready = self.child.ready
        return tuple(port for name, first in ready["routes"].items() for port in (first, *ready["brokers"][name]))


@dataclass(kw_only=True)
class Timing:
    """How long things take, in seconds. A real gateway is Ready 30 to 40 s after its start."""

    ready_after: float = 0.3
    mount_lag: float = 0.1
    termination: float = 0.1
    drain: float = 10.0


class Pods:
    """The pods of a cluster, spread over its zones. Not safe to use from several threads; `stuck`: pods whose mount is
    never renewed; `lost_zones`: what runs in them is ended, and nothing is started there."""

    def __init__(self, store: Store, directory: Path, licence: str, timing: Timing, zones: Sequence[str] = ()) -> None:
        self._store = store
        self._directory = directory
        self._licence = licence
        self.timing = timing
        self._running: dict[str, Running] = {}
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="pod")
        self._zones = zones
        self.stuck: set[str] = set()
        self.lost_zones: set[str] = set()

    def close(self) -> None:
        """End every process."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for running in self._running.values():
            self._finish_start(running)
            if running.child is not None:
                running.child.kill()

    def start(self, owner: Object, labels: dict[str, str], template: dict[str, Any]) -> None:
        """Make a pod of a ReplicaSet's template."""
        name = f"{owner['metadata']['name']}-{next(self._numbers):05d}"
        spec = dict(template["spec"])
        zone = {ZONE: self._emptiest_zone()} if self._zones else {}
        self._store.create(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "labels": labels | zone,
                    "ownerReferences": [{"kind": "ReplicaSet", "name": owner["metadata"]["name"], "controller": True}],
                },
                "spec": spec,
                "status": {"phase": "Pending", "conditions": [_ready(False)]},
            },
        )
        file = self._directory / name / CONFIG_MAP
        file.parent.mkdir(parents=True, exist_ok=True)
        text = self._config_of(spec)
        file.write_text(text)
        self._running[name] = Running(
            pod=name, file=file, mounted=text, starting=self._pool.submit(self._spawn, name, file, spec)
        )

    def terminate(self, name: str) -> None:
        """Delete a pod: it is out of its Services at once, and its process ends a little later."""
        with self._store.lock:
            pod = self._store.get("pods", name)
            if "deletionTimestamp" in pod["metadata"]:
                return
            pod["metadata"]["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=GRACE_S))
            pod["metadata"]["deletionGracePeriodSeconds"] = GRACE_S
            self._store.update("pods", pod)
        if (running := self._running.get(name)) is not None:
            running.ends_at = time.monotonic() + self.timing.termination

    def look(self) -> None:
        """Take over what has started, ended or become due."""
        now = time.monotonic()
        for running in list(self._running.values()):
            self._finish_start(running)
            if running.child is not None and self._zone_of(running.pod) in self.lost_zones:
                running.child.kill()
            gone = running.starting is None and (running.child is None or not running.child.alive)
            if gone or (running.ends_at is not None and now >= running.ends_at and running.starting is None):
                if running.child is not None:
                    running.child.kill()
                del self._running[running.pod]
                self._store.delete("pods", running.pod)
                continue
            self._renew(running)
            if running.child is not None and now >= running.up_at + self.timing.ready_after:
                self._tell(running, ready=True)

    def _zone_of(self, pod: str) -> str | None:
        labels: dict[str, str] = self._store.get("pods", pod)["metadata"]["labels"]
        return labels.get(ZONE)

    def _emptiest_zone(self) -> str:
        used_zones = [self._zone_of(pod) for pod in self._running]
        return min((zone for zone in self._zones if zone not in self.lost_zones), key=used_zones.count)

    def address(self, name: str, port: int) -> str | None:
        """Where a pod's own HTTP port really is; None where nobody listens."""
        running = self._running.get(name)
        if running is None or running.child is None or port not in (ADMIN_PORT, CONFIG_PORT):
            return None
        return f"http://{LOOPBACK}:{running.child.ready['admin_port']}"

    def targets(self, names: set[str]) -> list[tuple[int, ...]]:
        """The ports of these pods, as a load balancer's targets."""
        return sorted(running.ports for name, running in self._running.items() if name in names and running.ports)

    def process(self, name: str) -> Child | None:
        """A pod's process."""
        running = self._running.get(name)
        return running.child if running else None

    def _spawn(self, name: str, file: Path, spec: dict[str, Any]) -> Child:
        (container,) = spec["containers"]
        environment = {variable["name"]: self._value(variable) for variable in container.get("env", [])}
        version = _VERSION.search(container["image"])
        config: dict[str, Any] = {
            "hot_reload": environment.get("GATEWAY_HOT_RELOAD") == "true",
            "drain_timeout_s": self.timing.drain,
            **({"version": version[1]} if version else {}),
        }
        environment |= {"GATEWAY_CONFIG_FILE": str(file)}
        return spawn(MODULE, config, log=self._directory / name / "log", env=environment)

    def _value(self, variable: dict[str, Any]) -> str:
        """A variable's value; every Secret that one may name holds the cluster's licence."""
        return self._licence if "valueFrom" in variable else str(variable.get("value", ""))

    def _config_of(self, spec: dict[str, Any]) -> str:
        (volume,) = spec["volumes"]
        try:
            return str(self._store.get("configmaps", volume["configMap"]["name"])["data"][CONFIG_MAP])
        except NotFound:
            return ""

    def _renew(self, running: Running) -> None:
        """Replace the mounted file as a whole; one mounted by subPath is never renewed."""
        pod = self._store.get("pods", running.pod)
        (container,) = pod["spec"]["containers"]
        if any("subPath" in mount for mount in container.get("volumeMounts", [])) or running.pod in self.stuck:
            return
        text = self._config_of(pod["spec"])
        if text == running.mounted or running.child is None:
            return
        running.mounted = text
        fresh = running.file.with_suffix(f".{hashlib.sha256(text.encode()).hexdigest()[:8]}")
        fresh.write_text(text)
        fresh.replace(running.file)

    def _finish_start(self, running: Running) -> None:
        if running.starting is None or not running.starting.done():
            return
        if not running.starting.cancelled():
            try:
                running.child = running.starting.result()
                running.up_at = time.monotonic()
                self._tell(running, ready=False)
            except ChildFailed:
                LOG.exception("pod %s did not start", running.pod)
        running.starting = None

    def _tell(self, running: Running, *, ready: bool) -> None:
        with self._store.lock:
            pod = self._store.get("pods", running.pod)
            (container,) = pod["spec"]["containers"]
            container_ports = [port["containerPort"] for port in container["ports"]]
            published = [
                {"containerPort": inside, "hostPort": outside}
                for inside, outside in zip(container_ports, running.ports, strict=False)
            ]
            if container["ports"] != published:
                container["ports"] = published
                pod = self._store.update("pods", pod)
            pod["status"] = {
                "phase": "Running",
                "podIP": LOOPBACK,
                "hostIP": LOOPBACK,
                "conditions": [_ready(ready)],
                "containerStatuses": [{"name": container["name"], "imageID": _image_id(container["image"])}],
            }
            self._store.update("pods", pod, status=True)


def _image_id(image: str) -> str:
    """As a runtime tells it: the repository, and a digest of what was pulled."""
    return f"{image.partition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _ready(ready: bool) -> dict[str, str]:
    return {"type": "Ready", "status": str(ready)}


def is_ready(pod: Object) -> bool:
    """Whether a pod is Ready and not on its way out."""
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
    return ready and "deletionTimestamp" not in pod["metadata"]
