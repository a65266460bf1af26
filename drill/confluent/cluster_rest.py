"""`python -m drill.confluent.cluster_rest '<JSON>'`: Kafka REST v3 of one cluster, and the link that ends there.

The ready line is {"url": …, "control": …}. Ready means that the mirror topics exist, and are read-only; the source need
not be there.
"""

from __future__ import annotations

import logging
import socket
import sys
import time

import uvicorn
from confluent_kafka.admin import AdminClient
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.routing import Mount

from drill.confluent import control, link_configs, rest
from drill.confluent.bodies import Bodies, Wire
from drill.confluent.faults import Faults
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirrors import Link, Mirror, Partition, Timings
from drill.confluent.offset_sync import GroupOffsets
from drill.confluent.read_only import Guard
from drill.confluent.replication import DataPath, Spot, admin_client
from drill.confluent.running_link import LinkBook, RunningLink
from drill.process import announce, configuration, exit_with_parent


class LinkConfig(BaseModel):
    """The link that ends at this cluster. Raw bootstraps go round the guards. Durations in seconds."""

    model_config = ConfigDict(extra="forbid")

    name: str
    remote_cluster_id: str
    remote_bootstrap: str
    remote_raw_bootstrap: str
    interval_s: float = Field(default=0.25, gt=0)
    offset_sync_s: float = Field(default=30.0, gt=0)
    groups: list[str] = []
    source_unavailable_after_s: float = Field(default=60.0, ge=0)
    link_unavailable_after_s: float = Field(default=300.0, ge=0)


class Config(BaseModel):
    """This process. `stop_delay_s`: how long a mirror stays PENDING_STOPPED; for all, or by topic ("*": the rest)."""

    model_config = ConfigDict(extra="forbid")

    site: str
    cluster_id: str
    raw_bootstrap: str
    admin: str | None = None
    api_key: str
    api_secret: str
    port: int = 0
    link: LinkConfig | None = None
    mirrors: list[str] = []
    stop_delay_s: float | dict[str, float] = 0.5
    wire: Wire = "recorded"
    unmanaged_row: bool = False


def main() -> None:
    """Run until the parent is gone."""
    config = configuration(Config)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {config.site} %(levelname)s %(name)s: %(message)s"
    )
    listener = _listen(config.port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    local = admin_client(config.raw_bootstrap)
    book = _start_link(config, config.link, local) if config.link else None
    server = uvicorn.Server(
        uvicorn.Config(
            application(config, url, book, local), log_config=None, access_log=False, lifespan="off", ws="none"
        )
    )
    exit_with_parent()
    announce({"url": url, "control": f"{url}/control"})
    server.run(sockets=[listener])


def application(config: Config, url: str, book: LinkBook | None, local: AdminClient) -> Starlette:
    """The ASGI application."""
    faults = Faults()
    link = config.link
    api = rest.KafkaRest(
        cluster_id=config.cluster_id,
        credentials=(config.api_key, config.api_secret),
        bodies=Bodies(url, config.cluster_id, link.remote_cluster_id if link else None, config.wire),
        book=book,
        cluster=LocalCluster(local),
        groups=tuple(link.groups) if link else (),
        unmanaged_row=config.unmanaged_row,
    )
    routes = [Mount("/control", routes=control.routes(book, faults)), *api.routes(faults)]
    app = Starlette(routes=routes, exception_handlers=dict(rest.HANDLERS))
    app.router.redirect_slashes = False
    return app


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; else every answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener


def _start_link(config: Config, link: LinkConfig, local: AdminClient) -> LinkBook:
    """Create the mirror topics, close them for writes, and start the link's thread."""
    source = admin_client(link.remote_raw_bootstrap)
    path = DataPath(source, local, link.remote_raw_bootstrap, config.raw_bootstrap)
    guard = Guard(config.admin)
    counts = path.create_topics(config.mirrors)
    guard.refuse_writes_to(counts)
    ends = path.log_ends({Spot(topic, number) for topic, count in counts.items() for number in range(count)})
    now = time.time()
    mirrors = {
        topic: Mirror(topic, tuple(Partition(ends.get(Spot(topic, number), 0)) for number in range(count)), now)
        for topic, count in counts.items()
    }
    delays = config.stop_delay_s if isinstance(config.stop_delay_s, dict) else {"*": config.stop_delay_s}
    timings = Timings(
        stop_delay=delays.get("*", 0.0),
        stop_delay_of=delays,
        source_unavailable_after=link.source_unavailable_after_s,
        link_unavailable_after=link.link_unavailable_after_s,
    )
    book = LinkBook(
        Link(link.name, mirrors, timings), link_configs.initial(link.groups, link.offset_sync_s), clock=time.time
    )
    RunningLink(book, path, GroupOffsets(source, local), guard, link.groups, link.interval_s).start()
    return book


if __name__ == "__main__":
    main()
