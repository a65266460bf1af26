"""Fleets in two colours, and those of Kroxylicious, through the steps."""

from __future__ import annotations

import copy
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill.process import Child, spawn
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import fleet_of, rollout
from failover.fleets import kroxylicious as kroxylicious_module
from failover.fleets.kubernetes import EksApi
from failover.plan.fleets import CfkBlueGreenFleet, KroxyliciousFleet
from failover.plan.model import parse
from gateway.cfk import blue_green_rules, gateway_resource
from gateway.kroxylicious import controller_rules, kroxylicious_resources
from gateway.settings import OnKubernetes, Settings
from tests.functions.polled_steps import until_done
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NEVER_S = 3600.0
TWO = {site: OnKubernetes(replicas=2) for site in ("east", "west")}
NODES = Settings(node_ids=(1, 3), kubernetes=TWO, hot_reload=True)
COMMON = {"eks": {"name": "eks-west"}, "namespace": "confluent", "bootstrap": "127.0.0.1:9100"}
DOMAINS = {site: {"name": site, "bootstrap_server_id": "kafka"} for site in ("east", "west")}
COLOURS = {
    "name": "gateway-west",
    "kind": "cfk-blue-green",
    "service": "kafka",
    "gateways": {"east": "blue", "west": "green"},
    "route": "orders",
    "domains": DOMAINS,
    "instances": 1,
    **COMMON,
}
OPEN_SOURCE = {
    "name": "gateway-west",
    "kind": "kroxylicious",
    "proxy": "gateway",
    "virtual_cluster": "orders",
    "services": {"east": "east", "west": "west"},
    "port": 9292,
    **COMMON,
}


@pytest.fixture
def document() -> dict[str, Any]:
    """The example plan."""
    return dict(yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text()))


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Child]:
    config = {"site": "west", "listen_ports": 4, "connection_termination": False}
    child = spawn("drill.network.balancer", config, log=tmp_path / "balancer.log")
    yield child
    child.stop()


@pytest.fixture
def begin(deployed: Callable[..., Any], call: Call) -> Callable[..., dict[str, Any]]:
    """Begins a failover of a plan."""

    def claim(document: dict[str, Any], to: str = "west") -> dict[str, Any]:
        text = yaml.safe_dump(document)
        put_plan(deployed, text)
        begun = {"start": {"plan": "orders", "to": to, "epoch": 1}, "execution_name": "orders-1-failover"}
        return dict(call("claim", begun)["execution"])

    return claim


def switch(execution: Any, site: str = "west") -> dict[str, Any]:
    return {"execution": execution, "site": site, "fleet": "gateway-west"}


