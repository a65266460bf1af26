"""A fenced route: every request is answered with an error that clients retry, and none is forwarded."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from drill.kafka.messages import PRODUCE, awaits_answer
from drill.kafka.refusal import refusal
from drill.network.splice import Bytes


class Unanswered(ConnectionError):
    """A fenced route got a write that awaits no answer; a broker would close the connection, too."""


def fenced(api_key: int, version: int, frame: Bytes) -> bytes:
    """The answer of a fenced route to any request.

    Raises:
        NoErrorAnswer, Unanswered: to a request that can only be refused by closing the connection; clients try again.
    """
    if api_key == PRODUCE and awaits_answer(version, frame) is False:
        raise Unanswered("a write with acks=0 to a fenced route")
    return refusal(api_key, version, frame, ErrorCode.broker_not_available)
