"""What the product's tests stand on: AWS over real HTTP (moto server), and the handlers loaded as Lambda loads them."""

from __future__ import annotations

import collections
import functools
import gc
import importlib.util
import itertools
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import boto3
import pytest
from hypothesis import HealthCheck, settings

import tests.shared_clients  # noqa: F401 - before anything imports the clients by name
from tests.calls_in_process import calls_in_process
from tests.claims import claims_counted
from tests.emitted import answer_mismatches, held_to_schemas
from tests.plans import put_plan

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-west-2"
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
os.environ["AWS_DEFAULT_REGION"] = REGION
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Failover"
os.environ["POWERTOOLS_SERVICE_NAME"] = "failover"

LOADING = threading.Lock()
"""Models look their neighbours up by the name of their module: one load of a function at a time."""

WORLDS = tuple(
    ROOT / "tests" / place
    for place in (
        "command/test_cost.py",
        "command/test_deployed_plans.py",
        "command/test_for_machines.py",
        "command/test_operate.py",
        "command/test_plan_reference.py",
        "command/test_planned.py",
        "command/test_rescue.py",
        "command/test_status.py",
        "drill/account/test_account.py",
        "drill/aws",
        "drill/confluent",
        "drill/neighbours/test_sites.py",
        "drill/report",
        "failover/test_coordinator_elsewhere.py",
        "failover/test_decisions.py",
        "failover/test_eks_token.py",
        "failover/test_key_rotation.py",
        "failover/test_one_address_is_silent.py",
        "failover/test_plan_roles.py",
        "failover/test_probes.py",
        "functions/test_announce.py",
        "functions/test_announce_start.py",
        "functions/test_approval.py",
        "functions/test_assess.py",
        "functions/test_attempts_and_holders.py",
        "functions/test_call_hooks.py",
        "functions/test_capacity.py",
        "functions/test_check_offsets.py",
        "functions/test_claimed_plan.py",
        "functions/test_create_groups.py",
        "functions/test_delete_and_mirror.py",
        "functions/test_denial.py",
        "functions/test_deploy_plan.py",
        "functions/test_ends_left_untold.py",
        "functions/test_expired.py",
        "functions/test_fleets_out_of_reach.py",
        "functions/test_fleets_that_stay.py",
        "functions/test_judge.py",
        "functions/test_judging_many_plans.py",
        "functions/test_looks_of_a_call.py",
        "functions/test_measured_restore.py",
        "functions/test_never_silent.py",
        "functions/test_plan_changes.py",
        "functions/test_planned_steps.py",
        "functions/test_practice_goes_on.py",
        "functions/test_promotion_of_stuck_mirrors.py",
        "functions/test_regular_look.py",
        "functions/test_restore_doubts.py",
        "functions/test_run_practice.py",
        "functions/test_sample_lag.py",
        "functions/test_show_board.py",
        "functions/test_superseding.py",
        "functions/test_switchover_doubts.py",
        "functions/test_throttled.py",
        "functions/test_who_may_speak.py",
        "functions/test_write_report.py",
        "functions/test_zone_changes.py",
        "gateway/test_render.py",
        "link/test_authorization.py",
        "link/test_both_sides.py",
        "link/test_calls.py",
        "link/test_shapes.py",
        "link/test_verb_traps.py",
        "link/test_wire_traps.py",
        "names/test_beacon_templates.py",
        "readiness/test_beside.py",
        "readiness/test_filters.py",
        "rescue/test_rescue_records.py",
        "simulation/test_dynamodb.py",
        "statemachines/test_definitions.py",
        "statemachines/test_practice_machine.py",
    )
)
"""Where a test waits for clusters, an account, pages or minutes of its own, a third of a second and more for each of
a file's: what `make check` leaves to `make test`."""

