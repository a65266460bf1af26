"""Promotion of 10,000 mirrors by the handler itself, against the Confluent stand-in with 50 ms a call; beside it the
same job topic by topic, as Terraform or a shell loop does it.

The handler runs in a process of its own with Lambda's search path, called as the state machine calls it; the ledger is
a moto server. Topic by topic: one POST a topic, ten at a time (as Terraform does), then a GET every second until it
is STOPPED. That is done with fewer topics, and told for as many.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import httpx
import psutil
import yaml
from moto.server import ThreadedMotoServer

from bench.imports import LAYER, ROOT, install_dependencies
from bench.result import NotMeasured, Result
from drill import orders
from drill.process import Child, spawn

MIRRORS: Final = 10_000
ONE_BY_ONE: Final = 500
SIDE_BY_SIDE: Final = 10
LATENCY_S: Final = 0.05
STOP_DELAY_S: Final = 2.0
REGION: Final = orders.REGIONS[orders.STANDBY]
KEY, SECRET = orders.API_KEYS[orders.STANDBY]

_DRIVE: Final = """
import json, sys, time
import app

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "bench", 1769, "bench"
    invoked_function_arn = "arn:aws:lambda:us-west-2:123456789012:function:bench"
    def get_remaining_time_in_millis(self):
        return 20000

event, payload, calls = json.loads(sys.argv[1]), 0, 0
started = time.perf_counter()
while True:
    report, calls = app.handler(dict(event), Context()), calls + 1
    payload = max(payload, len(json.dumps(report)))
    if report["status"] == "done" or time.perf_counter() - started > 300:
        break
    time.sleep(report["retry_after"])
