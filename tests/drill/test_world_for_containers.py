"""A world that others than this machine's processes call: everything they need is at one address, nothing is open to
all, and the variables for `sam local` are those that the deployed functions have."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from drill import fixture_plan
from drill.ports import LOOPBACK, Host
from drill.sam_local import engine
from drill.sam_local.command import CREDENTIALS, environment_file, environment_of, line
from drill.world import World
from drill.world_settings import Settings
from tests.deployment.test_sam_local_guard import TEMPLATES
from tests.deployment.test_sam_local_guard import environment_of as variables_of_template

ELSEWHERE = "127.0.0.2"
"""Stands for a bridge's address: a second one of this machine, which only Linux has by itself."""
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATES["template.yaml"]["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has a second loopback address"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = Settings(directory=tmp_path_factory.mktemp("world"), host=Host(ELSEWHERE, ELSEWHERE))
    with World(settings) as world:
        yield world


def test_every_address_of_the_plan_is_where_containers_reach_it(world: World) -> None:
    assert LOOPBACK not in yaml.safe_dump(world.plan)
    assert world.endpoint.startswith(f"http://{ELSEWHERE}:")
    assert world.client_bootstrap.startswith(f"{ELSEWHERE}:")


def test_nothing_listens_beyond_loopback_and_that_address(world: World) -> None:
    listening = set[str]()
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # one may end meanwhile
            listening |= {each.laddr.ip for each in process.net_connections() if each.status == psutil.CONN_LISTEN}
    assert listening == {LOOPBACK, ELSEWHERE}


def test_the_functions_reach_every_part_from_there_down_to_the_instances(world: World) -> None:
    answer = world.aws("lambda").invoke(
        FunctionName=world.resource("CheckReadiness"), Payload=json.dumps({"plan": fixture_plan.PLAN})
    )
    checks = {check["name"]: check for check in json.load(answer["Payload"])["checks"]}
    for name in ("fleet-routes", "fleet-instances", "clients", "client-name"):
        assert checks[name]["status"] == "pass", checks[name]


def test_the_variables_are_those_that_each_deployed_function_has(world: World, tmp_path: Path) -> None:
    deployed: dict[str, Any] = {
        each["FunctionName"]: each["Environment"]["Variables"]
        for each in world.aws("lambda").list_functions()["Functions"]
    }
    with environment_file(world, tmp_path / "env.json") as path:
        written = json.loads(path.read_text())
    assert not path.exists()
    resources = TEMPLATES["template.yaml"]["Resources"]
    assert set(written) == {name for name in FUNCTIONS if "Condition" not in resources[name]}
    for name, variables in written.items():
        assert variables.pop("AWS_ENDPOINT_URL") == world.endpoint
        assert variables.items() <= deployed[world.resource(name)].items()
        # SAM hands on what the template names, and nothing else.
        named = set(variables_of_template(TEMPLATES["template.yaml"], FUNCTIONS[name])) - {"AWS_ENDPOINT_URL"}
        assert set(variables) == named
    assert environment_of(world)["Judge"]["STATE_MACHINE_ARN"] == world.resource("FailoverStateMachine")


def test_the_line_to_paste_has_the_worlds_credentials_and_region_before_the_command() -> None:
    words = line("invoke", "Claim", "--event", "events/claim.json").split()
    assert words[: len(CREDENTIALS)] == [f"{name}={value}" for name, value in CREDENTIALS.items()]
    assert "--env-vars events/local-env.json" in " ".join(words)
    assert f"Architecture={engine.ARCHITECTURE}" in words


def test_a_machine_without_an_engine_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(engine.NoEngine, match="docker"):
        engine.host_for_containers()
