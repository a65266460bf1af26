"""What the DNS step adds to what a provider takes: from the call to the look that finds the name and every answer led
elsewhere, less the time from the provider's own answer to its write until its name server answers so.

The step is called as soon as it has reported; Step Functions waits a second between two calls, which comes on top.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import boto3
import dns.exception
import dns.message
import dns.query
import yaml

from bench.handlers import aws
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.client_name import hold_name
from drill.dns_providers.scenarios import DnsProvider, cloud_dns, routing_controls, traffic_manager
from drill.dns_providers.server import no_faults, served
from drill.dns_providers.web_identity import operations as web_identity_operations
from drill.fixture_plan import HOME, HOSTNAME, STANDBY, ZONE, dns_target
from drill.process import ROOT, spawn

from failover.aws.clients import client  # isort: skip
from failover.dns import ClientName, client_name_of  # isort: skip
from failover.plan.model import parse  # isort: skip

ROUNDS: Final = 6
LIMIT_MS: Final = 500
PROVEN_S: Final = 30.0
CALLED_AGAIN_S: Final = 0.02
WATCHED_S: Final = 0.005


def measure() -> list[Result]:
    """Milliseconds that the step adds, and that the provider takes, medians of the rounds, for each kind.

    Raises:
        NotMeasured: if a flip is not proven in time.
    """
    return [result for kind in _KINDS for result in _of_kind(kind)]


def _of_kind(kind: str) -> Iterator[Result]:
    with ExitStack() as stack:
        endpoint = stack.enter_context(aws())
        identity = stack.enter_context(served(web_identity_operations(), no_faults()))
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_STS": identity,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": fixture_plan.REGIONS[STANDBY],
        }
        stack.enter_context(patch.dict(os.environ, environment))
        client.cache_clear()
        provider = stack.enter_context(_KINDS[kind](endpoint))
        name, server = stack.enter_context(_answering(provider, endpoint))
        rounds = [_round(kind, name, server, to) for to in (STANDBY, HOME) * (ROUNDS // 2)]
    added, propagation = zip(*rounds, strict=True)
    yield Result(name=f"names.{kind}.step", value=1000 * statistics.median(added), unit="ms", limit=LIMIT_MS)
    yield Result(name=f"names.{kind}.provider", value=1000 * statistics.median(propagation), unit="ms", limit=None)


@contextmanager
def _answering(provider: DnsProvider, endpoint: str) -> Iterator[tuple[ClientName, str]]:
    """The name, and where its name server answers."""
    with tempfile.TemporaryDirectory() as logs:
        config = {"aws_endpoint": endpoint, "zone_id": "", **provider.server}
        if "hosted_zone_id" in provider.dns:
            config["zone_id"] = provider.dns["hosted_zone_id"]
        child = spawn("drill.network.dns_server", config, log=Path(logs) / "dns.log")
        try:
            server = f"127.0.0.1:{child.ready['port']}"
            document = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text())
            document["dns"] = provider.dns | {"nameservers": [server]}
            for site in (HOME, STANDBY):
                document["sites"][site]["dns_target"] = dns_target(site)
            name = client_name_of(parse(yaml.safe_dump(document)))
            if name is None:
                raise NotMeasured(f"a plan of kind {provider.dns['kind']} has no name")
            yield name, server
        finally:
            child.stop()


def _round(kind: str, name: ClientName, server: str, to: str) -> tuple[float, float]:
    """Seconds that the step added, and that the provider took."""
    answered: list[float] = []
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, dns_target(to), answered, over))
    started = time.monotonic()
    change = name.point_to(to)
    written = time.monotonic()
    watcher.start()
    try:
        while not ((state := name.look(change)).leads_to(dns_target(to)) and state.in_sync):
            if time.monotonic() - started > PROVEN_S:
                raise NotMeasured(f"{kind}: not proven within {PROVEN_S:.0f} s: {state}")
            time.sleep(CALLED_AGAIN_S)
        proven = time.monotonic()
        watcher.join(PROVEN_S)
    finally:
        over.set()
    propagation_s = max(0.0, answered[0] - written)
    return proven - started - propagation_s, propagation_s


def _watch(server: str, target: str, answered: list[float], over: threading.Event) -> None:
    host, _, port = server.partition(":")
    while not over.wait(WATCHED_S):
        name = HOSTNAME
        try:
            while True:
                question = dns.message.make_query(name, "CNAME")
                answer = dns.query.udp(question, host, port=int(port), timeout=1.0)
                targets = [str(record).rstrip(".") for rrset in answer.answer for record in rrset]
                if len(targets) != 1:
                    break
                (name,) = targets
        except dns.exception.Timeout:
            continue
        if name == target:
            answered.append(time.monotonic())
            return


@contextmanager
def _route53(kind: Any, endpoint: str) -> Iterator[DnsProvider]:
    def of_world(service: str, region: str = fixture_plan.REGIONS[STANDBY]) -> Any:
        return boto3.client(service, region_name=region, endpoint_url=endpoint)  # type: ignore[call-overload]

    zone = of_world("route53").create_hosted_zone(Name=ZONE, CallerReference=kind)["HostedZone"]["Id"].split("/")[-1]
    yield DnsProvider(dns=hold_name(kind, of_world, zone, endpoint), server={"health_url": f"{endpoint}/none"})


_KINDS: Final[dict[str, Callable[[str], Any]]] = {
    "route53-record": lambda endpoint: _route53("route53-record", endpoint),
    "arc-routing-control": lambda _: routing_controls(),
    "cloud-dns": lambda _: cloud_dns(),
    "traffic-manager": lambda _: traffic_manager(),
}
"""Without `route53-health-check`: there the checkers are the provider, and they are the drill's; a scenario tells."""
