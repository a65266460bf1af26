"""A broker that freezes amid a call of the product's, and thaws when that was given up: its late answer ends nobody.
librdkafka 2.16 has an assertion there, so each call is made in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from drill.confluent.kafka_topics import ensure_topics
from drill.engines.jars import EngineMissing, jars
from drill.process import Child, spawn

pytestmark = [pytest.mark.slow]

CALLS = {
    "log ends": "offsets.log_ends(chosen, spots)",
    "stable ends": "offsets.log_ends(chosen, spots, stable=True)",
    "leader epochs": "offsets.leader_epochs(chosen, spots)",
    "committed": "offsets.committed(chosen, 'desk', spots)",
    "commit": "offsets.commit(chosen, 'desk', dict.fromkeys(spots, 0))",
    "group protocols": "groups.group_protocols(chosen, ['desk'])",
}
ASKING = """
import sys
from failover.errors import KafkaUnavailable
from failover.kafka import client, groups, offsets
chosen = client.settings(sys.argv[1], "PLAINTEXT", None)
spots = [("orders", partition) for partition in range(4)]
for _ in sys.stdin:
    try:
        {call}
        outcome = "answered"
    except KafkaUnavailable:
        outcome = "unavailable"
    print(outcome, flush=True)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One with a topic, orders."""
    directory = tmp_path_factory.mktemp("cluster")
    try:
        jars("kafka")
    except EngineMissing as error:
        pytest.skip(str(error))
    config = {"site": "east", "engine": "apache", "directory": str(directory / "kafka")}
    child = spawn("drill.kafka.cluster", config, log=directory / "cluster.log")
    ensure_topics(AdminClient({"bootstrap.servers": child.ready["raw_bootstrap"]}), {"orders": 4})
    yield child
    child.stop()


@pytest.mark.parametrize(
    "thawed_after_s", [3.3, *(pytest.param(seconds, marks=pytest.mark.exhaustive) for seconds in (2.5, 5.0))]
)
@pytest.mark.parametrize("call", CALLS)
def test_a_broker_that_thaws_after_a_call_was_given_up_ends_no_process(
    cluster: Child, call: str, thawed_after_s: float
) -> None:
    (broker,) = cluster.ready["engine_pids"]
    command = [sys.executable, "-c", ASKING.format(call=CALLS[call]), cluster.ready["raw_bootstrap"]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as asking:
        assert asking.stdin is not None and asking.stdout is not None

        def ask() -> None:
            assert asking.stdin is not None
            asking.stdin.write("again\n")
            asking.stdin.flush()

        def ask_until_answered() -> None:
            outcome, deadline = "", time.monotonic() + 60
            while outcome != "answered\n":
                assert asking.poll() is None, f"the process ended with {asking.returncode}"
                assert time.monotonic() < deadline, "the broker never answered"
                ask()
                assert asking.stdout is not None
                outcome = asking.stdout.readline()

        ask_until_answered()
        os.kill(broker, signal.SIGSTOP)
        try:
            ask()
            time.sleep(thawed_after_s)
        finally:
            os.kill(broker, signal.SIGCONT)
        assert asking.stdout.readline() in ("answered\n", "unavailable\n")
        ask_until_answered()
        asking.stdin.close()
        assert asking.wait(30) == 0
