"""The cluster stand-in over HTTPS: what the API refuses and how, what the operator makes of a change and when."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.fleets.eks import token
from tests.patience import eventually

pytestmark = pytest.mark.slow
GATEWAYS = "/apis/platform.confluent.io/v1beta1/namespaces/confluent/gateways"
PODS = "/api/v1/namespaces/confluent/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/confluent/deployments"
SERVER = {"id": "kafka", "endpoint": "127.0.0.1:9"}
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
NEVER_S = 3600.0
ANNOTATED = {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}


def manifest(**spec: Any) -> dict[str, Any]:
    domains = [
        {"name": name, "type": "kafka", "kafkaCluster": {"bootstrapServers": [SERVER]}} for name in ("east", "west")
    ]
    route = {
        "name": "orders",
        "endpoint": "kafka.example.com:9092",
        "brokerIdentificationStrategy": {"type": "port"},
        "streamingDomain": {"name": "east", "bootstrapServerId": "kafka"},
        "security": {"auth": "passthrough"},
    }
    licence = {"name": "GATEWAY_LICENSES", "valueFrom": {"secretKeyRef": {"name": "licences", "key": "text"}}}
    return {
        "apiVersion": "platform.confluent.io/v1beta1",
        "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": "confluent"},
        "spec": {
            "replicas": 1,
            "image": {"application": "confluentinc/cpc-gateway:1.4.0"},
            "hotReload": {"enabled": True},
            "configId": "first",
            "podTemplate": {"envVars": [licence]},
            "streamingDomains": domains,
            "routes": [route],
            **spec,
        },
    }


class Cluster:
    """A cluster and a client of it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        context = ssl.create_default_context(cadata=base64.b64decode(ready["certificate_authority"]).decode())
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self.ready = ready
        self.http = httpx.Client(
            base_url=ready["endpoint"], verify=context, headers={"Authorization": f"Bearer {token('eks', 'us-west-2')}"}
        )

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def patch(self, operations: Any, path: str = f"{GATEWAYS}/gw", **query: str) -> httpx.Response:
        headers = {"Content-Type": "application/json-patch+json"}
        return self.http.patch(path, content=json.dumps(operations), headers=headers, params=query)

    def move(self, to: str = "west", config_id: str = "second") -> None:
        domain = {"name": to, "bootstrapServerId": "kafka"}
        self.patch(
            [
                {"op": "add", "path": "/spec/routes/0/streamingDomain", "value": domain},
                {"op": "add", "path": "/spec/configId", "value": config_id},
            ]
        ).raise_for_status()

    def pods(self) -> list[dict[str, Any]]:
        return [pod for pod in self.get(PODS)["items"] if "deletionTimestamp" not in pod["metadata"]]

    def config(self, pod: dict[str, Any]) -> Any:
        return self.get(f"{PODS}/{pod['metadata']['name']}:9180/proxy/config")["configId"]

    def trouble(self, door: str, body: Any) -> None:
        plain.put(f"{self.ready['control']}/{door}", json=body, timeout=10).raise_for_status()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    directory = tmp_path_factory.mktemp("kubernetes")
    nothing = {"name": "eks", "log_dir": str(directory), "access": {}, "rules": []}
    child = spawn("drill.kubernetes.cluster", nothing, log=directory / "cluster.log")
    yield child
    child.stop()


@pytest.fixture
def make(process: Child, tmp_path: Path) -> Callable[..., Cluster]:
    """Makes the cluster another one, in the process that is there."""

    def start(gateway: dict[str, Any] | None = None, **config: Any) -> Cluster:
        settings = {
            "name": "eks",
            "log_dir": str(tmp_path / "pods"),
            "manifests": [gateway or manifest()],
            "access": {"test": "test"},
            "rules": EVERYTHING,
            "lag_s": 0.2,
            "canary_s": 0.2,
            "ready_after_s": 0.1,
            **config,
        }
        cluster = Cluster(process.ready)
        cluster.trouble("cluster", settings)
        eventually(lambda: cluster.pods() and _ready(cluster.pods()[0]))
        return cluster

    return start


def _ready(pod: dict[str, Any]) -> bool:
    return {"type": "Ready", "status": "True"} in pod["status"]["conditions"]


def test_its_certificate_is_its_own_authoritys(make: Callable[..., Cluster]) -> None:
    cluster = make()
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(cluster.ready["endpoint"])


