"""Two clusters with their REST APIs and a link in both directions, for the steps of what people start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.aws.clients import client
from failover.ledger.ledger import Ledger

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
SITES = ("east", "west")
TOPICS = ("orders", "payments")


@dataclass(frozen=True)
class Pair:
    """Both clusters with their REST APIs; west mirrors east."""

    kafka: dict[str, Child]
    rest: dict[str, Child]

    def statuses(self, site: str) -> dict[str, str]:
        """Each mirror's status on a site, as an operator would ask for it."""
        cluster = f"{self.rest[site].ready['url']}/kafka/v3/clusters/{self.kafka[site].ready['cluster_id']}"
        url = f"{cluster}/links/{fixture_plan.LINK}/mirrors"
        rows = plain.get(url, auth=fixture_plan.API_KEYS[site]).json()["data"]
        return {row["mirror_topic_name"]: row["mirror_status"] for row in rows}

    def asked(self, operation: str, site: str = "west") -> int:
        """How often an operation was called."""
        counts = plain.get(f"{self.rest[site].ready['control']}/requests").json()
        return int(counts.get(operation, {}).get("count", 0))

    def fault(self, **fault: Any) -> None:
        """Let west's REST API fail."""
        plain.post(f"{self.rest['west'].ready['control']}/faults", json=fault).raise_for_status()

    def break_link(self, **faults: Any) -> None:
        """Trouble west's link."""
        plain.put(f"{self.rest['west'].ready['control']}/link", json=faults).raise_for_status()

    def write(self, count: int = 10, topic: str = "orders", site: str = "east") -> None:
        """Write records to the cluster itself, round any gateway."""
        producer = Producer({"bootstrap.servers": self.kafka[site].ready["raw_bootstrap"]})
        for number in range(count):
            producer.produce(topic, f"{number}".encode(), partition=number % 4)
        assert producer.flush(10) == 0

    def commit(self, site: str, group: str, offset: int) -> None:
        """Commit an offset for orders[0]."""
        admin = AdminClient({"bootstrap.servers": self.kafka[site].ready["raw_bootstrap"]})
        asked = [ConsumerGroupTopicPartitions(group, [TopicPartition("orders", 0, offset)])]
        admin.alter_consumer_group_offsets(asked)[group].result(10)

    def committed(self, site: str, group: str) -> int:
        """What is committed for orders[0]."""
        admin = AdminClient({"bootstrap.servers": self.kafka[site].ready["raw_bootstrap"]})
        asked = [ConsumerGroupTopicPartitions(group, [TopicPartition("orders", 0)])]
        (row,) = admin.list_consumer_group_offsets(asked)[group].result(10).topic_partitions
        return int(row.offset)


@pytest.fixture
def link_fields() -> dict[str, Any]:
    """What a test changes of both links."""
    return {}


@pytest.fixture
def truncation() -> bool:
    """Whether the clusters can truncate."""
    return False


@pytest.fixture
def secrets(deployed: Callable[..., Any]) -> None:
    """Of both REST APIs."""
    for site, (key, secret) in fixture_plan.API_KEYS.items():
        document = f'{{"key": "{key}", "secret": "{secret}"}}'
        deployed("secretsmanager").create_secret(Name=f"failover/orders/{site}", SecretString=document)


@pytest.fixture(autouse=True)
def fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gateway stands here; all are fenced."""
    monkeypatch.setattr("failover.execution.unfenced_fleets.unfenced_fleets", lambda *_: [])


@pytest.fixture
def pair(tmp_path: Path, link_fields: dict[str, Any], truncation: bool) -> Iterator[Pair]:
    with ExitStack() as stack:

        def start(module: str, config: dict[str, Any], name: str) -> Child:
            child = spawn(module, config, log=tmp_path / f"{name}.log")
            stack.callback(child.stop)
            return child

        kafka = {site: start("drill.kafka.cluster", {"site": site, "truncation": truncation}, site) for site in SITES}
        pair = Pair(kafka, {})
        for topic in TOPICS:
            pair.write(topic=topic)
        for site, other in (("east", "west"), ("west", "east")):
            link = {
                "name": fixture_plan.LINK,
                "remote_cluster_id": kafka[other].ready["cluster_id"],
                "remote_bootstrap": kafka[other].ready["bootstrap"],
                "remote_raw_bootstrap": kafka[other].ready["raw_bootstrap"],
                "interval_s": 0.1,
                **link_fields,
            }
            key, secret = fixture_plan.API_KEYS[site]
            config = {
                "site": site,
                "cluster_id": kafka[site].ready["cluster_id"],
                "raw_bootstrap": kafka[site].ready["raw_bootstrap"],
                "admin": kafka[site].ready["admin"],
                "api_key": key,
                "api_secret": secret,
                "link": link,
                "mirrors": list(TOPICS) if site == "west" else [],
                "stop_delay_s": 0.1,
                "step_s": 0.05,
                "truncation": truncation,
            }
            pair.rest[site] = start("drill.confluent.cluster_rest", config, f"rest-{site}")
        for site, other in (("east", "west"), ("west", "east")):
            peers = {kafka[other].ready["cluster_id"]: pair.rest[other].ready["control"]}
            plain.put(f"{pair.rest[site].ready['control']}/peers", json=peers).raise_for_status()
        yield pair


@pytest.fixture
def plan_text(pair: Pair) -> str:
    """The drill's plan, on both clusters."""
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=pair.kafka[site].ready["cluster_id"],
            bootstrap=pair.kafka[site].ready["bootstrap"],
            rest=pair.rest[site].ready["url"],
            balancer=pair.kafka[site].ready["bootstrap"].split(",")[0],
        )
        for site in SITES
    }
    return yaml.safe_dump(
        fixture_plan.plan_document(
            addresses, client_bootstrap="127.0.0.1:9", nameserver="127.0.0.1:9", zone_id="Z1", policy={}
        )
        | {"protect": {"groups": [fixture_plan.GROUP], "topics": list(TOPICS)}}
    )


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")
