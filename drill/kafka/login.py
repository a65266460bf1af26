"""The login with SASL/PLAIN, from both ends: to a cluster that has none of its own, and to one that wants it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

from drill.kafka import sasl
from drill.kafka.api_versions import with_apis
from drill.kafka.connection import Answered, Gate, Verdict
from drill.kafka.messages import API_VERSIONS, BEFORE_LOGIN, SASL_AUTHENTICATE, SASL_HANDSHAKE, framed
from drill.network.splice import Bytes


class Login:
    """A gate of one connection that opens to a user with the right password; from then on, another gate has the say."""

    def __init__(self, logins: Mapping[str, str], then: Gate) -> None:
        self._logins = logins
        self._then = then
        self._is_in = False
        self.sees = then.sees | {API_VERSIONS}

    def wants(self, api_key: int) -> bool:
        return not self._is_in or api_key in BEFORE_LOGIN or self._then.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Answer the login.

        Raises:
            BadLogin: to any other request before it.
        """
        if api_key == API_VERSIONS:
            return None
        if api_key == SASL_HANDSHAKE:
            supported = sasl.mechanism_in(version, frame) == sasl.PLAIN
            return Answered(sasl.handshake_answer(frame, 0 if supported else sasl.UNSUPPORTED_MECHANISM))
        if api_key == SASL_AUTHENTICATE:
            self._is_in = sasl.user_of(sasl.token_in(version, frame), self._logins) is not None
            return Answered(sasl.authenticate_answer(version, frame, None if self._is_in else sasl.WRONG_LOGIN))
        if not self._is_in:
            raise sasl.BadLogin(f"a request of api key {api_key} before the login")
        return self._then.request(api_key, version, frame) if self._then.wants(api_key) else None

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        if api_key in self._then.sees:
            frame = self._then.response(api_key, version, frame)
        return with_apis(version, frame, sasl.SERVED) if api_key == API_VERSIONS else frame


async def log_in(connection: socket.socket, user: str, password: str) -> socket.socket:
    """The same connection to a broker, once its user is logged in.

    Raises:
        LoginRefused: the connection is closed.
        OSError: the connection ended.
    """
    token = sasl.plain(user, password)
    try:
        await _answer(connection, SASL_HANDSHAKE, struct.pack(">h", len(sasl.PLAIN)) + sasl.PLAIN.encode())
        answer = await _answer(connection, SASL_AUTHENTICATE, len(token).to_bytes(4, "big") + token)
        if not sasl.is_accepted(0, answer):
            raise LoginRefused(f"the cluster refuses the login of {user}")
    except OSError:
        connection.close()
        raise
    return connection


class LoginRefused(ConnectionError):
    """A broker does not know the user, or not this password."""


async def _answer(connection: socket.socket, api_key: int, body: bytes) -> bytes:
    """The whole answer to a request of version 1 of SaslHandshake, or 0 of SaslAuthenticate."""
    loop = asyncio.get_running_loop()
    head = struct.pack(">hhih", api_key, int(api_key == SASL_HANDSHAKE), 0, -1)
    await loop.sock_sendall(connection, framed(head + body))
    answer = b""
    while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:4], "big"):
        more = await loop.sock_recv(connection, 64 * 1024)
        if not more:
            raise ConnectionResetError("the broker ended the connection during the login")
        answer += more
    return answer
