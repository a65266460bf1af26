"""verify on a fleet on ECS whose route swaps credentials: real gateways, a cluster that asks for its own key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from drill import fixture_plan
from drill.network.certificate import certificate
from drill.process import Child, spawn
from failover.errors import FleetUnavailable
from failover.fleets import FleetState, Instance
from failover.fleets.metrics import with_metrics
from failover.kafka.client import settings
from gateway.config import CLUSTER_LOGIN_TEMPLATE
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
pytestmark = pytest.mark.slow
INSTANCES: Final = 2
KEY: Final = ("WESTKEY", "west:secret")
LOGINS: Final = 'KafkaServer { org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="hers"; };'
STORED: Final = "gateway/west/alice"


@dataclass
class World:
    """The standby's cluster and fleet, an execution that leads to it, and Secrets Manager."""

    kafka: Child
    execution: dict[str, Any]
    secrets: Any
    ecs: Any

    def replace_tasks(self) -> None:
        """New gateways: those that run remember what the store told them."""
        for definition in ("east", "west"):
            task = fixture_plan.task_definition("west", definition)
            self._run(task, frozenset(self.tasks()))

    def _run(self, definition: str, before: frozenset[str]) -> None:
        self.ecs.update_service(cluster="gateways", service="gateway-west", taskDefinition=definition)
        wait(lambda: len(self.tasks()) == INSTANCES and not before & set(self.tasks()))

    def tasks(self) -> list[str]:
        arns = self.ecs.list_tasks(cluster="gateways", serviceName="gateway-west")["taskArns"]
        tasks = self.ecs.describe_tasks(cluster="gateways", tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"]


def wait(condition: Callable[[], bool], limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def world(
    deployed: Callable[..., Any], aws_endpoint: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A fleet on ECS that is routed to west, and swaps alice's login for the cluster's key."""
    from drill.aws.ecs import EcsBridge
    from drill.aws.regions import Regions

    with ExitStack() as stack:
        kafka = spawn("drill.kafka.cluster", {"site": "west", "logins": dict([KEY])}, log=tmp_path / "kafka.log")
        stack.callback(kafka.stop)
        balancer = spawn("drill.network.balancer", {"site": "west", "listen_ports": 4}, log=tmp_path / "balancer.log")
        stack.callback(balancer.stop)
        address = f"127.0.0.1:{balancer.ready['port']}"
        addresses = {
            "east": fixture_plan.SiteAddresses(
                cluster_id="lkc-east", bootstrap="127.0.0.1:9", rest="http://127.0.0.1:9", balancer="127.0.0.1:9"
            ),
            "west": fixture_plan.SiteAddresses(
                cluster_id=kafka.ready["cluster_id"],
                bootstrap=kafka.ready["bootstrap"],
                rest="http://127.0.0.1:9",
                balancer=address,
            ),
        }
        document = fixture_plan.plan_document(
            addresses, client_bootstrap=address, nameserver="127.0.0.1:9", zone_id="Z", policy={}
        )
        document["clients"] |= {"security_protocol": "SASL_SSL", "credentials": "failover/clients"}
        put_plan(deployed, yaml.safe_dump(document))
        secrets = deployed("secretsmanager", "us-west-2")
        secrets.create_secret(Name="failover/clients", SecretString=json.dumps({"key": "alice", "secret": "hers"}))
        secrets.create_secret(Name=STORED, SecretString=":".join(KEY))
        authority, chain, key = certificate(tmp_path)
        (tmp_path / "authority.pem").write_bytes(authority)
        (tmp_path / "keystore.pem").write_bytes(key.read_bytes() + chain.read_bytes())
        trusted = {"ssl.ca.location": str(tmp_path / "authority.pem")}  # a real gateway's is one that everybody trusts
        monkeypatch.setattr("failover.kafka.factory.settings", lambda *args: settings(*args) | trusted)
        (tmp_path / "clients.jaas").write_text(LOGINS)
        (tmp_path / "cluster.jaas").write_text(CLUSTER_LOGIN_TEMPLATE)
        ecs = deployed("ecs", "us-west-2")
        ecs.create_cluster(clusterName="gateways")
        environment = {
            "AWS_ENDPOINT_URL": aws_endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "NO_PROXY": "*",
            "GATEWAY_CONFIG": yaml.safe_dump(swapping(address, kafka.ready["bootstrap"], tmp_path)),
        }
        given = [{"name": name, "value": value} for name, value in environment.items()]
        for target in ("east", "west", "fenced"):  # all lead to the one cluster there is
            container = {"name": "gateway", "image": "gateway", "memory": 128, "environment": given}
            ecs.register_task_definition(
                family=fixture_plan.task_family("west", target), containerDefinitions=[container]
            )
        ecs.create_service(
            cluster="gateways",
            serviceName="gateway-west",
            taskDefinition=fixture_plan.task_definition("west", "west"),
            desiredCount=INSTANCES,
            deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 200},
            tags=[{"key": "drill:balancer", "value": balancer.ready["admin"]}],
        )
        bridge = EcsBridge(fixture_plan.ACCOUNT, Regions(), tmp_path)
        bridge.install()
        bridge.start()
        stack.callback(bridge.close)
        started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
        world = World(kafka, call("claim", started)["execution"], secrets, ecs)
        wait(lambda: len(world.tasks()) == INSTANCES)
        yield world


def swapping(endpoint: str, bootstrap: str, directory: Path) -> dict[str, Any]:
    server = {"id": "west-kafka", "endpoint": f"SASL_PLAINTEXT://{bootstrap}"}
    cluster = {
        "name": "west",
        "bootstrapServers": [server],
        "nodeIdRanges": [{"name": "brokers", "start": 1, "end": 3}],
    }
    client = {"mechanism": "PLAIN", "jaasConfig": {"file": str(directory / "clients.jaas")}}
    login = {"mechanism": "PLAIN", "jaasConfig": {"file": str(directory / "cluster.jaas")}}
    store = {"region": "us-west-2", "separator": ":", "prefixPath": "gateway/west/"}
    route = {
        "name": "orders",
        "endpoint": endpoint,
        "brokerIdentificationStrategy": {"type": "port"},
        "streamingDomain": {"name": "west", "bootstrapServerId": "west-kafka"},
        "security": {
            "auth": "swap",
            "ssl": {"keystore": {"type": "PEM", "location": str(directory / "keystore.pem")}},
            "swapConfig": {
                "clientAuth": {"sasl": client},
                "secretStore": "west",
                "clusterAuth": {"sasl": login},
            },
        },
    }
    gateway = {
        "name": "orders-west",
        "admin": {"endpoints": {"metrics": True}},
        "streamingDomains": [{"name": "west", "type": "kafka", "kafkaCluster": cluster}],
        "secretStores": [{"name": "west", "provider": {"type": "AWS", "config": store}}],
        "routes": [route],
    }
    return {"gateway": gateway}


def verified(world: World, call: Call) -> dict[str, Any]:
    return call("verify", {"execution": world.execution})


def test_swaps_are_counted_on_each_task_and_a_canary_goes_through_them(world: World, call: Call) -> None:
    deadline = time.monotonic() + 90
    while (report := verified(world, call))["status"] != "done":
        assert time.monotonic() < deadline, json.dumps(report, indent=1)
    proven = report["observed"]["proven"]
    for task in world.tasks():
        name = task.rsplit("/", 1)[-1]
        assert f"instance {name} is on {world.kafka.ready['cluster_id']}" in proven
        assert f"instance {name}: no swap of credentials failed meanwhile" in proven
    assert any(each.startswith("canary written and read back through fleet gateway-west") for each in proven)


def test_logins_that_the_standby_does_not_take_are_found_before_anybody_is_told_that_clients_work(
    world: World, call: Call
) -> None:
    world.secrets.put_secret_value(SecretId=STORED, SecretString="WESTKEY:revoked")
    world.replace_tasks()
    deadline = time.monotonic() + 60
    # A task may be looked at a moment before its metrics are there: then that it is not known is what is told.
    while True:
        report = verified(world, call)
        assert (report["status"], report["retry_after"]) == ("waiting", 1)
        assert "revoked" not in json.dumps(report) and "hers" not in json.dumps(report)
        unproven = " ".join(report["observed"]["unproven"])
        if "swaps of credentials failed meanwhile" in unproven and "through fleet gateway-west" in unproven:
            return
        assert time.monotonic() < deadline, unproven


METRICS: Final = "failover.fleets.metrics._read"


@pytest.mark.parametrize(
    ("text", "proof", "failures"),
    [
        (None, "runs it", None),
        (b"<html>somebody else</html>", "runs it", None),
        (b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="serving"} 1', "runs it", None),
        (b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="draining"} 1', None, None),
        (b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1', None, None),
        (b'kroxylicious_virtual_cluster_state{virtual_cluster="others",state="failed"} 1', "runs it", None),
        (b'gateway_authswap_client_auth_total{result="failure"} 3.0', "runs it", 3),
    ],
)
def test_metrics_take_a_proof_away_and_never_give_one(
    monkeypatch: pytest.MonkeyPatch, text: bytes | None, proof: str | None, failures: int | None
) -> None:
    monkeypatch.setattr(METRICS, lambda _: text)
    there = Instance(name="one", bootstrap="10.0.0.1:9092", proof="runs it", metrics="10.0.0.1:9190")
    unknown = Instance(name="two", bootstrap=None, metrics="10.0.0.2:9190")
    one, two = with_metrics(
        FleetState(target="west", settled=True, instances=(there, unknown), detail=""), "orders"
    ).instances
    assert (one.proof, one.auth_failures) == (proof, failures)
    assert two.proof is None


def test_an_address_at_which_nobody_answers_changes_nothing() -> None:
    state = FleetState(
        target="west",
        settled=True,
        instances=(Instance(name="one", bootstrap=None, proof="runs it", metrics="127.0.0.1:9"),),
        detail="",
    )
    assert with_metrics(state, "orders") == state


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ((5,), None),
        ((7,), "2 swaps of credentials failed"),
        ((3,), "was started anew"),
        ((None,), "did not tell again"),
        ((), "did not tell again"),
        ("unavailable", "could not be asked again"),
    ],
)
def test_a_count_that_can_not_be_compared_is_no_proof(
    function: Callable[[str], Any], after: Any, said: str | None
) -> None:
    def fleet(*counts: int | None) -> FleetState:
        return FleetState(
            target="west",
            settled=True,
            instances=tuple(Instance(name="one", bootstrap=None, auth_failures=count) for count in counts),
            detail="",
        )

    then = FleetUnavailable("gone") if after == "unavailable" else fleet(*after)
    (found,) = function("verify")._swaps("gateway-west", fleet(5), then)
    assert found.holds is (said is None)
    assert said is None or said in found.what
