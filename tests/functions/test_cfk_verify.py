"""verify on a fleet of Confluent for Kubernetes: what the pods' configuration proves, and what only Kafka can."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.process import Child, spawn
from tests.functions import polled_steps
from tests.functions.polled_steps import Call
from tests.plans import put_plan

until_done = partial(polled_steps.until_done, limit_s=90)
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Site:
    """The standby with its Kafka cluster, and the load balancer that the client hostname leads to."""

    kafka: Child
    balancer: Child

    @property
    def before_fleet(self) -> dict[str, Any]:
        """For the fixture `cfk`: the load balancer before the fleet, and that the plan knows it."""
        bootstrap = f"127.0.0.1:{self.balancer.ready['port']}"
        return {"balancer": self.balancer.ready["admin"], "fleet": {"bootstrap": bootstrap}}


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:

        def start(module: str, **config: Any) -> Child:
            child = spawn(module, config, log=tmp_path / f"{module}.log")
            stack.callback(child.stop)
            return child

        balancer = start("drill.network.balancer", site="west", listen_ports=4, connection_termination=False)
        yield Site(start("drill.kafka.cluster", site="west"), balancer)


@pytest.fixture
def plan_text(standby: Site) -> str:
    """Both sites lead to the one cluster there is; only the standby's is asked."""
    balancer = f"127.0.0.1:{standby.balancer.ready['port']}"
    kafka = standby.kafka.ready
    addresses = {
        "east": fixture_plan.SiteAddresses(
            cluster_id="lkc-east", bootstrap="127.0.0.1:9", rest="http://127.0.0.1:9", balancer=balancer
        ),
        "west": fixture_plan.SiteAddresses(
            cluster_id=kafka["cluster_id"], bootstrap=kafka["bootstrap"], rest="http://127.0.0.1:9", balancer=balancer
        ),
    }
    document = fixture_plan.plan_document(
        addresses, client_bootstrap=balancer, nameserver="127.0.0.1:9", zone_id="Z", policy={}
    )
    return yaml.safe_dump(document)


@pytest.fixture
def begin(deployed: Callable[..., Any], call: Call) -> Callable[[str], dict[str, Any]]:
    """Begins a failover of a plan."""

    def claim(text: str) -> dict[str, Any]:
        put_plan(deployed, text)
        begun = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
        return dict(call("claim", begun)["execution"])

    return claim


def test_a_ready_pod_that_reports_the_right_id_proves_nothing_while_its_upstream_is_dead(
    cfk: Any, plan_text: str, standby: Site, begin: Any, call: Call
) -> None:
    text, fleets = cfk(plan_text, **standby.before_fleet)
    execution = begin(text)
    switch = {"execution": execution, "site": "west", "fleet": "gateway-west"}
    until_done(call, "switch_routes", switch)
    proven = until_done(call, "verify", {"execution": execution})["observed"]["proven"]
    cluster = standby.kafka.ready["cluster_id"]
    assert {f"instance {pod} is on {cluster}" for pod in fleets["west"].pods()} <= set(proven)
    assert f"canary written and read back through fleet gateway-west at {fixture_plan.CANARY}" in " ".join(proven)
    standby.kafka.kill()
    assert call("switch_routes", switch)["status"] == "done"
    report = call("verify", {"execution": execution})
    assert report["status"] == "waiting"
    for pod in fleets["west"].pods():
        assert any(each.startswith(f"instance {pod} is on no cluster") for each in report["observed"]["unproven"])


def test_an_api_that_is_gone_leaves_its_instances_unproven_and_the_rest_is_still_said(
    cfk: Any, plan_text: str, standby: Site, begin: Any, call: Call
) -> None:
    text, fleets = cfk(plan_text, instances=1, **standby.before_fleet)
    execution = begin(text)
    until_done(call, "switch_routes", {"execution": execution, "site": "west", "fleet": "gateway-west"})
    until_done(call, "verify", {"execution": execution})
    fleets["west"].trouble("api", {"gone": True})
    observed = call("verify", {"execution": execution})["observed"]
    assert any("the client hostname leads to" in each for each in observed["proven"])
    assert any("gateway-west" in each and "did not answer" in each for each in observed["unproven"])


def test_an_instance_of_before_is_unproven_and_a_lost_fleet_is_told_and_holds_nothing_up(
    cfk: Any, plan_text: str, standby: Site, begin: Any, call: Call
) -> None:
    text, fleets = cfk(plan_text, **standby.before_fleet)
    execution = begin(text)
    dry = call("verify", {"execution": execution | {"dry_run": True}})["observed"]
    assert "fleet gateway-west is routed to east" in dry["would_still_have_to_prove"]
    stuck, _ = fleets["west"].pods()
    fleets["west"].trouble("stuck", [stuck])
    call("switch_routes", {"execution": execution, "site": "west", "fleet": "gateway-west"})
    unproven = f"instance {stuck} is not proven to run the wanted route"
    deadline = time.monotonic() + 90
    while (report := call("verify", {"execution": execution}))["observed"].get("unproven") != [unproven]:
        assert time.monotonic() < deadline, report
    assert report["status"] == "waiting"
    assert report["observed"]["left_behind"]["gateway-east"].startswith("out of reach")


def test_a_swap_of_credentials_that_fails_while_the_fleet_is_asked_is_no_proof(
    cfk: Any, plan_text: str, standby: Site, begin: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from failover.fleets.kubernetes import EksApi

    text, fleets = cfk(plan_text, instances=1, **standby.before_fleet)
    execution = begin(text)
    until_done(call, "switch_routes", {"execution": execution, "site": "west", "fleet": "gateway-west"})
    (pod,) = fleets["west"].pods()
    failures = iter((4, 5, 5, 5))
    asked = EksApi.ask_pod

    def swapping(api: EksApi, name: str, port: int, path: str) -> tuple[int, bytes]:
        status, body = asked(api, name, port, path)
        if path == "metrics":
            body += f'gateway_authswap_cluster_auth_total{{result="failure"}} {next(failures)}\n'.encode()
        return status, body

    monkeypatch.setattr(EksApi, "ask_pod", swapping)
    observed = call("verify", {"execution": execution})["observed"]
    assert observed["unproven"] == [f"instance {pod}: 1 swaps of credentials failed meanwhile"]
    assert call("verify", {"execution": execution})["status"] == "done"


def test_an_endpoint_that_the_plan_leaves_out_is_asked_of_eks(
    cfk: Any, plan_text: str, deployed: Any, begin: Any, call: Call
) -> None:
    from moto.eks.models import eks_backends

    text, fleets = cfk(plan_text, instances=1)
    document = yaml.safe_load(text)
    known = document["sites"]["west"]["fleets"][0]["eks"]
    deployed("eks", "us-west-2").create_cluster(
        name=known["name"], roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig={"subnetIds": ["subnet-1"]}
    )
    cluster = eks_backends["123456789012"]["us-west-2"].clusters[known["name"]]
    cluster.endpoint, cluster.certificate_authority = known["endpoint"], {"data": known["certificate_authority"]}
    assert base64.b64decode(known["certificate_authority"]).startswith(b"-----BEGIN CERTIFICATE")
    for site in ("east", "west"):
        for name in ("endpoint", "certificate_authority"):
            document["sites"][site]["fleets"][0]["eks"].pop(name, None)
    execution = begin(yaml.safe_dump(document))
    until_done(call, "switch_routes", {"execution": execution, "site": "west", "fleet": "gateway-west"})
    assert fleets["west"].domain == "west"
