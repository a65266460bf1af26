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
from drill.gateway.unserved import refuse_unserved
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


def swapping(document: dict[str, Any], client_auth: dict[str, Any]) -> dict[str, Any]:
    """The document with a route that swaps what clients log in with."""
    login = {"mechanism": "PLAIN", "callbackHandlerClass": "a.B", "jaasConfig": {"file": "/f"}}
    document["gateway"]["secretStores"] = [{"name": "vault", "provider": {"type": "Vault", "config": {}}}]
    swap = {"clientAuth": client_auth, "secretStore": "vault", "clusterAuth": {"sasl": login}}
    document["gateway"]["routes"][0]["security"] = {"auth": "swap", "swapConfig": swap}
    return document


def test_what_the_vendors_examples_leave_out_has_the_vendors_defaults(document: dict[str, Any]) -> None:
    gateway = document["gateway"]
    del gateway["name"], gateway["streamingDomains"][0]["type"], gateway["streamingDomains"][0]["kafkaCluster"]["name"]
    gateway["advanced"] = {"useIoUring": True}
    gateway["streamingDomains"][0]["kafkaCluster"]["bootstrapServers"][0]["ssl"] = {"truststore": None}
    parsed = parse(yaml.safe_dump(document))
    (domain,) = parsed.streaming_domains
    assert (domain.type, domain.kafka_cluster.name, parsed.advanced.use_io_uring) == ("kafka", domain.name, True)
    assert domain.kafka_cluster.bootstrap_servers[0].ssl is not None
    refuse_unserved(parsed)


@pytest.mark.parametrize("given", ["Vault", "vault", "AWS", "Aws", "Azure", "File", "CyberArk"])
def test_a_secret_provider_is_known_in_any_case(document: dict[str, Any], given: str) -> None:
    document["gateway"]["secretStores"] = [{"name": "s", "provider": {"type": given, "config": {}}}]
    assert parse(yaml.safe_dump(document)).secret_stores[0].provider.type == given.upper()


def test_a_secret_provider_that_nobody_has_is_refused(document: dict[str, Any]) -> None:
    document["gateway"]["secretStores"] = [{"name": "s", "provider": {"type": "Floppy", "config": {}}}]
    with pytest.raises(BadGatewayConfig, match="VAULT, AWS, AZURE, FILE, CYBERARK, not 'Floppy'"):
        parse(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("client_auth", "said"),
    [
        ({"ssl": {"principalMappingRules": "RULE:^CN=(.*?)$/$1/"}}, "clientAuth by certificate of route"),
        ({"mtls": {"ssl": {"principalMappingRules": []}}}, "clientAuth by certificate of route"),
        (
            {"sasl": {"mechanism": "SCRAM", "scram": {"alterScramCredentials": True, "admin": {"username": "a"}}}},
            "clientAuth.sasl.scram of route",
        ),
    ],
)
def test_what_the_vendors_examples_have_is_read_and_refused_by_name_where_it_is_not_served(
    document: dict[str, Any], client_auth: dict[str, Any], said: str
) -> None:
    parsed = parse(yaml.safe_dump(swapping(document, client_auth)))
    with pytest.raises(BadGatewayConfig, match=said):
        refuse_unserved(parsed)


def test_a_limit_of_sessions_is_read_on_either_level(document: dict[str, Any], tmp_path: Path) -> None:
    for name in ("users", "template"):
        (tmp_path / name).write_text('KafkaServer { user_a="%s" "%s"; };')
    sasl = {"mechanism": "PLAIN", "jaasConfig": {"file": str(tmp_path / "users")}}
    swapping(document, {"sasl": sasl, "connectionsMaxReAuthMs": 7000})
    document["gateway"]["secretStores"][0]["provider"]["type"] = "aws"
    swap = document["gateway"]["routes"][0]["security"]["swapConfig"]
    swap["clusterAuth"]["sasl"]["jaasConfig"]["file"] = str(tmp_path / "template")
    parsed = parse(yaml.safe_dump(document))
    assert Credentials(parsed, parsed.routes[0], SwapCounts()).max_session_ms == 7000


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schemaValidation", {"schemaRegistryUrls": ["http://sr:8081"]}, "schemaValidation"),
        (
            "routes.0.security",
            {"auth": "passthrough", "passthroughConfig": {"sasl": {"extensionHeaders": {"logicalCluster": "lkc-1"}}}},
            "passthroughConfig of route",
        ),
    ],
)
def test_a_part_that_this_stand_in_does_not_do_is_refused_by_its_name(
    document: dict[str, Any], path: str, value: Any, said: str
) -> None:
    _set(document, path, value)
    parsed = parse(yaml.safe_dump(document))
    with pytest.raises(BadGatewayConfig, match=said):
        refuse_unserved(parsed)


@pytest.mark.parametrize(("scope", "fenced"), [("ALL", True), ("all", True), ("NONE", False), ("none", False)])
def test_a_fence_is_shut_by_its_scope(document: dict[str, Any], scope: str, fenced: bool) -> None:
    document["gateway"]["routes"][0]["fence"] = {"scope": scope, "errorMessage": "gone west"}
    assert parse(yaml.safe_dump(document)).routes[0].fenced is fenced


@pytest.mark.parametrize(
    ("fence", "said"),
    [({}, "scope: is missing"), ({"scope": "SOME"}, "'ALL'"), ({"scope": "ALL", "errorMessage": "m" * 257}, "256")],
)
def test_a_fence_that_the_vendor_does_not_take_is_refused(
    document: dict[str, Any], fence: dict[str, Any], said: str
) -> None:
    document["gateway"]["routes"][0]["fence"] = fence
    with pytest.raises(BadGatewayConfig, match=said):
        parse(yaml.safe_dump(document))


def test_a_gateways_own_id_is_filled_in_and_missed_where_it_is_not_given(document: dict[str, Any]) -> None:
    document["gateway"]["routes"][0]["endpoint"] = "gw-$(gatewayNodeId).example.com:9092"
    text = yaml.safe_dump(document)
    parsed = from_environment({"GATEWAY_CONFIG": text, "GATEWAY_NODE_ID": "2"})
    assert parsed.routes[0].endpoint == "gw-2.example.com:9092"
    with pytest.raises(BadGatewayConfig, match="set GATEWAY_NODE_ID"):
        from_environment({"GATEWAY_CONFIG": text})


def test_a_template_of_go_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml.template"
    path.write_text('gateway: {name: "{{ getEnv "NAME" "" }}"}')
    with pytest.raises(BadGatewayConfig, match="is a Go template"):
        from_environment({"GATEWAY_CONFIG_TEMPLATE": str(path)})
