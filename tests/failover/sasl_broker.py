"""A broker's front that asks for SASL and hands what comes after it to a real one: as much of the protocol as a client
needs to say who it is (https://kafka.apache.org/protocol)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
SUPPORTED = {3: (0, 4), API_VERSIONS: (0, 3), SASL_HANDSHAKE: (1, 1), SASL_AUTHENTICATE: (0, 1)}
REFUSED = 58


class SaslBroker:
    """Takes connections until it is closed, and gives its own address as the broker's. `admits` is asked about the
    mechanism and what the client said."""

    def __init__(self, behind: str, admits: Callable[[str, bytes], bool]) -> None:
        self.said: list[tuple[str, bytes]] = []
        self._admits = admits
        host, _, port = behind.rpartition(":")
        self._behind = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        own = self._listener.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{own}"
        self._its_address = _text(host) + struct.pack(">i", int(port))
        self._own_address = _text("127.0.0.1") + struct.pack(">i", own)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_until_gone, args=(client,), daemon=True).start()

    def _serve_until_gone(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        mechanism = ""
        with client, socket.create_connection(self._behind) as broker:
            while frame := _frame(client):
                api, version, correlation = struct.unpack_from(">hhi", frame)
                body = frame[10 + max(0, struct.unpack_from(">h", frame, 8)[0]) :]
                if api == API_VERSIONS:
                    answer = _api_versions(version)
                elif api == SASL_HANDSHAKE:
                    mechanism = body[2:].decode()
                    answer = struct.pack(">hi", 0, 1) + _text(mechanism)
                elif api == SASL_AUTHENTICATE:
                    self.said.append((mechanism, body[4:]))
                    code = 0 if self._admits(mechanism, body[4:]) else REFUSED
                    answer = struct.pack(">h", code) + _text("Authentication failed") + struct.pack(">iq", 0, 0)
                else:
                    broker.sendall(struct.pack(">i", len(frame)) + frame)
                    passed_on = _frame(broker).replace(self._its_address, self._own_address)
                    client.sendall(struct.pack(">i", len(passed_on)) + passed_on)
                    continue
                client.sendall(struct.pack(">ii", 4 + len(answer), correlation) + answer)


def _api_versions(version: int) -> bytes:
    rows = [struct.pack(">hhh", api, *versions) for api, versions in SUPPORTED.items()]
    if version < 3:
        return struct.pack(">hi", 0, len(rows)) + b"".join(rows) + struct.pack(">i", 0) * (version > 0)
    return struct.pack(">hB", 0, len(rows) + 1) + b"".join(row + b"\0" for row in rows) + struct.pack(">iB", 0, 0)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _frame(connection: socket.socket) -> bytes:
    """The next frame without its size; nothing at the end."""
    try:
        size = _exactly(connection, 4)
        return _exactly(connection, struct.unpack(">i", size)[0]) if size else b""
    except OSError:
        return b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            return b""
        data += more
    return data
