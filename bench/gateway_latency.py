"""What a gateway adds to the time a write takes: 200 connections, 5 MB/s, straight to a cluster or through it.

The load is written frame by frame, because as many real clients would be a load of their own. It is sent when it is
due, whether or not what came before is answered, and each record is a request: the dearest way to send so much.
"""

from __future__ import annotations

import gc
import selectors
import socket
import statistics
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Producer
from kio.index import load_request_schema
from kio.schema.errors import ErrorCode

from bench.gateway_world import world
from bench.result import NotMeasured, Result
from drill.kafka.codec import written
from drill.kafka.messages import PRODUCE, framed
from drill.kafka.refusal import _filled, _item

CONNECTIONS: Final = 200
BYTES_A_SECOND: Final = 5_000_000
RECORD: Final = b"\xa5" * 1024
TOPIC: Final = "latency"
VERSION: Final = 10
SECONDS: Final = 6.0
WARM_S: Final = 1.0
ROUNDS: Final = 5
ALLOWED_MS: Final = 3.0


def measure() -> list[Result]:
    """The 99th percentile of a write's time on both ways, and what the gateway adds to it: medians of the rounds.

    Raises:
        NotMeasured: if a write is not answered.
    """
    rounds: dict[str, list[float]] = {"direct": [], "gateway": []}
    medians: dict[str, list[float]] = {"direct": [], "gateway": []}
    with world("east") as here:
        for _ in range(ROUNDS):
            for way, bootstrap in (("direct", here.clusters["east"]), ("gateway", here.gateway)):
                times = _times(bootstrap)
                rounds[way].append(_percentile(times, 0.99))
                medians[way].append(_percentile(times, 0.5))
    added = statistics.median(g - d for d, g in zip(rounds["direct"], rounds["gateway"], strict=True))
    median = statistics.median(g - d for d, g in zip(medians["direct"], medians["gateway"], strict=True))
    return [
        Result(name="gateway.latency.direct_p99", value=statistics.median(rounds["direct"]), unit="ms", limit=None),
        Result(name="gateway.latency.through_p99", value=statistics.median(rounds["gateway"]), unit="ms", limit=None),
        Result(name="gateway.latency.added_median", value=median, unit="ms", limit=None),
        Result(name="gateway.latency.added_p99", value=added, unit="ms", limit=ALLOWED_MS),
    ]


@dataclass(kw_only=True)
class _Client:
    """One connection; `sent`: when each request that is not answered yet was sent."""

    sock: socket.socket
    request: bytes
    sent: deque[float] = field(default_factory=deque)
    begun: bytes = b""

    def send(self) -> None:
        self.sent.append(time.perf_counter())
        self.sock.sendall(self.request)

    def answered(self) -> list[float]:
        """Seconds that requests took whose answers are here now."""
        data = self.begun + self.sock.recv(65_536)
        now = time.perf_counter()
        if len(data) == len(self.begun):
            raise NotMeasured("a connection of the load was closed")
        took: list[float] = []
        while len(data) >= 4 and len(data) >= (size := 4 + struct.unpack_from(">i", data)[0]):
            took.append(now - self.sent.popleft())
            data = data[size:]
        self.begun = data
        return took


def _times(bootstrap: str) -> list[float]:
    """Milliseconds that writes took, warm-up left out."""
    clients = _clients(bootstrap)
    every = len(RECORD) / BYTES_A_SECOND
    times: list[float] = []
    gc.disable()
    try:
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.sock, selectors.EVENT_READ, client)
            began = time.perf_counter()
            due = 0
            while (now := time.perf_counter() - began) < WARM_S + SECONDS:
                while due * every <= now:
                    clients[due % CONNECTIONS].send()
                    due += 1
                for key, _ in selector.select(max(0.0, due * every - (time.perf_counter() - began))):
                    took = key.data.answered()
                    if now > WARM_S:
                        times += took
    finally:
        gc.enable()
        for client in clients:
            client.sock.close()
    unanswered = sum(len(client.sent) for client in clients)
    if unanswered > due / 20:
        raise NotMeasured(f"{unanswered} of {due} writes were not answered: the load is more than this machine carries")
    return [1000 * seconds for seconds in times]


def _clients(bootstrap: str) -> list[_Client]:
    """Connections to the leaders of the topic's partitions, as they are told by whoever is asked."""
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(TOPIC, timeout=20)
    partitions = metadata.topics[TOPIC].partitions.values()
    clients: list[_Client] = []
    while len(clients) < CONNECTIONS:
        partition = list(partitions)[len(clients) % len(partitions)]
        leader = metadata.brokers[partition.leader]
        sock = socket.create_connection((leader.host, leader.port), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(_Client(sock=sock, request=_request(partition.id)))
        clients[-1].send()
        clients[-1].answered()  # one after the other: few wait at a time to be taken in by a broker of the mock
    return clients


def _request(partition: int) -> bytes:
    schema: Any = load_request_schema(PRODUCE, VERSION)
    topic = _item(schema, "topic_data")
    content = _filled(_item(topic, "partition_data"), ErrorCode.none, index=partition, records=_batch())
    topics = (_filled(topic, ErrorCode.none, name=TOPIC, partition_data=(content,)),)
    body = written(schema, _filled(schema, ErrorCode.none, acks=-1, topic_data=topics))
    return framed(struct.pack(">hhih", PRODUCE, VERSION, 1, 2) + b"me\0" + body)


def _batch() -> bytes:
    """A batch of one record (https://kafka.apache.org/documentation/#recordbatch). Its checksum is left out: nobody
    reads it back."""
    value = _zigzag(len(RECORD)) + RECORD
    record = b"\0\0\0" + _zigzag(-1) + value + b"\0"
    records = _zigzag(len(record)) + record
    head = struct.pack(">ibIhiqqqhii", 0, 2, 0, 0, 0, 0, 0, -1, -1, -1, 1)
    return struct.pack(">qi", 0, len(head) + len(records)) + head + records


def _zigzag(value: int) -> bytes:
    number = (value << 1) ^ (value >> 31)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]
