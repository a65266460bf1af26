"""What a fleet is made of, as it runs: read from its control plane, by name of the fact, to be held against another.

A fact that was looked for and not told is None. What must differ between two sites (where a route leads, what things
are called) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import yaml

from failover.fleets.cfk import DEPLOYMENTS, GATEWAYS, PODS
from failover.fleets.ecs import called
from failover.fleets.kroxylicious import CLUSTERS, PROXIES, SERVICES
from failover.fleets.kubernetes import Api, Object
from failover.plan.fleets import CfkFleet, EcsBlueGreenFleet, EcsFleet, KroxyliciousFleet
from failover.plan.gateway_route import hot_reload
from failover.plan.model import FENCED

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

Fact = tuple[str, str | None]
INGRESSES: Final = "apis/kroxylicious.io/v1alpha1 kafkaproxyingresses"
_CONFIG: Final = "GATEWAY_CONFIG"
_DESCRIBED_AT_ONCE: Final = 100
_OF_THE_FLEET: Final = ("labelSelector", "secretRef", "secretStore", "extensionHeaders", "certificateRef")
"""Fields that name what is the fleet's own, or one cluster."""
_HEALTH_CHECK: Final = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
)


def ecs_facts(
    fleet: EcsFleet | EcsBlueGreenFleet, where: str, ecs: ECSClient, balancing: ElasticLoadBalancingv2Client
) -> Iterator[Fact]:
    """Counts, deployment, images as they run, target groups, and each task definition of the plan.

    Raises:
        FleetUnavailable, FleetRejected: it could not be looked at.
    """
    if isinstance(fleet, EcsFleet):
        services = {"": fleet.service}
    else:
        services = {f"service to {site}, ": name for site, name in fleet.services.items()}
    for prefix, service in services.items():
        for name, value in _of_service(fleet.cluster, service, where=where, ecs=ecs, balancing=balancing):
            yield f"{prefix}{name}", value
    for target, arn in fleet.task_definitions.items():
        definition = called(where, ecs.describe_task_definition, taskDefinition=arn)["taskDefinition"]
        for name, value in _of_definition(definition, target):
            yield f"task definition to {target}, {name}", value


def cfk_facts(fleet: CfkFleet, api: Api) -> Iterator[Fact]:
    """The Gateway's spec, and the images as they run.

    Raises:
        FleetUnavailable, FleetRejected: it could not be looked at.
    """
    yield from of_gateway(api.get(GATEWAYS, fleet.gateway).get("spec") or {})
    yield from _of_pods(api.find(PODS, {"app": fleet.gateway, "platform.confluent.io/type": "gateway"}))


def kroxylicious_facts(fleet: KroxyliciousFleet, api: Api) -> Iterator[Fact]:
    """The proxy, its virtual cluster with its ingresses, the KafkaServices, the Deployment and the images as they run.

    Raises:
        FleetUnavailable, FleetRejected: it could not be looked at.
    """
    yield "proxy", shown(api.get(PROXIES, fleet.proxy).get("spec"))
    cluster = dict(api.get(CLUSTERS, fleet.virtual_cluster)["spec"])
    ingresses = cluster.pop("ingresses", None) or []
    own = {name: value for name, value in cluster.items() if name not in ("proxyRef", "targetKafkaServiceRef")}
    yield "virtual cluster", shown(own)
    for number, ingress in enumerate(ingresses):
        spec = api.get(INGRESSES, ingress["ingressRef"]["name"])["spec"]
        yield f"ingress {number}", shown([without(ingress, "ingressRef"), without(spec, "proxyRef")])
    for target, name in fleet.services.items():
        yield f"KafkaService for {target}", shown(api.get(SERVICES, name).get("spec"))
    deployment = api.get(DEPLOYMENTS, fleet.proxy)["spec"]
    yield "replicas", str(deployment.get("replicas", 1))
    for container in deployment["template"]["spec"].get("containers") or []:
        for part in ("image", "resources", "ports"):
            yield f"container {container.get('name')}, {part}", shown(container.get(part))
        yield f"container {container.get('name')}, environment", _environment(container.get("env") or [])
    yield from _of_pods(
        api.find(PODS, {"app.kubernetes.io/name": "kroxylicious", "app.kubernetes.io/instance": fleet.proxy})
    )


