"""A fenced route: requests are answered with an error that clients retry, and none is forwarded.

Only what comes before a login goes on, and the login itself: clients take an error there as a wrong password.
"""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from drill.kafka.connection import Answered, Gate, Verdict
from drill.kafka.messages import BEFORE_LOGIN, PRODUCE, awaits_answer
from drill.kafka.refusal import refusal
from drill.network.splice import Bytes


class Unanswered(ConnectionError):
    """A fenced route got a write that awaits no answer; a broker would close the connection, too."""


class Fence:
    """A gate that leaves nothing but the login to the next one."""

    def __init__(self, login: Gate) -> None:
        self._login = login
        self.sees = login.sees

    def wants(self, api_key: int) -> bool:
        return api_key not in BEFORE_LOGIN or self._login.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Refuse it.

        Raises:
            NoErrorAnswer, Unanswered: if it can only be refused by closing the connection; clients try again.
        """
        if api_key in BEFORE_LOGIN:
            return self._login.request(api_key, version, frame)
        if api_key == PRODUCE and awaits_answer(version, frame) is False:
            raise Unanswered("a write with acks=0 to a fenced route")
        return Answered(refusal(api_key, version, frame, ErrorCode.broker_not_available))

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        return self._login.response(api_key, version, frame)
