"""`python -m drill.confluent.cluster_rest '<JSON>'`: Kafka REST v3 of one cluster, and the links that end there.

The ready line is {"url": …, "control": …, "token_url": …}. Ready means that the mirror topics exist, and are read-only;
the source need not be there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys

from starlette.applications import Starlette
from starlette.routing import Mount

from drill.confluent import listener, rest, virtual_topics
from drill.confluent.acls import AclTable
from drill.confluent.auth import Authenticator
from drill.confluent.bidirectional_operations import BothSides
from drill.confluent.config import Config
from drill.confluent.control import Control
from drill.confluent.faults import Faults
from drill.confluent.groups import GroupAdmin
from drill.confluent.kafka_topics import ensure_topics
from drill.confluent.link_creation import LinkCreation
from drill.confluent.linking import Linking
from drill.confluent.links import Links
from drill.confluent.listener import Door
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirror_bodies import MirrorBodies
from drill.confluent.mirror_creation import MirrorCreation
from drill.confluent.peer_api import PeerApi
from drill.confluent.peers import Peers
from drill.confluent.replication import admin_client
from drill.confluent.rest_cluster import ClusterEndpoints
from drill.confluent.rest_links import LinkEndpoints
from drill.confluent.rest_mirrors import MirrorEndpoints
from drill.confluent.shapes import Shape
from drill.confluent.truncation import ClusterAdmin, LogTruncation
from drill.ports import LOOPBACK
from drill.process import announce, configuration, exit_with_parent


class StandIn:
    """One cluster's API, links and control."""

    def __init__(self, config: Config, url: str) -> None:
        local = admin_client(config.raw_bootstrap) if config.raw_bootstrap else None
        cluster = ClusterAdmin(config.admin) if config.truncation and config.admin else None
        self.cluster = LocalCluster(
            local,
            config.groups,
            group_admin=GroupAdmin(config.raw_bootstrap) if config.raw_bootstrap else None,
            with_members=cluster.active_groups if cluster and not config.describes_groups else None,
        )
        self.cluster.dedicated = config.dedicated
        self.cluster.make_up(virtual_topics.topics(config.rest_only_topics))
        if local is not None:
            ensure_topics(local, dict.fromkeys(config.topics))
        self._truncation = LogTruncation(cluster, config.raw_bootstrap, self.cluster) if cluster else None
        self.acls = AclTable(config.acls)
        self.links, self.peers = Links(), Peers(config.peers)
        self.linking = Linking(config, local, cluster=self.cluster, acls=self.acls, links=self.links, peers=self.peers)
        self.authenticator = Authenticator({config.api_key: config.api_secret}, config.viewers, config.oauth)
        if config.link is not None:
            self.linking.open(config.link)
        self._config = config
        self._shape = Shape(url, config.cluster_id, config.wire)

    def api(self, faults: Faults) -> Starlette:
        """The API of Kafka REST v3."""
        endpoints = [*self._of_cluster().endpoints(), *self._of_links().endpoints(), *self._of_mirrors().endpoints()]
        routes = rest.KafkaRest(self._config.cluster_id, self.authenticator, endpoints).routes(faults)
        app = Starlette(routes=routes, exception_handlers=dict(rest.HANDLERS))
        app.router.redirect_slashes = False
        return app

    def _of_cluster(self) -> ClusterEndpoints:
        return ClusterEndpoints(self._shape, self.cluster, self.acls)

    def _of_links(self) -> LinkEndpoints:
        creation = LinkCreation(self.links, self.linking, recorded=not self._shape.spec)
        return LinkEndpoints(
            self._shape,
            self.links,
            creation=creation,
            unmanaged_row=self._config.unmanaged_row,
            created=self._shape.created,
        )

    def _of_mirrors(self) -> MirrorEndpoints:
        config, mirroring = self._config, self.linking.mirroring
        return MirrorEndpoints(
            MirrorBodies(self._shape, config.flavour),
            self.links,
            creation=MirrorCreation(self.cluster, mirroring, config.settle_s, config.rest_only_mirrors.partitions),
            both_sides=BothSides(self.cluster, mirroring, self._truncation),
            dry_run_counts=config.dry_run_counts,
            created=self._shape.created,
        )

    def control(self, faults: Faults, way_in: Door) -> Starlette:
        """The drill's control API, and what other clusters ask."""
        mirroring = self.linking.mirroring
        control = Control(
            way_in,
            faults,
            cluster=self.cluster,
            acls=self.acls,
            links=self.links,
            mirroring=mirroring,
            peers=self.peers,
            authenticator=self.authenticator,
        )
        peer_api = PeerApi(self.cluster, self.acls, self.links, mirroring)
        return Starlette(routes=[Mount("/control", routes=[*control.routes(), *peer_api.routes()])])


async def run(config: Config) -> None:
    """Serve the API and its control, for ever."""
    way_in, aside = Door(config.port, config.latency_s, config.host.listen), listener.listen(config.control_port)
    url, control = f"http://{config.host.advertised}:{way_in.port}", f"http://{LOOPBACK}:{_port(aside)}/control"
    stand_in, faults = StandIn(config, url), Faults(way_in)
    announce({"url": url, "control": control, "token_url": f"{control}/oauth/token"})
    await asyncio.gather(
        way_in.serve(stand_in.api(faults)), listener.serve_aside(stand_in.control(faults, way_in), aside)
    )


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
