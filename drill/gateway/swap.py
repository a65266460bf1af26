"""An auth swap with SASL/PLAIN: the gateway checks a client's login, and logs it in to the cluster with another one."""

from __future__ import annotations

import logging
import struct
import time
from typing import Final

from drill.gateway.secrets import Credentials, NoLogin
from drill.kafka import sasl
from drill.kafka.connection import Answered, Forward, Verdict
from drill.kafka.messages import API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE
from drill.network.splice import Bytes

LOG = logging.getLogger(__name__)
_INT64: Final = struct.Struct(">q")


class Swap:
    """A gate of one connection. The cluster sees the client's messages, with its own credentials in them.

    A session ends when the cluster or `connectionsMaxReauthMs` says so; a client that did not log in again by then
    (KIP-368) is closed.
    """

    sees = frozenset({SASL_AUTHENTICATE})

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._counts = credentials.counts
        self._in_until = 0.0

    def wants(self, api_key: int) -> bool:
        if api_key in (SASL_HANDSHAKE, SASL_AUTHENTICATE):
            return True
        return api_key != API_VERSIONS and time.monotonic() >= self._in_until

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Check the client's login.

        Raises:
            BadLogin: to any other request outside of a session.
        """
        if api_key == SASL_HANDSHAKE:
            if sasl.mechanism_in(version, frame) == sasl.PLAIN:
                return None
            return Answered(sasl.handshake_answer(frame, sasl.UNSUPPORTED_MECHANISM))
        if api_key != SASL_AUTHENTICATE:
            raise sasl.BadLogin(f"a request of api key {api_key} outside of a session")
        client = sasl.user_of(sasl.token_in(version, frame), self._credentials.clients)
        self._counts.clients["failure" if client is None else "success"] += 1
        if client is None:
            return Answered(sasl.authenticate_answer(version, frame, sasl.WRONG_LOGIN))
        return self._swapped(version, bytes(frame), client)

    async def _swapped(self, version: int, frame: bytes, client: str) -> Answered | Forward:
        try:
            login = await self._credentials.cluster_login(client)
        except NoLogin as error:
            LOG.error("%s", error)
            self._counts.cluster["failure"] += 1
            return Answered(sasl.authenticate_answer(version, frame, "Authentication failed: no credentials to swap"))
        return Forward(sasl.with_token(version, frame, sasl.plain(*login)))

    def response(self, _: int, version: int, frame: Bytes) -> Bytes:
        if not sasl.is_accepted(version, frame):
            self._counts.cluster["failure"] += 1
            return frame
        self._counts.cluster["success"] += 1
        if version == 0:
            self._in_until = float("inf")
            return frame
        at = len(frame) - _INT64.size - (version >= sasl.FLEXIBLE)
        lifetime_ms = _INT64.unpack_from(frame, at)[0]
        session_ms = min((limit for limit in (lifetime_ms, self._credentials.max_session_ms) if limit), default=0)
        self._in_until = time.monotonic() + session_ms / 1000 if session_ms else float("inf")
        return b"".join((frame[:at], _INT64.pack(session_ms), frame[at + _INT64.size :]))
