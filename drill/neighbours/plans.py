"""The plans beside the drill's own: what they say, and what each needs in the AWS account."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from drill import fixture_plan
from drill.deployment import plan_item
from drill.fixture_plan import ACCOUNT, HOME, REGIONS, STANDBY, TTL_S, ZONE

Document = dict[str, Any]
Aws = Callable[..., Any]
SECRET: Final = "failover/neighbours"
CLUSTER: Final = "gateways"
MIRRORS: Final = 3
TARGETS: Final = (HOME, STANDBY, "fenced")


@dataclass(frozen=True)
class Neighbour:
    """A plan beside the drill's own, and the names of what is its own."""

    name: str

    @property
    def hostname(self) -> str:
        return f"kafka.{self.name}.{ZONE}"

    @property
    def link(self) -> str:
        return f"{self.name}-link"

    def cluster_id(self, site: str) -> str:
        return f"lkc-{self.name}-{site}"

    def dns_target(self, site: str) -> str:
        """The name of a site's load balancer."""
        return f"gw-{site}.{self.name}.{ZONE}"

    def fleet(self, site: str, gateway: str) -> Document:
        """A site's fleet, which leads to its own cluster from the beginning, as one does that no client comes to."""
        return {
            "name": f"gateway-{site}",
            "kind": "ecs",
            "cluster": CLUSTER,
            "service": f"gateway-{self.name}-{site}",
            "bootstrap": gateway,
            "task_definitions": {target: task_definition(site, target) for target in TARGETS},
        }

    def document(
        self, sites: Mapping[str, Mapping[str, str]], *, bootstrap: str, dns: Document, vantage_points: list[str]
    ) -> Document:
        """The plan. `sites`: where each site's services are; `bootstrap`: where clients of the hostname come in."""
        return {
            "name": self.name,
            "hostname": self.hostname,
            "bootstrap": bootstrap,
            "home": HOME,
            "sites": {site: self._site(site, services) for site, services in sites.items()},
            "links": [{"name": self.link}],
            "unused": ["schema-registry", "connectors", "role-bindings"],
            "vantage_points": vantage_points,
            "dns": dns,
            "clients": {"credentials": SECRET, "canary_topic": fixture_plan.CANARY},
            "policy": {"mode": "automatic", "fast_path": True},
        }

    def _site(self, site: str, services: Mapping[str, str]) -> Document:
        return {
            "region": REGIONS[site],
            "kafka": {
                "cluster_id": self.cluster_id(site),
                "bootstrap": services["kafka"],
                "rest_endpoint": f"https://{services['rest']}",
                "credentials": SECRET,
            },
            "fleets": [self.fleet(site, services["gateway"])],
            "dns_target": self.dns_target(site),
        }


def neighbours(plans: int) -> list[Neighbour]:
    """Those that make the drill's own plan one of so many."""
    return [Neighbour(f"neighbour-{number:02}") for number in range(2, plans + 1)]


def task_family(site: str, target: str) -> str:
    """Of the task definition by which a neighbour's fleet is led to a target; what it says is read by nobody."""
    return f"gateway-neighbours-{site}-{target}"


def task_definition(site: str, target: str) -> str:
    return f"arn:aws:ecs:{REGIONS[site]}:{ACCOUNT}:task-definition/{task_family(site, target)}:1"


def deploy(aws: Aws, table: str, zone_id: str, documents: Mapping[Neighbour, Document]) -> None:
    """The plans in the ledger's table, and all that they name in the account."""
    some = next(iter(documents.values()))
    login = dict(zip(("key", "secret"), fixture_plan.API_KEYS[HOME], strict=True))
    for region in some["vantage_points"]:
        aws("secretsmanager", region).create_secret(Name=SECRET, SecretString=json.dumps(login))
    for site in (HOME, STANDBY):
        _deploy_fleets(aws("ecs", REGIONS[site]), site, documents)
    changes = [
        {"Action": "CREATE", "ResourceRecordSet": _record(plan.hostname, plan.dns_target(HOME))} for plan in documents
    ]
    aws("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
    dynamodb = aws("dynamodb")
    for plan, document in documents.items():
        dynamodb.put_item(TableName=table, Item=plan_item(plan.name, yaml.safe_dump(document, sort_keys=False)))


def _deploy_fleets(ecs: Any, site: str, documents: Mapping[Neighbour, Document]) -> None:
    ecs.create_cluster(clusterName=CLUSTER)
    for target in TARGETS:
        container = {"name": "gateway", "image": "confluentinc/confluent-gateway-for-cloud", "memory": 4096}
        ecs.register_task_definition(family=task_family(site, target), containerDefinitions=[container])
    for document in documents.values():
        (fleet,) = document["sites"][site]["fleets"]
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=fleet["service"],
            taskDefinition=fleet["task_definitions"][site],
            desiredCount=1,
            tags=[{"key": "drill:answers-at", "value": fleet["bootstrap"]}],
        )


def _record(hostname: str, target: str) -> Document:
    return {"Name": hostname, "Type": "CNAME", "TTL": TTL_S, "ResourceRecords": [{"Value": target}]}
