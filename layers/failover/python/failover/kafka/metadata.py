"""The four requests it takes to learn which cluster answers, as bytes: what a broker speaks, a login, and Metadata.

Metadata names no topics, so that an answer has some hundred bytes, however many topics there are. All are asked in
versions without tagged fields, which every broker since Kafka 1.0 answers (https://kafka.apache.org/protocol).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from failover.errors import UnknownProtocol

METADATA: Final = 3
SASL_HANDSHAKE: Final = 17
API_VERSIONS: Final = 18
SASL_AUTHENTICATE: Final = 36

OLDEST: Final = 2
"""Of Metadata: the first whose answer names the cluster, and takes an empty list for no topics."""
NEWEST: Final = 7
"""The last before a request says more."""
LARGEST_BYTES: Final = 1024 * 1024
"""Of an answer; a cluster of a thousand brokers has less."""
_CLIENT: Final = "failover-probe"
_THROTTLE_SINCE: Final = 3
_AUTO_CREATION_SINCE: Final = 4


class UnreadableAnswer(ConnectionError):
    """What came is no answer of a Kafka broker to what it was asked."""


@dataclass(frozen=True)
class Login:
    """How to log in with SASL: the mechanism, and the first and only message of the client."""

    mechanism: str
    message: bytes

    def __repr__(self) -> str:
        return f"Login({self.mechanism!r})"


def plain(key: str, secret: str) -> Login:
    """SASL/PLAIN (RFC 4616)."""
    return Login("PLAIN", f"\0{key}\0{secret}".encode())


def api_versions() -> bytes:
    """ApiVersions 0, which may be asked before a login."""
    return _request(API_VERSIONS, 0, b"")


def sasl_handshake(mechanism: str) -> bytes:
    """SaslHandshake 1."""
    return _request(SASL_HANDSHAKE, 1, _text(mechanism))


def sasl_authenticate(message: bytes) -> bytes:
    """SaslAuthenticate 0."""
    return _request(SASL_AUTHENTICATE, 0, struct.pack(">i", len(message)) + message)


def metadata(version: int) -> bytes:
    """Metadata of no topics; nothing is created by asking."""
    no_topics = struct.pack(">i", 0)
    return _request(METADATA, version, no_topics + b"\0" * (version >= _AUTO_CREATION_SINCE))


def metadata_version(answer: bytes) -> int:
    """The newest version of Metadata that both sides speak, by an answer to ApiVersions.

    Raises:
        UnknownProtocol: if there is none.
    """
    fields = _Fields(answer)
    error = fields.int16()
    if error:
        raise UnknownProtocol(f"a Kafka broker refuses ApiVersions 0 with error {error}")
    ranges = {fields.int16(): (fields.int16(), fields.int16()) for _ in range(fields.int32())}
    oldest, newest = ranges.get(METADATA, (0, -1))
    if newest < OLDEST or oldest > NEWEST:
        raise UnknownProtocol(
            f"a Kafka broker answers Metadata in versions {oldest} to {newest}, and is asked in {OLDEST} to {NEWEST}"
        )
    return min(newest, NEWEST)


def handshake_refusal(answer: bytes) -> str | None:
    """Why a SaslHandshake was refused, or None."""
    fields = _Fields(answer)
    if not fields.int16():
        return None
    mechanisms = [fields.text() or "" for _ in range(fields.int32())]
    return f"it takes {' and '.join(mechanisms) or 'no mechanism'}"


def login_refusal(answer: bytes) -> str | None:
    """Why a SaslAuthenticate was refused, in the broker's words; or None."""
    fields = _Fields(answer)
    error = fields.int16()
    return (fields.text() or f"error {error}") if error else None


def cluster_id(answer: bytes, version: int) -> str | None:
    """The cluster's id in an answer to Metadata."""
    fields = _Fields(answer)
    if version >= _THROTTLE_SINCE:
        fields.int32()
    for _ in range(fields.int32()):
        fields.int32()
        fields.text()
        fields.int32()
        fields.text()
    return fields.text()


class _Fields:
    """The fields of an answer, one after the other; each raises `UnreadableAnswer` where it is cut off."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int16(self) -> int:
        return int(struct.unpack(">h", self._take(2))[0])

    def int32(self) -> int:
        return int(struct.unpack(">i", self._take(4))[0])

    def text(self) -> str | None:
        length = self.int16()
        return None if length < 0 else self._take(length).decode(errors="replace")

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise UnreadableAnswer(f"the answer ends after {len(self._data)} bytes")
        self._at = end
        return self._data[end - size : end]


def _request(api: int, version: int, body: bytes) -> bytes:
    """One request of a connection at a time: its correlation id may be the same for all."""
    header = struct.pack(">hhi", api, version, api) + _text(_CLIENT)
    return struct.pack(">i", len(header) + len(body)) + header + body


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()
