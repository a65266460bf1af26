"""Two TCP connections joined: what one sends the other gets, and when one ends both do."""

from __future__ import annotations

import asyncio
from typing import Final

CHUNK: Final = 256 * 1024
CONNECT_S: Final = 3.0

Address = tuple[str, int]


async def splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: Address) -> None:
    """Join a client to an upstream until either ends; a refused upstream closes the client at once."""
    back: asyncio.StreamWriter | None = None
    try:
        answers, out = await asyncio.wait_for(asyncio.open_connection(*upstream, limit=CHUNK), CONNECT_S)
        back = out
        ways = [asyncio.ensure_future(_copy(reader, out)), asyncio.ensure_future(_copy(answers, writer))]
        _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in left:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    except (OSError, TimeoutError):
        pass
    finally:
        for each in (writer, back):
            if each is not None:
                each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
