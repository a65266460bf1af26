"""`failover plans check`: a plan is good, or each of its wrong fields is told with what to write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from command.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
ORDERS = ROOT / "plans" / "orders.yaml"
JARGON = ("Error", "Traceback", "pydantic", "Once", "Weekly", "function-", "Dictionary", "Input should", "valid")


def failover(*words: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words), input=stdin)
    return result.exit_code, result.output


def in_a_process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "layers/failover/python")])
    command = [sys.executable, "-m", "command", *words]
    environment = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False, timeout=60)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A plan with a wrong field of each kind that the language of the implementation used to shine through."""
    document = yaml.safe_load(ORDERS.read_text())
    document["polcy"] = {}
    document["sites"]["middle"] = document["sites"]["east"]
    document["policy"] |= {"mode": "auto", "quorum": 0, "maintenance": [{"begins": "2026-11-23", "days": ["monday"]}]}
    document["dns"]["ttl"] = "5"
    path = tmp_path / "bad.yaml"
    path.write_text(json.dumps(document))
    return path


def with_a_warning(tmp_path: Path) -> Path:
    document = yaml.safe_load(ORDERS.read_text())
    document["bootstrap"] = "192.0.2.1:9092"
    path = tmp_path / "warned.yaml"
    path.write_text(json.dumps(document))
    return path


def test_a_good_plan_is_good() -> None:
    assert failover("plans", "check", str(ORDERS)) == (0, f"{ORDERS}: plan orders is good\n")


def test_every_wrong_field_is_told_in_the_words_of_the_plan(bad: Path) -> None:
    code, output = failover("plans", "check", str(bad))
    assert code == 1 and not [word for word in JARGON if word in output]
    assert output.splitlines()[-1].startswith("next: mend what is named")
    lines = {line.strip().partition(" ")[0]: line.strip().partition(" ")[2] for line in output.splitlines()[1:-1]}
    assert lines == {
        "polcy": "is no field here: did you mean policy?",
        "sites": "must have 2 entries at most, and has 3",
        "dns.ttl": "must be a whole number, not '5': write 5 without quotes",
        "policy.mode": "must be 'automatic', 'approve' or 'observe', not 'auto'",
        "policy.quorum": "must be at least 1, not 0",
        "policy.maintenance[0].days[0]": "must be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun', not 'monday'",
        "policy.maintenance[0].begins": "must be a time of day in UTC, such as \"22:30\", not '2026-11-23'",
        "policy.maintenance[0].ends": "is missing",
    }


def test_a_warning_is_told_and_refuses_only_where_that_is_asked_for(tmp_path: Path) -> None:
    file = str(with_a_warning(tmp_path))
    code, output = failover("plans", "check", file)
    assert code == 0 and "warning: bootstrap holds 192.0.2.1" in output
    assert failover("plans", "check", "--strict", file)[0] == 1


def test_a_field_under_its_name_of_before_is_a_warning_with_the_one_of_now() -> None:
    text = ORDERS.read_text().replace("  quorum: 2 ", "  quorum: 2\n  vantage_points: 2 ")
    code, output = failover("plans", "check", "-", stdin=text)
    assert code == 0 and "policy.vantage_points is the name of before: write min_vantage_points" in output


def test_of_many_files_each_is_told_and_the_worst_decides(bad: Path, tmp_path: Path) -> None:
    code, output = failover("plans", "check", str(ORDERS), str(bad))
    assert code == 1 and "is good" in output and "refused, 8 wrong field(s)" in output
    code, output = failover("plans", "check", str(bad), str(tmp_path / "none.yaml"), str(tmp_path))
    assert code == 2 and "none.yaml: can't be read\n  (file) No such file" in output and "refused" in output


def test_a_plan_may_come_from_the_standard_input() -> None:
    assert failover("plans", "check", "-", stdin=ORDERS.read_text()) == (0, "-: plan orders is good\n")


def test_machines_get_the_same_in_json(bad: Path, tmp_path: Path) -> None:
    code, output = failover("plans", "check", "--json", str(bad), str(with_a_warning(tmp_path)))
    refused, warned = json.loads(output)["plans"]
    assert (code, refused["status"], warned["status"], warned["plan"]) == (1, "refused", "good", "orders")
    assert {"path": "policy.quorum", "what": "must be at least 1, not 0"} in refused["problems"]
    assert [warning["path"] for warning in warned["warnings"]] == ["bootstrap"]


def test_a_wrong_command_line_is_told_with_how_to_go_on() -> None:
    code, output = failover("plans", "chekc", str(ORDERS))
    assert code == 2 and "chekc" in output
    assert failover("plans", "check")[0] == 2


@pytest.mark.slow
def test_a_real_process_says_the_same_without_a_terminal_and_without_a_traceback(bad: Path) -> None:
    good = in_a_process("plans", "check", "plans/orders.yaml")
    assert (good.returncode, good.stdout, good.stderr) == (0, "plans/orders.yaml: plan orders is good\n", "")
    refused = in_a_process("plans", "check", str(bad), COLUMNS="80")
    assert refused.returncode == 1 and "did you mean policy?" in refused.stdout and "\x1b" not in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr


@pytest.mark.slow
def test_colours_go_to_no_terminal_that_refuses_them(bad: Path) -> None:
    plain = in_a_process("plans", "check", str(bad), NO_COLOR="1", FORCE_COLOR="1")
    assert "\x1b[31m" not in plain.stdout


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(bad: Path) -> None:
    shell = (
        f"set -o pipefail; {sys.executable} -m command plans check {' '.join([str(bad)] * 300)} | head -n 1 >/dev/null"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "layers/failover/python")])
    ended = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_error_of_the_command_itself_has_a_traceback_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from command import plans
    from command.__main__ import main

    def breaks(_: Any) -> Any:
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr(plans, "_checked", breaks)
    with pytest.raises(SystemExit) as ended:
        main(["plans", "check", str(ORDERS)])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and "ZeroDivisionError: by chance" in told and "--debug" in told
    with pytest.raises(ZeroDivisionError):
        main(["plans", "check", "--debug", str(ORDERS)])
