"""librdkafka's mock cluster in a process of its own, so that it can be lost: no guard, no admin port."""

from __future__ import annotations

import threading

from confluent_kafka import Producer

from drill.process import announce, exit_with_parent

BROKERS = 3


def main() -> None:
    exit_with_parent()
    mock = Producer({"test.mock.num.brokers": BROKERS, "bootstrap.servers": "x", "log_level": 0})
    cluster = mock.list_topics()
    bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in cluster.brokers.values())
    announce({"bootstrap": bootstrap, "cluster_id": cluster.cluster_id})
    threading.Event().wait()


if __name__ == "__main__":
    main()
