"""Which configurations a gateway starts with, and what it says of the others."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill.gateway.config import BadGatewayConfig, from_environment, parse
from drill.gateway.route import route_of
from drill.gateway.secrets import Credentials, SwapCounts
from drill.process import ROOT


@pytest.fixture
def document(config: Any) -> dict[str, Any]:
    return dict(config("127.0.0.1:9092", "kafka:9092"))


def test_file_goes_before_text_before_template(document: dict[str, Any], tmp_path: Path) -> None:
    def named(name: str) -> str:
        changed = copy.deepcopy(document)
        changed["gateway"]["name"] = name
        return yaml.safe_dump(changed)

    (tmp_path / "file").write_text(named("file"))
    (tmp_path / "template").write_text(named("template"))
    environment = {
        "GATEWAY_CONFIG_FILE": str(tmp_path / "file"),
        "GATEWAY_CONFIG": named("text"),
        "GATEWAY_CONFIG_TEMPLATE": str(tmp_path / "template"),
    }
    names = []
    for variable in list(environment):
        names.append(from_environment(environment).name)
        del environment[variable]
    assert names == ["file", "text", "template"]
    with pytest.raises(BadGatewayConfig, match="GATEWAY_CONFIG_FILE, GATEWAY_CONFIG or GATEWAY_CONFIG_TEMPLATE"):
        from_environment({})


def test_ports_are_compacted_in_the_order_of_node_ids(document: dict[str, Any]) -> None:
    ranges = [{"name": "late", "start": 100, "end": 101}, {"name": "early", "start": 7, "end": 7}]
    document["gateway"]["streamingDomains"][0]["kafkaCluster"]["nodeIdRanges"] = ranges
    gateway = parse(yaml.safe_dump(document))
    route = route_of(gateway, gateway.routes[0])
    told = {node: route.advertise(node) for node in (7, 100, 101)}
    assert told == {7: ("127.0.0.1", 9093), 100: ("127.0.0.1", 9094), 101: ("127.0.0.1", 9095)}
    assert route.ports == (None, 7, 100, 101)


def test_nodes_0_to_2_without_ranges(document: dict[str, Any]) -> None:
    del document["gateway"]["streamingDomains"][0]["kafkaCluster"]["nodeIdRanges"]
    gateway = parse(yaml.safe_dump(document))
    assert route_of(gateway, gateway.routes[0]).ports == (None, 0, 1, 2)


def test_every_documented_key_is_known(document: dict[str, Any]) -> None:
    gateway = document["gateway"]
    store = {"type": "PEM", "location": "/s", "password": {"file": "/p"}}
    server = gateway["streamingDomains"][0]["kafkaCluster"]["bootstrapServers"][0]
    server |= {
        "endpoint": "SASL_SSL://kafka:9092",
        "ssl": {"ignoreTrust": False, "truststore": store, "keystore": store},
    }
    sasl = {
        "mechanism": "PLAIN",
        "callbackHandlerClass": "a.B",
        "jaasConfig": {"file": "/f"},
        "connectionsMaxReauthMs": 1,
    }
    gateway["routes"][0]["security"] = {
        "auth": "swap",
        "ssl": {"keystore": {**store, "password": {"value": "v"}}},
        "swapConfig": {
            "clientAuth": {"sasl": sasl},
            "secretStore": "east",
            "clusterAuth": {"sasl": {"mechanism": "OAUTHBEARER", "oauth": {"tokenEndpointUri": "https://t"}}},
        },
    }
    gateway["secretStores"] = [{"name": "east", "provider": {"type": "AWS", "config": {"region": "us-east-1"}}}]
    gateway["admin"] = {
        "bindAddress": "0.0.0.0",
        "port": 9190,
        "endpoints": {"metrics": True},
        "jvmMetrics": ["JvmGcMetrics"],
        "commonTags": {"a": "b"},
    }
    parsed = parse(yaml.safe_dump(document))
    with pytest.raises(BadGatewayConfig, match="clientAuth: can't read its JAAS file"):
        Credentials(parsed, parsed.routes[0], SwapCounts())


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    place: Any = document["gateway"]
    for name in parents:
        place = place[int(name)] if name.isdecimal() else place[name]
    place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("routes.0.endpoint", "gw", "one host:port"),
        ("routes.0.endpoint", "gw:70000", "one host:port"),
        ("routes.0.endpoint", "gw:65533", "beyond 65535"),
        ("routes.0.endpoints", ["gw:9092"], "routes.0.endpoints: there is no such field"),
        ("routes.0.security.auth", "identitySwapping", "'passthrough' or 'swap'"),
        ("routes.0.security.client", {}, "routes.0.security.client: there is no such field"),
        ("routes.0.brokerIdentificationStrategy", {"type": "host", "pattern": "gw:9092"}, "nodeId"),
        ("routes.0.streamingDomain", {"name": "west", "bootstrapServerId": "east-kafka"}, "west/east-kafka"),
        ("routes.0.streamingDomain", {"name": "east", "bootstrapServerId": "tls"}, "east/tls"),
        ("routes.0.fence", {"scope": "ALL", "errorCode": "NONE"}, "BROKER_NOT_AVAILABLE"),
        ("streamingDomains.0.kafkaCluster.bootstrapServers.0.endpoint", "a:1,b:2", "one host:port"),
        ("streamingDomains.0.kafkaCluster.nodeIdRanges.0.end", 0, "ends before it starts"),
        ("streamingDomains.0.type", "mqtt", "kafka"),
        ("routes", [], "at least 1"),
    ],
)
def test_a_wrong_field_is_named(document: dict[str, Any], path: str, value: Any, said: str) -> None:
    _set(document, path, value)
    with pytest.raises(BadGatewayConfig) as error:
        parse(yaml.safe_dump(document))
    assert said in str(error.value)


def test_two_routes_of_one_name_are_refused(document: dict[str, Any]) -> None:
    document["gateway"]["routes"] *= 2
    with pytest.raises(BadGatewayConfig, match="more than one route is called orders"):
        parse(yaml.safe_dump(document))


@pytest.mark.parametrize("text", ["", "gateway: [", "- a", "route: {}"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(BadGatewayConfig):
        parse(text)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "set GATEWAY_CONFIG_FILE"),
        ({"GATEWAY_CONFIG": "gateway: {}"}, "streamingDomains"),
        ({"GATEWAY_CONFIG_FILE": "/does/not/exist"}, "can't read /does/not/exist"),
    ],
)
def test_the_container_ends_with_status_1_and_says_why(environment: dict[str, str], said: str) -> None:
    command = [sys.executable, "-m", "drill.gateway.instance", "{}"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    gateway = subprocess.Popen(
        command, cwd=ROOT, env=inherited | environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert gateway.wait(30) == 1
    assert gateway.stderr is not None and said in gateway.stderr.read()


def test_a_gateway_starts_without_what_takes_long_to_import() -> None:
    """A fleet is switched when its new gateways are there, and this is most of what that takes."""
    heavy = {"boto3", "hypothesis", "kio", "pydantic"}
    program = f"import sys, drill.gateway.instance; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
