"""How soon a hot reload of a large fleet on Kubernetes is proven: from the patch to the look that finds all pods on it.

The pods are real gateway processes of the stand-in, the operator's own time (it accepts, and tries the change in a
canary) is set here and taken off; no client holds up the drain. What is left is the controller's, and the pods'.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import yaml

from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import ROOT, ChildFailed, spawn
from gateway.cfk import controller_rules, gateway_resource
from gateway.settings import Settings

from failover.fleets.cfk import CfkGateway  # isort: skip
from failover.plan.model import parse  # isort: skip
from failover.plan.fleets import CfkFleet  # isort: skip

INSTANCES: Final = 12
ROUNDS: Final = 6
ACCEPTED_AFTER_S: Final = 0.3
CANARY_S: Final = 0.3
UP_S: Final = 90.0
PROVEN_S: Final = 30.0
POLL_S: Final = 0.05


def measure() -> list[Result]:
    """Seconds from the patch to the proof, and milliseconds of one look, medians of the rounds.

    Raises:
        NotMeasured: if the fleet does not come up, or a reload is not proven in time.
    """
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "bench")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "bench")
    document = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text())
    document["sites"]["west"]["fleets"] = [fixture_plan.cfk_fleet("west", "127.0.0.1:9100")]
    with tempfile.TemporaryDirectory() as logs:
        try:
            cluster = spawn("drill.kubernetes.cluster", _config(document, Path(logs)), log=Path(logs) / "cluster.log")
        except ChildFailed as error:
            raise NotMeasured(str(error)) from error
        try:
            document["sites"]["west"]["fleets"][0]["eks"] |= {
                key: cluster.ready[key] for key in ("endpoint", "certificate_authority")
            }
            _await_pods(cluster.ready["control"])
            rounds = [_round(CfkGateway(_fleet(document), "us-west-2"), to) for to in ("west", "east") * (ROUNDS // 2)]
        finally:
            cluster.stop()
    beyond = statistics.median(proven - ACCEPTED_AFTER_S - CANARY_S for proven, _ in rounds)
    look = statistics.median(milliseconds for _, milliseconds in rounds)
    return [
        Result(name=f"fleets.reload_of_{INSTANCES}.proven", value=beyond, unit="s", limit=3),
        Result(name=f"fleets.look_at_{INSTANCES}", value=look, unit="ms", limit=1000),
    ]


def _round(gateway: CfkGateway, target: str) -> tuple[float, float]:
    began = time.perf_counter()
    gateway.route(target)
    while True:
        looked = time.perf_counter()
        state = gateway.look()
        milliseconds = 1000 * (time.perf_counter() - looked)
        if state.routed_to(target) and state.settled and len(state.instances) == INSTANCES:
            return time.perf_counter() - began, milliseconds
        if time.perf_counter() > began + PROVEN_S:
            raise NotMeasured(f"not proven in {PROVEN_S:.0f} s: {state.detail}")
        time.sleep(POLL_S)


def _fleet(document: dict[str, Any]) -> CfkFleet:
    (fleet,) = parse(yaml.safe_dump(document)).site("west").fleets
    if not isinstance(fleet, CfkFleet):
        raise NotMeasured(f"the fleet is of kind {fleet.kind}")
    return fleet


def _config(document: dict[str, Any], logs: Path) -> dict[str, Any]:
    fleet = _fleet(document)
    manifest = gateway_resource(
        parse(yaml.safe_dump(document)), "east", fleet=fleet, settings=Settings(hot_reload=True), replicas=INSTANCES
    )
    return {
        "name": fleet.eks.name,
        "log_dir": str(logs / "pods"),
        "manifests": [manifest],
        "access": {os.environ["AWS_ACCESS_KEY_ID"]: os.environ["AWS_SECRET_ACCESS_KEY"]},
        "rules": controller_rules(fleet),
        "lag_s": ACCEPTED_AFTER_S,
        "canary_s": CANARY_S,
    }


def _await_pods(control: str) -> None:
    deadline = time.monotonic() + UP_S
    ready = {"type": "Ready", "status": "True"}
    while True:
        pods = plain.get(f"{control}/objects").json()["pods"]
        if sum(ready in pod["status"]["conditions"] for pod in pods) == INSTANCES:
            return
        if time.monotonic() > deadline:
            raise NotMeasured(f"{INSTANCES} gateways did not come up in {UP_S:.0f} s")
        time.sleep(0.1)
