"""A client hostname held by each kind of provider, answered by a real DNS server, and led elsewhere by `flip_dns`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import yaml

from drill import orders
from drill.process import spawn

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
EAST, WEST = orders.dns_target("east"), orders.dns_target("west")


@dataclass
class Held:
    """How a test's name is held. `dns`: the plan's part; `server`: what the DNS server is told beside where AWS is."""

    dns: dict[str, Any]
    server: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def zone(aws: Callable[..., Any]) -> str:
    """An empty zone."""
    zone = aws("route53").create_hosted_zone(Name=orders.ZONE, CallerReference="tests")["HostedZone"]["Id"]
    return str(zone.rsplit("/", 1)[-1])


@pytest.fixture
def checkers(aws_endpoint: str) -> Iterator[str]:
    """Route 53's checkers, twenty times as fast; where they tell what they found."""
    from drill.aws.health_checks import HealthChecks

    checks = HealthChecks(orders.ACCOUNT, lambda _: None, lambda: time.monotonic() * 20)
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            checks.look()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(checks.statuses()).encode())

        def log_message(self, *_: object) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threads = [threading.Thread(target=server.serve_forever, daemon=True), threading.Thread(target=look, daemon=True)]
    for thread in threads:
        thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    over.set()
    server.shutdown()
    server.server_close()
    for thread in threads:
        thread.join()


@pytest.fixture
def name_server(aws_endpoint: str, zone: str, held: Held, checkers: str, tmp_path: Path) -> Iterator[str]:
    """Where the DNS server answers; it is authoritative for what `held` set up."""
    config = {"aws_endpoint": aws_endpoint, "zone_id": zone, "health_url": checkers} | held.server
    server = spawn("drill.network.dns_server", config, log=tmp_path / "dns.log")
    yield f"127.0.0.1:{server.ready['port']}"
    server.stop()


@pytest.fixture
def plan_text(held: Held, name_server: str, zone: str) -> str:
    addresses = {
        site: orders.SiteAddresses(f"lkc-{site}", "127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9")
        for site in ("east", "west")
    }
    document = orders.plan_document(
        addresses, client_bootstrap="127.0.0.1:9092", nameserver=name_server, zone_id=zone, policy={}
    )
    nameservers = {} if held.dns["kind"] == "none" else {"nameservers": [name_server]}
    return str(yaml.safe_dump(document | {"dns": held.dns | nameservers}))


@pytest.fixture
def execution(deployed: Any, call: Call) -> dict[str, Any]:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


@pytest.fixture
def client_name(deployed: Any) -> Callable[[], Any]:
    """The plan's name, as the step has it."""

    def of_plan() -> Any:
        from failover.dns import client_name_of
        from failover.plans import plan_named

        plan = plan_named("orders")
        return client_name_of(plan)

    return of_plan


def answered(name_server: str, kind: str = "CNAME") -> list[str]:
    """What a resolver would be told now."""
    host, _, port = name_server.partition(":")
    answer = dns.query.udp(dns.message.make_query(orders.HOSTNAME, kind), host, port=int(port), timeout=2.0)
    return sorted(str(each).rstrip(".") for records in answer.answer for each in records)


def until_done(call: Call, request: dict[str, Any], limit_s: float = 20.0) -> dict[str, Any]:
    """Call `flip_dns` as the state machine does."""
    deadline = time.monotonic() + limit_s
    while (report := call("flip_dns", request))["status"] != "done":
        assert time.monotonic() < deadline, report
        time.sleep(0.1)
    return report
