"""The controllers around the API: the operator of Kroxylicious, Deployments, and Services before a load balancer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drill.network.plain_http import plain
from drill.process import Child, spawn
from tests.drill.kubernetes.test_cluster import DEPLOYMENTS, PODS, Cluster, _ready, make, manifest, process
from tests.patience import eventually

__all__ = ["make", "process"]
pytestmark = pytest.mark.slow
KROXYLICIOUS = "/apis/kroxylicious.io/v1alpha1/namespaces/confluent"
CLUSTER = f"{KROXYLICIOUS}/virtualkafkaclusters/orders"


def resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kroxylicious.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


OPEN_SOURCE = [
    resource("KafkaProxy", "gw", {"replicas": 1}),
    resource("KafkaService", "east", {"bootstrapServers": "127.0.0.1:9"}),
    resource("KafkaService", "west", {"bootstrapServers": "127.0.0.1:9"}),
    resource(
        "VirtualKafkaCluster",
        "orders",
        {"proxyRef": {"name": "gw"}, "targetKafkaServiceRef": {"name": "east"}, "ingresses": []},
    ),
]


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Child]:
    config = {"site": "any", "listen_ports": 4, "connection_termination": False}
    child = spawn("drill.network.balancer", config, log=tmp_path / "balancer.log")
    yield child
    child.stop()


def lead(cluster: Cluster, service: str) -> None:
    operation = {"op": "replace", "path": "/spec/targetKafkaServiceRef/name", "value": service}
    cluster.patch([operation], CLUSTER).raise_for_status()


def test_a_new_target_rolls_the_proxy_and_the_condition_speaks_of_its_generation(make: Callable[..., Cluster]) -> None:
    cluster = make(manifests=OPEN_SOURCE)
    (pod,) = cluster.pods()
    assert pod["metadata"]["labels"]["app.kubernetes.io/instance"] == "gw"
    lead(cluster, "west")
    eventually(lambda: pod["metadata"]["name"] not in {each["metadata"]["name"] for each in cluster.pods()})
    (condition,) = cluster.get(CLUSTER)["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["observedGeneration"]) == ("ResolvedRefs", "True", 2)


def test_a_target_that_is_not_there_is_said_and_nothing_is_rolled(make: Callable[..., Cluster]) -> None:
    cluster = make(manifests=OPEN_SOURCE)
    before = [each["metadata"]["uid"] for each in cluster.pods()]
    lead(cluster, "nobody")

    def said() -> Any:
        return cluster.get(CLUSTER)["status"]["conditions"][0]["reason"] == "ReferencedResourcesNotFound"

    eventually(said)
    assert [each["metadata"]["uid"] for each in cluster.pods()] == before
    assert cluster.get(f"{DEPLOYMENTS}/gw")["metadata"]["generation"] == 1


def test_the_engine_has_no_config_door(make: Callable[..., Cluster]) -> None:
    cluster = make(manifests=OPEN_SOURCE)
    (pod,) = cluster.pods()
    proxy = f"{PODS}/{pod['metadata']['name']}:9180/proxy"
    assert cluster.http.get(f"{proxy}/config").status_code == 404


def has_pods(cluster: Cluster, count: int) -> bool:
    return len(cluster.pods()) == count


def test_a_replica_more_or_less_is_a_pod_more_or_less_and_none_of_the_others_is_touched(
    make: Callable[..., Cluster],
) -> None:
    cluster = make()
    (first,) = cluster.pods()
    for count in (3, 1, 0):
        cluster.patch([{"op": "add", "path": "/spec/replicas", "value": count}]).raise_for_status()
        eventually(partial(has_pods, cluster, count))
        assert count == 0 or first["metadata"]["uid"] in {each["metadata"]["uid"] for each in cluster.pods()}
    eventually(lambda: not cluster.get(PODS)["items"])
    assert "replicas" not in eventually(lambda: cluster.get(f"{DEPLOYMENTS}/gw")["status"])


def test_a_service_leads_new_connections_to_ready_pods_and_old_ones_stay_until_their_pod_is_gone(
    make: Callable[..., Cluster], balancer: Child
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kafka:  # a connection to a dead upstream would end at once
        upstream = {"id": "kafka", "endpoint": f"127.0.0.1:{kafka.getsockname()[1]}"}
        domain = {"name": "east", "type": "kafka", "kafkaCluster": {"bootstrapServers": [upstream]}}
        gateways = [manifest(streamingDomains=[domain]) for _ in range(2)]
        gateways[1]["metadata"] = {"name": "other", "namespace": "confluent"}
        service = {
            "kind": "Service",
            "metadata": {"name": "clients", "annotations": {"drill/balancer": balancer.ready["admin"]}},
            "spec": {"selector": {"app": "gw"}},
        }
        cluster = make(manifests=[*gateways, service])
        eventually(lambda: len(cluster.pods()) == 2 and all(map(_ready, cluster.pods())))

        def targets() -> list[list[int]]:
            return list(plain.get(f"{balancer.ready['admin']}/targets").json()["targets"])

        (before,) = eventually(targets)
        with socket.create_connection(("127.0.0.1", balancer.ready["port"])) as client, kafka.accept()[0]:
            select_other = [{"op": "replace", "path": "/spec/selector/app", "value": "other"}]
            cluster.patch(select_other, "/api/v1/namespaces/confluent/services/clients").raise_for_status()
            eventually(lambda: targets() not in ([before], []))
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(10)
            cluster.patch([{"op": "add", "path": "/spec/replicas", "value": 0}]).raise_for_status()
            assert client.recv(1) == b""
