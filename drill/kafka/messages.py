"""What of Kafka's protocol a proxy knows by itself: a request's first fields, and the few it writes
(https://kafka.apache.org/protocol).

A `frame` begins with its size, as on the wire.
"""

from __future__ import annotations

import struct
from typing import Final

from drill.network.splice import Bytes

PRODUCE: Final = 0
FETCH: Final = 1
LIST_OFFSETS: Final = 2
METADATA: Final = 3
OFFSET_COMMIT: Final = 8
FIND_COORDINATOR: Final = 10
JOIN_GROUP: Final = 11
HEARTBEAT: Final = 12
LEAVE_GROUP: Final = 13
SYNC_GROUP: Final = 14
SASL_HANDSHAKE: Final = 17
API_VERSIONS: Final = 18
INIT_PRODUCER_ID: Final = 22
OFFSET_FOR_LEADER_EPOCH: Final = 23
ADD_PARTITIONS_TO_TXN: Final = 24
ADD_OFFSETS_TO_TXN: Final = 25
END_TXN: Final = 26
SASL_AUTHENTICATE: Final = 36
DESCRIBE_CLUSTER: Final = 60
CONSUMER_GROUP_HEARTBEAT: Final = 68

BEFORE_LOGIN: Final = frozenset({API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE})
"""What a client asks before it is logged in."""


CLIENT_ID: Final = 12  # where a request's client id begins: after size, api key, version and correlation id


def metadata_request(correlation: int) -> bytes:
    """A Metadata request, version 1, that asks for no topic: only the brokers and the cluster are of interest."""
    return framed(struct.pack(">hhihi", METADATA, 1, correlation, -1, 0))


def awaits_answer(version: int, frame: Bytes) -> int | bool:
    """Whether a Produce request is answered, which with acks=0 it is not; or how much of it must be there to know."""
    at = CLIENT_ID + 2
    if len(frame) < at:
        return at
    at = after_client_id(frame)
    if version >= 9:  # flexible: an empty tag buffer, then the transactional id after its length + 1 as a varint
        length = shift = 0
        while True:
            at += 1
            if len(frame) <= at:
                return at + 1
            length |= (frame[at] & 0x7F) << shift
            shift += 7
            if frame[at] < 0x80:
                break
        at += 1 + max(0, length - 1)
    elif version >= 3:
        if len(frame) < at + 2:
            return at + 2
        at += 2 + max(0, int.from_bytes(frame[at : at + 2], "big", signed=True))
    if len(frame) < at + 2:
        return at + 2
    return bytes(frame[at : at + 2]) != b"\0\0"


def framed(data: bytes) -> bytes:
    """A frame of header and body."""
    return len(data).to_bytes(4, "big") + data


def after_client_id(frame: Bytes) -> int:
    """Where a request goes on after its client id, which may be null."""
    return CLIENT_ID + 2 + max(0, int.from_bytes(frame[CLIENT_ID : CLIENT_ID + 2], "big", signed=True))
