"""A site that was killed comes back where it was, if its cluster keeps its log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from typer.testing import CliRunner

from drill.__main__ import app
from drill.process import Child
from drill.site_processes import balancer_config, cluster_config, rest_config
from drill.world_settings import Settings

READY = {
    "bootstrap": "127.0.0.1:21001",
    "raw_bootstrap": "127.0.0.1:21005",
    "cluster_id": "an-id",
    "admin": "http://127.0.0.1:21002",
    "url": "http://127.0.0.1:21003",
    "control": "http://127.0.0.1:21004/control",
    "port": 21006,
}


@pytest.mark.parametrize("options", [[], ["--kafka", "apache", "--fleet", "cfk"]])
def test_a_way_back_that_can_not_be_played_is_refused_before_anything_starts(
    options: list[str], tmp_path: Path
) -> None:
    command = ["run", "there-and-back", "--returns", "killed", "--reports", str(tmp_path), *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and "comes back with --kafka apache" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_takes_anothers_place_is_told_its_ports_and_is_the_same_otherwise(tmp_path: Path) -> None:
    settings = Settings(directory=tmp_path, kafka="apache", truncation=True)
    before = cast("Child", SimpleNamespace(ready=READY))
    clusters = {"east": before, "west": before}
    cluster, balancer = cluster_config(settings, "east"), balancer_config(settings, "east")
    assert cluster_config(settings, "east", before) == cluster | {"port": 21001, "admin_port": 21002}
    assert balancer_config(settings, "east", before) == balancer | {"port": 21006, "admin_port": 21002}
    rest = rest_config(settings, "east", clusters)
    assert rest_config(settings, "east", clusters, before) == rest | {"port": 21003, "control_port": 21004}