LIVES: Final = ("tests/simulation/test_crash_matrix.py", "tests/simulation/test_lives.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    in_a_world = {path: any(path.is_relative_to(world) for world in WORLDS) for path in {item.path for item in items}}
    for item in items:
        if in_a_world[item.path]:
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # The long ones first, so that no worker is left alone with one at the end.
    items.sort(key=lambda item: (not _is_whole_drill(item.nodeid), item.path not in slow))
    items[:] = _lives_spread(items, len(slow))


def pytest_collection_finish() -> None:
    """What is there by now stays: it is looked through for garbage no more, and what comes, seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests run in one worker, and share its world; whole drills in one, since each fills a machine; lives
    share nothing, and take as long as many files."""
    from xdist.scheduler import LoadScopeScheduling

    class WorldsTogether(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if nodeid.startswith(LIVES):
                return nodeid
            return "whole drills" if _is_whole_drill(nodeid) else file

    config.option.loadscopereorder = False  # in the order in which they were collected
    return WorldsTogether(config, log)


def _lives_spread(items: list[pytest.Item], long_files: int) -> list[pytest.Item]:
    """Lives only compute, and most of what is long only waits: they go side by side, not one after the other."""
    lives = collections.deque(item for item in items if item.nodeid.startswith(LIVES))
    others = itertools.groupby(
        (item for item in items if not item.nodeid.startswith(LIVES)), key=lambda item: item.path
    )
    every = max(1, long_files // (len(lives) + 1))
    spread: list[pytest.Item] = []
    for number, (_, of_file) in enumerate(others):
        if lives and number % every == 0:
            spread.append(lives.popleft())
        spread += of_file
    return [*spread, *lives]


def _is_whole_drill(nodeid: str) -> bool:
    return nodeid.startswith("tests/drill/test_")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A property fails unless enough of its examples reach what it claims."""
    with claims_counted(is_property=getattr(getattr(item, "obj", None), "is_hypothesis_test", False)):
        return (yield)


# The same examples every time: whether enough of them reach a claim is no matter of luck.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


class Context:
    """Lambda's context, as far as Powertools looks at it."""

    function_name = "test"
    memory_limit_in_mb = 1769
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:test"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """A moto server of this test process."""
    from moto.core.config import default_user_config
    from moto.server import ThreadedMotoServer

    from drill.aws import dynamodb, moto_speed

    dynamodb.install()
    moto_speed.install()
    default_user_config["stepfunctions"] = {"execute_state_machine": False}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    assert server._server is not None
    with calls_in_process(f"http://{host}:{port}", server._server.app):
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An empty AWS account; call it with a service's name for a client."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{aws_endpoint}/moto-api/reset", method="POST")).read()
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    _forget_clients()

    return functools.partial(_test_client, aws_endpoint)


_make_client: Any = boto3.client


@functools.cache
def _test_client(endpoint: str, service: str, region: str = REGION) -> Any:
    return _make_client(service, region_name=region, endpoint_url=endpoint)


@pytest.fixture
def plan_text() -> str:
    """The example plan's document."""
    return (ROOT / "plans" / "orders.yaml").read_text()


@pytest.fixture
def deployed(aws: Callable[..., Any], plan_text: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What the template deploys that the functions need: ledger, plan, topic, state machine."""
    aws("dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    put_plan(aws, plan_text)
    machine = aws("stepfunctions").create_state_machine(
        name="failover",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/states",
    )
    monkeypatch.setenv("AWS_REGION", REGION)
    # A call is one look, so that a test can say what comes of each.
    monkeypatch.setattr("failover.execution.step.AGAIN_FOR_S", 0.0)
    # A busy machine is slow, and no region is silent for it.
    for patience in ("FENCE_LOOK_S", "REROUTE_LOOK_S"):
        monkeypatch.setattr(f"failover.fleets.{patience}", 15.0)
    monkeypatch.setattr("failover.detection.alarm_recheck.READ_S", 60.0)
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    monkeypatch.setenv("STACK_NAME", "failover")
    monkeypatch.setenv("CONTROLLER_REGIONS", REGION)
    monkeypatch.setenv("STATE_MACHINE_ARN", machine["stateMachineArn"])
    monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", aws("sns").create_topic(Name="notifications")["TopicArn"])
    return aws


@pytest.fixture
def replan(deployed: Callable[..., Any]) -> Callable[[str], None]:
    """Deploys another plan, as if whatever runs had claimed it; a new container reads it."""

    def replan(text: str) -> None:
        from failover.container import forget

        put_plan(deployed, text)
        ledger = deployed("dynamodb")
        for item in ledger.scan(TableName="ledger")["Items"]:
            if item["sk"]["S"].startswith("plan#"):
                ledger.put_item(TableName="ledger", Item=item | {"document": {"S": text}})
        forget()

    return replan


@pytest.fixture
def function() -> Callable[[str], ModuleType]:
    """Loads `functions/<name>/app.py` under a name of its own."""

    def load(name: str) -> ModuleType:
        path = ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"function_{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with LOADING:
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def call(function: Callable[[str], ModuleType]) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Calls a function's handler with an event, as Lambda does: the event and the answer are JSON, and what it sends
    and records is as its schema says."""

    def invoke(name: str, event: dict[str, Any]) -> dict[str, Any]:
        with held_to_schemas():
            answer = json.loads(json.dumps(function(name).handler(json.loads(json.dumps(event)), Context())))
        assert answer_mismatches(name, answer) == []
        return answer  # type: ignore[no-any-return]

    return invoke


def _forget_clients() -> None:
    """Caches live as long as a Lambda container, and a test is a new container; clients are kept where they may be, and
    so is whom connections trust: reading the roots takes longer than most tests."""
    from failover.aws.clients import client
    from failover.container import forget
    from failover.link.tls import trust

    forget()
    for name, module in sys.modules.copy().items():
        if name == "failover" or name.startswith("failover."):
            for value in vars(module).copy().values():
                if value is not client and value is not trust and callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
