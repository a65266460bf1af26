"""An engine that was asked for is had, or the drill says what lacks; it never plays on with a stand-in instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from drill.__main__ import app

EVERY = pytest.mark.parametrize("scenario", ["region-loss", "practice", "switchover", "there-and-back"])


@EVERY
@pytest.mark.parametrize("engine", [("--kafka", "apache"), ("--gateway", "kroxylicious")])
def test_an_engine_that_can_not_be_had_ends_every_scenario_before_it_begins(
    scenario: str, engine: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = CliRunner().invoke(app, ["run", scenario, *engine, "--reports", str(tmp_path)])
    assert ran.exit_code == 2
    assert "no java on the PATH: a real engine needs Java 17" in ran.output


@EVERY
def test_gateways_on_kubernetes_are_no_kroxylicious(scenario: str, tmp_path: Path) -> None:
    chosen = ["--gateway", "kroxylicious", "--fleet", "cfk"]
    ran = CliRunner().invoke(app, ["run", scenario, *chosen, "--reports", str(tmp_path)])
    assert ran.exit_code == 2 and "take --fleet ecs" in ran.output
