"""`failover render` writes files that deploy, says what they lack, and prints the commands that deploy them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.command.conftest import Failover

NETWORK = {
    "VpcId": "vpc-1",
    "SubnetIds": "subnet-1,subnet-2,subnet-3",
    "LoadBalancerSubnetIds": "subnet-1,subnet-2,subnet-3",
    "ClientCidr": "10.0.0.0/8",
}


@pytest.fixture(autouse=True)
def plan_in_this_directory(plan_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text(plan_text)


def test_what_the_settings_lack_is_named_and_nothing_is_offered_to_deploy(failover: Failover) -> None:
    ended = failover("render", "plan.yaml")
    assert ended.code == 0
    assert ended.out.count("lacks, under gateway.ecs.") == 2 and all(name in ended.out for name in NETWORK)
    assert "aws cloudformation" not in ended.out
    assert ended.out.splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize("command", ["render", "cost", "plans put"])
def test_a_plan_that_is_refused_is_led_to_its_check_by_its_file(failover: Failover, command: str) -> None:
    Path("plan.yaml").write_text(Path("plan.yaml").read_text().replace("bootstrap: kafka", "bootstrap: other"))
    ended = failover(*command.split(), "plan.yaml")
    assert ended.code == 2 and "next: failover plans check plan.yaml" in ended.err


def test_every_command_to_deploy_names_files_that_were_written(failover: Failover) -> None:
    settings = {"gateway": {"ecs": {"east": NETWORK, "west": dict(NETWORK)}}}
    Path("settings.yaml").write_text(yaml.safe_dump(settings))
    ended = failover("render", "plan.yaml", "--settings", "settings.yaml")
    assert ended.code == 0, ended.err
    commands = [line.removeprefix("next: ") for line in ended.out.splitlines() if line.startswith("next: ")]
    words = [word.removeprefix("file://") for command in commands for word in shlex.split(command)]
    files = [word for word in words if word.startswith("rendered/")]
    assert len(commands) == 3 and len(files) == 5 and all(Path(file).exists() for file in files)


def test_for_machines_every_file_and_every_command_is_named(failover: Failover) -> None:
    document = json.loads(failover("render", "plan.yaml", "--out", "there", "--json").out)
    assert set(document["files"]) == {path.name for path in Path("there").iterdir()}
    of_fleets = {name for fleet in document["fleets"] for name in fleet["files"]}
    assert set(document["files"]) - of_fleets == {"alarms.yaml", "ecs.yaml"}
    assert [fleet["lacks"] for fleet in document["fleets"]] == [list(NETWORK)] * 2


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["paln.yaml"], "did you mean plan.yaml?"),
        (["plan.yaml", "--settings", "none.yaml"], "next: gateway/README.md"),
        (["plan.yaml", "--out", "plan.yaml/there"], "say another directory with --out"),
    ],
)
def test_what_can_not_be_rendered_is_said_with_what_to_do(failover: Failover, words: list[str], what: str) -> None:
    ended = failover("render", *words)
    assert ended.code == 2 and what in ended.err and "Traceback" not in ended.err
