"""What is rendered for fleets on Kubernetes: whole, spread over zones, and with no more rights than are needed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from failover.plan.gateway_route import certifies
from failover.plan.model import Plan, parse
from gateway.kubernetes import ANNOTATIONS
from gateway.parity import differences, facts_of
from gateway.render import kubernetes_resources, render
from gateway.settings import BadSettings, Settings
from tests.gateway.schema import CfkSecurity

from failover.fleets import FleetState, Instance  # isort: skip

ORDERS = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
COMMON = {"name": "gateway-west", "eks": {"name": "eks-west"}, "namespace": "kafka", "bootstrap": "gw:9092"}
DOMAINS = {site: {"name": site, "bootstrap_server_id": f"{site}-kafka"} for site in ("east", "west")}
KINDS: dict[str, dict[str, Any]] = {
    "cfk": {"gateway": "gw", "route": "orders", "domains": DOMAINS},
    "cfk-blue-green": {
        "service": "clients",
        "gateways": {"east": "blue", "west": "green"},
        "route": "orders",
        "domains": DOMAINS,
    },
    "kroxylicious": {
        "proxy": "gw",
        "virtual_cluster": "orders",
        "services": {"east": "east", "west": "west", "fenced": "nowhere"},
    },
}


def plan_with(kind: str) -> Plan:
    document = yaml.safe_load(ORDERS.read_text())
    document["sites"]["west"]["fleets"] = [{"kind": kind, **COMMON, **copy.deepcopy(KINDS[kind])}]
    return parse(yaml.safe_dump(document))


def manifests(kind: str, **settings: Any) -> list[dict[str, Any]]:
    text = render(plan_with(kind), Settings(**settings))["gateway-west.kubernetes.yaml"]
    assert text.startswith("# No HorizontalPodAutoscaler")
    return list(yaml.safe_load_all(text))


def of_kind(kind: str, rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in rendered if each["kind"] == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_in_the_fleets_namespace_and_called_once(kind: str) -> None:
    rendered = manifests(kind)
    assert {each["metadata"]["namespace"] for each in rendered} == {"kafka"}
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered]
    assert len(set(names)) == len(names)
    assert {"PodDisruptionBudget", "Role", "RoleBinding"} <= {each["kind"] for each in rendered}


@pytest.mark.parametrize("kind", KINDS)
def test_the_controller_may_do_nothing_to_anything_else(kind: str) -> None:
    (role,) = of_kind("Role", manifests(kind))
    (binding,) = of_kind("RoleBinding", manifests(kind, kubernetes={"west": {"controller_group": "ours"}}))
    for rule in role["rules"]:
        assert "*" not in {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
        assert "resourceNames" in rule or set(rule["resources"]) <= {"pods", "pods/proxy"}
        assert not {"secrets", "configmaps", "pods/exec", "pods/log"} & set(rule["resources"])
        assert not {"create", "update", "deletecollection", "watch"} & set(rule["verbs"])
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == ["ours"]


def test_a_gateway_certifies_its_own_sites_route_and_is_spread_over_zones() -> None:
    (gateway,) = of_kind("Gateway", manifests("cfk", hot_reload=True, kubernetes={"west": {"replicas": 6}}))
    spec = gateway["spec"]
    assert spec["routes"][0]["streamingDomain"] == {"name": "west", "bootstrapServerId": "west-kafka"}
    assert certifies(spec["configId"], spec, 0) and spec["replicas"] == 6
    zones, _ = spec["podTemplate"]["topologySpreadConstraints"]
    assert (zones["topologyKey"], zones["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "DoNotSchedule")
    assert zones["labelSelector"]["matchLabels"] == {"app": "gw", "platform.confluent.io/type": "gateway"}
    assert spec["routes"][0]["security"]["client"] == {"tls": {"secretRef": "gw-tls"}}


@pytest.mark.parametrize("cloud", ANNOTATIONS)
def test_the_load_balancer_has_a_port_for_each_node_and_the_annotations_of_its_cloud(cloud: Any) -> None:
    settings: dict[str, Any] = {"node_ids": (0, 5), "kubernetes": {"west": {"cloud": cloud}}}
    (service,) = of_kind("Service", manifests("cfk", **settings))
    assert [port["port"] for port in service["spec"]["ports"]] == list(range(9092, 9099))
    assert service["metadata"]["annotations"] == dict(ANNOTATIONS[cloud])
    (ingress,) = of_kind("KafkaProxyIngress", manifests("kroxylicious", **settings))
    assert ingress["spec"]["infrastructure"]["annotations"] == dict(ANNOTATIONS[cloud])


def test_a_zonal_shift_is_asked_for_with_what_it_costs_and_of_aws_alone() -> None:
    shifts: dict[str, Any] = {"kubernetes": {"west": {"zonal_shift": True}}}
    (service,) = of_kind("Service", manifests("cfk", **shifts))
    (ingress,) = of_kind("KafkaProxyIngress", manifests("kroxylicious", **shifts))
    for of_cloud in (service["metadata"]["annotations"], ingress["spec"]["infrastructure"]["annotations"]):
        words = {name.removeprefix("service.beta.kubernetes.io/"): value for name, value in of_cloud.items()}
        assert words["aws-load-balancer-attributes"].endswith(",zonal_shift.config.enabled=true")
        assert words["aws-load-balancer-target-group-attributes"].endswith(
            ",target_health_state.unhealthy.connection_termination.enabled=false"
        )
    (plain,) = of_kind("Service", manifests("cfk"))
    assert "zonal_shift" not in str(plain)
    with pytest.raises(ValidationError, match="of AWS' load balancers"):
        Settings.model_validate({"kubernetes": {"west": {"zonal_shift": True, "cloud": "gcp"}}})


def test_two_colours_have_one_service_that_leads_to_the_sites_own() -> None:
    rendered = manifests("cfk-blue-green")
    to = {
        each["metadata"]["name"]: each["spec"]["routes"][0]["streamingDomain"]["name"]
        for each in of_kind("Gateway", rendered)
    }
    assert to == {"blue": "east", "green": "west"}
    (service,) = of_kind("Service", rendered)
    assert (service["metadata"]["name"], service["spec"]["selector"]["app"]) == ("clients", "green")


def test_a_virtual_cluster_leads_to_its_own_site_and_every_service_is_there() -> None:
    rendered = manifests("kroxylicious")
    (cluster,) = of_kind("VirtualKafkaCluster", rendered)
    assert cluster["spec"]["targetKafkaServiceRef"] == {"name": "west"}
    services = {
        each["metadata"]["name"]: each["spec"]["bootstrapServers"] for each in of_kind("KafkaService", rendered)
    }
    assert services["nowhere"] == "fenced.invalid:9092" and services.keys() == {"east", "west", "nowhere"}
    assert cluster["spec"]["proxyRef"] == {"name": of_kind("KafkaProxy", rendered)[0]["metadata"]["name"]}


STORES: dict[str, Any] = {
    site: {"name": site, "bootstrap_server_id": f"{site}-kafka", "secret_store": f"{site}-logins"} for site in DOMAINS
}
TOKENS: dict[str, Any] = {
    "token_endpoint": "https://idp.example.com/token",
    "jwks_endpoint": "https://idp.example.com/keys",
    "issuer": "https://idp.example.com",
    "audience": "kafka",
}


def swapping(kind: str, domains: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    document = yaml.safe_load(ORDERS.read_text())
    fleet = {"kind": kind, **COMMON, **copy.deepcopy(KINDS[kind]), "domains": domains}
    document["sites"]["west"]["fleets"] = [fleet]
    made = kubernetes_resources(
        plan := parse(yaml.safe_dump(document)),
        "west",
        plan.site("west").fleets[0],  # type: ignore[arg-type]
        Settings(auth="swap", hot_reload=True, **settings),
    )
    return of_kind("Gateway", made)


@pytest.mark.parametrize("oauth", [None, {name: TOKENS[name] for name in ("token_endpoint",)}, TOKENS])
def test_a_route_that_swaps_logins_has_a_store_for_each_cluster(oauth: dict[str, Any] | None) -> None:
    (gateway,) = swapping("cfk", STORES, **({"oauth": oauth} if oauth else {}))
    spec = gateway["spec"]
    assert [store["name"] for store in spec["secretStores"]] == ["east-logins", "west-logins"]
    credentials = {store["provider"]["clientCredentialsRef"] for store in spec["secretStores"]}
    assert len(credentials) == 2
    (route,) = spec["routes"]
    security = CfkSecurity.model_validate(route["security"])
    assert (security.auth, security.secret_store) == ("swap", "west-logins")
    assert security.client is not None and security.cluster is not None and security.client.authentication is not None
    kinds = security.client.authentication.type, security.cluster.authentication.type
    assert kinds == ("oauth" if oauth == TOKENS else "plain", "oauth" if oauth else "plain")
    options = [each["value"] for each in spec["podTemplate"]["envVars"] if each["name"] == "GATEWAY_OPTS"]
    assert len(options) == bool(oauth)
    assert all(url in options[0] for url in (oauth or {}).values() if url.startswith("https") and "/" in url[8:])
    assert certifies(spec["configId"], spec, 0)


def test_a_login_that_names_its_cluster_is_only_for_gateways_that_keep_theirs() -> None:
    pools = {"token_endpoint": TOKENS["token_endpoint"], "identity_pools": {"east": "pool-e", "west": "pool-w"}}
    with pytest.raises(BadSettings, match="cfk-blue-green"):
        swapping("cfk", STORES, oauth=pools)
    logins = {
        gateway["metadata"]["name"]: gateway["spec"]["routes"][0]["security"]["cluster"]["authentication"]
        for gateway in swapping("cfk-blue-green", STORES, oauth=pools)
    }
    secrets = {name: login["jaasConfigPassThrough"]["secretRef"] for name, login in logins.items()}
    assert secrets == {"blue": "cluster-login-east", "green": "cluster-login-west"}


def test_a_swap_whose_store_would_not_change_with_the_route_is_refused() -> None:
    with pytest.raises(BadSettings, match="secret_store is not in the plan"):
        swapping("cfk", DOMAINS)


def test_parity_names_each_fact_that_differs_and_nothing_that_must() -> None:
    plan = plan_with("cfk")
    (gateway,) = of_kind("Gateway", manifests("cfk", hot_reload=True))
    west = gateway["spec"]
    east = copy.deepcopy(west)
    east["routes"][0]["streamingDomain"] = {"name": "east", "bootstrapServerId": "east-kafka"}
    east["routes"][0]["security"]["client"]["tls"]["secretRef"] = "another-tls"
    east["configId"] = "fo-another"
    state = FleetState(
        target="west",
        settled=True,
        instances=(Instance(name="a", bootstrap=None, zone="1a"), Instance(name="b", bootstrap=None, zone="1b")),
        detail="",
        tier="hot reload",
    )
    assert plan.home == "east"
    assert differences(facts_of("cfk", state, east), facts_of("cfk", state, west)) == []
    east["image"]["application"] = "confluentinc/cpc-gateway:1.2.0"
    east["hotReload"] = {}
    east["streamingDomains"][0]["kafkaCluster"]["nodeIdRanges"][0]["end"] = 17
    fewer = FleetState(
        target="west", settled=True, instances=(Instance(name="a", bootstrap=None, zone="1a"),), detail="", tier="roll"
    )
    found = differences(facts_of("cfk", fewer, east), facts_of("cfk", state, west))
    assert {each.partition(":")[0] for each in found} == {
        "how a route is changed",
        "instances",
        "instances by zone",
        "image",
        "hot reload",
        "streaming domain east",
    }
