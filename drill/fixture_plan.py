"""The drill's plan: the plan `orders`, with every endpoint on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

PLAN: Final = "orders"
HOME: Final = "east"
STANDBY: Final = "west"
REGIONS: Final = {HOME: "us-east-2", STANDBY: "us-west-2"}
NEAR: Final = "near"
"""A place near the clients, of no site, where gateways may stand."""
GATEWAY_REGIONS: Final = REGIONS | {NEAR: "eu-central-1"}
THIRD_REGION: Final = "us-east-1"
"""No site's: the other vantage point, and where Route 53's health checks have their metrics."""
ACCOUNT: Final = "123456789012"
HOSTNAME: Final = "kafka.orders.example.com"
ZONE: Final = "orders.example.com"
TOPICS: Final = ("orders", "payments", "shipments")
OTHER_TOPICS: Final = ("returns",)
"""Of the clients that run beside them, with other settings."""
PARTITIONS: Final = 4
CANARY: Final = "failover-canary"
GROUP: Final = "fulfilment"
OTHER_GROUP: Final = "returns-desk"
LINK: Final = "orders-link"
BROKERS: Final = 3
TTL_S: Final = 1
"""The product's default."""
FleetInPlan = Callable[[str, str], dict[str, Any]]
API_KEYS: Final = {HOME: ("DRILLEAST", "east-secret"), STANDBY: ("DRILLWEST", "west-secret")}


def more_topics(count: int) -> list[str]:
    """Names of topics that are mirrored and that no client uses."""
    return [f"more-{number:03}" for number in range(count)]


def health_check_alarm(site: str) -> str:
    """The name of the alarm on a site's Route 53 health check."""
    return f"kafka-{PLAN}-{site}-health-check"


def dns_target(site: str) -> str:
    """The name of the load balancer of a site, or of a place near the clients."""
    return f"gw-{site}.{ZONE}"


def task_definition(site: str, target: str) -> str:
    """The ARN of the task definition that routes a site's fleet to a target."""
    return f"arn:aws:ecs:{GATEWAY_REGIONS[site]}:{ACCOUNT}:task-definition/gateway-{site}-{_suffix(target)}:1"


def task_family(site: str, target: str) -> str:
    """The family of that task definition."""
    return f"gateway-{site}-{_suffix(target)}"


def _suffix(target: str) -> str:
    return target if target == "fenced" else f"to-{target}"


def ecs_fleet(site: str, balancer: str) -> dict[str, Any]:
    """A site's fleet on ECS."""
    return {
        "name": f"gateway-{site}",
        "kind": "ecs",
        "cluster": "gateways",
        "service": f"gateway-{site}",
        "bootstrap": balancer,
        "task_definitions": {target: task_definition(site, target) for target in (HOME, STANDBY, "fenced")},
    }


def ecs_blue_green_fleet(site: str, balancer: str) -> dict[str, Any]:
    """A site's fleet on ECS in two colours; its listeners have to be put in once they are there."""
    nobodys = f"arn:aws:elasticloadbalancing:{GATEWAY_REGIONS[site]}:{ACCOUNT}:listener/net/nobodys/0/0"
    services = {to: f"gateway-{site}-{_suffix(to)}" for to in (HOME, STANDBY)}
    fleet = ecs_fleet(site, balancer) | {"kind": "ecs-blue-green", "services": services, "listeners": [nobodys]}
    del fleet["service"]
    return fleet


def cfk_fleet(site: str, balancer: str) -> dict[str, Any]:
    """A site's fleet on Kubernetes; where its cluster is, has to be added."""
    return {
        "name": f"gateway-{site}",
        "kind": "cfk",
        "eks": {"name": f"eks-{site}"},
        "namespace": "confluent",
        "gateway": f"gateway-{site}",
        "route": PLAN,
        "bootstrap": balancer,
        "domains": {name: {"name": name, "bootstrap_server_id": f"{name}-kafka"} for name in (HOME, STANDBY)},
    }


@dataclass(frozen=True, kw_only=True)
class SiteAddresses:
    """Where a site of the drill can be reached."""

    cluster_id: str
    bootstrap: str
    rest: str
    balancer: str
    """Empty where it has no gateways."""


def plan_document(
    sites: dict[str, SiteAddresses],
    *,
    client_bootstrap: str,
    nameserver: str,
    zone_id: str,
    policy: dict[str, Any],
    topics: Sequence[str] = TOPICS,
    groups: Sequence[str] = (GROUP,),
    vantage_points: Sequence[str] = (REGIONS[STANDBY], THIRD_REGION),
    anchors: Sequence[str] = (),
    fleet: FleetInPlan = ecs_fleet,
    near: str = "",
) -> dict[str, Any]:
    """The plan's document, as it would stand in YAML. `fleet`: given a site and its load balancer, the site's fleet;
    `near`: the load balancer of gateways near the clients, if there are any."""
    near_clients = {"region": GATEWAY_REGIONS[NEAR], "dns_target": dns_target(NEAR), "fleets": [fleet(NEAR, near)]}
    return ({"fleets": {NEAR: near_clients}} if near else {}) | {
        "name": PLAN,
        "hostname": HOSTNAME,
        "bootstrap": client_bootstrap,
        "home": HOME,
        "sites": {name: _site(name, addresses, fleet) for name, addresses in sites.items()},
        "links": [{"name": LINK}],
        "protect": {"groups": list(groups), "topics": list(topics)},
        "unused": ["schema-registry", "connectors", "role-bindings"],
        "vantage_points": list(vantage_points),
        "anchors": list(anchors),
        "dns": {
            "kind": "route53-record",
            "hosted_zone_id": zone_id,
            "type": "CNAME",
            "ttl": TTL_S,
            "nameservers": [nameserver],
        },
        "clients": {"security_protocol": "PLAINTEXT", "canary_topic": CANARY},
        "policy": {"mode": "automatic", "fast_path": True} | policy,
    }


def _site(name: str, addresses: SiteAddresses, fleet: FleetInPlan) -> dict[str, Any]:
    return {
        "region": REGIONS[name],
        "kafka": {
            "cluster_id": addresses.cluster_id,
            "bootstrap": addresses.bootstrap,
            "rest_endpoint": addresses.rest,
            "credentials": f"failover/{PLAN}/{name}",
            "security_protocol": "PLAINTEXT",
        },
        "alarms": [f"failover-{PLAN}-{name}-kafka"],
    } | (_gateways(name, addresses.balancer, fleet) if addresses.balancer else {})


def _gateways(name: str, balancer: str, fleet: FleetInPlan) -> dict[str, Any]:
    return {
        "fleets": [fleet(name, balancer)],
        "dns_target": dns_target(name),
        "alarms": [
            f"failover-{PLAN}-{name}-kafka",
            f"failover-{PLAN}-{name}-gateway",
            {"name": health_check_alarm(name), "vantage": "route53"},
        ],
    }
