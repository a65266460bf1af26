"""`python -m drill.neighbours.sites '<JSON>'`: many sites in one process, all behind TLS. Each has a cluster of its own
that wants a login, the REST API of that, a link that ends there, if it has mirrors, and gateways that lead to the
cluster; beside them, the way that clients of a hostname take to one of several gateways.

The ready line has the addresses of each site, by its cluster's id, and of each way, by its hostname. A silent site
takes connections and says nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Receive, Scope, Send

from drill.confluent.cluster_rest import StandIn
from drill.confluent.config import Config, LinkConfig
from drill.confluent.faults import Faults
from drill.confluent.listener import Door, serve_aside
from drill.confluent.virtual_topics import RestOnly
from drill.fixture_plan import CANARY
from drill.neighbours.broker import Broker
from drill.network.edge import Resolver, plain
from drill.network.splice import Address, Splice, accept, address_of, connect
from drill.ports import LOOPBACK
from drill.process import announce, configuration, exit_with_parent

BACKLOG: Final = 128
CLUSTER_IN_PATH: Final = 4
LOOK_EVERY_S: Final = 5.0
"""At what a link does by itself: nothing is copied, and whoever asks a verb of it wakes it."""


class SiteConfig(BaseModel):
    """A site. `link`: the link that ends there, with `mirrors` mirrors of the cluster `remote`."""

    model_config = ConfigDict(extra="forbid")

    link: str = ""
    remote: str = ""
    mirrors: int = 0
    silent: bool = False


class SitesConfig(BaseModel):
    """What the process is told: the files of the certificate that is shown, the one login, the sites by their cluster
    ids; of each hostname whose clients come in here, where its targets are, or whose gateways of these sites they are;
    and the name server that is asked for it."""

    model_config = ConfigDict(extra="forbid")

    chain: str
    key: str
    api_key: str
    api_secret: str
    sites: dict[str, SiteConfig]
    stop_delay_s: float = 0.3
    ways: dict[str, dict[str, str]] = {}
    dns: str = ""


class Apis:
    """The REST APIs of many clusters, as one application."""

    def __init__(self) -> None:
        self._of: dict[str, ASGIApp] = {}

    def add(self, cluster_id: str, api: ASGIApp) -> None:
        self._of[cluster_id] = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The API of the cluster in the path; of any, if there is none of that id, which says so."""
        parts = scope["path"].split("/")
        named = parts[CLUSTER_IN_PATH] if len(parts) > CLUSTER_IN_PATH else ""
        await self._of.get(named, next(iter(self._of.values())))(scope, receive, send)


class Sites:
    """What serves, and keeps listening."""

    def __init__(self, config: SitesConfig) -> None:
        self._config = config
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(config.chain, config.key)
        self._faults = Faults(Door())
        self._apis = Apis()
        self._rest: list[socket.socket] = []
        self._silent: list[socket.socket] = []

    async def open(self, cluster_id: str, site: SiteConfig) -> dict[str, str]:
        """Serve a site; where its services are."""
        listeners = {service: _listener() for service in ("kafka", "gateway", "rest")}
        addresses = {service: "{}:{}".format(*listener.getsockname()) for service, listener in listeners.items()}
        if site.silent:
            self._silent += listeners.values()
            return addresses
        stand_in = StandIn(self._rest_config(cluster_id, site), f"https://{addresses['rest']}")
        self._apis.add(cluster_id, stand_in.api(self._faults))
        self._rest.append(listeners["rest"])
        ends = {
            mirror.topic: [partition.log_end for partition in mirror.partitions]
            for book in stand_in.links.all()
            for mirror in book.link.mirrors.values()
        }
        logins = {self._config.api_key: self._config.api_secret}
        broker = Broker(cluster_id, logins, ends | {CANARY: [0]})
        for service in ("kafka", "gateway"):
            serve = partial(broker.serve, listeners[service].getsockname())
            await asyncio.start_server(_until_gone(serve), sock=listeners[service], ssl=self._tls)
        return addresses

    async def answer(self) -> None:
        """Serve the REST APIs, for ever."""
        await serve_aside(self._apis, *self._rest, tls=(self._config.chain, self._config.key))

    def _rest_config(self, cluster_id: str, site: SiteConfig) -> Config:
        link = LinkConfig(name=site.link, remote_cluster_id=site.remote, interval_s=LOOK_EVERY_S)
        return Config(
            site=cluster_id,
            cluster_id=cluster_id,
            api_key=self._config.api_key,
            api_secret=self._config.api_secret,
            link=link if site.link else None,
            rest_only_mirrors=RestOnly(count=site.mirrors),
            stop_delay_s=self._config.stop_delay_s,
        )


async def _lead(resolver: Resolver, targets: dict[str, Address], client: socket.socket) -> None:
    """Carry a client to where the hostname leads now."""
    address = targets.get(await resolver.target() or "")
    if address is not None:
        await Splice(client, await connect(address)).run()


def _until_gone(serve: Any) -> Any:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await serve(reader, writer)
        writer.close()

    return served


def _listener() -> socket.socket:
    return socket.create_server((LOOPBACK, 0), backlog=BACKLOG)


async def run(config: SitesConfig) -> None:
    """Serve until the process ends."""
    sites = Sites(config)
    addresses = {cluster_id: await sites.open(cluster_id, site) for cluster_id, site in config.sites.items()}
    ways = {hostname: _listener() for hostname in config.ways}
    async with asyncio.TaskGroup() as serving:
        for hostname, listener in ways.items():
            listener.setblocking(False)
            targets = {
                plain(name): address_of(addresses[where]["gateway"] if where in addresses else where)
                for name, where in config.ways[hostname].items()
            }
            serving.create_task(accept(listener, partial(_lead, Resolver(hostname, config.dns), targets)))
        serving.create_task(sites.answer())
        at = {hostname: "{}:{}".format(*listener.getsockname()) for hostname, listener in ways.items()}
        announce({"sites": addresses, "ways": at})


def main() -> None:
    config = configuration(SitesConfig)
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
