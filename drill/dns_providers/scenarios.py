"""The client hostname as another provider than Route 53's API holds it: leading east, a change taking a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from drill.client_name import record
from drill.confluent.faults import Fault, Faults
from drill.dns_providers.arc import RoutingControls
from drill.dns_providers.azure import TrafficManagerStandIn, endpoint
from drill.dns_providers.google import CloudDnsStandIn, rrset
from drill.dns_providers.server import no_faults, served
from drill.fixture_plan import HOME, HOSTNAME, STANDBY, ZONE, dns_target

OPERATION_S: Final = 0.3
AUDIENCE: Final = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/aws/providers/aws"
ACCOUNT: Final = "failover@drill.iam.gserviceaccount.com"
CONTROL: Final = "arn:aws:route53-recovery-control::123456789012:controlpanel/c0/routingcontrol/"
CLUSTER_REGIONS: Final = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")


@dataclass(kw_only=True)
class DnsProvider:
    """How a name is held. `dns`: the plan's part; `server`: what the DNS server is told beside where AWS is;
    `stand_in` and `faults`: the provider's, where it is another than Route 53."""

    dns: dict[str, Any]
    server: dict[str, Any] = field(default_factory=dict)
    stand_in: Any = None
    faults: Faults = field(default_factory=no_faults)


@contextmanager
def cloud_dns() -> Iterator[DnsProvider]:
    """It is a record of Google Cloud DNS."""
    zone = CloudDnsStandIn(
        zone="orders-zone", dns_name=f"{ZONE}.", audience=AUDIENCE, account=ACCOUNT, operation_s=OPERATION_S
    )
    zone.replace([rrset(HOSTNAME, dns_target(HOME), 5)])
    faults = no_faults()
    with served(zone.operations(), faults) as url:
        described = {
            "kind": "cloud-dns",
            "project": "drill",
            "managed_zone": zone.zone,
            "audience": AUDIENCE,
            "service_account": ACCOUNT,
            "ttl": 1,
            **dict.fromkeys(("api", "sts_api", "iam_api"), url),
        }
        yield DnsProvider(dns=described, server={"records_url": f"{url}/records"}, stand_in=zone, faults=faults)


@contextmanager
def traffic_manager(by: Literal["priority", "status"] = "priority") -> Iterator[DnsProvider]:
    """It is a CNAME of a profile of Azure Traffic Manager."""
    endpoints = [
        endpoint(site, dns_target(site), number, alwaysServe="Enabled")
        for number, site in enumerate((HOME, STANDBY), 1)
    ]
    if by == "status":
        endpoints[1]["properties"]["endpointStatus"] = "Disabled"
    profile = TrafficManagerStandIn(
        profile="orders",
        fqdn="orders.trafficmanager.example",
        hostname=HOSTNAME,
        client_id="the-controller",
        endpoints=endpoints,
        operation_s=OPERATION_S,
    )
    faults = no_faults()
    with served(profile.operations(), faults) as url:
        described = {
            "kind": "traffic-manager",
            "subscription": "00000000-0000-0000-0000-000000000001",
            "resource_group": "gateways",
            "profile": profile.profile,
            "endpoints": {site: f"ExternalEndpoints/{site}" for site in (HOME, STANDBY)},
            "by": by,
            "tenant": "tenant",
            "client_id": profile.client_id,
            **dict.fromkeys(("api", "login"), url),
        }
        yield DnsProvider(dns=described, server={"records_url": f"{url}/records"}, stand_in=profile, faults=faults)


@contextmanager
def routing_controls() -> Iterator[DnsProvider]:
    """It follows two routing controls of a cluster whose first endpoint is dead, and whose second is ill."""
    arns = {site: f"{CONTROL}{site}" for site in (HOME, STANDBY)}
    records = [
        record(site, SetIdentifier=site, Failover=role, HealthCheckId=arns[site])
        for site, role in ((HOME, "PRIMARY"), (STANDBY, "SECONDARY"))
    ]
    controls = RoutingControls(states={arns[HOME]: "On", arns[STANDBY]: "Off"}, records=records)
    ill, faults = no_faults(), no_faults()
    ill.arm(Fault(kind="status", status=503, times=None))
    with (
        served(controls.operations(), ill) as second,
        served(controls.operations(), faults) as well,
        served(controls.data_plane(), no_faults()) as data_plane,
    ):
        urls = ("http://127.0.0.1:9", second, well, well, well)
        endpoints = [{"endpoint": url, "region": at} for url, at in zip(urls, CLUSTER_REGIONS, strict=True)]
        described = {"kind": "arc-routing-control", "cluster_endpoints": endpoints, "controls": arns}
        server = {"records_url": f"{data_plane}/records", "health_url": f"{data_plane}/health"}
        yield DnsProvider(dns=described, server=server, stand_in=controls, faults=faults)
