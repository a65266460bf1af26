"""A bad minute: 1,000 signals for 100 plans, out of order, some of them twice, judged by the handler itself against a
ledger in moto. Every source's last word is in the ledger, and no plan is started twice, or the numbers are none.

One container takes them all, one after the other; on AWS they would be several. The ledger is a server on this machine:
its own time is in every judgement.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from bench.handlers import aws, client, run
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.deployment import plan_item

PLANS: Final = 100
SEED: Final = 7
P99_MS: Final = 50
MINUTE_S: Final = 60
NOWHERE: Final = "127.0.0.1:9"
EVENTS: Final = Path(__file__).resolve().parent.parent / "events"
VANTAGE_POINTS: Final = (fixture_plan.REGIONS[fixture_plan.STANDBY], fixture_plan.THIRD_REGION)
_ALARM: Final = "alarm of "
"""Stands for the plan's own name in an alarm's."""
SIGHTINGS_AGO_S: Final = (6.0, 3.0, 0.0)

_DRIVE: Final = """
from datetime import datetime, timezone

milliseconds, begun = [], time.perf_counter()
for line in open(event["signals"]):
    ago, heard = json.loads(line)
    at = time.time() - ago
    if "observations" in heard["detail"]:
        heard["detail"]["observations"][0]["view"]["at"] = at
    else:
        written = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        heard["detail"]["state"] |= {"timestamp": written, "reasonData": json.dumps({"startDate": written})}
    started = time.perf_counter()
    app.handler(heard, Context())
    milliseconds.append(1000 * (time.perf_counter() - started))
print("\\n" + json.dumps({"milliseconds": milliseconds, "seconds": time.perf_counter() - begun}))
"""


def measure() -> list[Result]:
    """Milliseconds a judgement, and seconds for all of them.

    Raises:
        NotMeasured: if a source's last word is not in the ledger, or a plan was started twice.
    """
    names = [f"orders-{number:02}" for number in range(PLANS)]
    signals = [signal for name in names for signal in _signals(name)]
    random.Random(SEED).shuffle(signals)
    with aws() as endpoint, tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for name in names:
            document = yaml.safe_dump(_plan(name))
            client(endpoint, "dynamodb").put_item(TableName="ledger", Item=plan_item(name, document))
        machine = client(endpoint, "stepfunctions").create_state_machine(
            name="failover",
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn=f"arn:aws:iam::{fixture_plan.ACCOUNT}:role/states",
        )["stateMachineArn"]
        file.writelines(json.dumps(signal) + "\n" for signal in signals)
        file.flush()
        figures, _ = run(endpoint, "judge", _DRIVE, {"signals": file.name}, STATE_MACHINE_ARN=machine)
        started = _check(endpoint, machine, names)
    took = figures["milliseconds"]
    return [
        Result(name="signals.judged", value=len(took), unit="signals", limit=1000, at_least=True),
        Result(name="signals.all", value=figures["seconds"], unit="s", limit=MINUTE_S),
        Result(name="signals.judge_median", value=statistics.median(took), unit="ms", limit=None),
        Result(name="signals.judge_p99", value=statistics.quantiles(took, n=100)[98], unit="ms", limit=P99_MS),
        Result(name="signals.plans_started", value=started, unit="plans", limit=None),
        Result(name="signals.judge_first", value=took[0], unit="ms", limit=None),
    ]


def _plan(name: str) -> dict[str, Any]:
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}01", bootstrap=NOWHERE, rest=f"http://{NOWHERE}", balancer=NOWHERE
        )
        for site in fixture_plan.REGIONS
    }
    document = fixture_plan.plan_document(
        addresses, client_bootstrap=NOWHERE, nameserver=NOWHERE, zone_id="Z1", policy={"hold_seconds": 3}
    )
    for site, fields in document["sites"].items():
        fields["alarms"] = [_alarm_name(name, site, service) for service in ("kafka", "gateway")]
    return document | {"name": name, "hostname": f"kafka.{name}.example.com"}


def _signals(name: str) -> list[tuple[float, dict[str, Any]]]:
    """Ten of a plan, with how long ago each was: two alarms, one of them told twice, one of the other site; three
    sights from each of two vantage points."""
    plan_signals = [(5.0, _alarm(name, fixture_plan.HOME, service)) for service in ("kafka", "gateway", "kafka")]
    plan_signals.append((5.0, _alarm(name, fixture_plan.STANDBY, "kafka", "OK")))
    return plan_signals + [(ago, _sighting(name, vantage)) for vantage in VANTAGE_POINTS for ago in SIGHTINGS_AGO_S]


def _alarm_name(name: str, site: str, service: str) -> str:
    return f"failover-{name}-{site}-{service}"


def _alarm(name: str, site: str, service: str, value: str = "ALARM") -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / "alarm-metric.json").read_text())
    event["detail"]["alarmName"] = _alarm_name(name, site, service)
    event["detail"]["state"]["value"] = value
    return event


def _sighting(name: str, vantage: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / "sighting.json").read_text())
    (observation,) = event["detail"]["observations"]
    observation["plan"] = name
    observation["view"]["vantage"] = vantage
    return event


def _check(endpoint: str, machine: str, names: list[str]) -> int:
    """How many plans were started: those whose last words came in an order that had stood for long enough.

    Raises:
        NotMeasured: if a source's last word is missing, or a plan was started twice.
    """
    expected = {
        *((fixture_plan.HOME, _ALARM + service) for service in ("kafka", "gateway")),
        (fixture_plan.STANDBY, _ALARM + "kafka"),
        *((site, f"probe/{vantage}") for site in fixture_plan.REGIONS for vantage in VANTAGE_POINTS),
    }
    pages = client(endpoint, "dynamodb").get_paginator("scan").paginate(TableName="ledger")
    items = [item for page in pages for item in page["Items"] if item["sk"]["S"].startswith("signal#")]
    signals_by_plan: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
    for item in items:
        name = item["pk"]["S"].rpartition("#")[2]
        site, source = item["site"]["S"], item["source"]["S"]
        signals_by_plan[name].add(
            (site, _ALARM + source.rpartition("-")[2] if source.startswith("failover-") else source)
        )
    if missing := {name: expected - heard for name, heard in signals_by_plan.items() if expected - heard}:
        raise NotMeasured(f"signals are not in the ledger: {missing}")
    pages = client(endpoint, "stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    started = Counter(run["name"] for page in pages for run in page["executions"])
    if started - Counter(f"{name}-1-failover" for name in names):
        raise NotMeasured(f"more than one execution a plan: {started}")
    return len(started)
