"""A benchmark that is not kept, or not measured, must not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from bench import __main__ as bench
from bench import client_families, clients, drills, imports
from bench.result import NotMeasured, Result

REPORT: dict[str, Any] = {
    "recovered": True,
    "alarm_to_dns": 1.0,
    "rto": {"total": 20.0, "detection": 18.0},
    "world": {"up_seconds": 5.0, "peak_memory_mb": 900.0},
}


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "ok"),
    [
        (3.0, 3.0, False, True),
        (3.1, 3.0, False, False),
        (0.5, 0.5, True, True),
        (0.4, 0.5, True, False),
        (9.9, None, False, True),
        (None, None, False, False),
        (None, 3.0, True, False),
    ],
)
def test_a_result_is_held_against_its_limit(value: float | None, limit: float | None, at_least: bool, ok: bool) -> None:
    assert Result(name="name", value=value, unit="s", limit=limit, at_least=at_least).ok is ok


def test_results_are_written_and_a_broken_limit_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [Result(name="fast", value=1.0, unit="s", limit=2), Result(name="slow", value=3.0, unit="s", limit=2)]
    monkeypatch.setattr(bench, "BENCHMARKS", {"some": lambda: results})
    with pytest.raises(typer.Exit) as exit_:
        bench.main(None, tmp_path / "results.json")
    assert exit_.value.exit_code == 1
    assert json.loads((tmp_path / "results.json").read_text()) == {
        "fast": {"value": 1.0, "unit": "s", "limit": 2, "ok": True},
        "slow": {"value": 3.0, "unit": "s", "limit": 2, "ok": False},
    }


def test_every_section_says_what_it_measures() -> None:
    rows = list(zip(*(column.cells for column in bench.sections().columns), strict=True))
    assert [name for name, _ in rows] == list(bench.BENCHMARKS)
    assert all(len(str(about)) > 20 for _, about in rows)


def test_what_could_not_be_measured_is_not_ok_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[Result]:
        raise NotMeasured("no [drill] here")

    monkeypatch.setattr(
        bench, "BENCHMARKS", {"broken": broken, "some": lambda: [Result(name="fast", value=1.0, unit="s", limit=2)]}
    )
    with pytest.raises(typer.Exit):
        bench.main(None, tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["broken"]["ok"] is False
    assert written["fast"]["ok"] is True


def test_drills_give_medians_and_the_most_memory() -> None:
    reports = [json.loads(json.dumps(REPORT)) for _ in range(3)]
    for report, seconds, memory in zip(reports, (1.0, 9.0, 2.0), (900.0, 1600.0, 900.0), strict=True):
        report["alarm_to_dns"] = seconds
        report["world"]["peak_memory_mb"] = memory
    results = {result.name: result for result in drills.summary(reports)}
    assert results["drill.alarm_to_dns"].value == 2.0
    assert results["drill.peak_memory"].value == 1600.0
    assert not results["drill.peak_memory"].ok
    assert results["drill.rto.detection"].limit is None


@pytest.mark.parametrize("wrong", [None, "fast", True])
def test_a_report_without_a_number_is_not_measured(wrong: Any) -> None:
    with pytest.raises(NotMeasured, match=r"rto\.total"):
        drills.summary([{**REPORT, "rto": {"total": wrong, "detection": 1.0}}])


def test_a_handler_is_imported_as_lambda_finds_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import failover.errors, sys, types\nprint('noise', end='')\n")
    assert not imports.import_once(tmp_path, tmp_path).kafka
    (tmp_path / "app.py").write_text("import sys, types\nsys.modules['confluent_kafka'] = types.ModuleType('k')\n")
    assert imports.import_once(tmp_path, tmp_path).kafka
    (tmp_path / "app.py").write_text("import drill_that_is_not_there\n")
    with pytest.raises(NotMeasured, match="No module named 'drill_that_is_not_there'"):
        imports.import_once(tmp_path, tmp_path)


def test_a_handler_that_drags_kafka_in_for_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("check_offsets", "claim"):
        (tmp_path / "functions" / name).mkdir(parents=True)
        (tmp_path / "functions" / name / "app.py").write_text("")
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    monkeypatch.setattr(imports, "RUNS", 1)
    monkeypatch.setattr(imports, "install_dependencies", lambda: tmp_path)
    monkeypatch.setattr(imports, "import_once", lambda folder, dependencies: imports.Import(ms=400.0, kafka=True))
    results = {result.name: result for result in imports.measure()}
    assert results["import.kafka_for_nothing"].value == 1
    assert not results["import.kafka_for_nothing"].ok
    assert not results["import.claim"].ok


def client(settings: str, role: str, recovered_s: float | None, skipped: int | None = None) -> dict[str, Any]:
    return {"settings": settings, "role": role, "recovered_s": recovered_s, "skipped": skipped}


def test_clients_are_medians_held_against_their_limits_and_one_that_never_came_is_not_ok() -> None:
    reports = [
        {"clients": [client("recommended", "writer", seconds), client("recommended", "reader", last, skipped)]}
        for seconds, last, skipped in [(7.0, 9.0, 0), (12.0, None, 3), (6.0, 9.0, 0)]
    ]
    rows = {result.name: result for result in clients.summary("loud", "balanced", reports)}
    writer = rows["clients.loud.balanced.recommended.writer"]
    assert (writer.value, writer.limit, writer.ok) == (7.0, 8, True)
    assert not rows["clients.loud.balanced.recommended.reader"].ok
    skipped = rows["clients.loud.balanced.recommended.reader.skipped"]
    assert (skipped.value, skipped.ok) == (3, False)


def of_family(family: str, seconds: float | None, **fields: Any) -> dict[str, Any]:
    row = {"family": family, "version": "1.2", "settings": "default", "role": "reader", "recovered_s": seconds}
    return row | {"duplicates": 0, "lost": None, "skipped": 0, "out_of_order": 0, "errors": {}} | fields


def test_families_are_medians_of_the_drills_they_came_back_in_beside_those_they_did_not() -> None:
    reports = [
        {"clients": [of_family("old", seconds, duplicates=twice), of_family("new", 3.0)]}
        for seconds, twice in ((9.0, 0), (None, 4), (7.0, 2), (8.0, 0), (None, 0))
    ]
    reports[0]["clients"].append(of_family("dead", None, errors={"GROUP_ID_NOT_FOUND": 1}))
    rows = {row.name: (row.value, row.unit) for row in client_families.summary("loud", reports)}
    assert rows == {
        "families.loud.old 1.2 default reader": (8.0, "s"),
        "families.loud.old 1.2 default reader.never": (2, "of 5 drills"),
        "families.loud.old 1.2 default reader.duplicates": (4, "records, at most"),
        "families.loud.new 1.2 default reader": (3.0, "s"),
        "families.loud.dead 1.2 default reader.never": (1, "of 1 drills"),
        "families.loud.dead 1.2 default reader.errors": (1, "kinds: GROUP_ID_NOT_FOUND"),
    }


def test_drills_that_were_played_before_it_was_broken_off_are_not_played_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drills, "UNFINISHED", tmp_path)
    played: list[tuple[str, ...]] = []

    def run(*options: str, timeout_s: float) -> dict[str, Any]:
        if len(played) == 2:
            raise NotMeasured("the machine is gone")
        played.append(options)
        return {"turn": len(played)}

    monkeypatch.setattr(drills, "run", run)
    with pytest.raises(NotMeasured):
        drills.repeated("clients-loud", "--loss", "loud")
    assert len(played) == 2
    monkeypatch.setattr(drills, "run", lambda *options, timeout_s: {"turn": "later"})
    turns = [report["turn"] for report in drills.repeated("clients-loud", "--loss", "loud")]
    assert turns == [1, 2, "later", "later", "later"]
    drills.forget("clients")
    assert [r["turn"] for r in drills.repeated("clients-loud", "--loss", "loud")] == ["later"] * drills.RUNS
