"""Many sites as a look meets them, in one process: clusters behind TLS and SASL, gateways, REST APIs; some are silent.

A silent one takes connections and says nothing. Its ready line has the addresses of each site.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from pydantic import BaseModel

from drill.process import announce, configuration, exit_with_parent

LOOPBACK: Final = "127.0.0.1"
METADATA, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 17, 18, 36
METADATA_VERSION: Final = 7
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class SitesConfig(BaseModel):
    """What the process is told: the files of the certificate that is shown, and of each site whether it is silent."""

    chain: str
    key: str
    silent: dict[str, bool]


def kafka(cluster_id: str) -> Serve:
    """A broker that lets everybody in, and knows one question."""
    no_topics = _text(cluster_id) + struct.pack(">ii", 1, 0)
    broker = struct.pack(">i", 1) + _text(LOOPBACK) + struct.pack(">ih", 9092, -1)
    answers = {
        API_VERSIONS: struct.pack(">hihhh", 0, 1, METADATA, 0, METADATA_VERSION),
        SASL_HANDSHAKE: struct.pack(">hi", 0, 1) + _text("PLAIN"),
        SASL_AUTHENTICATE: struct.pack(">hhi", 0, -1, 0),
        METADATA: struct.pack(">ii", 0, 1) + broker + no_topics,
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            answer = frame[4:8] + answers[int.from_bytes(frame[:2], "big")]
            writer.write(len(answer).to_bytes(4, "big") + answer)

    return serve


def rest(cluster_id: str) -> Serve:
    """A REST API that says which cluster it is of."""
    body = f'{{"kind": "KafkaCluster", "cluster_id": "{cluster_id}"}}'.encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + body)

    return serve


async def gateway(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """One that ends handshakes; its clients say nothing here."""
    await reader.read()


async def run(config: SitesConfig) -> None:
    """Serve until the process ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.chain, config.key)
    addresses: dict[str, dict[str, str]] = {}
    silent: list[socket.socket] = []
    for cluster_id, is_silent in config.silent.items():
        addresses[cluster_id] = {}
        for service, serve in (("kafka", kafka(cluster_id)), ("gateway", gateway), ("rest", rest(cluster_id))):
            listener = socket.create_server((LOOPBACK, 0), backlog=128)
            addresses[cluster_id][service] = f"{LOOPBACK}:{listener.getsockname()[1]}"
            if is_silent:
                silent.append(listener)
            else:
                await asyncio.start_server(_until_gone(serve), sock=listener, ssl=context)
    announce({"sites": addresses})
    await asyncio.Event().wait()


def _until_gone(serve: Serve) -> Serve:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await serve(reader, writer)
        writer.close()

    return served


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


if __name__ == "__main__":
    config = configuration(SitesConfig)
    exit_with_parent()
    asyncio.run(run(config))
