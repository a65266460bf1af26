"""What is asked and answered on one client's connection through a proxy: frames pass untouched, but for the broker
addresses in the few answers that hold them, and for what a gate has a say in."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from drill.kafka.addresses import NAMES_BROKERS, brokers_in, names_brokers, readdressed
from drill.kafka.api_versions import at_most
from drill.kafka.frames import Frames
from drill.kafka.messages import API_VERSIONS, BEFORE_LOGIN, METADATA, PRODUCE, awaits_answer, metadata_request
from drill.network.splice import Address, Bytes, Splice

LOG = logging.getLogger(__name__)
REQUEST: Final = struct.Struct(">ihhi")
RESPONSE: Final = struct.Struct(">ii")
# Clients must not speak a version whose answer can't be read here: the engine tells them of none, either.
NEWEST: Final = {api_key: newest for api_key, (_, newest) in NAMES_BROKERS.items()}


@dataclass(frozen=True)
class Answered:
    """A request that the cluster never sees: the frame that answers it."""

    frame: bytes


@dataclass(frozen=True)
class Forward:
    """The frame to send on in a request's place."""

    frame: Bytes


Verdict = Answered | Forward | Awaitable[Answered | Forward] | None
"""What becomes of a request, or will; None: it goes on as it is."""


class Gate(Protocol):
    """Has a say in the requests and answers of one connection. An exception of it closes the connection."""

    sees: frozenset[int]
    """The api keys whose answers it is shown, whole."""

    def wants(self, api_key: int) -> bool:
        """Whether it must be shown a request, whole."""

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """What becomes of a request."""

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        """What is sent in an answer's place."""


class Open:
    """A gate that has no say."""

    sees: frozenset[int] = frozenset()

    def wants(self, _: int) -> bool:
        return False

    def request(self, _key: int, _version: int, _frame: Bytes) -> Verdict:
        return None

    def response(self, _key: int, _version: int, frame: Bytes) -> Bytes:
        return frame


class Network(Protocol):
    """The nodes as clients know them, and as they are."""

    def advertise(self, node: int) -> Address:
        """The address a client is told for a node."""

    def learn(self, nodes: Mapping[int, Address]) -> None:
        """Keep where nodes really are."""


@dataclass(frozen=True)
class PendingRequest:
    """A request that waits for its turn: to be answered by the cluster, or with `answer`."""

    api_key: int
    version: int
    answer: bytes | None = None


class Connection:
    """One client's connection, whose bytes `splice` carries.

    Kafka answers in the order of the requests, so an answer of the gate waits until those before it are answered.
    `learning`: it was made to a node that the network does not know yet. Its first request after the login is made one
    for metadata, and then it is closed; the client comes again.
    """

    def __init__(self, network: Network, gate: Gate, splice: Splice, learning: bool = False) -> None:
        self._network = network
        self._gate = gate
        self._learning = learning
        self._pending: dict[int, PendingRequest] = {}
        self._deciding: set[asyncio.Future[None]] = set()
        self._splice = splice
        self._responses = Frames(self._response)
        splice.requests.through = Frames(self._request)
        splice.responses.through = self._responses

    @property
    def in_flight(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._pending)

    def stop_reading(self) -> None:
        """Take no more requests."""
        self._splice.requests.pause()

    def go_on_reading(self) -> None:
        """Take requests again."""
        self._splice.requests.go_on()

    def end(self, cause: str) -> None:
        """Close it."""
        self._splice.end(cause)

    def _request(self, frame: memoryview) -> int | Bytes | None:
        if len(frame) < REQUEST.size:
            return REQUEST.size
        size: int
        size, api_key, version, correlation = REQUEST.unpack_from(frame)
        learns = self._learning and api_key not in BEFORE_LOGIN
        gated = self._gate.wants(api_key)
        if (learns or gated) and len(frame) < 4 + size:
            return 4 + size
        verdict = self._gate.request(api_key, version, frame) if gated else None
        if verdict is not None:
            return self._settled(correlation, PendingRequest(api_key, version), verdict)
        if learns:
            self._pending[correlation] = PendingRequest(METADATA, 1)
            return metadata_request(correlation)
        if api_key == PRODUCE:
            awaits = awaits_answer(version, frame)
            if not isinstance(awaits, bool):
                return awaits
            if not awaits:
                return None
        self._pending[correlation] = PendingRequest(api_key, version)
        return None

    def _settled(self, correlation: int, request: PendingRequest, verdict: Verdict) -> Bytes:
        """What is sent on now, of a request the gate has decided on."""
        self._pending[correlation] = request
        if isinstance(verdict, Forward):
            return verdict.frame
        if isinstance(verdict, Answered):
            self._pending[correlation] = replace(request, answer=verdict.frame)
            self._release(self._send)
        elif verdict is not None:
            task = asyncio.ensure_future(self._decided(correlation, verdict))
            self._deciding.add(task)
            task.add_done_callback(self._deciding.discard)
        return b""

    async def _decided(self, correlation: int, verdict: Awaitable[Answered | Forward]) -> None:
        try:
            decided = await verdict
        except Exception as error:  # whatever the gate could not do, only this connection ends
            LOG.error("connection closed: %s: %s", type(error).__name__, error)
            self.end("server_closed")
            return
        self._splice.requests.write(self._settled(correlation, self._pending[correlation], decided))

    def _send(self, answer: bytes) -> None:
        if self._responses.amid:
            self._responses.after_this(answer)
        else:
            self._splice.responses.write(answer)

    def _response(self, frame: memoryview) -> int | Bytes | None:
        if len(frame) < RESPONSE.size:
            return RESPONSE.size
        size: int
        size, correlation = RESPONSE.unpack_from(frame)
        request = self._pending.get(correlation)
        if request is None:
            return None
        changed: Bytes | None = None
        named, gated = names_brokers(request.api_key, request.version), request.api_key in self._gate.sees
        if named or gated or request.api_key == API_VERSIONS:
            if len(frame) < 4 + size:
                return 4 + size
            changed = frame
            if self._learning and named:
                self._network.learn(brokers_in(frame))
                self.end("server_closed")
                return b""
            if named:
                changed = readdressed(
                    request.api_key, request.version, frame=frame, advertise=self._network.advertise, learn=self._learn
                )
            elif request.api_key == API_VERSIONS:
                changed = at_most(request.version, frame, NEWEST)
            if gated:
                changed = self._gate.response(request.api_key, request.version, changed)
            if changed is frame:
                changed = None  # so that it is not copied
        del self._pending[correlation]
        self._release(self._responses.after_this)
        return changed

    def _learn(self, node: int, address: Address) -> None:
        self._network.learn({node: address})

    def _release(self, send: Callable[[bytes], None]) -> None:
        """Let the gate's answers go whose turn it is."""
        while self._pending:
            first, request = next(iter(self._pending.items()))
            if request.answer is None:
                return
            send(request.answer)
            del self._pending[first]
