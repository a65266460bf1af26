"""The addresses of brokers in Kafka's answers, found and replaced where they stand; not another byte is changed.

The layouts are those of https://kafka.apache.org/protocol. They are walked by hand, as far as an address can stand and
no further: a proxy looks at every answer that may name a broker, and is there at once when it starts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from drill.kafka.messages import DESCRIBE_CLUSTER, FETCH, FIND_COORDINATOR, METADATA, PRODUCE, framed
from drill.kafka.varint import as_varint, varint
from drill.network.splice import Address, Bytes

Advertise = Callable[[int], Address]
Learn = Callable[[int, Address], None]

_INT32: Final = struct.Struct(">i")
_INT16: Final = struct.Struct(">h")
_SIZE: Final = 4
_THROTTLE: Final = 4
_UUID: Final = 16
_PRODUCED: Final = 30  # index, error, base offset, append time and log start offset of a partition
_FETCHED: Final = 30  # index, error, high watermark, last stable offset and log start offset of a partition
_ABORTED: Final = 16  # producer id and first offset of a transaction
_NODE_ENDPOINTS: Final = 0  # the tag of the brokers in Produce and Fetch answers

# The oldest and newest version of an answer that can name brokers. Produce and Fetch do if a leader moved (KIP-951).
NAMES_BROKERS: Final = {
    PRODUCE: (10, 13),
    FETCH: (16, 18),
    METADATA: (0, 13),
    FIND_COORDINATOR: (0, 6),
    DESCRIBE_CLUSTER: (0, 2),
}


class UnknownVersion(ConnectionError):
    """An answer of a version that is newer than the layouts known here."""


def names_brokers(api_key: int, version: int) -> bool:
    """Whether the answer to such a request can hold addresses of brokers."""
    first_version = NAMES_BROKERS.get(api_key)
    return first_version is not None and version >= first_version[0]


def readdressed(api_key: int, version: int, frame: Bytes, advertise: Advertise, learn: Learn) -> Bytes:
    """A response in which every broker's address is the one that `advertise` gives for its id.

    `learn` is told the address that stood there. Nothing else is changed, the cluster id least of all; if it names no
    broker, it is the very `frame`.

    Raises:
        UnknownVersion: if its layout is not known.
        IndexError, ValueError, struct.error: if it is not laid out so.
    """
    walk, flexible = _LAYOUTS[api_key]
    if version > NAMES_BROKERS[api_key][1]:
        raise UnknownVersion(f"api key {api_key}, version {version}: no layout is known")
    answer = _Answer(frame, version >= flexible, advertise, learn)
    walk(answer, version)
    return answer.changed()


def brokers_in(frame: Bytes) -> dict[int, Address]:
    """The brokers in the answer to `messages.metadata_request`."""
    brokers: dict[int, Address] = {}
    answer = _Answer(frame, False, lambda _: ("", 0), brokers.__setitem__)
    _metadata(answer, 1)
    return brokers


class _Answer:
    """A response, walked from its body on."""

    def __init__(self, frame: Bytes, flexible: bool, advertise: Advertise, learn: Learn) -> None:
        self._frame = frame
        self._flexible = flexible
        self._advertise = advertise
        self._learn = learn
        self._at = 9 if flexible else 8  # after size, correlation id, and the empty tag buffer of a flexible header
        self._edits: list[tuple[int, int, bytes]] = []

    def changed(self) -> Bytes:
        """The frame with all that was replaced."""
        if not self._edits:
            return self._frame
        pieces: list[Bytes] = []
        copied_to = _SIZE
        for begin, end, instead in self._edits:
            pieces += (self._frame[copied_to:begin], instead)
            copied_to = end
        return framed(b"".join((*pieces, self._frame[copied_to:])))

    def skip(self, size: int) -> None:
        """Go past so many bytes."""
        self._at += size

    def int32(self) -> int:
        value: int = _INT32.unpack_from(self._frame, self._at)[0]
        self._at += 4
        return value

    def varint(self) -> int:
        value, self._at = varint(self._frame, self._at)
        return value

    def items(self) -> range:
        """The indices of an array, none if it is null, which follow here."""
        return range(self.varint() - 1 if self._flexible else self.int32())

    def text(self) -> bytes:
        """A string; empty if it is null."""
        if self._flexible:
            size = self.varint() - 1
        else:
            size = _INT16.unpack_from(self._frame, self._at)[0]
            self._at += 2
        begin = self._at
        self._at += max(0, size)
        return bytes(self._frame[begin : self._at])

    def records(self) -> None:
        """Go past the bytes of record batches, in a flexible answer."""
        self.skip(max(0, self.varint() - 1))

    def tags(self) -> None:
        """Go past tagged fields."""
        if self._flexible:
            for _ in range(self.varint()):
                self.varint()
                self.skip(self.varint())

    def broker(self, rack: bool) -> None:
        """Node id, host and port, then perhaps a rack: have clients come to the advertised address instead."""
        node = self.int32()
        begin = self._at
        host, port = self.text(), self.int32()
        if node >= 0 and host:  # else it is a coordinator that is not known
            self._learn(node, (host.decode(), port))
            new_host, new_port = self._advertise(node)
            self._edits.append((begin, self._at, self._string(new_host.encode()) + _INT32.pack(new_port)))
        if rack:
            self.text()

    def node_endpoints(self) -> None:
        """The tagged fields at the end of a Produce or Fetch answer; brokers of other names make theirs longer."""
        for _ in range(self.varint()):
            tag = self.varint()
            begin = self._at
            size = self.varint()
            inside = self._at
            if tag != _NODE_ENDPOINTS:
                self.skip(size)
                continue
            before = len(self._edits)
            for _ in self.items():
                self.broker(rack=True)
                self.tags()
            size += sum(len(instead) - (end - start) for start, end, instead in self._edits[before:])
            self._edits.insert(before, (begin, inside, as_varint(size)))

    def _string(self, data: bytes) -> bytes:
        return (as_varint(len(data) + 1) if self._flexible else _INT16.pack(len(data))) + data


def _produce(answer: _Answer, version: int) -> None:
    for _ in answer.items():
        if version >= 13:
            answer.skip(_UUID)
        else:
            answer.text()
        for _ in answer.items():
            answer.skip(_PRODUCED)
            for _ in answer.items():
                answer.skip(4)
                answer.text()
                answer.tags()
            answer.text()
            answer.tags()
        answer.tags()
    answer.skip(_THROTTLE)
    answer.node_endpoints()


def _fetch(answer: _Answer, _: int) -> None:
    answer.skip(_THROTTLE + 2 + 4)
    for _ in answer.items():
        answer.skip(_UUID)
        for _ in answer.items():
            answer.skip(_FETCHED)
            for _ in answer.items():
                answer.skip(_ABORTED)
                answer.tags()
            answer.skip(4)
            answer.records()
            answer.tags()
        answer.tags()
    answer.node_endpoints()


def _metadata(answer: _Answer, version: int) -> None:
    if version >= 3:
        answer.skip(_THROTTLE)
    for _ in answer.items():
        answer.broker(rack=version >= 1)
        answer.tags()


def _find_coordinator(answer: _Answer, version: int) -> None:
    if version >= 1:
        answer.skip(_THROTTLE)
    if version >= 4:
        for _ in answer.items():
            answer.text()
            answer.broker(rack=False)
            answer.skip(2)
            answer.text()
            answer.tags()
        return
    answer.skip(2)
    if version >= 1:
        answer.text()
    answer.broker(rack=False)


def _describe_cluster(answer: _Answer, version: int) -> None:
    answer.skip(_THROTTLE + 2)
    answer.text()
    if version >= 1:
        answer.skip(1)
    answer.text()
    answer.skip(4)
    for _ in answer.items():
        answer.broker(rack=True)
        if version >= 2:
            answer.skip(1)
        answer.tags()


# For each: how it is walked, and from which version on it is flexible.
_LAYOUTS: Final[dict[int, tuple[Callable[[_Answer, int], None], int]]] = {
    PRODUCE: (_produce, 9),
    FETCH: (_fetch, 12),
    METADATA: (_metadata, 9),
    FIND_COORDINATOR: (_find_coordinator, 3),
    DESCRIBE_CLUSTER: (_describe_cluster, 0),
}
