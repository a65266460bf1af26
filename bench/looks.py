"""One look at many plans on one core: all well, and half of the sites silent. Each plan has two sites, and each site a
cluster behind TLS and SASL, a gateway behind TLS and a REST API, which another process serves.

The first look of a container makes every connection; those after it keep some.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from bench.handlers import aws, client, run
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.deployment import plan_item
from drill.network.certificate import certificate
from drill.process import spawn

LOOKS: Final = 6
_DRIVE: Final = """
import os
import threading
from functools import partial
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
from failover.detection.network import Network
from failover.detection.probes import view
from failover.plan.store import deployed_plans

plans, network = deployed_plans(), Network()
seconds, cpu, missed, descriptors, threads = [], [], [], 0, 0
async def look_at(plan):
    await network.turn()
    return await view(network, plan, event["within"])
async def look():
    return await network.together({name: (partial(look_at, plan), None) for name, plan in plans.items()})
for _ in range(event["looks"]):
    began, used = time.perf_counter(), time.process_time()
    views = network.run(look())
    seconds.append(time.perf_counter() - began)
    cpu.append(time.process_time() - used)
    missed.append(sum(
        probe.healthy is not (plans[name].sites[probe.site].kafka.cluster_id not in event["silent"])
        for name, current in views.items() for probe in current.probes
    ))
    descriptors = max(descriptors, len(os.listdir("/proc/self/fd")))
    threads = max(threads, threading.active_count())
figures = {"seconds": seconds, "cpu": cpu, "missed": missed, "descriptors": descriptors, "threads": threads}
print("\\n" + json.dumps(figures))
"""
WITHIN_S: Final = 1.5
"""Of a look, as watch_site confirms an outage."""
LIMITS_S: Final = {40: 1.0, 100: 1.5}


def measure() -> list[Result]:
    """Seconds of a look, the first and those after it, and what 100 plans take of a container.

    Raises:
        NotMeasured: if a look misses a site that is well, or sees one that is silent.
    """
    results: list[Result] = []
    for plans, limit in LIMITS_S.items():
        figures = _looks(plans)
        results += [
            Result(name=f"looks.{plans}_plans_first", value=figures["seconds"][0], unit="s", limit=None),
            Result(name=f"looks.{plans}_plans", value=statistics.median(figures["seconds"][1:]), unit="s", limit=limit),
            Result(name=f"looks.{plans}_plans_cpu", value=statistics.median(figures["cpu"][1:]), unit="s", limit=None),
        ]
    results += [
        Result(name="looks.descriptors", value=figures["descriptors"], unit="descriptors", limit=750),
        Result(name="looks.threads", value=figures["threads"], unit="threads", limit=8),
    ]
    half = _looks(max(LIMITS_S), every_second_silent=True)
    return [*results, Result(name="looks.half_silent", value=max(half["seconds"]), unit="s", limit=1.6)]


def _looks(plans: int, every_second_silent: bool = False) -> dict[str, Any]:
    names = [f"orders-{number:03}" for number in range(plans)]
    silent = {
        f"lkc-{name}-{site}": every_second_silent and number % 2 == place
        for number, name in enumerate(names)
        for place, site in enumerate(fixture_plan.API_KEYS)
    }
    api_key, api_secret = fixture_plan.API_KEYS[fixture_plan.HOME]
    with aws() as endpoint, tempfile.TemporaryDirectory() as folder:
        authority, chain, key = certificate(Path(folder))
        (Path(folder) / "authority.pem").write_bytes(authority)
        config = {"chain": str(chain), "key": str(key), "api_key": api_key, "api_secret": api_secret}
        described = {cluster: {"silent": is_silent} for cluster, is_silent in silent.items()}
        sites = spawn("drill.neighbours.sites", config | {"sites": described}, log=Path(folder) / "sites.log")
        try:
            for name in names:
                document = yaml.safe_dump(_plan(name, sites.ready["sites"]))
                client(endpoint, "dynamodb").put_item(TableName="ledger", Item=plan_item(name, document))
            event = {"looks": LOOKS, "within": WITHIN_S, "silent": [site for site in silent if silent[site]]}
            trusted = str(Path(folder) / "authority.pem")
            figures, _ = run(endpoint, "watch_site", _DRIVE, event, SSL_CERT_FILE=trusted)
        finally:
            sites.stop()
    if any(figures["missed"]):
        raise NotMeasured(f"in looks at {plans} plans so many probes were wrong: {figures['missed']}")
    return figures


def _plan(name: str, sites: dict[str, dict[str, str]]) -> dict[str, Any]:
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{name}-{site}",
            bootstrap=sites[f"lkc-{name}-{site}"]["kafka"],
            rest=f"https://{sites[f'lkc-{name}-{site}']['rest']}",
            balancer=sites[f"lkc-{name}-{site}"]["gateway"],
        )
        for site in fixture_plan.API_KEYS
    }
    document = fixture_plan.plan_document(
        addresses, client_bootstrap="127.0.0.1:9", nameserver="127.0.0.1:9", zone_id="Z1", policy={}
    )
    document["name"], document["clients"]["security_protocol"] = name, "SASL_SSL"
    for site in document["sites"].values():
        site["kafka"] |= {"security_protocol": "SASL_SSL", "credentials": f"failover/orders/{fixture_plan.HOME}"}
        site["alarms"] = []
    return document
