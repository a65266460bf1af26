"""Every Gateway that is rendered is one that its definition takes, and what it would not take is refused before."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import ValidationError

from failover.errors import Refused
from failover.plan.gateway_route import certifies, config_id
from failover.plan.model import parse
from gateway.config import gateway_config
from gateway.render import kubernetes_resources
from gateway.settings import BadSettings, Oauth, Settings
from tests.gateway.gateway_crd import VENDOR_FILE, Spec, vendor_knows_config_id, vendors_refusals
from tests.gateway.schema import GatewayFile

ORDERS: Final = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
COMMON: Final = {"name": "gateway-west", "eks": {"name": "eks-west"}, "namespace": "kafka", "bootstrap": "gw:9092"}
KINDS: Final[dict[str, dict[str, Any]]] = {
    "cfk": {"gateway": "gw", "route": "orders"},
    "cfk-blue-green": {"service": "clients", "gateways": {"east": "blue", "west": "green"}, "route": "orders"},
}
CHECKS: Final = {"jwks_endpoint": "https://idp/keys", "audience": "kafka"}
EXCHANGE: Final = {"token_endpoint": "https://idp/token"}
POOLS: Final = {"identity_pools": {"east": "pool-e", "west": "pool-w"}}
LOGINS: Final[dict[str, dict[str, Any]]] = {
    "passthrough": {"auth": "passthrough"},
    "passthrough, tokens": {"auth": "passthrough", "oauth": CHECKS},
    "passthrough, tokens with a cluster": {"auth": "passthrough", "oauth": CHECKS},
    "swap": {"auth": "swap"},
    "swap, exchange": {"auth": "swap", "oauth": EXCHANGE},
    "swap, exchange and tokens": {"auth": "swap", "oauth": EXCHANGE | CHECKS | {"issuer": "https://idp"}},
    "swap, pools": {"auth": "swap", "oauth": EXCHANGE | POOLS},
}


def document_with(kind: str, logins: str = "", **fleet: Any) -> Any:
    """The example plan, with a fleet of that kind in west."""
    document, sites = yaml.safe_load(ORDERS.read_text()), ("east", "west")
    domains: dict[str, Any] = {site: {"name": site, "bootstrap_server_id": f"{site}-kafka"} for site in sites}
    for site in sites:
        if "swap" in logins:
            domains[site]["secret_store"] = f"{site}-logins"
        if "cluster" in logins:
            domains[site]["extension_headers"] = {"logicalCluster": f"lkc-{site}"}
    described = {"kind": kind, **COMMON, **copy.deepcopy(KINDS[kind]), "domains": domains, **fleet}
    document["sites"]["west"]["fleets"] = [described]
    return document


def gateways(document: Any, **settings: Any) -> list[dict[str, Any]]:
    plan = parse(yaml.safe_dump(document))
    site = next(site for site, it in plan.sites.items() if it.fleets[0].kind != "ecs")
    rendered = kubernetes_resources(plan, site, plan.site(site).fleets[0], Settings(**settings))  # type: ignore[arg-type]
    return [each for each in rendered if each["kind"] == "Gateway"]


def combinations() -> list[tuple[str, str, str, bool]]:
    every = itertools.product(KINDS, LOGINS, ("port", "host"), (False, True))
    return [each for each in every if each[:2] != ("cfk", "swap, pools")]


@pytest.mark.parametrize(("kind", "logins", "strategy", "hot_reload"), combinations())
def test_the_definition_takes_every_gateway_that_is_rendered(
    kind: str, logins: str, strategy: str, hot_reload: bool
) -> None:
    rendered = gateways(document_with(kind, logins), **LOGINS[logins], strategy=strategy, hot_reload=hot_reload)
    assert len(rendered) == (2 if kind == "cfk-blue-green" else 1)
    for gateway in rendered:
        Spec.model_validate(gateway["spec"])
        assert ("configId" in gateway["spec"]) == ("hotReload" in gateway["spec"]) == hot_reload
        assert not hot_reload or certifies(gateway["spec"]["configId"], gateway["spec"], 0)
        if VENDOR_FILE and (not hot_reload or vendor_knows_config_id()):
            assert list(vendors_refusals(gateway)) == []


@pytest.mark.skipif(VENDOR_FILE is None, reason="GATEWAY_CRD names no file of the vendor's definition")
def test_the_vendors_definition_refuses_what_it_does_not_know() -> None:
    (gateway,) = gateways(document_with("cfk"))
    gateway["spec"]["hotReload"] = True
    gateway["spec"]["routes"][0] |= {"name": "r" * 31, "fence": {}}
    assert len(list(vendors_refusals(gateway))) == 3


def test_extension_headers_name_the_cluster_that_the_route_leads_to_and_are_of_tokens_that_pass_through() -> None:
    document = document_with("cfk-blue-green", "cluster")
    leads = {
        gateway["spec"]["routes"][0]["streamingDomain"]["name"]: gateway["spec"]["routes"][0]["security"]["cluster"]
        for gateway in gateways(document, **LOGINS["passthrough, tokens"])
    }
    assert leads == {site: {"extensionHeaders": {"logicalCluster": f"lkc-{site}"}} for site in ("east", "west")}
    for login in ("passthrough", "swap", "swap, exchange"):
        with pytest.raises(BadSettings, match=r"auth passthrough and gateway.oauth with jwks_endpoint and audience"):
            gateways(document, **LOGINS[login])


def test_a_configuration_of_the_image_names_the_cluster_that_its_route_leads_to() -> None:
    plan = parse(ORDERS.read_text())
    headers = {site: {"logicalCluster": f"lkc-{site}"} for site in plan.sites}
    for target, cluster in (("east", "lkc-east"), ("west", "lkc-west"), ("fenced", "lkc-east")):
        config = gateway_config(plan, "east", target, Settings(extension_headers=headers))
        GatewayFile.model_validate(config)
        passed = config["gateway"]["routes"][0]["security"]["passthroughConfig"]
        assert passed == {"sasl": {"extensionHeaders": {"logicalCluster": cluster}}}
    with pytest.raises(BadSettings, match="each site: east, west"):
        gateway_config(plan, "east", "east", Settings(extension_headers={"east": {"logicalCluster": "lkc-1"}}))
    with pytest.raises(BadSettings, match="auth passthrough"):
        gateway_config(plan, "east", "east", Settings(auth="swap", extension_headers=headers))


def test_clients_tokens_need_an_audience() -> None:
    with pytest.raises(ValidationError, match="audience is missing"):
        Oauth(jwks_endpoint="https://idp/keys")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auth": "swap", "oauth": CHECKS}, "token_endpoint is missing"),
        ({"auth": "passthrough", "oauth": CHECKS | EXCHANGE}, "gateways that swap logins"),
        ({"auth": "passthrough", "oauth": EXCHANGE}, "gateways that swap logins"),
    ],
)
def test_an_oauth_is_described_for_what_it_is_used_for(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        gateways(document_with("cfk", options["auth"]), **options)


@pytest.mark.parametrize("region", ["us-east-2", "ap-southeast-1", "eusc-de-east-1"])
@pytest.mark.parametrize("logins", [logins for logins in LOGINS if "swap" in logins])
def test_sites_called_like_regions_have_secrets_that_can_be_named(region: str, logins: str) -> None:
    document = document_with("cfk-blue-green", logins)
    text = yaml.safe_dump(document).replace("west:", f"{region}:").replace("west-logins", f"{region}-logins")
    settings = yaml.safe_load(yaml.safe_dump(LOGINS[logins]).replace("west:", f"{region}:"))
    for gateway in gateways(yaml.safe_load(text), **settings):
        Spec.model_validate(gateway["spec"])


def test_a_secret_that_can_not_be_named_is_refused_before_anything_is_applied() -> None:
    with pytest.raises(BadSettings, match="the Secret 'a-gateway-with-quite-a-long-name-tls' can't be named"):
        gateways(document_with("cfk", gateway="a-gateway-with-quite-a-long-name"))


@pytest.mark.parametrize(
    ("kind", "fleet", "words"),
    [
        ("cfk", {"route": "r" * 31}, "30 characters at most"),
        ("cfk", {"gateway": "g" * 64}, "63 at most"),
        ("cfk", {"gateway": "gate.way"}, "letters, digits and -"),
        ("cfk-blue-green", {"gateways": {"east": "blue", "west": "g" * 64}}, "63 at most"),
    ],
)
def test_a_name_that_its_definition_does_not_take_is_no_plan(kind: str, fleet: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        parse(yaml.safe_dump(document_with(kind, **fleet)))


@pytest.mark.parametrize("proxy", ["p" * 51, "my.proxy"])
def test_a_proxys_name_that_its_operator_does_not_take_is_no_plan(proxy: str) -> None:
    document = document_with("cfk")
    services = {"east": "east", "west": "west"}
    fleet = {"kind": "kroxylicious", **COMMON, "proxy": proxy, "virtual_cluster": "orders", "services": services}
    document["sites"]["west"]["fleets"] = [fleet]
    with pytest.raises(Refused, match="50 at most"):
        parse(yaml.safe_dump(document))


@pytest.mark.parametrize(
    "nothing",
    [{"streamingDomains": None}, {"streamingDomains": [{"name": "east", "kafkaCluster": None}]}],
)
def test_a_route_that_leads_nowhere_is_certified_too(nothing: dict[str, Any]) -> None:
    """A field that is null is none: others write these resources, too."""
    spec = nothing | {"routes": [{"name": "kafka", "streamingDomain": {"name": "east", "bootstrapServerId": "kafka"}}]}
    identity = config_id(spec, 0)
    assert certifies(identity, spec, 0)
    fenced = spec | {"routes": [spec["routes"][0] | {"fence": {"scope": "ALL"}}]}
    assert not certifies(identity, fenced, 0)