def test_what_a_role_does_not_allow_is_forbidden(make: Callable[..., Cluster]) -> None:
    cluster = make()
    anonymous = cluster.http.get(f"{GATEWAYS}/gw", headers={"Authorization": ""})
    assert (anonymous.status_code, anonymous.json()["reason"]) == (401, "Unauthorized")
    cluster.trouble("rules", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
    assert cluster.http.get(PODS).status_code == 200
    name = cluster.get(PODS)["items"][0]["metadata"]["name"]
    for path in (f"{PODS}/{name}", f"{PODS}/{name}:9180/proxy/config", f"{GATEWAYS}/gw"):
        refused = cluster.http.get(path)
        assert (refused.status_code, refused.json()["reason"]) == (403, "Forbidden")
    assert 'cannot get resource "gateways" in API group "platform.confluent.io"' in refused.json()["message"]
    cluster.trouble("rules", [{"apiGroups": ["*"], "resources": ["*"], "resourceNames": ["other"], "verbs": ["*"]}])
    assert cluster.http.get(f"{GATEWAYS}/gw").status_code == 403


def test_a_patch_is_refused_as_the_api_server_refuses_it(make: Callable[..., Cluster]) -> None:
    cluster = make()
    refused = cluster.patch([{"op": "test", "path": "/spec/routes/0/name", "value": "other"}])
    assert (refused.status_code, refused.json()["reason"]) == (422, "Invalid")
    assert "test failed" in refused.json()["details"]["causes"][0]["message"]
    invalid = cluster.patch([{"op": "add", "path": "/spec/configId", "value": "not allowed!"}])
    assert (invalid.status_code, "spec.configId" in invalid.json()["message"]) == (422, True)
    version = [{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}, ANNOTATED]
    assert cluster.patch(version).status_code == 409
    assert cluster.patch(version, dryRun="All").status_code == 409
    assert cluster.patch([ANNOTATED], f"{GATEWAYS}/nobody").status_code == 404
    kind = {"Content-Type": "application/json"}
    assert cluster.http.patch(f"{GATEWAYS}/gw", content="[]", headers=kind).status_code == 415


def test_only_a_changed_spec_is_a_new_generation_and_a_dry_run_changes_nothing(make: Callable[..., Cluster]) -> None:
    cluster = make()
    before = cluster.get(f"{GATEWAYS}/gw")["metadata"]
    assert cluster.patch([ANNOTATED], dryRun="All").json()["metadata"]["annotations"] == {"a": "b"}
    same = cluster.patch([{"op": "add", "path": "/spec/configId", "value": "first"}]).json()["metadata"]
    assert same["generation"] == before["generation"] and "annotations" not in same
    annotated = cluster.patch([ANNOTATED]).json()["metadata"]
    assert annotated["generation"] == before["generation"]
    assert annotated["resourceVersion"] != before["resourceVersion"]
    assert cluster.patch([{"op": "add", "path": "/spec/replicas", "value": 2}]).json()["metadata"]["generation"] == 2


def test_an_older_definition_drops_what_it_does_not_know_without_an_error(make: Callable[..., Cluster]) -> None:
    cluster = make(cfk=(3, 1))
    fence = {"op": "add", "path": "/spec/routes/0/fence", "value": {"scope": "ALL"}}
    spec = cluster.patch([fence, {"op": "add", "path": "/spec/configId", "value": "second"}]).json()["spec"]
    assert "fence" not in spec["routes"][0] and not {"configId", "hotReload"} & spec.keys()


def test_a_chart_may_have_hot_reload_and_no_config_id(make: Callable[..., Cluster]) -> None:
    spec = make(cfk=(3, 3, 10)).get(f"{GATEWAYS}/gw")["spec"]
    assert spec["hotReload"] == {"enabled": True} and "configId" not in spec


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hotReload", True),
        ("routes/0/fence", {}),
        ("routes/0/fence", {"scope": "some"}),
        ("routes/0/fence", {"scope": "ALL", "errorMessage": "m" * 257}),
        ("routes/0/name", "r" * 31),
        ("routes/0/security", {"auth": "swap", "client": {"tls": {"secretRef": "s" * 31}}}),
    ],
)
def test_what_the_definition_does_not_take_is_refused(make: Callable[..., Cluster], field: str, value: Any) -> None:
    answer = make().patch([{"op": "add", "path": f"/spec/{field}", "value": value}])
    assert answer.status_code == 422, answer.text


