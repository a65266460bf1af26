"""What the drill forks is as what it starts by itself."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from drill.aws.lambda_process import ISOLATED
from drill.forks import CAN_FORK, Forks, Program
from drill.process import spawn

needs_forks = pytest.mark.skipif(not CAN_FORK, reason="nothing is forked here")


def test_clusters_of_one_drill_are_two_and_not_one(tmp_path: Path) -> None:
    clusters = [spawn("tests.drill.confluent.mock_cluster", {}, log=tmp_path / f"{n}.log") for n in range(4)]
    try:
        assert len({cluster.ready["cluster_id"] for cluster in clusters}) == 4
    finally:
        for cluster in clusters:
            cluster.kill()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    file = tmp_path / "program.py"
    file.write_text(
        "import os, sys\n"
        "def main():\n"
        "    print(sys.argv[1], os.environ.get('OWN'), os.environ.get('SERVER'), os.getcwd(), sys.path[0])\n"
        "    print(os.getpgrp() == os.getpid(), 'failover' in sys.modules, flush=True)\n"
        "    sys.stderr.write(sys.stdin.read())\n"
        "    sys.exit(3)\n"
    )
    return Program(
        program=str(file),
        arguments=["argument"],
        environment={"OWN": "its own"},
        directory=str(tmp_path),
        path=["/first"],
        own_group=True,
    )


@needs_forks
def test_a_forked_process_has_its_own_surroundings_and_tells_its_status(tmp_path: Path, program: Program) -> None:
    process = Forks([sys.executable, *ISOLATED], {"SERVER": "the server's"}, preloaded=["nothing.of_that.name"]).fork(
        program
    )
    assert process is not None and process.poll() is None
    assert process.stdin and process.stdout and process.stderr
    assert process.stdout.readline().decode().split() == ["argument", "its", "own", "None", str(tmp_path), "/first"]
    assert process.stdout.readline() == b"True False\n"
    process.stdin.write(b"x" * 200_000)
    process.stdin.close()
    assert process.stderr.read() == b"x" * 200_000
    assert process.wait(10) == 3


@needs_forks
def test_a_forked_process_that_is_killed_says_by_what(program: Program) -> None:
    process = Forks([sys.executable, *ISOLATED], {}).fork(program)
    assert process is not None
    process.kill()
    assert process.wait(10) == -signal.SIGKILL


@needs_forks
def test_what_can_not_be_forked_is_left_to_be_started(tmp_path: Path) -> None:
    forks = Forks([sys.executable, *ISOLATED], {})
    assert forks.fork(Program(program="nobody", environment={}, directory=str(tmp_path))) is None
    much = Program(program="json", arguments=["x" * 200_000], environment={}, directory=str(tmp_path))
    assert forks.fork(much) is None


@needs_forks
def test_whoever_forgets_a_process_has_others_forked_all_the_same(program: Program) -> None:
    forks = Forks([sys.executable, *ISOLATED], {})
    for _ in range(3):
        forgotten = forks.fork(program)
        assert forgotten is not None
        pid = forgotten.pid
        del forgotten  # its pipes are closed, and it ends
        deadline = time.monotonic() + 90
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not psutil.pid_exists(pid)
    process = forks.fork(program)
    assert process is not None
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