seconds = time.perf_counter() - started
told = {"status": report["status"], "seconds": seconds, "calls": calls, "payload": payload}
print("\\n" + json.dumps(told))
"""


@dataclass(frozen=True)
class Promotion:
    """One promotion. `payload`: bytes of the largest state; `requests`: to the REST API."""

    seconds: float
    calls: int
    payload: int
    peak_mb: float
    requests: int


def measure() -> list[Result]:
    """Seconds, requests, memory and state of a promotion, the same with one call in ten failing, and one by one.

    Raises:
        NotMeasured: if the mirrors are not all STOPPED in the end.
    """
    with _aws() as endpoint:
        well = _promotion(endpoint, 1)
        ill = _promotion(endpoint, 2, failing=True)
    each = _one_by_one()
    return [
        Result("promotion.seconds", well.seconds, "s", 15),
        Result("promotion.requests", well.requests, "requests", 150),
        Result("promotion.peak_memory", well.peak_mb, "MB", 256),
        Result("promotion.state", well.payload / 1024, "KiB", 64),
        Result("promotion.one_in_ten_failing.seconds", ill.seconds, "s", None),
        Result("promotion.one_in_ten_failing.requests", ill.requests / well.requests, "times", 3),
        Result("promotion.one_by_one.seconds", each, f"s for {ONE_BY_ONE}", None),
        Result("promotion.ratio", each / ONE_BY_ONE * MIRRORS / well.seconds, "times", None),
    ]


def _promotion(endpoint: str, epoch: int, *, failing: bool = False) -> Promotion:
    with _stand_in(MIRRORS) as rest:
        environment = _deploy(endpoint, rest, epoch)
        if failing:
            _fail_one_in_ten(rest)
        event = {"execution": _execution(epoch)}
        _claim(endpoint, epoch)
        command = [sys.executable, "-S", "-c", _DRIVE, json.dumps(event)]
        folder = ROOT / "functions" / "promote_mirrors"
        said, peak_mb = _run(command, folder, environment)
        told: dict[str, Any] = json.loads(said.splitlines()[-1])
        control = rest.ready["control"]
        counts = httpx.get(f"{control}/requests").json()
        httpx.delete(f"{control}/faults")
        states = set(httpx.get(f"{control}/link", timeout=30).json()["mirrors"].values())
        if told["status"] != "done" or states != {"STOPPED"}:
            raise NotMeasured(f"the promotion ended {told['status']}, mirrors are {sorted(states)}")
        requests = sum(int(each["count"]) for each in counts.values())
        return Promotion(told["seconds"], told["calls"], told["payload"], peak_mb, requests)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[str, float]:
    """What the process said, and its peak memory in MB, looked at every 10 ms. What the system keeps as a peak of its
    own is no use here: a child begins with that of its parent."""
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, process.memory_info().rss)
            time.sleep(0.01)
        out.seek(0)
        said = out.read()
    if process.returncode != 0:
        raise NotMeasured(f"promote_mirrors failed: {said.strip()[-500:]}")
    return said, peak / 1e6


def _fail_one_in_ten(rest: Child) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": "html429"},
        {"kind": "status", "status": 503},
        {"kind": "timeout_after_apply", "seconds": 1.0},
    ]
    for number, fault in enumerate(faults):
        armed = fault | {"times": None, "probability": 0.1 / len(faults), "seed": number}
        httpx.post(f"{rest.ready['control']}/faults", json=armed).raise_for_status()


def _one_by_one() -> float:
    """Seconds for `ONE_BY_ONE` topics, each asked for and then looked at every second until it is STOPPED."""
    with _stand_in(ONE_BY_ONE) as rest:
        base = f"{rest.ready['url']}/kafka/v3/clusters/lkc-west01/links/{orders.LINK}"
        client = httpx.Client(auth=(KEY, SECRET), timeout=30)

        def promote(topic: str) -> None:
            body = {"mirror_topic_names": [topic]}
            client.post(f"{base}/mirrors:failover", json=body).raise_for_status()
            while client.get(f"{base}/mirrors/{topic}").json()["mirror_status"] != "STOPPED":
                time.sleep(1.0)

        names = [f"bulk-{number:05d}" for number in range(ONE_BY_ONE)]
        started = time.perf_counter()
        with client, ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            list(pool.map(promote, names))
        return time.perf_counter() - started


@contextmanager
def _stand_in(mirrors: int) -> Iterator[Child]:
    config = {
        "site": orders.STANDBY,
        "cluster_id": "lkc-west01",
        "api_key": KEY,
        "api_secret": SECRET,
        "link": {"name": orders.LINK, "remote_cluster_id": "lkc-east01"},
        "rest_only_mirrors": {"count": mirrors, "partitions": 2, "lag": 50},
        "stop_delay_s": STOP_DELAY_S,
        "latency_s": LATENCY_S,
    }
    with tempfile.TemporaryDirectory() as folder:
        child = spawn("drill.confluent.cluster_rest", config, log=Path(folder) / "rest.log")
        try:
            yield child
        finally:
            child.stop()


@contextmanager
def _aws() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    _client(endpoint, "dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    secret = json.dumps({"key": KEY, "secret": SECRET})
    _client(endpoint, "secretsmanager").create_secret(
        Name=f"failover/{orders.PLAN}/{orders.STANDBY}", SecretString=secret
    )
    yield endpoint
    server.stop()


def _client(endpoint: str, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id="bench", aws_secret_access_key="bench"
    )


def _deploy(endpoint: str, rest: Child, epoch: int) -> dict[str, str]:
    """The plan, and the environment that a function has."""
    addresses = {
        site: orders.SiteAddresses(f"lkc-{site}01", "127.0.0.1:9", rest.ready["url"], "127.0.0.1:9")
        for site in (orders.HOME, orders.STANDBY)
    }
    plan = orders.plan_document(
        addresses, client_bootstrap="127.0.0.1:9", nameserver="127.0.0.1:9", zone_id="Z1", policy={}
    )
    _client(endpoint, "ssm").put_parameter(
        Name=f"/failover/plans/{orders.PLAN}", Value=yaml.safe_dump(plan), Type="String", Overwrite=True
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    folder = ROOT / "functions" / "promote_mirrors"
    return inherited | {
        "PYTHONPATH": os.pathsep.join(map(str, (folder, LAYER, install_dependencies()))),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "LEDGER_TABLE": "ledger",
        "PLANS_PATH": "/failover/plans",
        "POWERTOOLS_METRICS_NAMESPACE": "Failover",
    }


def _execution(epoch: int) -> dict[str, Any]:
    return {
        "plan": orders.PLAN,
        "epoch": epoch,
        "name": f"{orders.PLAN}-{epoch}-failover",
        "kind": "failover",
        "from": orders.HOME,
        "to": orders.STANDBY,
        "claimed_at": time.time(),
    }


def _claim(endpoint: str, epoch: int) -> None:
    """The lease, as `claim` leaves it."""
    _client(endpoint, "dynamodb").put_item(
        TableName="ledger",
        Item={
            "pk": {"S": f"plan#{orders.PLAN}"},
            "sk": {"S": "state"},
            "active": {"S": orders.HOME},
            "epoch": {"N": str(epoch)},
            "holder": {"S": f"{orders.PLAN}-{epoch}-failover"},
        },
    )
