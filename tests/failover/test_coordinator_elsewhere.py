"""librdkafka ends its process when an admin client asks for a group's offsets, and is answered that the coordinator is
elsewhere. No function may be ended by that."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kio.schema.errors import ErrorCode

from drill.kafka.connection import Answered, Open, Verdict
from drill.kafka.proxy import Route, from_table, serve
from drill.kafka.refusal import refusal
from drill.kafka.renewal import start_mock
from drill.network.listeners import listen_on, port_of
from drill.network.splice import Bytes, connect
from drill.ports import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]
OFFSET_FETCH = 9
REFUSALS = {
    "moved": ErrorCode.not_coordinator,
    "not there yet": ErrorCode.coordinator_not_available,
    "loading": ErrorCode.coordinator_load_in_progress,
}
FUNCTION = """
from failover.errors import KafkaUnavailable
from failover.kafka import client, offsets
committed = None
while committed is None:
    try:
        answer = offsets.committed(client.settings(bootstrap, "PLAINTEXT", None), "movers", [("orders", 0)])
    except KafkaUnavailable:
        continue
    committed = answer.by_partition["orders", 0]
print(committed)
"""


class Elsewhere(Open):
    """Answers the first questions after a group's offsets with an error, and lets the others through."""

    def __init__(self, error: ErrorCode) -> None:
        self.refusals = 0
        self._error = error

    def wants(self, api_key: int) -> bool:
        return api_key == OFFSET_FETCH

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        if self.refusals == 2:
            return None
        self.refusals += 1
        return Answered(refusal(api_key, version, frame, self._error))


@pytest.fixture(params=list(REFUSALS))
def bootstrap(request: pytest.FixtureRequest) -> Iterator[tuple[str, Elsewhere]]:
    """A cluster on which the group has committed 7, behind what refuses at first."""
    mock, gate = start_mock(1), Elsewhere(REFUSALS[request.param])
    producer = Producer({"bootstrap.servers": mock.bootstrap})
    producer.produce("orders", b"", partition=0)
    producer.flush(30)
    rows = ConsumerGroupTopicPartitions("movers", [TopicPartition("orders", 0, 7)])
    admin = AdminClient({"bootstrap.servers": mock.bootstrap})
    admin.alter_consumer_group_offsets([rows])["movers"].result(30)
    ((node, broker),) = mock.nodes.items()
    listeners = listen_on(2)
    ports = [port_of(listener) for listener in listeners]
    route = Route(upstream=broker, advertise=from_table({node: (LOOPBACK, ports[1])}), reach=connect, nodes=mock.nodes)
    route.gate = lambda: gate

    async def proxy(ending: asyncio.Event) -> None:
        places = zip(listeners, (None, node), strict=True)
        served = [asyncio.ensure_future(serve(route, listener, place)) for listener, place in places]
        await ending.wait()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    loop, ending = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(proxy(ending),), daemon=True)
    thread.start()
    yield f"{LOOPBACK}:{ports[0]}", gate
    loop.call_soon_threadsafe(ending.set)
    thread.join()


def test_a_coordinator_that_is_elsewhere_ends_no_function_and_is_asked_again(bootstrap: tuple[str, Elsewhere]) -> None:
    address, gate = bootstrap
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/failover/python"}
    ended = subprocess.run(
        [sys.executable, "-c", f"bootstrap = {address!r}\n{FUNCTION}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "7\n"), ended.stderr
    assert gate.refusals == 2
