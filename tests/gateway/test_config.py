"""The rendered configuration: the image's schema, one route, the same ports for every target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import gateway  # puts the layer on the path
from failover.errors import UnknownSite
from failover.plan.fleets import EcsFleet
from failover.plan.model import Plan, load_plan
from gateway.config import CLUSTER_LOGIN_TEMPLATE, gateway_config, listening_ports, targets
from gateway.render import as_yaml, family, render
from gateway.settings import BadSettings, Settings, load_settings
from tests.gateway.schema import GatewayFile

ROOT = Path(gateway.__file__).parent.parent
ALL_SETTINGS = [
    Settings(strategy=strategy, auth=auth) for strategy in ("port", "host") for auth in ("passthrough", "swap")
]


@pytest.fixture
def plan() -> Plan:
    return load_plan(ROOT / "plans" / "orders.yaml")


def changed(plan: Plan, **changes: Any) -> Plan:
    """The plan with other values; a key is a path with `__` for its dots."""
    document = plan.model_dump()
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = document
        for parent in parents:
            part = part[parent]
        part[last] = value
    return Plan.model_validate(document)


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda s: f"{s.strategy}-{s.auth}")
def test_every_configuration_has_the_schema_of_the_image(plan: Plan, settings: Settings) -> None:
    for site in plan.sites:
        for target in targets(plan):
            GatewayFile.model_validate(yaml.safe_load(as_yaml(gateway_config(plan, site, target, settings))))


def test_the_schema_refuses_what_the_guide_does_not_name(plan: Plan) -> None:
    config = gateway_config(plan, "east", "east")
    config["gateway"]["streamingDomains"][0]["kafkaCluster"]["bootstrapServers"][0]["endpoints"] = ["a:1"]
    with pytest.raises(ValidationError, match="endpoints"):
        GatewayFile.model_validate(config)


def test_the_example_is_rendered_word_for_word(plan: Plan) -> None:
    def domain(name: str, cluster: str, region: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "kafka",
            "kafkaCluster": {
                "name": cluster,
                "bootstrapServers": [
                    {
                        "id": f"{name}-kafka",
                        "endpoint": f"pkc-{name}01.{region}.aws.confluent.cloud:9092",
                        "ssl": {"truststore": {"type": "PEM", "location": "/etc/pki/tls/certs/ca-bundle.crt"}},
                    }
                ],
                "nodeIdRanges": [{"name": "brokers", "start": 0, "end": 2}],
            },
        }

    assert gateway_config(plan, "east", "west") == {
        "gateway": {
            "name": "orders-east",
            "admin": {"bindAddress": "0.0.0.0", "port": 9190, "endpoints": {"metrics": True}},
            "streamingDomains": [
                domain("east", "lkc-east01", "us-east-2"),
                domain("west", "lkc-west01", "us-west-2"),
            ],
            "routes": [
                {
                    "name": "orders",
                    "endpoint": "kafka.orders.example.com:9092",
                    "brokerIdentificationStrategy": {"type": "port"},
                    "streamingDomain": {"name": "west", "bootstrapServerId": "west-kafka"},
                    "security": {
                        "auth": "passthrough",
                        "ssl": {"keystore": {"type": "PEM", "location": "/etc/gateway/secrets/keystore.pem"}},
                    },
                }
            ],
        }
    }


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda s: f"{s.strategy}-{s.auth}")
@pytest.mark.parametrize("site", ["east", "west"])
def test_only_the_route_differs_between_targets(plan: Plan, site: str, settings: Settings) -> None:
    routes, rest = {}, []
    for target in targets(plan):
        config = gateway_config(plan, site, target, settings)["gateway"]
        routes[target] = config.pop("routes")
        rest.append(config)
    assert rest[0] == rest[1] == rest[2]
    assert [len(each) for each in routes.values()] == [1, 1, 1]
    assert routes["east"] != routes["west"]


@pytest.mark.parametrize("settings", [*ALL_SETTINGS, Settings(node_ids=(1, 9))], ids=str)
def test_every_target_listens_on_the_same_ports(plan: Plan, settings: Settings) -> None:
    ports = {
        listening_ports(gateway_config(plan, site, target, settings)) for site in plan.sites for target in targets(plan)
    }
    assert len(ports) == 1


def test_a_port_for_the_bootstrap_then_one_a_node_id(plan: Plan) -> None:
    config = gateway_config(plan, "east", "east", Settings(node_ids=(4, 6)))
    assert listening_ports(config) == (9092, 9093, 9094, 9095)
    host = gateway_config(plan, "east", "east", Settings(strategy="host"))
    assert listening_ports(host) == (9092,)
    assert host["gateway"]["routes"][0]["brokerIdentificationStrategy"] == {
        "type": "host",
        "pattern": "broker-$(nodeId).kafka.orders.example.com:9092",
    }


def test_only_fenced_has_a_fence(plan: Plan) -> None:
    for site in plan.sites:
        for target in targets(plan):
            route = gateway_config(plan, site, target)["gateway"]["routes"][0]
            expected = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"} if target == "fenced" else None
            assert route.get("fence") == expected


def test_plaintext_sites_and_clients_have_no_tls(plan: Plan) -> None:
    plain = changed(
        plan,
        bootstrap="127.0.0.1:19092",
        clients__security_protocol="PLAINTEXT",
        sites__east__kafka__security_protocol="PLAINTEXT",
        sites__west__kafka__security_protocol="PLAINTEXT",
    )
    config = gateway_config(plain, "east", "east")
    GatewayFile.model_validate(config)
    assert "ssl" not in as_yaml(config)
    assert config["gateway"]["routes"][0]["endpoint"] == "127.0.0.1:19092"


def test_swap_takes_both_clusters_logins_from_the_fleets_own_region(plan: Plan) -> None:
    swap = Settings(auth="swap")
    for site, region in (("east", "us-east-2"), ("west", "us-west-2")):
        for target in plan.sites:
            config = gateway_config(plan, site, target, swap)["gateway"]
            stores = {store["name"]: store["provider"]["config"] for store in config["secretStores"]}
            assert {store["region"] for store in stores.values()} == {region}
            assert stores[target]["prefixPath"] == f"gateway/orders/{target}/"
            assert config["routes"][0]["security"]["swapConfig"]["secretStore"] == target
    assert CLUSTER_LOGIN_TEMPLATE.count("%s") == 2


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda s: f"{s.strategy}-{s.auth}")
def test_no_file_holds_a_secret(plan: Plan, settings: Settings) -> None:
    for name, text in render(plan, settings).items():
        for word in ("accessKey", "secretKey", "authToken", "user_", "password:", '"value"', "failover/orders"):
            assert word not in text, f"{word} in {name}"
        if name != "cluster.jaas.conf":
            assert "password" not in text.lower(), name


def test_the_names_are_those_of_the_plans_task_definitions(plan: Plan) -> None:
    for site in plan.sites.values():
        for fleet in site.fleets:
            assert isinstance(fleet, EcsFleet)
            for target, arn in fleet.task_definitions.items():
                assert arn.rpartition("/")[2].partition(":")[0] == family(fleet.name, target)


def test_an_unknown_site_or_target_is_refused(plan: Plan) -> None:
    with pytest.raises(UnknownSite, match="no site 'north'"):
        gateway_config(plan, "north", "east")
    with pytest.raises(UnknownSite, match="east, west, fenced, not to 'north'"):
        gateway_config(plan, "east", "north")


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        (
            {"bootstrap": "a:1,b:2"},
            Settings(),
            "^bootstrap of plan 'orders' is a list, a:1,b:2; the gateway",
        ),
        ({"sites__west__kafka__bootstrap": "a:1,b:2"}, Settings(), "sites.west.kafka.bootstrap"),
        ({}, Settings(node_ids=(3, 1)), r"\[first, last\]"),
        ({"bootstrap": "a:65000"}, Settings(node_ids=(0, 999)), "beyond 65535"),
        ({"clients__security_protocol": "PLAINTEXT"}, Settings(strategy="host"), "use the strategy 'port'"),
        (
            {"dns": {"kind": "none"}, "bootstrap": "[2001:db8::1]:9092"},
            Settings(strategy="host"),
            "is an address: use the strategy 'port'",
        ),
    ],
)
def test_a_plan_and_settings_that_do_not_fit_are_refused(
    plan: Plan, changes: dict[str, Any], settings: Settings, message: str
) -> None:
    with pytest.raises(BadSettings, match=message):
        gateway_config(changed(plan, **changes), "east", "east", settings)


def test_settings_for_a_site_that_is_not_there_are_refused(plan: Plan) -> None:
    with pytest.raises(UnknownSite, match="'north'"):
        render(plan, Settings(ecs={"north": {"VpcId": "vpc-1"}}))


def test_bad_settings_are_refused_by_their_fields(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("gateway: {strategy: sni, ports: 3}\n")
    with pytest.raises(BadSettings, match=r"gateway\.strategy(.|\n)*gateway\.ports"):
        load_settings(path)
    path.write_text("strategy: port\n")
    with pytest.raises(BadSettings, match="one mapping, `gateway:`"):
        load_settings(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{strategy: port, strategy: host}", "gateway.strategy is given twice"),
        ("{node_ids: [true, 2]}", "gateway.node_ids[0] must be a whole number, not true"),
        ("{node_ids: [0, 1:30]}", 'base 60: write "1:30"'),
        ("{hot_reload: yes}", "gateway.hot_reload is yes"),
        ("{hot_reload: 'true'}", "gateway.hot_reload must be true or false, not 'true': write true without quotes"),
        ("{strategie: host}", "gateway.strategie is no field here: did you mean strategy?"),
        ("{kubernetes: {east: {replicas: 0}}}", "gateway.kubernetes.east.replicas must be at least 1, not 0"),
        ("&all {strategy: port}\nother: *all", "refers to *all"),
    ],
)
def test_settings_are_read_as_strictly_as_a_plan_and_refused_in_its_words(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"gateway: {text}\n")
    with pytest.raises(BadSettings) as refused:
        load_settings(path)
    assert words in str(refused.value)
