"""Looks at Kafka addresses over sockets that block nobody: any number of them in one thread, on one event loop.

A bootstrap list has a name a broker, and a name an address a zone. They are tried one after the other, the next as soon
as the one before failed or was silent for a moment, and the first that answers speaks for all.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from failover.errors import KafkaUnavailable
from failover.kafka import metadata
from failover.kafka.metadata import Login, UnreadableAnswer
from failover.kafka.names import Address, Names
from failover.kafka.refusal import refused_credentials

NEXT_ADDRESS_S: Final = 0.25
"""An address that gave no answer for so long is not waited for alone: hardly a round trip is longer."""
AGAIN_S: Final = 0.1
"""After which an address that took a connection and dropped it is tried again."""
FRESH_EVERY: Final = 5
"""A kept connection says nothing of whether new ones are taken: in so many looks one is over a new one."""
BEFORE: Final = "as before"
"""What stands for the endpoint where a kept connection was tried."""

Answer = TypeVar("Answer")
Attempt = Callable[[], Coroutine[Any, Any, Answer]]


class Dropped(ConnectionError):
    """A connection that was taken ended before there was an answer: it is tried again while there is time."""


@dataclass(frozen=True)
class Broker:
    """How a cluster is asked which one it is."""

    bootstrap: str
    tls: ssl.SSLContext | None
    login: Login | None


@dataclass(kw_only=True)
class Connection:
    """To a broker, whoever asks first logged in."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    version: int = metadata.OLDEST
    """Of Metadata, as broker and we both speak it."""
    looks: int = 0
    """How often it was asked."""

    async def answer(self, request: bytes) -> bytes:
        """The answer to a request, without its header.

        Raises:
            Dropped, UnreadableAnswer
        """
        try:
            self.writer.write(request)
            size = int.from_bytes(await self.reader.readexactly(4), "big")
            if not 4 <= size <= metadata.LARGEST_BYTES:
                raise UnreadableAnswer(f"an answer of {size} bytes")
            return (await self.reader.readexactly(size))[4:]
        except (EOFError, ConnectionResetError, BrokenPipeError) as error:
            raise Dropped(f"dropped the connection: {type(error).__name__}") from error

    async def cluster_id(self) -> str:
        """Which cluster answers; raises as `answer`."""
        self.looks += 1
        answering = metadata.cluster_id(await self.answer(metadata.metadata(self.version)), self.version)
        if not answering:
            raise UnreadableAnswer("gave no cluster id")
        return answering

    async def log_in(self, login: Login, bootstrap: str) -> None:
        """Log in, or raise `KafkaUnauthorized`; else raises as `answer`."""
        refused = metadata.handshake_refusal(await self.answer(metadata.sasl_handshake(login.mechanism)))
        if refused is None:
            try:
                refused = metadata.login_refusal(await self.answer(metadata.sasl_authenticate(login.message)))
            except Dropped as error:
                # Some brokers answer wrong credentials with the end of the connection alone.
                if not isinstance(error.__cause__, EOFError):
                    raise
                refused = "it ended the connection"
        if refused is not None:
            raise refused_credentials(bootstrap, refused)

    def close(self) -> None:
        """End it at once: a silent one would be waited for."""
        self.writer.transport.abort()


async def _opened(address: Address, tls: ssl.SSLContext | None) -> Connection:
    """A connection; raises OSError."""
    reader, writer = await asyncio.open_connection(
        address.ip, address.port, ssl=tls, server_hostname=address.host if tls else None
    )
    return Connection(reader=reader, writer=writer)


async def _ask(broker: Broker, address: Address) -> tuple[str, Connection]:
    """Which cluster answers there, and the connection it answered over."""
    try:
        connection = await _opened(address, broker.tls)
    except (ConnectionResetError, ConnectionAbortedError, ssl.SSLEOFError) as error:
        raise Dropped(f"ended no handshake: {error}") from error
    try:
        connection.version = metadata.metadata_version(await connection.answer(metadata.api_versions()))
        if broker.login is not None:
            await connection.log_in(broker.login, broker.bootstrap)
        return await connection.cluster_id(), connection
    except BaseException:
        connection.close()
        raise


async def _ask_again(connection: Connection) -> tuple[str, Connection]:
    """As `_ask`, over a connection that is there."""
    try:
        return await connection.cluster_id(), connection
    except Dropped as error:
        connection.close()
        raise ConnectionResetError(str(error)) from error
    except BaseException:
        connection.close()
        raise


async def _connect(tls: ssl.SSLContext | None, address: Address) -> None:
    """End a handshake. Whoever sends an alert is there: he may want a certificate that we have not."""
    try:
        (await _opened(address, tls)).close()
    except ssl.SSLError as error:
        if "ALERT" not in str(error.reason):
            raise


