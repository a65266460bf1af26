"""What parity compares of fleets on ECS and of Kroxylicious, and that it passes only if it saw all of that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import boto3
import pytest
import yaml
from botocore.stub import ANY, Stubber

from drill import fixture_plan
from failover.plan.fleets import EcsFleet, KroxyliciousFleet
from gateway.facts import ecs_facts, kroxylicious_facts
from gateway.parity import differences, unknown

GROUP: Final = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/a/1"
TARGETS: Final = ("east", "west", "fenced")
Edit = Callable[[dict[str, Any]], None]


def config(site: str, target: str) -> str:
    led = site if target == "fenced" else target
    route = {"name": "orders", "endpoint": "kafka:9092", "streamingDomain": {"name": led}}
    store = {"name": "s", "provider": {"type": "AWS", "config": {"region": fixture_plan.REGIONS[site]}}}
    return yaml.safe_dump({"gateway": {"name": f"orders-{site}", "secretStores": [store], "routes": [route]}})


def on_ecs(site: str) -> dict[str, Any]:
    """All that AWS answers about a site's fleet."""
    registry = f"123456789012.dkr.ecr.{fixture_plan.REGIONS[site]}.amazonaws.com"
    return {
        "service": {
            "desiredCount": 3,
            "runningCount": 3,
            "launchType": "FARGATE",
            "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 200},
            "loadBalancers": [{"containerName": "gateway", "containerPort": 9092, "targetGroupArn": GROUP}],
        },
        "container": {"name": "gateway", "imageDigest": "sha256:1"},
        "attributes": {"deregistration_delay.timeout_seconds": "5"},
        "group": {"TargetGroupName": f"gateway-{site}", "HealthCheckPath": "/livez"},
        "definitions": {
            target: {
                "cpu": "2048",
                "memory": "4096",
                "containerDefinitions": [
                    {
                        "name": "gateway",
                        "image": f"{registry}/gateway:1.4.0",
                        "environment": [
                            {"name": "GATEWAY_CONFIG", "value": config(site, target)},
                            {"name": "GATEWAY_OPTS", "value": "-Da=b"},
                        ],
                        "secrets": [{"name": "GATEWAY_LICENSES", "valueFrom": f"arn:{site}"}],
                        "portMappings": [{"containerPort": 9092}, {"containerPort": 9190}],
                    }
                ],
            }
            for target in TARGETS
        },
    }


def facts_on_ecs(site: str, answers: dict[str, Any]) -> dict[str, str | None]:
    key = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": fixture_plan.REGIONS[site]}
    ecs, balancing = boto3.client("ecs", **key), boto3.client("elbv2", **key)  # type: ignore[call-overload]
    stubs = Stubber(ecs), Stubber(balancing)
    stubs[0].add_response("describe_services", {"services": [answers["service"]]}, {"cluster": ANY, "services": ANY})
    stubs[0].add_response("list_tasks", {"taskArns": ["a"], "nextToken": "more"}, {"cluster": ANY, "serviceName": ANY})
    asked = {"cluster": ANY, "serviceName": ANY, "nextToken": "more"}
    stubs[0].add_response("list_tasks", {"taskArns": ["b"]}, asked)
    tasks = [{"containers": [answers["container"]]}] * 2
    stubs[0].add_response("describe_tasks", {"tasks": tasks}, {"cluster": ANY, "tasks": ["a", "b"]})
    for balancer in answers["service"]["loadBalancers"]:
        attributes = [{"Key": key, "Value": value} for key, value in answers["attributes"].items()]
        if "targetGroupArn" in balancer:
            stubs[1].add_response(
                "describe_target_group_attributes", {"Attributes": attributes}, {"TargetGroupArn": GROUP}
            )
            stubs[1].add_response(
                "describe_target_groups", {"TargetGroups": [answers["group"]]}, {"TargetGroupArns": ANY}
            )
    for definition in answers["definitions"].values():
        stubs[0].add_response("describe_task_definition", {"taskDefinition": definition}, {"taskDefinition": ANY})
    for stub in stubs:
        stub.activate()
    fleet = EcsFleet(**fixture_plan.ecs_fleet(site, "nlb.example.com:9092"))
    return dict(ecs_facts(fleet, "here", ecs, balancing))


def container(answers: dict[str, Any], target: str = "west") -> dict[str, Any]:
    (only,) = answers["definitions"][target]["containerDefinitions"]
    return dict(only)


def change_container(**change: Any) -> Edit:
    def edit(answers: dict[str, Any]) -> None:
        answers["definitions"]["west"]["containerDefinitions"] = [container(answers) | change]

    return edit


def change_config(answers: dict[str, Any]) -> None:
    variables = copy.deepcopy(container(answers)["environment"])
    variables[0]["value"] = variables[0]["value"].replace("kafka:9092", "kafka:9093")
    change_container(environment=variables)(answers)


def test_two_fleets_on_ecs_that_differ_in_what_must_differ_are_alike() -> None:
    east, west = (facts_on_ecs(site, on_ecs(site)) for site in ("east", "west"))
    assert differences(east, west) == [] and unknown(east) == unknown(west) == []