@pytest.fixture
def colours(
    kubernetes: Callable[..., Any], document: dict[str, Any], balancer: Child, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """A fleet in two colours, green at replicas that can be chosen, both on a Kafka cluster that runs."""
    kafka = spawn("drill.kafka.cluster", {"site": "any"}, log=tmp_path / "kafka.log")

    def start(warm: int = 1, selector: Any = "as rendered", **config: Any) -> Any:
        from tests.functions.conftest import service

        for site in ("east", "west"):
            document["sites"][site]["kafka"] |= {
                "bootstrap": kafka.ready["bootstrap"],
                "security_protocol": "PLAINTEXT",
            }
        document["sites"]["west"]["fleets"] = [copy.deepcopy(COLOURS)]
        plan = parse(yaml.safe_dump(document))
        (fleet,) = plan.site("west").fleets
        assert isinstance(fleet, CfkBlueGreenFleet)
        manifests = [
            gateway_resource(plan, site, fleet.gateway(site), NODES, replicas)
            for site, replicas in (("east", 1), ("west", warm))
        ]
        manifests.append(service("blue", balancer.ready["admin"]))
        if selector != "as rendered":
            manifests[-1]["spec"] |= {"selector": selector}
        return kubernetes(document, "west", manifests, blue_green_rules(fleet), 1 + warm, **config)

    yield start
    kafka.stop()


def selected(fleet: Any) -> str:
    return str(fleet.objects("services")[0]["spec"]["selector"]["app"])


def test_the_selector_is_moved_to_the_warm_colour_and_connections_of_before_end_with_their_pods(
    colours: Any, document: dict[str, Any], balancer: Child, begin: Any, call: Call
) -> None:
    fleet = colours()
    blue, green = fleet.pods()
    execution = begin(document)
    with socket.create_connection(("127.0.0.1", balancer.ready["port"])) as client:
        client.settimeout(0.5)
        report = call("switch_routes", switch(execution))
        assert (report["status"], selected(fleet)) == ("waiting", "green")
        with pytest.raises(TimeoutError):  # it is another one's turn only for new connections
            client.recv(1)
        client.settimeout(20)
        report = until_done(call, "switch_routes", switch(execution))
        assert client.recv(1) == b""
    assert report["observed"]["tier"] == "blue/green" and report["observed"]["instances"] == 1
    assert fleet.pods(ready=False) == [green] and blue != green
    until_done(call, "switch_routes", switch(execution))
    assert fleet.asked("patch services") == 1


def test_a_colour_that_is_not_warm_is_warmed_up_before_any_client_is_led_to_it(
    colours: Any, document: dict[str, Any], begin: Any, call: Call
) -> None:
    fleet = colours(warm=0)
    fleet.trouble("timing", {"ready_after": NEVER_S})
    execution = begin(document)
    (described,) = parse(yaml.safe_dump(document)).site("west").fleets
    (obstacle,) = fleet_of(described, "us-west-2", None).obstacles()
    assert "green" in obstacle.what and "is not warm" in obstacle.what
    assert call("switch_routes", switch(execution))["status"] == "waiting"
    assert selected(fleet) == "blue"
    call("switch_routes", switch(execution))
    assert selected(fleet) == "blue"
    fleet.trouble("timing", {"ready_after": 0.1})
    until_done(call, "switch_routes", switch(execution))
    assert selected(fleet) == "green" and len(fleet.pods(ready=False)) == 1


def test_a_fence_is_of_the_colour_that_has_the_clients_and_a_dry_run_moves_nothing(
    colours: Any, document: dict[str, Any], begin: Any, call: Call
) -> None:
    fleet = colours()
    document["home"] = "west"
    execution = begin(document, to="east")
    report = call("fence", {"execution": execution | {"dry_run": True}})
    assert "would be fenced" in report["observed"]["fleets"]["gateway-west"]
    assert fleet.asked("patch gateways") == fleet.asked("patch services") == 0
    report = until_done(call, "fence", {"execution": execution})
    assert report["observed"]["fleets"] == {"gateway-west": "fenced"}
    fences = {each["metadata"]["name"]: each["spec"]["routes"][0].get("fence") for each in fleet.objects("gateways")}
    assert fences["blue"] is not None and fences["green"] is None and selected(fleet) == "blue"
    until_done(call, "switch_routes", switch(execution | {"to": "west", "from": "east"}))
    assert selected(fleet) == "green"


@pytest.mark.parametrize("selector", [{"app": "purple"}, {}, None])
def test_a_selector_that_the_plan_does_not_name_is_a_state_to_go_on_from(
    colours: Any, document: dict[str, Any], begin: Any, call: Call, selector: dict[str, str] | None
) -> None:
    fleet = colours(selector=selector)
    execution = begin(document)
    (described,) = parse(yaml.safe_dump(document)).site("west").fleets
    state = fleet_of(described, "us-west-2", None).look()
    assert (state.target, state.settled) == (None, False) and "does not name" in state.detail
    until_done(call, "switch_routes", switch(execution))
    assert selected(fleet) == "green"


def test_a_selector_that_the_plan_does_not_name_can_not_be_fenced_and_that_is_said(
    colours: Any, document: dict[str, Any], begin: Any, call: Call
) -> None:
    colours(selector={"app": "purple"})
    document["home"] = "west"
    report = call("fence", {"execution": begin(document, to="east")})
    assert report["status"] == "done"
    assert (
        "can't be fenced: its selector leads to what the plan does not" in report["observed"]["fleets"]["gateway-west"]
    )


@pytest.fixture
def open_source(kubernetes: Callable[..., Any], document: dict[str, Any]) -> Callable[..., Any]:
    """A fleet of Kroxylicious, led to east."""

    def start(services: dict[str, str] | None = None, **config: Any) -> Any:
        plain = {"security_protocol": "PLAINTEXT", "bootstrap": "127.0.0.1:9"}
        for site in ("east", "west"):
            document["sites"][site]["kafka"] |= plain
        document["clients"]["security_protocol"] = "PLAINTEXT"
        described = copy.deepcopy(OPEN_SOURCE)
        document["sites"]["west"]["fleets"] = [described | ({"services": services} if services else {})]
        plan = parse(yaml.safe_dump(document))
        (fleet,) = plan.site("west").fleets
        assert isinstance(fleet, KroxyliciousFleet)
        manifests = kroxylicious_resources(plan, "east", fleet, NODES)
        return kubernetes(document, "west", manifests, controller_rules(fleet), 2, **config)

    return start


def led_to(fleet: Any) -> str:
    return str(fleet.objects("virtualkafkaclusters")[0]["spec"]["targetKafkaServiceRef"]["name"])


def test_a_virtual_cluster_is_led_elsewhere_by_one_patch_and_done_when_no_pod_of_before_is_left(
    open_source: Any, document: dict[str, Any], begin: Any, call: Call
) -> None:
    fleet = open_source()
    fleet.trouble("timing", {"ready_after": NEVER_S})
    before = fleet.pods()
    execution = begin(document)
    assert call("switch_routes", switch(execution))["status"] == "waiting"
    report = call("switch_routes", switch(execution))
    assert report["observed"]["unproven"] == before and report["observed"]["tier"] == "roll"
    fleet.trouble("timing", {"ready_after": 0.1})
    until_done(call, "switch_routes", switch(execution))
    assert led_to(fleet) == "west" and not set(before) & set(fleet.pods(ready=False))
    assert fleet.objects("virtualkafkaclusters")[0]["metadata"]["generation"] == 2


def test_a_kafka_service_that_is_not_there_is_known_long_before(
    open_source: Any, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_source()
    (fleet,) = parse(yaml.safe_dump(document)).site("west").fleets
    assert fleet_of(fleet, "us-west-2", None).obstacles() == []
    there = EksApi.get_if_there
    monkeypatch.setattr(EksApi, "get_if_there", lambda *given: None if given[2] == "west" else there(*given))
    (obstacle,) = fleet_of(fleet, "us-west-2", None).obstacles()
    assert "could not be led to west: there is no KafkaService west" in obstacle.what


def test_a_target_that_the_operator_does_not_find_is_told_in_its_words(
    open_source: Any, document: dict[str, Any], begin: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kroxylicious_module, "REFUSED_AFTER_S", 1)
    monkeypatch.setattr(rollout, "REFUSAL_VALID_S", 4)
    fleet = open_source()
    document["sites"]["west"]["fleets"][0]["services"]["west"] = "west-2"
    execution = begin(document)
    for asked in (1, 2):  # whoever comes later asks again, and is told again
        with pytest.raises(FleetRejected, match=r"ReferencedResourcesNotFound.*'west-2'"):
            until_done(call, "switch_routes", switch(execution), 10)
        assert (len(fleet.pods()), fleet.asked("patch virtualkafkaclusters")) == (2, asked)
        time.sleep(4)


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"east": "east", "west": "west", "fenced": "nowhere"}, "fenced: leads nowhere"),
        (None, "fenced: scaled to zero"),
    ],
)
def test_the_engine_has_no_fence_and_what_stands_for_it_is_said(
    open_source: Any,
    document: dict[str, Any],
    begin: Any,
    call: Call,
    services: dict[str, str] | None,
    said: str,
) -> None:
    fleet = open_source(services)
    document["home"] = "west"
    execution = begin(document, to="east")
    report = until_done(call, "fence", {"execution": execution})
    assert report["observed"]["fleets"] == {"gateway-west": said}
    assert len(fleet.pods(ready=False)) == (2 if services else 0)
    until_done(call, "switch_routes", switch(execution | {"to": "west", "from": "east"}))
    assert led_to(fleet) == "west" and len(fleet.pods()) == 2


def test_a_conflict_is_looked_at_again(open_source: Any, document: dict[str, Any], begin: Any, call: Call) -> None:
    fleet = open_source()
    fleet.trouble("faults", {"conflicts": 1})
    execution = begin(document)
    with pytest.raises(FleetUnavailable):
        call("switch_routes", switch(execution))
    until_done(call, "switch_routes", switch(execution))
    assert led_to(fleet) == "west"
