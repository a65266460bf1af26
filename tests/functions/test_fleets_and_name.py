"""fence, switch_routes and flip_dns converge: fleets of real gateway processes, and a name that a server answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.process import spawn
from failover.errors import FleetRejected, LeaseLost
from failover.ledger.ledger import Ledger
from gateway.config import gateway_config

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
pytestmark = pytest.mark.slow
INSTANCES = 2
EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.fixture
def zone(aws: Callable[..., Any]) -> str:
    """The zone, its client hostname leading to east."""
    zone = aws("route53").create_hosted_zone(Name=fixture_plan.ZONE, CallerReference="tests")["HostedZone"]["Id"]
    record = {
        "Name": fixture_plan.HOSTNAME,
        "Type": "CNAME",
        "TTL": 1,
        "ResourceRecords": [{"Value": fixture_plan.dns_target("east")}],
    }
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    return str(zone.rsplit("/", 1)[-1])


@pytest.fixture
def plan_text(aws_endpoint: str, zone: str, tmp_path: Path) -> Iterator[str]:
    config = {"aws_endpoint": aws_endpoint, "zone_id": zone}
    server = spawn("drill.network.dns_server", config, log=tmp_path / "dns.log")
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}", bootstrap="127.0.0.1:9", rest="http://127.0.0.1:9", balancer="127.0.0.1:9"
        )
        for site in ("east", "west")
    }
    document = fixture_plan.plan_document(
        addresses,
        client_bootstrap="127.0.0.1:9092",
        nameserver=f"127.0.0.1:{server.ready['port']}",
        zone_id=zone,
        policy={},
    )
    yield yaml.safe_dump(document)
    server.stop()


@pytest.fixture
def fleets(deployed: Callable[..., Any], plan_text: str, tmp_path: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Both sites' fleets, routed to east; call it with a site for the service as ECS describes it."""
    from drill.aws.ecs import EcsBridge
    from drill.aws.regions import Regions
    from failover.plan.model import parse

    bridge = EcsBridge(fixture_plan.ACCOUNT, Regions(), tmp_path)
    bridge.install()
    plan = parse(plan_text)
    for site in ("east", "west"):
        ecs = deployed("ecs", fixture_plan.REGIONS[site])
        ecs.create_cluster(clusterName="gateways")
        for target in ("east", "west", "fenced"):
            config = yaml.safe_dump(gateway_config(plan, site, target))
            environment = [{"name": "GATEWAY_CONFIG", "value": config}]
            container = {"name": "gateway", "image": "gateway", "memory": 128, "environment": environment}
            ecs.register_task_definition(
                family=fixture_plan.task_family(site, target), containerDefinitions=[container]
            )
        ecs.create_service(
            cluster="gateways",
            serviceName=f"gateway-{site}",
            taskDefinition=fixture_plan.task_definition(site, "east"),
            desiredCount=INSTANCES,
        )

    def described(site: str) -> dict[str, Any]:
        answer = deployed("ecs", fixture_plan.REGIONS[site]).describe_services(
            cluster="gateways", services=[f"gateway-{site}"]
        )
        return dict(answer["services"][0])

    bridge.start()
    _wait(lambda: all(described(site)["runningCount"] == INSTANCES for site in ("east", "west")))
    yield described
    bridge.close()


@pytest.fixture
def execution(deployed: Callable[..., Any], call: Call) -> dict[str, Any]:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