@pytest.mark.parametrize(
    ("edit", "fact"),
    [
        (lambda it: it["service"].update(desiredCount=2), "desired count"),
        (lambda it: it["service"].update(runningCount=2), "running count"),
        (lambda it: it["container"].update(imageDigest="sha256:2"), "image digests"),
        (lambda it: it["attributes"].update({"deregistration_delay.timeout_seconds": "300"}), "9092, attributes"),
        (lambda it: it["group"].update(HealthCheckPath="/"), "9092, health check"),
        (lambda it: it["definitions"]["west"].update(cpu="4096"), "to west, cpu and memory"),
        (lambda it: it["definitions"]["fenced"].update(memory="8192"), "to fenced, cpu and memory"),
        (change_container(memory=512), "container gateway, cpu and memory"),
        (change_container(image="gateway:1.3.0"), "container gateway, image"),
        (change_container(secrets=[]), "container gateway, environment"),
        (change_container(portMappings=[{"containerPort": 9092}]), "container gateway, ports"),
        (change_config, "to west, configuration"),
    ],
)
def test_each_fact_of_a_fleet_on_ecs_is_compared(edit: Edit, fact: str) -> None:
    east, west = on_ecs("east"), on_ecs("west")
    edit(west)
    (found,) = differences(facts_on_ecs("east", east), facts_on_ecs("west", west))
    assert fact in found.partition(": ")[0]


@pytest.mark.parametrize(
    ("edit", "fact"),
    [
        (lambda it: it["container"].pop("imageDigest"), "image digests"),
        (change_container(environment=[]), "task definition to west, configuration"),
        (lambda it: it["service"]["loadBalancers"][0].pop("targetGroupArn"), "target group of port 9092"),
        (lambda it: it["service"].pop("runningCount"), "running count"),
    ],
)
def test_what_is_not_told_is_no_parity(edit: Edit, fact: str) -> None:
    west = on_ecs("west")
    edit(west)
    facts = facts_on_ecs("west", west)
    assert unknown(facts) == [fact]
    assert not any(found.startswith(f"{fact}:") for found in differences(facts_on_ecs("east", on_ecs("east")), facts))


OTHER: Final = {"name": "proxy", "imageID": "q/proxy@sha256:2"}
FLEET: Final = KroxyliciousFleet.model_validate(
    {
        "name": "gateway-west",
        "kind": "kroxylicious",
        "eks": {"name": "eks-west"},
        "namespace": "kafka",
        "proxy": "gw",
        "virtual_cluster": "orders",
        "bootstrap": "gw:9092",
        "services": {"east": "east", "west": "west"},
    }
)


class Cluster:
    """An `Api` that answers what it was given."""

    where = "a cluster"

    def __init__(self, site: str) -> None:
        proxy = {"containers": [{"name": "proxy", "image": "quay.io/kroxylicious/proxy:0.23", "env": []}]}
        tls = {"certificateRef": {"name": f"{site}-certificate"}}
        self.things: dict[str, Any] = {
            "gw": {"spec": {"replicas": 3, "template": {"spec": proxy}}},
            "orders": {
                "spec": {
                    "proxyRef": {"name": "gw"},
                    "targetKafkaServiceRef": {"name": site},
                    "ingresses": [{"ingressRef": {"name": "clients"}, "tls": tls}],
                }
            },
            "clients": {"spec": {"proxyRef": {"name": "gw"}, "loadBalancer": {"bootstrapAddress": "kafka"}}},
            "east": {"spec": {"bootstrapServers": "east:9092"}},
            "west": {"spec": {"bootstrapServers": "west:9092"}},
        }
        self.pods = [{"status": {"containerStatuses": [{"name": "proxy", "imageID": "q/proxy@sha256:1"}]}}]

    def get(self, resource: str, name: str) -> Any:
        return self.things[name]

    def find(self, resource: str, labels: Any) -> Any:
        return self.pods


def facts_of_kroxylicious(cluster: Cluster) -> dict[str, str | None]:
    return dict(kroxylicious_facts(FLEET, cluster))  # type: ignore[arg-type]


def test_two_fleets_of_kroxylicious_that_lead_elsewhere_are_alike() -> None:
    east, west = (facts_of_kroxylicious(Cluster(site)) for site in ("east", "west"))
    assert differences(east, west) == [] and unknown(east) == unknown(west) == []


@pytest.mark.parametrize(
    ("edit", "facts"),
    [
        (lambda it: it.things["gw"]["spec"].update(replicas=2), {"proxy", "replicas"}),
        (lambda it: it.things["clients"]["spec"].update(loadBalancer={}), {"ingress 0"}),
        (lambda it: it.things["west"]["spec"].update(bootstrapServers="other:9092"), {"KafkaService for west"}),
        (lambda it: it.things["orders"]["spec"].update(filterRefs=[{"name": "f"}]), {"virtual cluster"}),
        (
            lambda it: it.pods.append(Cluster("east").pods[0] | {"status": {"containerStatuses": [OTHER]}}),
            {"image digests"},
        ),
    ],
)
def test_each_fact_of_a_fleet_of_kroxylicious_is_compared(edit: Callable[[Cluster], None], facts: set[str]) -> None:
    west = Cluster("west")
    edit(west)
    found = differences(facts_of_kroxylicious(Cluster("east")), facts_of_kroxylicious(west))
    assert facts <= {each.partition(": ")[0] for each in found}


def test_a_pod_that_tells_no_digest_is_no_parity() -> None:
    west = Cluster("west")
    west.pods.append({"status": {}})
    assert unknown(facts_of_kroxylicious(west)) == ["image digests"]
