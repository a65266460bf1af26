"""librdkafka ends its process when a coordinator is found after the call that looked for it has timed out inside of it.
Nothing of ours may be ended by that: neither a function nor the drill's REST API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = """
import time
from confluent_kafka import Producer
cluster = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 300, "log_level": 0})
broker = next(iter(cluster.list_topics(timeout=30).brokers.values()))
bootstrap = f"{broker.host}:{broker.port}"
"""
"""Every answer takes 0.3 s: who waits for less than two has given up when the coordinator is found."""
FUNCTION = """
from failover.errors import KafkaUnavailable
from failover.kafka import client, offsets
offsets.TIMEOUT_S, offsets._RESULT_S = 0.45, 0.5
try:
    offsets.commit(client.settings(bootstrap, "PLAINTEXT", None), "late", {("orders", 0): 1})
except KafkaUnavailable as error:
    kept = error  # and by its traceback the client
    time.sleep(0.6)
    print("no answer in time")
"""
REST_API = """
from drill.confluent.groups import GroupAdmin
from drill.confluent.replication import Spot
groups = GroupAdmin(bootstrap)
assert groups.committed("late", [Spot("orders", 0)], 0.45) == {}
time.sleep(0.6)
groups.commit("late", {Spot("none", 0): 1}, 30.0)
print("no answer in time")
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [FUNCTION, REST_API], ids=["a function", "the drill's REST API"])
def test_a_coordinator_that_is_found_late_ends_no_process(script: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/failover/python"}
    ended = subprocess.run(
        [sys.executable, "-c", CLUSTER + script], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "no answer in time\n"), ended.stderr
