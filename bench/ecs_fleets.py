"""What the controller adds to the replacement of a large ECS fleet: all tasks at once, each a real gateway process.

The tasks' own start is over when ECS itself says that all of them run; the controller's part is the call before it, and
the time from then on until a look proves it. It looks as often as the state machine lets it: a second after each look.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import boto3
import yaml

from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.process import ChildFailed, spawn
from gateway.config import gateway_config

from failover.fleets.ecs import EcsService  # isort: skip
from failover.plan.model import parse  # isort: skip
from failover.plan.fleets import EcsFleet  # isort: skip

INSTANCES: Final = 12
ROUNDS: Final = 3
SITE: Final = "west"
REGION: Final = fixture_plan.REGIONS[SITE]
LIMIT_S: Final = 120.0
POLL_S: Final = 0.1
LOOKED_EVERY_S: Final = 1.0


def measure() -> list[Result]:
    """Seconds of the controller, and of the tasks' start, medians of the rounds.

    Raises:
        NotMeasured: if the fleet does not come up, or a route is not proven in time.
    """
    nowhere = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}", bootstrap="127.0.0.1:9", rest="http://127.0.0.1:9", balancer="127.0.0.1:9"
        )
        for site in fixture_plan.REGIONS
    }
    document = fixture_plan.plan_document(
        nowhere, client_bootstrap="127.0.0.1:9092", nameserver="127.0.0.1:9", zone_id="Z1", policy={}
    )
    plan = parse(yaml.safe_dump(document))
    (fleet,) = plan.site(SITE).fleets
    if not isinstance(fleet, EcsFleet):
        raise NotMeasured(f"the fleet is of kind {fleet.kind}")
    with tempfile.TemporaryDirectory() as logs:
        config = {"region": REGION, "log_dir": logs, "ecs_task": "drill.gateway.instance"}
        try:
            cloud = spawn("drill.aws.cloud", config, log=Path(logs) / "cloud.log")
        except ChildFailed as error:
            raise NotMeasured(str(error)) from error
        try:
            ecs = _client(cloud.ready["endpoint"])
            ecs.create_cluster(clusterName=fleet.cluster)
            for target in fleet.task_definitions:
                text = yaml.safe_dump(gateway_config(plan, SITE, target), sort_keys=False)
                environment = [{"name": "GATEWAY_CONFIG", "value": text}]
                container = {"name": "gateway", "image": "gateway", "memory": 4096, "environment": environment}
                ecs.register_task_definition(
                    family=fixture_plan.task_family(SITE, target), containerDefinitions=[container]
                )
            ecs.create_service(
                cluster=fleet.cluster,
                serviceName=fleet.service,
                taskDefinition=fleet.task_definitions["east"],
                desiredCount=INSTANCES,
                deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 200},
            )
            _until_all_run(ecs, fleet, "east")
            rounds = [_round(ecs, fleet, to) for to in ("west", "east", "west")[:ROUNDS]]
        finally:
            cloud.stop()
    return [
        Result(
            name=f"fleets.replacement_of_{INSTANCES}.controller",
            value=statistics.median(own for own, _ in rounds),
            unit="s",
            limit=2,
        ),
        Result(
            name=f"fleets.replacement_of_{INSTANCES}.tasks",
            value=statistics.median(start for _, start in rounds),
            unit="s",
            limit=None,
        ),
    ]


def _round(ecs: Any, fleet: EcsFleet, target: str) -> tuple[float, float]:
    """Seconds of the controller, and of the tasks."""
    service = EcsService(fleet, REGION, ecs)
    began = time.perf_counter()
    service.route(target)
    called = time.perf_counter()
    all_run: list[float] = []
    watch = threading.Thread(target=lambda: all_run.append(_until_all_run(ecs, fleet, target)))
    watch.start()
    while not (state := service.look()).settled or state.target != target:
        if time.perf_counter() > began + LIMIT_S:
            raise NotMeasured(f"not proven in {LIMIT_S:.0f} s: {state.detail}")
        time.sleep(LOOKED_EVERY_S)
    proven = time.perf_counter()
    watch.join()
    if not all_run:
        raise NotMeasured("the tasks did not run in time")
    return (called - began) + max(0.0, proven - all_run[0]), all_run[0] - called


def _until_all_run(ecs: Any, fleet: EcsFleet, target: str) -> float:
    """When ECS says that all tasks of a target run, and none of before."""
    deadline = time.perf_counter() + LIMIT_S
    while time.perf_counter() < deadline:
        (service,) = ecs.describe_services(cluster=fleet.cluster, services=[fleet.service])["services"]
        deployments = [
            (deployment["taskDefinition"], deployment["runningCount"]) for deployment in service["deployments"]
        ]
        if deployments == [(fleet.task_definitions[target], INSTANCES)]:
            return time.perf_counter()
        time.sleep(POLL_S)
    raise NotMeasured(f"{INSTANCES} tasks did not come up in {LIMIT_S:.0f} s")


def _client(endpoint: str) -> Any:
    return boto3.client(
        "ecs",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=fixture_plan.ACCOUNT,
        aws_secret_access_key="bench",
    )
