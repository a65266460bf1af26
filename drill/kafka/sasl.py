"""The login of Kafka clients with SASL/PLAIN, as its messages go over the wire.

https://kafka.apache.org/protocol#sasl_handshake, and RFC 4616 for the token. A login in raw tokens (SaslHandshake 0) is
not known here: clients stopped it with Kafka 1.0.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from typing import Final

from drill.kafka.messages import CLIENT_ID, SASL_AUTHENTICATE, SASL_HANDSHAKE, after_client_id, framed
from drill.kafka.varint import as_varint, varint
from drill.network.splice import Bytes

PLAIN: Final = "PLAIN"
FLEXIBLE: Final = 2  # from this version of SaslAuthenticate on
UNSUPPORTED_MECHANISM: Final = 33
AUTHENTICATION_FAILED: Final = 58
WRONG_LOGIN: Final = "Authentication failed: Invalid username or password"
SERVED: Final = ((SASL_HANDSHAKE, 0, 1), (SASL_AUTHENTICATE, 0, 2))
"""The messages of a login, each with its oldest and newest version."""


class BadLogin(ConnectionError):
    """What a client sends to log in is no such message, or comes out of turn; the connection is closed."""


def mechanism_in(version: int, frame: Bytes) -> str:
    """The mechanism that a SaslHandshake asks for.

    Raises:
        BadLogin: if raw tokens would follow it.
    """
    if version < 1:
        raise BadLogin("SaslHandshake version 0: raw tokens are not taken")
    return bytes(frame[after_client_id(frame) + 2 :]).decode()


def handshake_answer(frame: Bytes, error: int = 0) -> bytes:
    """The answer to a SaslHandshake: PLAIN is what there is."""
    return framed(bytes(frame[8:CLIENT_ID]) + struct.pack(">hih", error, 1, len(PLAIN)) + PLAIN.encode())


def token_in(version: int, frame: Bytes) -> bytes:
    """The token in a SaslAuthenticate."""
    at = after_client_id(frame)
    if version < FLEXIBLE:
        return bytes(frame[at + 4 : at + 4 + int.from_bytes(frame[at : at + 4], "big")])
    size, at = varint(frame, at + 1)
    return bytes(frame[at : at + size - 1])


def with_token(version: int, frame: Bytes, token: bytes) -> bytes:
    """The same SaslAuthenticate with another token."""
    at = after_client_id(frame)
    if version < FLEXIBLE:
        return framed(bytes(frame[4:at]) + len(token).to_bytes(4, "big") + token)
    return framed(bytes(frame[4 : at + 1]) + as_varint(len(token) + 1) + token + b"\0")


def authenticate_answer(version: int, frame: Bytes, refused: str | None = None, lifetime_ms: int = 0) -> bytes:
    """The answer to a SaslAuthenticate; `refused` says why it is. `lifetime_ms`: of the session; 0 for ever."""
    text = (refused or "").encode()
    error = AUTHENTICATION_FAILED if refused is not None else 0
    if version < FLEXIBLE:
        message = struct.pack(">h", len(text)) + text if refused is not None else b"\xff\xff"
        body = struct.pack(">h", error) + message + bytes(4)
        return framed(bytes(frame[8:CLIENT_ID]) + body + (struct.pack(">q", lifetime_ms) if version else b""))
    message = as_varint(len(text) + 1) + text if refused is not None else b"\0"
    body = b"\0" + struct.pack(">h", error) + message + b"\1" + struct.pack(">q", lifetime_ms) + b"\0"
    return framed(bytes(frame[8:CLIENT_ID]) + body)


def is_accepted(version: int, frame: Bytes) -> bool:
    """Whether the answer to a SaslAuthenticate is that the client is logged in."""
    at = 9 if version >= FLEXIBLE else 8
    return bytes(frame[at : at + 2]) == b"\0\0"


def plain(user: str, password: str) -> bytes:
    """The token of a user."""
    return b"\0" + user.encode() + b"\0" + password.encode()


def user_of(token: bytes, logins: Mapping[str, str]) -> str | None:
    """Who a token is of; None if it is not the password of one of these users."""
    _, _, rest = token.partition(b"\0")
    user, _, password = rest.partition(b"\0")
    expected = logins.get(user.decode(errors="replace"))
    if expected is None or not hmac.compare_digest(expected.encode(), password):
        return None
    return user.decode()
