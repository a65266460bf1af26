"""Reversal of 10,000 mirrors by the handler itself, against two Confluent stand-ins with 50 ms a call that know each
other. The handler runs in a process of its own with Lambda's search path, called as the state machine calls it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Final

from bench.handlers import aws, client, deploy_plan, run, stand_in
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.fixture_plan import HOME, LINK, PLAN, STANDBY
from drill.network.plain_http import plain

MIRRORS: Final = 10_000
LATENCY_S: Final = 0.05
STOP_DELAY_S: Final = 2.0
EXECUTION: Final = f"{PLAN}-1-switchover"

_DRIVE: Final = """
from failover.execution.inventory import listed, save_inventory
from failover.execution.step import ledger
from failover.ledger.execution import Execution
from failover.link.factory import links_at
from failover.plan.store import plan_named

execution = Execution.model_validate(event["execution"])
(link,) = links_at(plan_named(execution.plan), execution.to_site)
save_inventory(ledger(), execution, listed(link.name, link.mirrors()))
started = time.perf_counter()
while True:
    report = app.handler(dict(event), Context())
    if report["status"] == "done" or time.perf_counter() - started > 300:
        break
    time.sleep(report["retry_after"])
print("\\n" + json.dumps({"status": report["status"], "seconds": time.perf_counter() - started}))
"""


def measure() -> list[Result]:
    """Seconds, requests and memory of a reversal.

    Raises:
        NotMeasured: if the mirrors have not all changed sides in the end.
    """
    with ExitStack() as stack:
        endpoint = stack.enter_context(aws())
        many = {"count": MIRRORS, "partitions": 2, "lag": 0}
        slow: dict[str, Any] = {"stop_delay_s": STOP_DELAY_S, "latency_s": LATENCY_S}
        west = stack.enter_context(stand_in(STANDBY, rest_only_mirrors=many, **slow))
        east = stack.enter_context(stand_in(HOME, **slow))
        rest = {HOME: east, STANDBY: west}
        for site, other in ((HOME, STANDBY), (STANDBY, HOME)):
            peers = {f"lkc-{other}01": rest[other].ready["control"]}
            plain.put(f"{rest[site].ready['control']}/peers", json=peers).raise_for_status()
        deploy_plan(endpoint, rest)
        _claim(endpoint)
        figures, peak_mb = run(endpoint, "reverse_mirrors", _DRIVE, {"execution": _execution()})
        counts = plain.get(f"{west.ready['control']}/requests").json()
        states = set(plain.get(f"{west.ready['control']}/link", timeout=30).json()["mirrors"].values())
        if figures["status"] != "done" or states != {"STOPPED"}:
            raise NotMeasured(f"the reversal of {LINK} ended {figures['status']}, mirrors are {sorted(states)}")
    requests = sum(int(count["count"]) for count in counts.values())
    return [
        Result(name="reversal.seconds", value=figures["seconds"], unit="s", limit=20),
        Result(name="reversal.requests", value=requests, unit="requests", limit=200),
        Result(name="reversal.peak_memory", value=peak_mb, unit="MB", limit=256),
    ]


def _execution() -> dict[str, Any]:
    return {
        "plan": PLAN,
        "epoch": 1,
        "name": EXECUTION,
        "kind": "switchover",
        "from": HOME,
        "to": STANDBY,
        "claimed_at": time.time(),
    }


def _claim(endpoint: str) -> None:
    """The lease, as `claim` leaves it."""
    state = {"active": HOME, "holder": EXECUTION, "pk": f"plan#{fixture_plan.PLAN}", "sk": "state"}
    item = {name: {"S": value} for name, value in state.items()} | {"epoch": {"N": "1"}}
    client(endpoint, "dynamodb").put_item(TableName="ledger", Item=item)