def of_gateway(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a Gateway's spec says."""
    pod = spec.get("podTemplate") or {}
    yield "replicas", str(spec.get("replicas", 1))
    yield "image", str((spec.get("image") or {}).get("application"))
    yield "hot reload", "on" if hot_reload(spec) else "off"
    yield "environment", _environment(pod.get("envVars") or [])
    for part in ("resources", "probe", "topologySpreadConstraints"):
        yield part, shown(pod.get(part))
    for domain in spec.get("streamingDomains") or []:
        yield f"streaming domain {domain.get('name')}", shown(domain.get("kafkaCluster"))
    for route in spec.get("routes") or []:
        leads_in = [route.get("endpoint"), route.get("brokerIdentificationStrategy"), route.get("security")]
        yield f"route {route.get('name')}", shown(leads_in)


def shown(value: Any) -> str:
    """A value as text, the same for the same value, without what is the fleet's own."""
    return json.dumps(without(value, *_OF_THE_FLEET), sort_keys=True, default=str)


def without(value: Any, *names: str) -> Any:
    """A value without some fields, wherever in it they are."""
    if isinstance(value, Mapping):
        return {name: without(inner, *names) for name, inner in value.items() if name not in names}
    return [without(inner, *names) for inner in value] if isinstance(value, list) else value


def _of_service(
    cluster: str, name: str, where: str, ecs: ECSClient, balancing: ElasticLoadBalancingv2Client
) -> Iterator[Fact]:
    (service, *_) = called(where, ecs.describe_services, cluster=cluster, services=[name])["services"] or [{}]
    yield "desired count", _text(service.get("desiredCount"))
    yield "running count", _text(service.get("runningCount"))
    configuration = dict(service.get("deploymentConfiguration") or {})
    yield "deployment", shown({key: value for key, value in configuration.items() if key != "minimumHealthyPercent"})
    yield "launch", shown([service.get("launchType"), service.get("capacityProviderStrategy")])
    yield "image digests", _digests(list(_containers(cluster, name, where, ecs)))
    for balancer in sorted(service.get("loadBalancers") or [], key=lambda it: int(it.get("containerPort", 0))):
        port = f"target group of port {balancer.get('containerPort')}"
        arn = balancer.get("targetGroupArn")
        if arn is None:
            yield port, None
            continue
        attributes = called(where, balancing.describe_target_group_attributes, TargetGroupArn=arn)["Attributes"]
        yield f"{port}, attributes", shown({it["Key"]: it["Value"] for it in attributes})
        (group, *_) = called(where, balancing.describe_target_groups, TargetGroupArns=[arn])["TargetGroups"]
        yield f"{port}, health check", shown({key: group.get(key) for key in _HEALTH_CHECK})


def _containers(cluster: str, service: str, where: str, ecs: ECSClient) -> Iterator[Mapping[str, Any]]:
    arns: list[str] = []
    page: dict[str, Any] = {}
    while not page or page.get("nextToken"):
        more = {"nextToken": page["nextToken"]} if page else {}
        page = dict(called(where, ecs.list_tasks, cluster=cluster, serviceName=service, **more))
        arns += page["taskArns"]
    for first in range(0, len(arns), _DESCRIBED_AT_ONCE):
        some = arns[first : first + _DESCRIBED_AT_ONCE]
        for task in called(where, ecs.describe_tasks, cluster=cluster, tasks=some)["tasks"]:
            yield from (dict(container) for container in task.get("containers") or [])


def _of_definition(definition: Mapping[str, Any], target: str) -> Iterator[Fact]:
    yield "cpu and memory", shown([definition.get("cpu"), definition.get("memory"), definition.get("runtimePlatform")])
    config: str | None = None
    for container in definition.get("containerDefinitions") or []:
        of = f"container {container.get('name')}"
        variables = {it["name"]: it.get("value") for it in container.get("environment") or []}
        config = variables.pop(_CONFIG, None) or config
        secrets = sorted(it["name"] for it in container.get("secrets") or [])
        yield f"{of}, image", _without_registry(container.get("image"))
        yield f"{of}, cpu and memory", shown([container.get(name) for name in ("cpu", "memory", "memoryReservation")])
        yield f"{of}, environment", shown([variables, secrets])
        yield f"{of}, ports", shown(sorted(int(it["containerPort"]) for it in container.get("portMappings") or []))
    yield "configuration", _configuration(config, target) if config is not None else None


def _configuration(text: str, target: str) -> str | None:
    """A container's configuration but for its name, its region, and where the route led that is fenced."""
    try:
        gateway = dict(yaml.safe_load(text)["gateway"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return None
    own = ("streamingDomain", "secretStore", "passthroughConfig") if target == FENCED else ()
    routes = [without(route, *own) for route in gateway.get("routes") or []]
    return json.dumps(
        {key: without(value, "region") for key, value in gateway.items() if key not in ("name", "routes")}
        | {"routes": routes},
        sort_keys=True,
    )


def _of_pods(pods: Sequence[Object]) -> Iterator[Fact]:
    containers = [
        {"name": it.get("name"), "imageDigest": str(it.get("imageID") or "").rpartition("@")[2]}
        for pod in pods
        for it in (pod.get("status") or {}).get("containerStatuses") or [{}]
    ]
    yield "image digests", _digests(containers)


def _digests(containers: Sequence[Mapping[str, Any]]) -> str | None:
    """The digests of the images that run, by container; None if none runs, or one does not tell."""
    digests = {(str(it.get("name")), str(it.get("imageDigest") or "")) for it in containers}
    if not digests or not all(digest for _, digest in digests):
        return None
    return ", ".join(f"{name}: {digest}" for name, digest in sorted(digests))


def _without_registry(image: str | None) -> str | None:
    """An image without the registry that it is pulled from, which is each region's own."""
    host, slash, rest = (image or "").partition("/")
    return rest if slash and ("." in host or ":" in host) else image


def _environment(variables: Sequence[Mapping[str, Any]]) -> str:
    """Names and values; of a variable that comes from elsewhere, the name."""
    return shown({str(it.get("name")): it.get("value", "from elsewhere") for it in variables})


def _text(value: object) -> str | None:
    return None if value is None else str(value)
