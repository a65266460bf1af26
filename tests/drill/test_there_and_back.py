"""The whole way there and back, run as its user runs it: clients end at home, and no record is lost on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 420


@pytest.mark.exhaustive
@pytest.mark.timeout(LIMIT_S + 20)
def test_clients_come_home_and_every_record_is_in_the_log_or_in_the_rescue(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drill", "run", "there-and-back", "--reports", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads((tmp_path / "latest" / "report.json").read_text())
    assert [execution["outcome"] for execution in report["executions"]] == ["succeeded"] * 3
    assert (report["active_site"], report["mirrors_back"]) == ("east", 4)
    assert (report["lost"], report["missing"], report["out_of_order"]) == (0, 0, 0)
    rescued = report["rescued"]
    assert rescued["saved"] == rescued["diverged"] == report["measured_loss"] > 0
    assert report["rto"] > 0 and report["switchover"]["gap_writers_s"] > 0 and report["switchover"]["gap_readers_s"] > 0
    log = (tmp_path / "latest" / "logs" / "producer.log").read_text()
    acknowledged = sum(line.startswith("a ") for line in log.splitlines())
    accounts = {account["settings"]: account for account in report["by_settings"]}
    assert accounts["recommended"]["acknowledged"] == acknowledged > 0