def test_an_edit_in_place_reaches_the_pods_and_leaves_them_where_they_are(make: Callable[..., Cluster]) -> None:
    cluster = make()
    (pod,) = cluster.pods()
    cluster.trouble("operator", {"lag_s": NEVER_S})
    cluster.move()
    gateway = cluster.get(f"{GATEWAYS}/gw")
    assert gateway["status"]["observedGeneration"] == 1 < gateway["metadata"]["generation"]
    cluster.trouble("operator", {"lag_s": 0.1})
    eventually(lambda: cluster.config(pod) == "second")
    assert [each["metadata"]["uid"] for each in cluster.pods()] == [pod["metadata"]["uid"]]
    assert cluster.get(f"{GATEWAYS}/gw")["status"]["observedGeneration"] == 2
    assert cluster.get(f"{DEPLOYMENTS}/gw")["metadata"]["generation"] == 1


def test_a_new_pod_of_a_fleet_that_was_reloaded_starts_with_what_it_was_reloaded_to(
    make: Callable[..., Cluster],
) -> None:
    cluster = make()
    (pod,) = cluster.pods()
    cluster.move()
    eventually(lambda: cluster.config(pod) == "second")
    cluster.http.delete(f"{PODS}/{pod['metadata']['name']}").raise_for_status()
    (new,) = eventually(
        lambda: [p for p in cluster.pods() if p["metadata"]["uid"] != pod["metadata"]["uid"] and _ready(p)]
    )
    assert cluster.config(new) == "second"


def test_without_hot_reload_the_pods_are_rolled_and_the_new_one_is_ready_before_the_old_one_goes(
    make: Callable[..., Cluster],
) -> None:
    cluster = make(manifest(hotReload={}))
    eventually(lambda: any(map(_ready, cluster.pods())))
    cluster.trouble("timing", {"ready_after": NEVER_S})
    (pod,) = cluster.pods()
    cluster.move()
    eventually(lambda: len(cluster.pods()) == 2)
    assert cluster.config(pod) == "first"
    cluster.trouble("timing", {"ready_after": 0.1})
    (new,) = eventually(
        lambda: [p for p in cluster.pods() if p["metadata"]["uid"] != pod["metadata"]["uid"] and _ready(p)]
    )
    assert cluster.config(new) == "second"
    eventually(lambda: len(cluster.get(PODS)["items"]) == 1)
    status = cluster.get(f"{DEPLOYMENTS}/gw")["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (1, 1, 1)


def test_a_pod_is_ready_though_its_upstream_is_dead_and_its_metrics_are_the_engines(
    make: Callable[..., Cluster],
) -> None:
    cluster = make()
    (pod,) = cluster.pods()
    proxy = f"{PODS}/{pod['metadata']['name']}:9190/proxy"
    assert _ready(pod) and cluster.http.get(f"{proxy}/livez").text == "OK"
    assert 'kroxylicious_virtual_cluster_state{virtual_cluster="orders"' in cluster.http.get(f"{proxy}/metrics").text
    assert cluster.http.get(f"{PODS}/{pod['metadata']['name']}:1/proxy/config").status_code == 503


def test_an_operator_that_refuses_does_not_observe_and_its_condition_stays_when_it_is_old(
    make: Callable[..., Cluster],
) -> None:
    cluster = make()
    cluster.trouble("operator", {"refuses": "secretRef x not found"})
    cluster.move()

    def failed() -> Any:
        conditions = cluster.get(f"{GATEWAYS}/gw")["status"]["conditions"]
        return [each for each in conditions if each["reason"] == "ApplyFailed"]

    assert eventually(failed)[0]["message"] == "secretRef x not found"
    assert cluster.get(f"{GATEWAYS}/gw")["status"]["observedGeneration"] == 1


def test_an_api_that_is_gone_refuses_connections_until_it_is_back(make: Callable[..., Cluster]) -> None:
    cluster = make()
    cluster.trouble("api", {"gone": True})
    with pytest.raises(httpx.ConnectError):
        cluster.http.get(f"{GATEWAYS}/gw")
    cluster.trouble("api", {"gone": False})
    eventually(lambda: cluster.http.get(f"{GATEWAYS}/gw").status_code == 200)
