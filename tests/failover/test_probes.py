"""Looking around over real sockets: what a vantage point says of the sites, and when it does not trust its own eyes."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.network.certificate import certificate
from failover.detection.evidence import View
from failover.detection.network import Network
from failover.detection.observation import Publisher
from failover.detection.probes import probe_sites
from failover.errors import KafkaUnauthorized
from failover.plan.model import Plan, parse

NOBODY = "127.0.0.1:9"


@pytest.fixture
def mute() -> Iterator[Callable[[], str]]:
    """Opens a port that takes connections and never says a word; its address."""
    with ExitStack() as stack:

        def listen() -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield listen


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Opens a port that ends TLS handshakes, if `wants_ours` only those of clients with a certificate; its address."""
    _, chain, key = certificate(tmp_path, "localhost")
    with ExitStack() as stack:

        def listen(wants_ours: bool = False) -> str:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(chain, key)
            if wants_ours:
                context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with suppress(OSError):
                    while True:
                        with suppress(ssl.SSLError):
                            context.wrap_socket(listener.accept()[0], server_side=True).close()

            threading.Thread(target=serve, daemon=True).start()
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield listen


def plan(east: str = NOBODY, west: str = NOBODY, anchors: tuple[str, ...] = (), clients: str = "PLAINTEXT") -> Plan:
    """The drill's plan, everything of a site at one address, without credentials."""
    sites = {
        site: fixture_plan.SiteAddresses(cluster_id=site, bootstrap=at, rest=f"http://{at}", balancer=at)
        for site, at in (("east", east), ("west", west))
    }
    document = fixture_plan.plan_document(
        sites, client_bootstrap=NOBODY, nameserver=NOBODY, zone_id="Z1", policy={}, anchors=anchors
    )
    document["clients"]["security_protocol"] = clients
    for site in document["sites"].values():
        del site["kafka"]["credentials"]
    return parse(yaml.safe_dump(document))


def connectable(bootstrap: str, tls: bool = False) -> str | None:
    """Why no address takes a connection, or None."""
    with closing(Network()) as network:
        return network.run(network.connectable(bootstrap, time.monotonic() + 2.0, tls=tls))


def sent(seen: View, regions: list[str]) -> dict[str, str]:
    """Why an observation is not known to be on a region's bus, after a call that put it there."""

    async def publish() -> None:
        publisher.publish("orders", seen)

    with closing(Network()) as network:
        publisher = Publisher(network, regions)
        network.run(publish())
        return publisher.missing("orders")


def test_a_site_that_takes_connections_and_answers_nothing_does_not_answer(mute: Callable[[], str]) -> None:
    started = time.monotonic()
    view = probe_sites(plan(east=mute(), west=mute()), within=1.0)
    assert time.monotonic() - started < 3
    seen = {(probe.site, probe.service): probe.healthy for probe in view.probes}
    assert seen == {(s, v): v == "gateway" for s in ("east", "west") for v in ("kafka", "gateway", "rest")}
    assert [signal.says_lost for signal in view.signals()] == [True, True]
    assert "no answer within 1 s" in view.signals()[0].why


@pytest.mark.slow
def test_a_load_balancer_that_takes_connections_for_nobody_ends_no_handshake(
    mute: Callable[[], str], secured: Callable[..., str]
) -> None:
    view = probe_sites(plan(east=mute(), west=secured(), clients="SASL_SSL"), within=3.0)
    seen = {probe.site: probe.healthy for probe in view.probes if probe.service == "gateway"}
    assert seen == {"east": False, "west": True}


def test_a_gateway_that_wants_our_certificate_is_there(secured: Callable[..., str]) -> None:
    assert connectable(secured(wants_ours=True), tls=True) is None


def test_who_sees_neither_site_is_ill_and_says_nothing() -> None:
    view = probe_sites(plan())
    assert view.isolated_because == "isolated: it sees neither site"
    assert not any(signal.says_lost for signal in view.signals())


@pytest.mark.slow
@pytest.mark.parametrize(("reached", "missed", "isolated"), [(3, 0, False), (2, 1, False), (1, 1, True), (0, 1, True)])
def test_who_does_not_reach_most_of_the_anchors_is_cut_off_itself(
    mute: Callable[[], str], reached: int, missed: int, isolated: bool
) -> None:
    anchors = tuple(mute() for _ in range(reached)) + (NOBODY,) * missed
    view = probe_sites(plan(west=mute(), anchors=anchors), within=3.0)
    assert ("cut off itself" in (view.isolated_because or "")) is isolated
    assert view.signals()[0].says_lost is not isolated


def test_refused_credentials_are_no_loss_of_a_site(mute: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> str:
        raise KafkaUnauthorized("the key was rotated")

    monkeypatch.setattr("failover.detection.network.Network.cluster_id", refuse)
    view = probe_sites(plan(east=mute(), west=mute()), within=1.0)
    assert [probe.healthy for probe in view.probes if probe.service == "kafka"] == [None, None]
    assert not any(signal.says_lost for signal in view.signals())


def test_a_cluster_that_is_not_the_plans_is_no_loss_of_a_site(
    mute: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(*_: object) -> str:
        return "lkc-another"

    monkeypatch.setattr("failover.detection.network.Network.cluster_id", answer)
    view = probe_sites(plan(east=mute(), west=mute()), within=1.0)
    kafka = next(probe for probe in view.probes if probe.service == "kafka")
    assert (kafka.healthy, "lkc-another answers, not east" in kafka.why) == (None, True)


def test_the_name_of_the_vantage_point_is_its_own_or_its_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.delenv("VANTAGE", raising=False)
    assert probe_sites(plan()).vantage == "us-west-2"
    monkeypatch.setenv("VANTAGE", "office")
    assert probe_sites(plan()).vantage == "office"


def test_a_sighting_is_on_the_bus_of_every_region_and_a_region_that_is_mute_holds_nothing_up(
    aws: Any, mute: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = {}
    for region in ("us-east-2", "us-west-2"):
        queue = aws("sqs", region).create_queue(QueueName="heard")["QueueUrl"]
        arn = f"arn:aws:sqs:{region}:123456789012:heard"
        aws("events", region).put_rule(Name="heard", EventPattern=json.dumps({"source": ["kafka.failover"]}))
        aws("events", region).put_targets(Rule="heard", Targets=[{"Id": "queue", "Arn": arn}])
        queues[region] = queue
    view = probe_sites(plan())
    with monkeypatch.context() as patient:
        patient.setattr("failover.detection.network.BESIDE_S", 20.0)
        assert sent(view, list(queues)) == {}
    for region, queue in queues.items():
        (message,) = aws("sqs", region).receive_message(QueueUrl=queue)["Messages"]
        heard = json.loads(message["Body"])
        assert (heard["detail-type"], heard["detail"]["version"]) == ("Site Sighting", 2)
        (observation,) = heard["detail"]["observations"]
        assert observation["view"]["isolated_because"] == view.isolated_because
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{mute()}")
    started = time.monotonic()
    assert set(sent(view, ["eu-west-1"])) == {"eu-west-1"}
    assert time.monotonic() - started < 3


def test_an_endpoint_that_is_an_ipv6_address_is_reached() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        address = f"[::1]:{listener.getsockname()[1]}"
        assert connectable(f"{NOBODY},{address}") is None
    assert "refused" in str(connectable(address))