@dataclass
class Connections:
    """Those that are kept from one look to the next, of as many clusters as are looked at."""

    names: Names = field(default_factory=Names)
    _open: dict[Broker, Connection] = field(default_factory=dict)

    async def cluster_id(self, broker: Broker, deadline: float) -> str:
        """The id of the cluster that answers a Metadata request at one of the addresses, until `deadline` on the
        monotonic clock.

        Raises:
            KafkaUnauthorized: if the credentials are refused.
            KafkaUnavailable: if none answers.
            UnknownProtocol: if one speaks no Metadata that we do.
        """
        last = self._open.pop(broker, None)
        first: list[Attempt[tuple[str, Connection]]] = []
        if last is not None and last.looks < FRESH_EVERY:
            first.append(partial(_ask_again, last))
        elif last is not None:
            last.close()
        race = _Race(ask=partial(_ask, broker), names=self.names, first=first, discard=lambda late: late[1].close())
        try:
            answering, self._open[broker] = await race.run(broker.bootstrap, deadline)
        except OSError as error:
            raise KafkaUnavailable(f"no answer from Kafka at {error}") from error
        return answering

    async def connectable(self, bootstrap: str, tls: ssl.SSLContext | None, deadline: float) -> str | None:
        """None if one of the addresses takes a connection, and with `tls` ends a handshake, until `deadline` on the
        monotonic clock; otherwise why none does."""
        try:
            await _Race(ask=partial(_connect, tls), names=self.names).run(bootstrap, deadline)
        except OSError as error:
            return str(error)
        return None

    def close(self) -> None:
        """End them all."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        self.names.close()


@dataclass(kw_only=True)
class _Race(Generic[Answer]):
    """One attempt after the other, and side by side where one is silent, until one has an answer."""

    ask: Callable[[Address], Coroutine[Any, Any, Answer]]
    names: Names
    first: Sequence[Attempt[Answer]] = ()
    """What is tried before any address, and not again."""
    discard: Callable[[Answer], None] = lambda _: None
    """What becomes of an answer that came at the same moment as the first."""

    def __post_init__(self) -> None:
        self._waiting: deque[tuple[str, Attempt[Answer]]] = deque((BEFORE, attempt) for attempt in self.first)
        self._running: dict[asyncio.Task[Answer], tuple[str, Attempt[Answer]]] = {}
        self._lookups: dict[asyncio.Task[list[Address]], str] = {}
        self._why: dict[str, str] = {}
        self._endpoints: tuple[str, ...] = ()

    async def run(self, bootstrap: str, deadline: float) -> Answer:
        """The first answer.

        Raises:
            OSError: there is none, and what became of each endpoint.
            FailoverError: one attempt raised it.
        """
        self._endpoints = tuple(bootstrap.split(","))
        self._lookups = {asyncio.ensure_future(self.names.addresses(name)): name for name in self._endpoints}
        try:
            async with asyncio.timeout_at(deadline):
                return await self._first_answer()
        except TimeoutError:
            silent = dict.fromkeys(self._endpoints, "timed out")
            raise _Nobody(silent | self._why) from None
        finally:
            for task in (*self._lookups, *self._running):
                task.cancel()
            for late in self._running:
                if late.done() and not late.cancelled() and late.exception() is None:
                    self.discard(late.result())

    async def _first_answer(self) -> Answer:
        due = True
        while self._lookups or self._running or self._waiting:
            if self._waiting and (due or not self._running):
                name, attempt = self._waiting.popleft()
                self._running[asyncio.ensure_future(attempt())] = name, attempt
            done, _ = await asyncio.wait(
                {*self._lookups, *self._running},
                timeout=NEXT_ADDRESS_S if self._waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            due = not done
            for lookup in self._lookups.keys() & done:
                self._take_addresses(lookup)
            for task in self._running.keys() & done:
                name, attempt = self._running.pop(task)
                try:
                    return task.result()
                except Dropped as error:
                    self._why[name] = str(error)
                    await asyncio.sleep(AGAIN_S)
                    self._waiting.append((name, attempt))
                except OSError as error:
                    self._why[name], due = _reason(error), True
        # One order every time: whoever reads two of these messages compares them.
        raise _Nobody({name: why for name in (BEFORE, *self._endpoints) if (why := self._why.get(name))})

    def _take_addresses(self, lookup: asyncio.Task[list[Address]]) -> None:
        endpoint = self._lookups.pop(lookup)
        try:
            self._waiting.extend((endpoint, partial(self.ask, address)) for address in lookup.result())
        except OSError as error:
            self._why[endpoint] = _reason(error)


def _reason(error: OSError) -> str:
    """In the words of the system, where it has some: asyncio's own name the address alone."""
    plain = error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror))
    return os.strerror(error.errno) if plain and error.errno else str(error)


class _Nobody(OSError):
    """No address answers."""

    def __init__(self, why: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in why.items()))