def _wait(condition: Callable[[], bool], limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_done(call: Call, step: str, request: dict[str, Any]) -> dict[str, Any]:
    reports: list[dict[str, Any]] = []

    def done() -> bool:
        reports.append(call(step, request))
        return bool(reports[-1]["status"] == "done")

    _wait(done)
    return reports[-1]


def running(aws: Callable[..., Any], site: str) -> set[str]:
    """The task definitions that a site's tasks run."""
    ecs = aws("ecs", fixture_plan.REGIONS[site])
    tasks = ecs.list_tasks(cluster="gateways", serviceName=f"gateway-{site}")["taskArns"]
    return {task["taskDefinitionArn"] for task in ecs.describe_tasks(cluster="gateways", tasks=tasks)["tasks"]}


def answer_of(aws: Callable[..., Any], zone: str) -> str:
    records = aws("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return str(next(each for each in records if each["Type"] == "CNAME")["ResourceRecords"][0]["Value"])


def test_a_fleet_is_routed_once_and_done_when_no_instance_of_before_is_left(
    deployed: Any, fleets: Any, execution: dict[str, Any], call: Call
) -> None:
    request = {"execution": execution, "site": "west", "fleet": "gateway-west"}
    assert call("switch_routes", request)["status"] == "waiting"
    deployment = fleets("west")["deployments"][0]["id"]
    report = until_done(call, "switch_routes", request)
    observed = report["observed"]
    assert observed["instances"] + observed.get("missing", 0) == INSTANCES
    assert running(deployed, "west") == {fixture_plan.task_definition("west", "west")}
    until_done(call, "switch_routes", request)
    assert fleets("west")["deployments"][0]["id"] == deployment


def test_a_switch_that_crashed_after_its_effect_is_not_repeated(
    deployed: Any, fleets: Any, execution: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"execution": execution, "site": "west", "fleet": "gateway-west"}
    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "record_step", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            call("switch_routes", request)
    deployment = fleets("west")["deployments"][0]["id"]
    until_done(call, "switch_routes", request)
    assert fleets("west")["deployments"][0]["id"] == deployment


def test_a_dry_run_moves_no_route_and_no_name(
    deployed: Any, fleets: Any, zone: str, execution: dict[str, Any], call: Call
) -> None:
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    report = call("switch_routes", {"execution": dry["execution"], "site": "west", "fleet": "gateway-west"})
    assert report["observed"]["would_route_to"] == "west"
    report = call("fence", {"execution": dry["execution"]})
    assert report["observed"]["fleets"]["gateway-east"].startswith("would be fenced")
    report = call("flip_dns", {"execution": dry["execution"]})
    assert report["observed"]["would_point_at"] == fixture_plan.dns_target("west")
    assert running(deployed, "west") == {fixture_plan.task_definition("west", "east")}
    assert running(deployed, "east") == {fixture_plan.task_definition("east", "east")}
    assert answer_of(deployed, zone) == fixture_plan.dns_target("east")


def test_the_lost_sites_fleet_is_fenced_if_it_can_be_reached(
    deployed: Any, fleets: Any, execution: dict[str, Any], call: Call
) -> None:
    report = until_done(call, "fence", {"execution": execution})
    assert report["observed"]["fleets"]["gateway-east"].startswith("fenced")
    _wait(lambda: fleets("east")["deployments"][0]["rolloutState"] == "COMPLETED")
    assert running(deployed, "east") == {fixture_plan.task_definition("east", "fenced")}
    until_done(call, "fence", {"execution": execution})


def test_a_fleet_that_is_not_there_is_reported_where_it_is_best_effort_and_stops_where_it_is_not(
    deployed: Any, execution: dict[str, Any], call: Call
) -> None:
    deployed("ecs").create_cluster(clusterName="gateways")
    deployed("ecs", fixture_plan.REGIONS["east"]).create_cluster(clusterName="gateways")
    request = {"execution": execution, "site": "east", "fleet": "gateway-east"}
    assert "out_of_reach" in call("switch_routes", request | {"best_effort": True})["observed"]
    assert call("fence", {"execution": execution})["observed"]["fleets"]["gateway-east"].startswith("out of reach")
    with pytest.raises(FleetRejected, match="gateway-east"):
        call("switch_routes", request)


def test_the_name_is_flipped_once_and_done_when_the_name_server_answers_it(
    deployed: Any, zone: str, execution: dict[str, Any], call: Call
) -> None:
    report = until_done(call, "flip_dns", {"execution": execution})
    assert set(report["observed"]["answers"].values()) == {fixture_plan.dns_target("west")}
    assert answer_of(deployed, zone) == fixture_plan.dns_target("west")
    again = call("flip_dns", {"execution": execution})
    assert (again["status"], again["observed"]["change"]) == ("done", report["observed"]["change"])


def test_a_flip_that_crashed_after_its_effect_is_taken_up(
    deployed: Any, zone: str, execution: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "record_step", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            call("flip_dns", {"execution": execution})
    assert answer_of(deployed, zone) == fixture_plan.dns_target("west")
    report = until_done(call, "flip_dns", {"execution": execution})
    assert set(report["observed"]["answers"].values()) == {fixture_plan.dns_target("west")}


def test_without_the_lease_neither_route_nor_name_is_moved(
    deployed: Any, fleets: Any, zone: str, execution: dict[str, Any], call: Call
) -> None:
    taking_over = {"plan": "orders", "to": "west", "epoch": 2, "supersedes": "orders-1-failover"}
    call("claim", {"start": taking_over, "execution_name": "orders-2-failover"})
    for step, more in (
        ("fence", {}),
        ("switch_routes", {"site": "west", "fleet": "gateway-west"}),
        ("flip_dns", {}),
    ):
        with pytest.raises(LeaseLost):
            call(step, {"execution": execution, **more})
    assert running(deployed, "west") == {fixture_plan.task_definition("west", "east")}
    assert running(deployed, "east") == {fixture_plan.task_definition("east", "east")}
    assert answer_of(deployed, zone) == fixture_plan.dns_target("east")


@pytest.mark.parametrize("step", ["fence", "switch_routes", "flip_dns"])
def test_the_sample_events_work_on_their_handlers(
    fleets: Any, execution: dict[str, Any], call: Call, step: str
) -> None:
    until_done(call, step, json.loads((EVENTS / f"{step}.json").read_text()))
