"""What the drill says of a process that ended by itself."""

from __future__ import annotations

import signal
from pathlib import Path

from drill.process import Child, failure_of, spawn

CLUSTER = "drill.kafka.cluster"


def _cluster(log: Path) -> Child:
    return spawn(CLUSTER, {"site": log.stem, "brokers": 1}, log=log)


def test_whoever_was_not_answered_is_told_which_process_ended_and_how(tmp_path: Path) -> None:
    east, west = _cluster(tmp_path / "east.log"), _cluster(tmp_path / "west.log")
    try:
        assert failure_of((east, west)) is None
        west.log.write_text("the last thing it had to say\n")
        west.process.send_signal(signal.SIGSEGV)
        west.process.wait(10)
        failure = str(failure_of((east, west)))
    finally:
        east.stop()
        west.stop()
    assert f"{CLUSTER} ended with status -11" in failure and "the last thing it had to say" in failure
    assert "west.log" in failure


def test_what_a_process_wrote_for_itself_is_gone_with_its_parent(tmp_path: Path) -> None:
    """Such as the key of the stand-in for an EKS cluster."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    config = {"name": "east", "log_dir": str(tmp_path), "access": {}, "rules": []}
    cluster = spawn("drill.kubernetes.cluster", config, log=tmp_path / "east.log", env={"TMPDIR": str(temporary)})
    written = [path.name for path in temporary.rglob("server.key")]
    cluster.stop(10)
    assert written == ["server.key"]
    assert list(temporary.iterdir()) == []
