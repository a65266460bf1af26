"""The network, as a vantage point asks it: any number of questions at once in one thread, each with a deadline."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import httpx

from failover.aws.secrets import Credentials, OAuthClient
from failover.kafka.looks import Broker, Connections
from failover.kafka.metadata import plain
from failover.link.factory import cluster_at
from failover.link.tls import trust
from failover.plan.model import Plan

Answer = TypeVar("Answer")
Key = TypeVar("Key")
Job = Coroutine[Any, Any, Answer]
Begin = Callable[[], Job[Answer]]
"""A job that is not begun yet."""

SECRETS_AT_ONCE: Final = 3
THREADS_AT_ONCE: Final = 64
"""For calls that block: of librdkafka, for canary records and logins with OAuth; a list over REST, the ledger. More
than there are plans in a call, so that what hangs of some holds none of the others up."""
REST_IDLE_S: Final = 30.0
BESIDE_S: Final = 1.0
"""For what does not end sooner, a look is not held up: an event to a region that hangs."""
TURN_S: Final = 0.002
BUSY_S: Final = 0.01
"""A thread that wakes up so much too late is busy."""
BUSY_LOOKS: Final = 5
"""So often a turn is put off, no more."""


class Network:
    """One event loop, and the connections that are kept from one look to the next. Not to be shared by threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(SECRETS_AT_ONCE, "secrets"))
        self._threads = ThreadPoolExecutor(THREADS_AT_ONCE, "calls")
        self._connections = Connections()
        self._turns = asyncio.Lock()
        self._begun: set[asyncio.Task[None]] = set()
        self._http: dict[str, httpx.AsyncClient] = {}
        """By endpoint: a client looks at all of its connections for each request, so that one for all of the endpoints
        would do so as often as the square of their number."""

    def run(self, job: Job[Answer]) -> Answer:
        """What the job gives. What was begun beside it has `BESIDE_S` more to end."""
        return self._loop.run_until_complete(self._run(job))

    async def _run(self, job: Job[Answer]) -> Answer:
        answer = await job
        if self._begun:
            await asyncio.wait(self._begun, timeout=BESIDE_S)
        return answer

    def begin(self, job: Begin[None]) -> None:
        """Do it beside the job that runs."""
        begun = self._loop.create_task(job())
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)

    async def together(self, jobs: Mapping[Key, tuple[Begin[Answer], float | None]]) -> dict[Key, Answer | None]:
        """What each job gives, or None if it gave nothing until its own deadline on the monotonic clock, if any."""
        answers = await asyncio.gather(*(_until(deadline, job) for job, deadline in jobs.values()))
        return dict(zip(jobs, answers, strict=True))

    async def turn(self) -> None:
        """Wait until what others began does not keep the thread busy: who begins when it does would run out of time for
        want of ours, and be called silent."""
        async with self._turns:
            for _ in range(BUSY_LOOKS):
                began = time.monotonic()
                await asyncio.sleep(TURN_S)
                if time.monotonic() - began < TURN_S + BUSY_S:
                    return

    async def sleep(self, seconds: float) -> None:
        """Let the others go on for so long."""
        await asyncio.sleep(seconds)

    async def beside(self, call: Callable[[], Answer]) -> Answer:
        """What a call that blocks for a moment gives: a secret, an event."""
        return await asyncio.to_thread(call)

    async def in_thread(self, call: Callable[[], Answer]) -> Answer:
        """What a call gives that may block for long."""
        return await self._loop.run_in_executor(self._threads, call)

    async def cluster_id(
        self, bootstrap: str, security_protocol: str, credentials: Credentials | None, deadline: float
    ) -> str:
        """The id of the cluster that answers over the Kafka protocol.

        Raises:
            KafkaUnauthorized, KafkaUnavailable, UnknownProtocol
        """
        if not security_protocol.startswith("SASL"):
            credentials = None
        if isinstance(credentials, OAuthClient):
            return await self.in_thread(lambda: _as_oauth_client(bootstrap, security_protocol, credentials, deadline))
        tls = trust() if security_protocol.endswith("SSL") else None
        login = None if credentials is None else plain(credentials.key, credentials.secret)
        return await self._connections.cluster_id(Broker(bootstrap, tls, login), deadline)

    async def connectable(self, bootstrap: str, deadline: float, *, tls: bool = False) -> str | None:
        """None if one of the addresses takes a connection, and with `tls` ends a handshake, whatever its certificate;
        otherwise why none does."""
        return await self._connections.connectable(bootstrap, _anybody() if tls else None, deadline)

    async def rest_cluster_id(self, plan: Plan, site: str) -> str:
        """The id of the cluster that answers over REST.

        Raises:
            LinkUnavailable, LinkRejected, CredentialsMissing, ServiceUnavailable
        """
        endpoint = plan.site(site).kafka.rest_endpoint
        if endpoint not in self._http:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=REST_IDLE_S)
            self._http[endpoint] = httpx.AsyncClient(limits=limits, verify=trust())
        return await cluster_at(plan, site).look(self._http[endpoint])

    def close(self) -> None:
        """End every connection; what hangs in a thread is left alone."""
        self._loop.run_until_complete(self._close())
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    async def _close(self) -> None:
        for begun in self._begun:
            begun.cancel()
        await asyncio.gather(*self._begun, return_exceptions=True)
        self._connections.close()
        for client in self._http.values():
            await client.aclose()


async def _until(deadline: float | None, job: Begin[Answer]) -> Answer | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await job()
    except TimeoutError:
        return None


def _as_oauth_client(bootstrap: str, security_protocol: str, credentials: OAuthClient, deadline: float) -> str:
    # Slow to import, and rarely needed: it gets tokens as clients do.
    from failover.kafka.client import settings
    from failover.kafka.cluster import cluster_id

    return cluster_id(settings(bootstrap, security_protocol, credentials), max(0.0, deadline - time.monotonic()))


@functools.cache
def _anybody() -> ssl.SSLContext:
    """Takes any certificate: that somebody is there is what matters."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
