"""TLS on plain sockets: the handshake on the event loop, and the server name that a client asks for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from drill.network.splice import Address, connect

HANDSHAKE_S: Final = 10.0

Serves = Callable[[str | None], bool]
"""Whether a server name is one that is served; None: the client names none."""


class Server:
    """The side that shows a certificate. It refuses who asks for a name that it does not serve, with TLS's own alert.

    A context has one server: it takes over the context's callback for server names.
    """

    def __init__(self, context: ssl.SSLContext, serves: Serves = lambda _: True) -> None:
        self._context = context
        self._serves = serves
        self._requested: dict[ssl.SSLObject | ssl.SSLSocket, str | None] = {}
        context.sni_callback = self._named

    async def accept(self, client: socket.socket) -> tuple[ssl.SSLSocket, str | None]:
        """The secured connection, and the server name the client asked for.

        Raises:
            OSError: if there is no agreement within 10 s.
        """
        secured = self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        try:
            await _shake_hands(secured)
            return secured, self._requested.get(secured)
        except BaseException:
            secured.close()
            raise
        finally:
            self._requested.pop(secured, None)

    def _named(self, secured: Any, name: str | None, _: ssl.SSLContext) -> int | None:
        if not self._serves(name):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        self._requested[secured] = name
        return None


async def reach(address: Address, context: ssl.SSLContext) -> socket.socket:
    """A secured connection to an upstream, whose certificate is for the address's host.

    Raises:
        OSError: if it refuses, does not answer in time, or is not trusted.
    """
    upstream = await connect(address)
    with contextlib.ExitStack() as sockets:
        sockets.enter_context(upstream)
        secured = context.wrap_socket(upstream, do_handshake_on_connect=False, server_hostname=address[0])
        sockets.enter_context(secured)
        await _shake_hands(secured)
        sockets.pop_all()
    return secured


async def _shake_hands(secured: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(HANDSHAKE_S):
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(secured, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(secured, loop.add_writer, loop.remove_writer)
            else:
                return


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _ready(secured: ssl.SSLSocket, add: Callable[..., Any], remove: Callable[..., Any]) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(secured, _settle, ready)
    try:
        await ready
    finally:
        remove(secured)
