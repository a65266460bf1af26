"""A world that is kept up: asked for an outage from elsewhere, and beside others without taking their files."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from drill import up
from drill.report_directories import new_directory
from drill.up import NoWorld, Outage, RunningWorld


def test_drills_that_begin_in_one_second_have_directories_of_their_own(tmp_path: Path) -> None:
    names = {new_directory(tmp_path, "up") for _ in range(3)}
    assert len(names) == 3 and all(name.is_dir() for name in names)


def test_an_outage_without_a_world_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / up.CONTROL_FILE).write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:9"}))
    with pytest.raises(NoWorld, match="python -m drill up"):
        up.ask(tmp_path, Outage.SITE, over=False)


@pytest.mark.parametrize(("active", "is_the_controllers"), [("east", False), ("west", True)])
def test_an_outage_of_the_controllers_own_region_says_what_ends_it(
    monkeypatch: pytest.MonkeyPatch, active: str, is_the_controllers: bool
) -> None:
    running = RunningWorld(cast("Any", world_with([])), Console(file=io.StringIO()))
    monkeypatch.setattr(running.controller, "active_site", lambda: active)
    frozen = list[str]()
    monkeypatch.setattr(running.world, "freeze", frozen.append, raising=False)
    assert ("outage --over" in running.begin(Outage.SITE)) is is_the_controllers
    assert frozen == [active]


def test_another_drill_is_seen_as_long_as_it_runs(tmp_path: Path) -> None:
    assert not up.others(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "controller.json").write_text(json.dumps({"pid": os.getpid()}))
    assert up.others(tmp_path)


TEXT = "It stopped.\n  failover redrive orders --region us-west-2"


def world_with(ended: list[str]) -> SimpleNamespace:
    return SimpleNamespace(endpoint="", ledger_table="", aws=lambda _: None, ended_parts=lambda: ended)


def test_a_part_of_the_world_that_ended_by_itself_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drill.up.plain.get", lambda *_, **__: SimpleNamespace(json=list))
    out, ended = io.StringIO(), list[str]()
    running = RunningWorld(cast("Any", world_with(ended)), Console(file=out, width=80))
    running.tell()
    assert out.getvalue() == ""
    ended.append("rest of east")
    running.tell()
    running.tell()
    assert out.getvalue().count("rest of east has ended by itself") == 1


def test_what_people_are_sent_is_shown_once_with_commands_that_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"id": "1", "subject": "orders: STOPPED", "text": TEXT}
    answer = SimpleNamespace(json=lambda: [message])
    monkeypatch.setattr("drill.up.plain.get", lambda *_, **__: answer)
    out = io.StringIO()
    world = cast("Any", world_with(ended=[]))
    running = RunningWorld(world, Console(file=out, width=80))
    running.tell()
    running.tell()
    assert out.getvalue().count("a message to people: orders: STOPPED") == 1
    assert "  |   failover redrive orders --drill\n" in out.getvalue()
