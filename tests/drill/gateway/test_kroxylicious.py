"""What a container's configuration is for Kroxylicious, and that one runs and ends where the engine can be had. What it
does with clients is held in `test_instance.py`, beside the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from confluent_kafka import Producer

from drill import fixture_plan
from drill.engines import kroxylicious
from drill.engines.jars import EngineMissing
from drill.fixture_plan import HOME, STANDBY
from drill.fleets import NODES
from drill.gateway.config import BadGatewayConfig, parse
from drill.gateway.kroxylicious import configuration
from gateway.config import gateway_config
from gateway.render import as_yaml

from failover.plan.model import FENCED, parse as parse_plan  # isort: skip

PLAN = parse_plan(
    yaml.safe_dump(
        fixture_plan.plan_document(
            {
                site: fixture_plan.SiteAddresses(
                    cluster_id=f"lkc-{site}",
                    bootstrap=f"{site}.example.com:9092",
                    rest="https://rest",
                    balancer="gw:9092",
                )
                for site in (HOME, STANDBY)
            },
            client_bootstrap="kafka.orders.example.com:9092",
            nameserver="127.0.0.1:53",
            zone_id="Z1",
            policy={},
        )
    )
)


def rendered(target: str) -> dict[str, Any]:
    """Of a fleet's route, as the product renders it: the virtual cluster."""
    gateway = parse(as_yaml(gateway_config(PLAN, HOME, target, NODES)))
    (cluster,) = configuration(gateway, host="127.0.0.1", ports={PLAN.name: 20_000}, admin_port=1)["virtualClusters"]
    return dict(cluster)


@pytest.mark.parametrize("site", [HOME, STANDBY])
def test_a_rendered_route_leads_to_its_site_and_advertises_the_plans_endpoint(site: str) -> None:
    cluster = rendered(site)
    assert cluster["targetCluster"]["bootstrapServers"] == f"{site}.example.com:9092"
    published = cluster["clusterNetworkAddressConfigProvider"]["config"]
    assert (published["bindAddress"], published["firstPort"]) == ("127.0.0.1", 20_000)
    assert published["portIdentifiesNode"]["bootstrapAddress"] == "kafka.orders.example.com:9092"


def test_a_fenced_route_leads_nowhere() -> None:
    assert rendered(FENCED)["targetCluster"]["bootstrapServers"] == "fenced.invalid:9092"


@pytest.mark.parametrize(
    ("route", "named"),
    [
        ({"brokerIdentificationStrategy": {"type": "host", "pattern": "b-$(nodeId).x"}}, "the strategy 'host'"),
        ({"security": {"auth": "swap"}}, "the auth 'swap'"),
        ({"security": {"ssl": {}}}, "security.ssl"),
        ({"security": {"passthroughConfig": {"sasl": {}}}}, "passthroughConfig"),
    ],
)
def test_what_it_does_not_do_is_refused_by_name(config: Callable[..., Any], route: Any, named: str) -> None:
    document = config("127.0.0.1:9092", "127.0.0.1:9093")
    document["gateway"]["routes"][0] |= route
    with pytest.raises(BadGatewayConfig, match=f"does not do {named} of route 'orders'"):
        configuration(parse(yaml.safe_dump(document)), host="127.0.0.1", ports={"orders": 20_000}, admin_port=20_009)


def test_a_cluster_with_tls_is_refused(config: Callable[..., Any]) -> None:
    gateway = parse(yaml.safe_dump(config("127.0.0.1:9092", "SASL_SSL://127.0.0.1:9093")))
    with pytest.raises(BadGatewayConfig, match="TLS to the cluster of route 'orders'"):
        configuration(gateway, host="127.0.0.1", ports={"orders": 20_000}, admin_port=20_009)


@pytest.mark.exhaustive
def test_a_container_is_the_jvm_and_ends_with_who_started_it(parts: Any, config: Any) -> None:
    try:
        kroxylicious.prepare()
    except EngineMissing as error:
        pytest.skip(str(error))
    parts.container = "drill.gateway.kroxylicious"
    cluster = parts.cluster()
    gateway = parts.gateway(config("127.0.0.1:9092", cluster.ready["bootstrap"]))
    jvm = psutil.Process(gateway.pid)
    assert jvm.children() == [] and Path(jvm.cmdline()[0]).name == "java"
    bootstrap = f"127.0.0.1:{gateway.ready['routes']['orders']}"
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=60)
    assert metadata.cluster_id == cluster.ready["cluster_id"]
    assert {node: broker.port for node, broker in metadata.brokers.items()} == {1: 9093, 2: 9094, 3: 9095}
    gateway.stop(timeout_s=60)
    assert gateway.process.returncode == 0 and not jvm.is_running(), "by the end of its stdin, not killed"
