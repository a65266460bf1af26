"""Requests of Kafka's protocol as a stranger to a group sends them, and the errors in their answers: for the drill's
clusters and for real brokers alike."""

from __future__ import annotations

import socket
import struct
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.kafka.codec import written
from drill.kafka.messages import (
    CONSUMER_GROUP_HEARTBEAT,
    HEARTBEAT,
    INIT_PRODUCER_ID,
    OFFSET_COMMIT,
    PRODUCE,
    SYNC_GROUP,
    framed,
)
from drill.kafka.refusal import _filled, _item

VERSIONS = {
    OFFSET_COMMIT: 7,
    HEARTBEAT: 3,
    SYNC_GROUP: 3,
    CONSUMER_GROUP_HEARTBEAT: 1,
    PRODUCE: 9,
    INIT_PRODUCER_ID: 4,
}


def request(api_key: int, **fields: Any) -> bytes:
    """The frame of a request; what is not given is empty."""
    version = VERSIONS[api_key]
    schema = load_request_schema(api_key, version)
    tags = b"\0" * schema.__flexible__
    header = struct.pack(">hhih", api_key, version, 1, -1)
    return framed(header + tags + written(schema, _filled(schema, ErrorCode.none, **fields)))


def commit_request(group: str, generation: int, member: str, offset: int = 500) -> bytes:
    """The frame of a commit of orders[0], in the name of this generation and member."""
    topic_schema = _item(load_request_schema(OFFSET_COMMIT, VERSIONS[OFFSET_COMMIT]), "topics")
    partition_schema = _item(topic_schema, "partitions")
    partition = _filled(partition_schema, ErrorCode.none, partition_index=0, committed_offset=offset)
    topic = _filled(topic_schema, ErrorCode.none, name="orders", partitions=(partition,))
    of_whom = {"group_id": group, "generation_id_or_member_epoch": generation, "member_id": member}
    return request(OFFSET_COMMIT, **of_whom, topics=(topic,))


def error_of(api_key: int, answer: bytes) -> str:
    """The one error in the frame of an answer, by its name in the protocol."""
    response = response_of(api_key, answer)
    if api_key != OFFSET_COMMIT:
        return str(response.error_code.name)
    (error,) = (partition.error_code for topic in response.topics for partition in topic.partitions)
    return str(error.name)


def response_of(api_key: int, answer: bytes) -> Any:
    """The message in the frame of an answer."""
    schema = load_response_schema(api_key, VERSIONS[api_key])
    tags = schema.__header_schema__.__version__ == 1
    return entity_reader(schema)(memoryview(answer), 8 + tags)[0]


def asked(bootstrap: str, api_key: int, frame: bytes) -> str:
    """The error that a broker answers a request with."""
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(frame)
        with connection.makefile("rb") as answers:
            size = answers.read(4)
            return error_of(api_key, size + answers.read(int.from_bytes(size, "big")))
