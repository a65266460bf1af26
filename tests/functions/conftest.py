"""Gateway fleets on Kubernetes for the tests of the steps: a cluster a site, its pods real gateway processes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.execution.inventory import Listed, save_inventory
from failover.ledger.execution import Execution
from failover.plan.fleets import CfkFleet
from failover.plan.model import parse
from gateway.cfk import controller_rules, gateway_resource
from gateway.settings import Settings
from tests.functions.both_sites import TOPICS, Sites, book, put_in_place

ACCESS = {"test": "test"}


@dataclass(frozen=True)
class Fleet:
    """A site's cluster with one fleet in it, as a test looks at it and troubles it."""

    site: str
    child: Child

    def objects(self, plural: str) -> list[dict[str, Any]]:
        """Every object of a kind, past the API."""
        return list(plain.get(f"{self.child.ready['control']}/objects").json()[plural])

    @property
    def gateway(self) -> dict[str, Any]:
        """The Gateway resource."""
        return self.objects("gateways")[0]

    @property
    def domain(self) -> str:
        """The streaming domain its route leads to."""
        return str(self.gateway["spec"]["routes"][0]["streamingDomain"]["name"])

    def pods(self, ready: bool = True) -> list[str]:
        """The names of its pods."""
        conditions = {"type": "Ready", "status": "True"}
        return [
            pod["metadata"]["name"]
            for pod in self.objects("pods")
            if not ready or (conditions in pod["status"]["conditions"] and "deletionTimestamp" not in pod["metadata"])
        ]

    def patches(self) -> int:
        """How often a Gateway was patched, tries without effect not counted."""
        generation: int = self.gateway["metadata"]["generation"]
        return generation - 1

    def asked(self, what: str) -> int:
        """How often a verb was asked for on a resource, as in `delete pods`."""
        return int(plain.get(f"{self.child.ready['control']}/asked").json().get(what, 0))

    def trouble(self, door: str, body: Any) -> None:
        """Use one of the cluster's doors."""
        plain.put(f"{self.child.ready['control']}/{door}", json=body, timeout=10).raise_for_status()


@dataclass(frozen=True)
class Message:
    """What people were sent."""

    subject: str
    body: dict[str, Any]


@pytest.fixture
def messages(deployed: Callable[..., Any]) -> Callable[[], list[Message]]:
    """The messages to people since it was last asked."""
    sqs = deployed("sqs")
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    topic = deployed("sns").list_topics()["Topics"][0]["TopicArn"]
    deployed("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-west-2:123456789012:people")

    def read() -> list[Message]:
        received = []
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            received += [json.loads(each["Body"]) for each in found]
            for each in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [Message(each["Subject"], json.loads(each["Message"])) for each in received]

    return read


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Child]]:
    """The process of each site's cluster: one for all tests, since it is long to start."""
    logs = tmp_path_factory.mktemp("kubernetes")
    with ExitStack() as stack:

        @functools.cache
        def of(site: str) -> Child:
            nothing = {"name": site, "log_dir": str(logs), "access": {}, "rules": []}
            child = spawn("drill.kubernetes.cluster", nothing, log=logs / f"{site}.log")
            stack.callback(child.stop)
            return child

        yield of


@pytest.fixture
def kubernetes(clusters: Callable[[str], Child], tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Makes a site's cluster with manifests in it, waits for so many Ready pods, and tells the plan where it is."""
    made: list[Fleet] = []

    def start(
        document: dict[str, Any],
        site: str,
        manifests: list[dict[str, Any]],
        rules: list[dict[str, Any]],
        pods: int,
        **config: Any,
    ) -> Fleet:
        settings = {
            "name": f"eks-{site}",
            "log_dir": str(tmp_path / f"kubernetes-{site}"),
            "manifests": manifests,
            "access": ACCESS,
            "rules": rules,
            "lag_s": 0.15,
            "canary_s": 0.1,
            "ready_after_s": 0.05,
            "drain_s": 1.0,
            **config,
        }
        child = clusters(site)
        fleet = Fleet(site, child)
        made.append(fleet)
        fleet.trouble("cluster", settings)
        document["sites"][site]["fleets"][0]["eks"] |= {
            key: child.ready[key] for key in ("endpoint", "certificate_authority")
        }
        deadline = time.monotonic() + 90
        while len(fleet.pods()) != pods:
            assert time.monotonic() < deadline, "the pods did not come up"
            time.sleep(0.02)
        return fleet

    yield start
    for fleet in made:
        fleet.trouble("cluster", {"name": fleet.site, "log_dir": str(tmp_path), "access": {}, "rules": []})


@pytest.fixture
def cfk(kubernetes: Callable[..., Fleet]) -> Callable[..., tuple[str, dict[str, Fleet]]]:
    """Makes clusters with a fleet each, routed to east: the plan's text, and the fleets by site.

    `spec` changes the Gateways' specs; `fleet` adds to what the plan says of each; `balancer` is the admin of the load
    balancer before them; the rest goes to the clusters.
    """

    def make(
        plan_text: str,
        sites: tuple[str, ...] = ("west",),
        instances: int = 2,
        spec: Callable[[dict[str, Any]], None] | None = None,
        balancer: str | None = None,
        fleet: dict[str, Any] | None = None,
        **config: Any,
    ) -> tuple[str, dict[str, Fleet]]:
        document = yaml.safe_load(plan_text)
        for site in ("east", "west"):
            document["sites"][site]["fleets"] = [fixture_plan.cfk_fleet(site, "127.0.0.1:9100") | (fleet or {})]
        fleets: dict[str, Fleet] = {}
        for site in sites:
            plan = parse(yaml.safe_dump(document))
            described = plan.site(site).fleets[0]
            assert isinstance(described, CfkFleet)
            manifest = gateway_resource(plan, "east", described, Settings(node_ids=(1, 3), hot_reload=True), instances)
            if spec is not None:
                spec(manifest["spec"])
            manifests = [manifest, *([service(described.gateway, balancer)] if balancer else [])]
            fleets[site] = kubernetes(document, site, manifests, controller_rules(described), instances, **config)
        return yaml.safe_dump(document), fleets

    return make


def service(selected: str, balancer: str) -> dict[str, Any]:
    """A Service behind a load balancer, given by its admin, that selects a Gateway's pods."""
    return {
        "kind": "Service",
        "metadata": {"name": "kafka", "annotations": {"drill/balancer": balancer}},
        "spec": {"selector": {"app": selected}},
    }


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> Sites:
    """Both sites, with all as it has to be: a test changes what it is about."""
    sites = Sites()
    put_in_place(sites, monkeypatch)
    return sites


@pytest.fixture
def begun(deployed: Any, call: Callable[..., Any], sites: Sites) -> Callable[..., dict[str, Any]]:
    """What a step is called with, of an execution that leaves east, or makes it a mirror of west."""

    def begin(kind: str = "switchover", topics: Sequence[str] = TOPICS, *, dry_run: bool = False) -> dict[str, Any]:
        start = {"plan": "orders", "to": "west", "by": "anna", "dry_run": dry_run}
        if kind == "restore":
            failover = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
            call("conclude", {"execution": call("claim", failover)["execution"], "outcome": "succeeded"})
        claimed = call("claim", {"start": start, "execution_name": f"an-{kind}", "kind": kind})["execution"]
        inventory = {topic: Listed("orders-link", "ACTIVE", {0: 0}) for topic in topics}
        save_inventory(book(), Execution.model_validate(claimed), inventory)
        return {"execution": dict(claimed)}

    return begin
