"""A Kafka cluster of one broker in an event loop: enough for who asks which cluster answers, where partitions end, or
writes a record and reads it back. It keeps its records in memory, and its groups have no members.

Of each message it speaks one version, without tagged fields (https://kafka.apache.org/protocol).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drill.kafka import sasl
from drill.kafka.messages import (
    API_VERSIONS,
    CLIENT_ID,
    FETCH,
    FIND_COORDINATOR,
    LIST_OFFSETS,
    METADATA,
    PRODUCE,
    SASL_AUTHENTICATE,
    SASL_HANDSHAKE,
    after_client_id,
    framed,
)

SPOKEN: Final = {
    PRODUCE: (3, 3),
    FETCH: (4, 4),
    LIST_OFFSETS: (2, 2),
    METADATA: (7, 7),
    FIND_COORDINATOR: (0, 0),
    SASL_HANDSHAKE: (1, 1),
    API_VERSIONS: (0, 3),
    SASL_AUTHENTICATE: (0, 0),
}
"""The oldest and the newest version of each."""
FLEXIBLE: Final = 3
"""The version of ApiVersions from which on it has tagged fields; clients of today begin with it."""
UNKNOWN_TOPIC_OR_PARTITION: Final = 3
BATCH_HEADER: Final = struct.Struct(">qiibIhi")
"""Of a record batch: base offset, length, leader epoch, magic, checksum, attributes, last offset beyond the base. The
checksum is of what comes after it, so the base offset can be set."""
NODE: Final = 1

Log = list[tuple[int, bytes]]
"""Batches, each with its first offset."""


class Partition:
    """The log of one partition, from an offset on."""

    def __init__(self, end: int = 0) -> None:
        self.end = end
        self._batches: Log = []

    def append(self, batch: bytes) -> int:
        """The offset that its first record has from now on."""
        base, beyond = self.end, BATCH_HEADER.unpack_from(batch)[-1]
        self._batches.append((base, base.to_bytes(8, "big") + batch[8:]))
        self.end = base + beyond + 1
        return base

    def read(self, offset: int) -> bytes:
        """The batches from the one on that begins at an offset."""
        return b"".join(batch for base, batch in self._batches if base >= offset)


class Broker:
    """A cluster, asked by logged-in clients. `log_ends`: where the partitions of each topic end at first."""

    def __init__(self, cluster_id: str, logins: Mapping[str, str], log_ends: Mapping[str, Sequence[int]]) -> None:
        self._cluster_id = cluster_id
        self._logins = logins
        self._topics = {topic: [Partition(end) for end in ends] for topic, ends in log_ends.items()}

    async def serve(self, address: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it goes. `address`: where the broker says that it is."""
        answers: dict[int, Callable[[_Fields], bytes]] = {
            PRODUCE: self._produce,
            LIST_OFFSETS: self._list_offsets,
            METADATA: lambda request: self._metadata(request, address),
            FIND_COORDINATOR: lambda _: struct.pack(">hi", 0, NODE) + _address(address),
        }
        is_in = False
        while True:
            size = await reader.readexactly(4)
            frame = size + await reader.readexactly(int.from_bytes(size, "big"))
            api_key, version = struct.unpack_from(">hh", frame, 4)
            if api_key == API_VERSIONS:
                writer.write(_answer(frame, _flexible_versions() if version >= FLEXIBLE else _versions()))
            elif api_key == SASL_HANDSHAKE:
                supported = sasl.mechanism_in(version, frame) == sasl.PLAIN
                writer.write(sasl.handshake_answer(frame, 0 if supported else sasl.UNSUPPORTED_MECHANISM))
            elif api_key == SASL_AUTHENTICATE:
                is_in = sasl.user_of(sasl.token_in(version, frame), self._logins) is not None
                writer.write(sasl.authenticate_answer(version, frame, None if is_in else sasl.WRONG_LOGIN))
            elif not is_in:
                raise sasl.BadLogin(f"a request of api key {api_key} before the login")
            else:
                request = _Fields(frame, after_client_id(frame))
                body = await self._fetch(request) if api_key == FETCH else answers[api_key](request)
                writer.write(_answer(frame, body))

    def _metadata(self, request: _Fields, address: tuple[str, int]) -> bytes:
        count = request.int32()
        topics = list(self._topics) if count < 0 else [request.text() for _ in range(count)]
        broker = struct.pack(">ii", 1, NODE) + _address(address) + _NULL
        cluster = _text(self._cluster_id) + struct.pack(">i", NODE)
        described = [_topic(topic, len(self._topics.get(topic, ()))) for topic in topics]
        return _NO_THROTTLE + broker + cluster + _array(described)

    def _produce(self, request: _Fields) -> bytes:
        request.text()
        request.skip(6)  # acks, timeout

        def partition(topic: str) -> bytes:
            number, batch = request.int32(), request.sized()
            log = self._log(topic, number)
            if log is None:
                return struct.pack(">ihqq", number, UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
            return struct.pack(">ihqq", number, 0, log.append(batch), -1)

        return _topics(request, partition) + _NO_THROTTLE

    async def _fetch(self, request: _Fields) -> bytes:
        request.skip(4)  # replica
        wait_ms = request.int32()
        request.skip(9)  # bytes at least and at most, isolation
        has_records = False

        def partition(topic: str) -> bytes:
            nonlocal has_records
            number, offset = request.int32(), request.int64()
            request.skip(4)
            log = self._log(topic, number)
            if log is None:
                return struct.pack(">ihqqii", number, UNKNOWN_TOPIC_OR_PARTITION, -1, -1, -1, 0)
            records = log.read(offset)
            has_records |= bool(records)
            return struct.pack(">ihqqii", number, 0, log.end, log.end, -1, len(records)) + records

        answer = _NO_THROTTLE + _topics(request, partition)
        if not has_records:
            await asyncio.sleep(wait_ms / 1000)
        return answer

    def _list_offsets(self, request: _Fields) -> bytes:
        request.skip(5)  # replica, isolation

        def partition(topic: str) -> bytes:
            number = request.int32()
            request.skip(8)
            log = self._log(topic, number)
            if log is None:
                return struct.pack(">ihqq", number, UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
            return struct.pack(">ihqq", number, 0, -1, log.end)

        return _NO_THROTTLE + _topics(request, partition)

    def _log(self, topic: str, number: int) -> Partition | None:
        partitions = self._topics.get(topic, [])
        return partitions[number] if number < len(partitions) else None


class _Fields:
    """A request's fields, one after the other."""

    def __init__(self, frame: bytes, at: int) -> None:
        self._frame = frame
        self._at = at

    def skip(self, size: int) -> bytes:
        self._at += size
        return self._frame[self._at - size : self._at]

    def int32(self) -> int:
        return int.from_bytes(self.skip(4), "big", signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.skip(8), "big", signed=True)

    def text(self) -> str:
        return self.skip(max(0, int.from_bytes(self.skip(2), "big", signed=True))).decode()

    def sized(self) -> bytes:
        return self.skip(max(0, self.int32()))


_NULL: Final = b"\xff\xff"
_NO_THROTTLE: Final = bytes(4)


def _topics(request: _Fields, partition: Callable[[str], bytes]) -> bytes:
    """The answer for each topic of a request, and each partition of it."""
    answers = []
    for _ in range(request.int32()):
        topic = request.text()
        answers.append(_text(topic) + _array([partition(topic) for _ in range(request.int32())]))
    return _array(answers)


def _topic(name: str, partitions: int) -> bytes:
    """A topic in an answer to Metadata; one without partitions is not there."""
    described = [struct.pack(">hiiiiiiii", 0, number, NODE, -1, 1, NODE, 1, NODE, 0) for number in range(partitions)]
    error = 0 if partitions else UNKNOWN_TOPIC_OR_PARTITION
    return struct.pack(">h", error) + _text(name) + b"\0" + _array(described)


def _versions() -> bytes:
    return struct.pack(">h", 0) + _array([struct.pack(">hhh", key, *versions) for key, versions in SPOKEN.items()])


def _flexible_versions() -> bytes:
    spoken = b"".join(struct.pack(">hhhb", key, *versions, 0) for key, versions in SPOKEN.items())
    return struct.pack(">hb", 0, len(SPOKEN) + 1) + spoken + _NO_THROTTLE + b"\0"


def _answer(frame: bytes, body: bytes) -> bytes:
    return framed(frame[8:CLIENT_ID] + body)


def _array(items: Sequence[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)


def _address(address: tuple[str, int]) -> bytes:
    return _text(address[0]) + struct.pack(">i", address[1])


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
