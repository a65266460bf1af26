"""An option that a scenario does not know is refused, and what it knows reaches its world."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from drill import practice, switchover, there_and_back
from drill.__main__ import app
from drill.rehearsal import RehearsalFailed
from drill.timing import TIMINGS, TimingName, name_of
from drill.world_settings import Settings

MOVES = pytest.mark.parametrize("scenario", [switchover, practice, there_and_back], ids=lambda module: module.NAME)


@MOVES
@pytest.mark.parametrize(
    "options", [("--loss", "silent"), ("--policy", "fast"), ("--more-clients", "all"), ("--leader-epochs", "lower")]
)
def test_what_is_of_a_loss_alone_is_refused_where_people_move_clients(
    scenario: object, options: tuple[str, str], tmp_path: Path
) -> None:
    ran = CliRunner().invoke(app, ["run", getattr(scenario, "NAME", ""), *options, "--reports", str(tmp_path)])
    assert ran.exit_code == 2 and f"does not know {options[0]}" in ran.output
    assert not list(tmp_path.iterdir())


@MOVES
def test_whose_delays_and_whose_cache_of_names_reach_the_world(
    scenario: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[Settings] = []

    def rehearse(settings: Settings, console: Console) -> None:
        played.append(settings)
        raise RehearsalFailed("it is not played here")

    monkeypatch.setattr(scenario, "rehearse", rehearse)
    chosen = ["--timing", "aws", "--resolver", "jvm", "--reports", str(tmp_path)]
    CliRunner().invoke(app, ["run", getattr(scenario, "NAME", ""), *chosen])
    assert [(settings.timing, settings.resolver) for settings in played] == [(TIMINGS[TimingName.AWS], "jvm")]
    assert name_of(played[0].timing) == "aws"
