"""Truncation of this cluster's logs: its process does it, and forgets what groups had committed; this commits it again,
no further than where a log ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaException

from drill.confluent.groups import GroupAdmin, NoAnswer
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirrors import Cut
from drill.confluent.replication import Spot
from drill.network.plain_http import plain

TRUNCATION_S: Final = 60.0
COMMIT_S: Final = 10.0


class NotTruncated(RuntimeError):
    """The logs are as they were, or groups have lost what they had committed."""


class ClusterAdmin:
    """The admin port of the local Kafka process."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def active_groups(self) -> list[str]:
        """The groups that have members."""
        return list(plain.get(f"{self._url}/groups", timeout=5).raise_for_status().json()["active"])

    def keep_records(self, first_truncated: Mapping[str, list[int]]) -> None:
        """Truncate each partition of these topics to an offset."""
        answer = plain.put(f"{self._url}/kept-records", json={"kept": first_truncated}, timeout=TRUNCATION_S)
        if answer.is_error:
            raise NotTruncated(answer.text)


class LogTruncation:
    """Truncates topics. Methods block."""

    def __init__(self, admin: ClusterAdmin, raw_bootstrap: str, cluster: LocalCluster) -> None:
        self._admin = admin
        self._raw_bootstrap = raw_bootstrap
        self._cluster = cluster

    def truncate(self, cuts: Mapping[str, tuple[Cut, ...]]) -> None:
        """Truncate each partition of these topics.

        Raises:
            NotTruncated
        """
        spots = [Spot(topic.name, number) for topic in self._cluster.topics() for number in range(topic.partitions)]
        ends = {Spot(topic, cut.partition): cut.to for topic, rows in cuts.items() for cut in rows}
        before = GroupAdmin(self._raw_bootstrap)
        offsets = {group: before.committed(group, spots, COMMIT_S) for group in self._cluster.group_names()}
        self._admin.keep_records({topic: [cut.to for cut in rows] for topic, rows in cuts.items()})
        after = GroupAdmin(self._raw_bootstrap)  # one that knew the brokers before waits for what never comes
        for group, of_group in offsets.items():
            if of_group:
                _commit(after, group, {spot: min(offset, ends.get(spot, offset)) for spot, offset in of_group.items()})


def _commit(admin: GroupAdmin, group: str, offsets: Mapping[Spot, int]) -> None:
    deadline, why = time.monotonic() + COMMIT_S, ""
    while time.monotonic() < deadline:
        try:
            refused = admin.commit(group, offsets, COMMIT_S)
        except (KafkaException, NoAnswer) as error:
            why = str(error)
            continue
        if not refused:
            return
        why = str(refused[0])
        time.sleep(0.1)
    raise NotTruncated(f"group {group} lost its offsets: {why}")
