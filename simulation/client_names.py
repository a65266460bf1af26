"""The example's plan with its client hostname at another provider, and that provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from drill.dns_providers.azure import TrafficManagerStandIn, endpoint
from drill.dns_providers.google import CloudDnsStandIn, rrset
from simulation.sites import HOSTNAME, NAME_SERVERS, REGIONS, SITES, other
from simulation.wire import names
from simulation.world import World

_TARGETS: Final = {where: f"gw-{where}.orders.example.com" for where in REGIONS}
_AUDIENCE: Final = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/aws/providers/aws"
_ACCOUNT: Final = "failover@orders.iam.gserviceaccount.com"
_CONTROL: Final = "arn:aws:route53-recovery-control::123456789012:controlpanel/c0/routingcontrol/"
_CLUSTER_REGIONS: Final = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
_OPERATION_S: Final = 0.4
DESCRIBED: Final[Mapping[str, dict[str, Any]]] = {
    "route53-health-check": {
        "hosted_zone_id": "Z0123456789ORDERS",
        "beacons": [{"bucket": f"orders-{region}", "key": "away", "region": region} for region in SITES.values()],
    },
    "arc-routing-control": {
        "cluster_endpoints": [{"endpoint": f"https://{at}.arc.simulation", "region": at} for at in _CLUSTER_REGIONS],
        "controls": {site: _CONTROL + site for site in SITES},
    },
    "cloud-dns": {
        "project": "orders",
        "managed_zone": "orders-zone",
        "audience": _AUDIENCE,
        "service_account": _ACCOUNT,
    },
    "traffic-manager": {
        "subscription": "00000000-0000-0000-0000-000000000001",
        "resource_group": "gateways",
        "profile": "orders",
        "endpoints": {site: f"ExternalEndpoints/{site}" for site in SITES},
        "tenant": "tenant",
        "client_id": "the-controller",
    },
    "route53-latency": {"hosted_zone_id": "Z0123456789ORDERS", "routing": "latency"},
    "none": {},
}


def held_by(kind: str) -> dict[str, Any]:
    """What the plan says of its name."""
    servers = {} if kind == "none" else {"nameservers": NAME_SERVERS}
    in_plan = "route53-record" if kind == "route53-latency" else kind
    return {"dns": {"kind": in_plan} | DESCRIBED[kind] | servers}


def hold(life: World, kind: str) -> None:
    """Have the provider, whose name servers lead east."""
    names.follow(life, _PROVIDERS[kind](life))


def _by_beacons(life: World) -> names.Leads:
    objects = life.account.s3.objects
    beacons = [(str(each["bucket"]), str(each["key"])) for each in DESCRIBED["route53-health-check"]["beacons"]]

    def clear() -> None:
        for beacon in beacons:
            objects.pop(beacon, None)

    life.put_back["name"] = clear
    return lambda: _TARGETS["west" if any(beacon in objects for beacon in beacons) else "east"]


def _by_routing_controls(life: World) -> names.Leads:
    states = {_CONTROL + "east": "On", _CONTROL + "west": "Off"}
    names.routing_controls(life, states)
    life.put_back["name"] = partial(states.update, dict(states))
    return lambda: _TARGETS["east" if states[_CONTROL + "east"] == "On" else "west"]


def _by_cloud_dns(life: World) -> names.Leads:
    zone = CloudDnsStandIn(
        zone="orders-zone",
        dns_name="orders.example.com.",
        audience=_AUDIENCE,
        account=_ACCOUNT,
        operation_s=_OPERATION_S,
    )
    life.put_back["name"] = partial(zone.replace, [rrset(HOSTNAME, _TARGETS["east"], 5)])
    life.put_back["name"]()
    hosts = ("dns.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com")
    names.web_identity(life)
    names.serve(life, hosts, "google", zone.operations())
    return partial(names.led_by_records, zone._records)


def _by_traffic_manager(life: World) -> names.Leads:
    endpoints = [
        endpoint(site, target, number, alwaysServe="Enabled")
        for number, (site, target) in enumerate([(site, _TARGETS[site]) for site in SITES], 1)
    ]
    fqdn = "orders.trafficmanager.net"
    profile = TrafficManagerStandIn(
        profile="orders",
        fqdn=fqdn,
        hostname=HOSTNAME,
        client_id="the-controller",
        endpoints=endpoints,
        operation_s=_OPERATION_S,
    )
    names.web_identity(life)
    names.serve(life, ("management.azure.com", "login.microsoftonline.com"), "azure", profile.operations())
    life.network.names.add(fqdn)
    return partial(names.led_by_records, profile._records)


def _by_latency(life: World) -> names.Leads:
    """Fleets of both sites, or of places, serve at all times, and lead to the active site; checkers look whether each
    is there."""
    standing = life.sites.standing
    health = dict.fromkeys(standing, True)
    names.health_checks(life, {where: _TARGETS[where] for where in standing}, health)
    for site, where in zip(SITES, standing, strict=True):
        if site not in life.put_back:
            life.put_back[site] = partial(life.sites.fleet(where).route_to, "east")
            life.put_back[site]()

    def leads() -> str:
        well = [where for where in standing if health[where]] or list(standing)
        life.sites.serving = tuple(well)
        return _TARGETS[well[0]]

    leads()
    return leads


def _by_somebody_else(life: World) -> names.Leads:
    """Their own switch leads clients to whatever is writable: while both sites are, to what was a mirror before; while
    both are mirrors in part, as in a reversal, to where they were. Gateways near the clients they lead to at all
    times."""
    life.sites.serving = tuple(life.sites.places)
    mirror = next(site for site in SITES if not life.sites.is_writable(site))
    was_at = other(mirror)

    def leads() -> str:
        nonlocal mirror, was_at
        mirrors = [site for site in SITES if not life.sites.is_writable(site)]
        if not mirrors:
            was_at = mirror
        elif len(mirrors) == 1:
            mirror, was_at = mirrors[0], other(mirrors[0])
        return _TARGETS[(*life.sites.places, was_at)[0]]

    return leads


_PROVIDERS: Final[Mapping[str, Callable[[World], names.Leads]]] = {
    "route53-health-check": _by_beacons,
    "arc-routing-control": _by_routing_controls,
    "cloud-dns": _by_cloud_dns,
    "traffic-manager": _by_traffic_manager,
    "route53-latency": _by_latency,
    "none": _by_somebody_else,
}
