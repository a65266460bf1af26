"""A Kafka cluster of the drill: librdkafka's mock cluster, and a guard in front that refuses writes to mirror topics.

A mirror topic is read-only until it is STOPPED; a real broker answers a write with INVALID_REQUEST, which no client
retries. The link writes to the mock cluster itself, round the guard.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from confluent_kafka import Producer
from kio.schema.errors import ErrorCode
from pydantic import BaseModel, Field

from drill.admin_http import as_json, serve
from drill.kafka.membership import Membership
from drill.kafka.messages import PRODUCE, produce_refusal, produced_topics, read_request, stranger_refusal
from drill.kafka.proxy import Route, listen
from drill.ports import LOOPBACK, free_ports
from drill.process import announce, configuration, exit_with_parent


class ClusterConfig(BaseModel):
    """What the process is told."""

    site: str
    brokers: int = Field(default=3, ge=1)


class Guard:
    """What a real cluster refuses and the mock does not: writes to mirror topics, and strangers in a group."""

    def __init__(self) -> None:
        self.read_only: frozenset[str] = frozenset()
        self._members = Membership()

    def wants(self, api_key: int) -> bool:
        """Whether a request must be looked at."""
        return (api_key == PRODUCE and bool(self.read_only)) or self._members.wants(api_key)

    def answer(self, api_key: int, version: int, request: bytes) -> bytes | None:
        """The refusal of a write to a mirror topic, or of a member of another cluster's group; else None."""
        if api_key != PRODUCE:
            stranger = self._members.is_stranger(api_key, read_request(api_key, version, request))
            return stranger_refusal(api_key, version, request) if stranger else None
        if self.read_only.isdisjoint(produced_topics(version, request)):
            return None
        return produce_refusal(version, request, ErrorCode.invalid_request)

    def replace(self, body: Any) -> tuple[int, str, bytes]:
        """PUT: the whole set."""
        self.read_only = frozenset(map(str, body["topics"]))
        return self.show(None)

    def show(self, _: Any) -> tuple[int, str, bytes]:
        """GET: the set."""
        return as_json({"topics": sorted(self.read_only)})


async def run(config: ClusterConfig) -> None:
    """Start the cluster, then its guard, and serve until the process ends."""
    mock = Producer({"test.mock.num.brokers": config.brokers, "bootstrap.servers": "mock", "log_level": 3})
    metadata = mock.list_topics(timeout=10)
    nodes = {broker.id: (broker.host, broker.port) for broker in metadata.brokers.values()}
    first = free_ports(1 + len(nodes))
    advertised = {node: (LOOPBACK, first + 1 + index) for index, node in enumerate(sorted(nodes))}
    guard = Guard()
    route = Route(next(iter(nodes.values())), advertised, guard.wants, guard.answer, dict(nodes))
    servers = [await listen(route, LOOPBACK, first, None)]
    servers += [await listen(route, LOOPBACK, port, node) for node, (_, port) in advertised.items()]
    admin = serve({("PUT", "/read-only-topics"): guard.replace, ("GET", "/read-only-topics"): guard.show})
    announce(
        {
            "bootstrap": f"{LOOPBACK}:{first}",
            "raw_bootstrap": ",".join(f"{host}:{port}" for host, port in nodes.values()),
            "cluster_id": metadata.cluster_id,
            "admin": f"http://{LOOPBACK}:{admin}",
        }
    )
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    config = configuration(ClusterConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
