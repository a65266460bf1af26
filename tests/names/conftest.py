"""A client hostname held by each kind of provider, answered by a real DNS server, and led elsewhere by `flip_dns`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import yaml

from drill import fixture_plan
from drill.dns_providers.scenarios import DnsProvider, cloud_dns, routing_controls, traffic_manager
from drill.dns_providers.server import no_faults, served
from drill.dns_providers.web_identity import operations as web_identity_operations
from drill.process import spawn

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
SITES = ("east", "west")
EAST, WEST = fixture_plan.dns_target("east"), fixture_plan.dns_target("west")


@pytest.fixture
def zone(aws: Callable[..., Any]) -> str:
    """An empty zone."""
    zone = aws("route53").create_hosted_zone(Name=fixture_plan.ZONE, CallerReference="tests")["HostedZone"]["Id"]
    return str(zone.rsplit("/", 1)[-1])


@pytest.fixture
def web_identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """STS says to other clouds who the controller is."""
    with served(web_identity_operations(), no_faults()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield


@pytest.fixture
def on_cloud_dns(aws: Any, web_identity: None) -> Iterator[DnsProvider]:
    with cloud_dns() as held:
        yield held


@pytest.fixture
def on_traffic_manager(aws: Any, web_identity: None, request: pytest.FixtureRequest) -> Iterator[DnsProvider]:
    with traffic_manager(getattr(request, "param", "priority")) as held:
        yield held


@pytest.fixture
def on_routing_controls(aws: Any) -> Iterator[DnsProvider]:
    with routing_controls() as held:
        yield held


@pytest.fixture
def checkers(aws_endpoint: str) -> Iterator[str]:
    """Route 53's checkers, twenty times as fast; where they tell what they found."""
    from drill.aws.health_checks import HealthChecks

    checks = HealthChecks(fixture_plan.ACCOUNT, lambda _: None, lambda: time.monotonic() * 20)
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
def name_server(aws_endpoint: str, zone: str, held: DnsProvider, checkers: str, tmp_path: Path) -> Iterator[str]:
    """Where the DNS server answers; it is authoritative for what `held` set up."""
    config = {"aws_endpoint": aws_endpoint, "zone_id": zone, "health_url": checkers} | held.server
    server = spawn("drill.network.dns_server", config, log=tmp_path / "dns.log")
    where, deadline = f"127.0.0.1:{server.ready['port']}", time.monotonic() + 90
    while answered(where) == [WEST]:  # A new health check that is inverted fails until checkers have looked.
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield where
    server.stop()


@pytest.fixture
def plan_text(held: DnsProvider, name_server: str, zone: str) -> str:
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}", bootstrap="127.0.0.1:9", rest="http://127.0.0.1:9", balancer="127.0.0.1:9"
        )
        for site in SITES
    }
    document = fixture_plan.plan_document(
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
        from failover.plan.store import plan_named

        plan = plan_named("orders")
        return client_name_of(plan)

    return of_plan


@pytest.fixture
def described_too(replan: Callable[[str], None], plan_text: str) -> Callable[..., None]:
    """Deploys the plan with more said of its name; a new container reads it."""

    def deploy(**more: Any) -> None:
        plan = yaml.safe_load(plan_text)
        replan(yaml.safe_dump(plan | {"dns": plan["dns"] | more}))

    return deploy


def answered(name_server: str, kind: str = "CNAME") -> list[str]:
    """What a resolver would be told now, as far as this name server knows."""
    host, _, port = name_server.partition(":")
    name, told = fixture_plan.HOSTNAME, list[str]()
    while True:
        answer = dns.query.udp(dns.message.make_query(name, kind), host, port=int(port), timeout=2.0)
        found = sorted(str(each).rstrip(".") for records in answer.answer for each in records)
        if len(found) != 1:
            return found or told
        (name,) = told = found


def until_done(call: Call, request: dict[str, Any], limit_s: float = 90) -> dict[str, Any]:
    """Call `flip_dns` as the state machine does."""
    deadline = time.monotonic() + limit_s
    while (report := call("flip_dns", request))["status"] != "done":
        assert time.monotonic() < deadline, report
        time.sleep(0.1)
    return report
