"""`python -m drill.confluent.cluster_rest '<JSON>'`: Kafka REST v3 of one cluster, and the links that end there.

The ready line is {"url": …, "control": …}. Ready means that the mirror topics exist, and are read-only; the source need
not be there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys

from starlette.applications import Starlette
from starlette.routing import Mount

from drill.confluent import door, rest
from drill.confluent.acls import AclTable
from drill.confluent.config import Config
from drill.confluent.control import Control, NewMirrors
from drill.confluent.door import Door
from drill.confluent.faults import Faults
from drill.confluent.linking import Linking
from drill.confluent.links import Links
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.mirror_bodies import MirrorBodies
from drill.confluent.replication import admin_client
from drill.confluent.rest_cluster import ClusterEndpoints
from drill.confluent.rest_links import LinkEndpoints
from drill.confluent.rest_mirrors import MirrorEndpoints
from drill.confluent.shapes import Shape
from drill.ports import LOOPBACK
from drill.process import announce, configuration, exit_with_parent


class StandIn:
    """One cluster's API, links and control."""

    def __init__(self, config: Config, url: str) -> None:
        local = admin_client(config.raw_bootstrap) if config.raw_bootstrap else None
        self.cluster = LocalCluster(local, config.groups)
        self.cluster.dedicated = config.dedicated
        self.cluster.make_up(
            Topic(name, config.rest_only_topics.partitions) for name in config.rest_only_topics.names()
        )
        self.links = Links()
        self.linking = Linking(config, local, self.cluster, self.links)
        if config.link is not None:
            self.linking.open(config.link)
        self._config = config
        self._shape = Shape(url, config.cluster_id, config.wire)

    def api(self, faults: Faults) -> Starlette:
        """The API of Kafka REST v3."""
        endpoints = [
            *ClusterEndpoints(self._shape, self.cluster, AclTable(self._config.acls)).endpoints(),
            *LinkEndpoints(self._shape, self.links, self._config.unmanaged_row).endpoints(),
            *MirrorEndpoints(MirrorBodies(self._shape, self._config.flavour), self.links).endpoints(),
        ]
        credentials = self._config.api_key, self._config.api_secret
        routes = rest.KafkaRest(self._config.cluster_id, credentials, endpoints).routes(faults)
        app = Starlette(routes=routes, exception_handlers=dict(rest.HANDLERS))
        app.router.redirect_slashes = False
        return app

    def control(self, faults: Faults, way_in: Door) -> Starlette:
        """The drill's control API."""
        book = next(iter(self.links.all()), None)

        def make_mirrors(asked: NewMirrors) -> list[str]:
            assert book is not None
            if asked.wired:
                return self.linking.add_mirrors(book, asked.topics)
            return self.linking.make_up_mirrors(book, asked.topics, asked.partitions, asked.status)

        routes = Control(way_in, faults, self.cluster, book, make_mirrors).routes()
        return Starlette(routes=[Mount("/control", routes=routes)])


async def run(config: Config) -> None:
    """Serve the API and its control, for ever."""
    way_in, aside = Door(config.port, config.latency_s), door.listen()
    url = f"http://{LOOPBACK}:{way_in.port}"
    stand_in, faults = StandIn(config, url), Faults(way_in)
    announce({"url": url, "control": f"http://{LOOPBACK}:{_port(aside)}/control"})
    await asyncio.gather(way_in.serve(stand_in.api(faults)), door.serve_aside(stand_in.control(faults, way_in), aside))


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def main() -> None:
    """Run until the parent is gone."""
    config = configuration(Config)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {config.site} %(levelname)s %(name)s: %(message)s"
    )
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
