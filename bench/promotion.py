"""Promotion of 10,000 mirrors by the handler itself, against the Confluent stand-in with 50 ms a call; beside it the
same job topic by topic, as Terraform or a shell loop does it.

The handler runs in a process of its own with Lambda's search path, called as the state machine calls it; the ledger is
a moto server. Topic by topic: one POST a topic, ten at a time (as Terraform does), then a GET every second until it
is STOPPED. That is done with fewer topics, and told for as many.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bench.handlers import aws, client, deploy_plan, run, stand_in
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child

MIRRORS: Final = 10_000
ONE_BY_ONE: Final = 500
SIDE_BY_SIDE: Final = 10
LATENCY_S: Final = 0.05
STOP_DELAY_S: Final = 2.0
KEY, SECRET = fixture_plan.API_KEYS[fixture_plan.STANDBY]

_DRIVE: Final = """
payload, calls = 0, 0
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


@dataclass(frozen=True, kw_only=True)
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
    with aws() as endpoint:
        well = _promotion(endpoint, 1)
        ill = _promotion(endpoint, 2, failing=True)
    single = _one_by_one()
    return [
        Result(name="promotion.seconds", value=well.seconds, unit="s", limit=15),
        Result(name="promotion.requests", value=well.requests, unit="requests", limit=150),
        Result(name="promotion.peak_memory", value=well.peak_mb, unit="MB", limit=256),
        Result(name="promotion.state", value=well.payload / 1024, unit="KiB", limit=64),
        Result(name="promotion.one_in_ten_failing.seconds", value=ill.seconds, unit="s", limit=None),
        Result(name="promotion.one_in_ten_failing.requests", value=ill.requests / well.requests, unit="times", limit=3),
        Result(name="promotion.one_by_one.seconds", value=single, unit=f"s for {ONE_BY_ONE}", limit=None),
        Result(name="promotion.ratio", value=single / ONE_BY_ONE * MIRRORS / well.seconds, unit="times", limit=None),
    ]


def _promotion(endpoint: str, epoch: int, *, failing: bool = False) -> Promotion:
    with _stand_in(MIRRORS) as rest:
        deploy_plan(endpoint, {fixture_plan.STANDBY: rest})
        if failing:
            _fail_one_in_ten(rest)
        event = {"execution": _execution(epoch)}
        _claim(endpoint, epoch)
        figures, peak_mb = run(endpoint, "promote_mirrors", _DRIVE, event)
        control = rest.ready["control"]
        counts = plain.get(f"{control}/requests").json()
        plain.delete(f"{control}/faults")
        states = set(plain.get(f"{control}/link", timeout=30).json()["mirrors"].values())
        if figures["status"] != "done" or states != {"STOPPED"}:
            raise NotMeasured(f"the promotion ended {figures['status']}, mirrors are {sorted(states)}")
        requests = sum(int(count["count"]) for count in counts.values())
        return Promotion(
            seconds=figures["seconds"],
            calls=figures["calls"],
            payload=figures["payload"],
            peak_mb=peak_mb,
            requests=requests,
        )


def _fail_one_in_ten(rest: Child) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": "html429"},
        {"kind": "status", "status": 503},
        {"kind": "timeout_after_apply", "seconds": 1.0},
    ]
    for number, fault in enumerate(faults):
        armed = fault | {"times": None, "probability": 0.1 / len(faults), "seed": number}
        plain.post(f"{rest.ready['control']}/faults", json=armed).raise_for_status()


def _one_by_one() -> float:
    """Seconds for `ONE_BY_ONE` topics, each asked for and then looked at every second until it is STOPPED."""
    with _stand_in(ONE_BY_ONE) as rest:
        base = f"{rest.ready['url']}/kafka/v3/clusters/lkc-west01/links/{fixture_plan.LINK}"
        http = httpx.Client(auth=(KEY, SECRET), timeout=30)

        def promote(topic: str) -> None:
            body = {"mirror_topic_names": [topic]}
            http.post(f"{base}/mirrors:failover", json=body).raise_for_status()
            while http.get(f"{base}/mirrors/{topic}").json()["mirror_status"] != "STOPPED":
                time.sleep(1.0)

        names = [f"bulk-{number:05d}" for number in range(ONE_BY_ONE)]
        started = time.perf_counter()
        with http, ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            list(pool.map(promote, names))
        return time.perf_counter() - started


def _stand_in(mirrors: int) -> AbstractContextManager[Child]:
    what = {"count": mirrors, "partitions": 2, "lag": 50}
    return stand_in(fixture_plan.STANDBY, rest_only_mirrors=what, stop_delay_s=STOP_DELAY_S, latency_s=LATENCY_S)


def _execution(epoch: int) -> dict[str, Any]:
    return {
        "plan": fixture_plan.PLAN,
        "epoch": epoch,
        "name": f"{fixture_plan.PLAN}-{epoch}-failover",
        "kind": "failover",
        "from": fixture_plan.HOME,
        "to": fixture_plan.STANDBY,
        "claimed_at": time.time(),
    }


def _claim(endpoint: str, epoch: int) -> None:
    """The lease, as `claim` leaves it."""
    client(endpoint, "dynamodb").put_item(
        TableName="ledger",
        Item={
            "pk": {"S": f"plan#{fixture_plan.PLAN}"},
            "sk": {"S": "state"},
            "active": {"S": fixture_plan.HOME},
            "epoch": {"N": str(epoch)},
            "holder": {"S": f"{fixture_plan.PLAN}-{epoch}-failover"},
        },
    )
