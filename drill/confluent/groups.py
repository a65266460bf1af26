"""Consumer groups over the Kafka protocol: which there are, what state they are in, what they committed.

librdkafka 2.16 ends the whole process when a group's coordinator is found after the call that looked for it has timed
out inside of it (https://github.com/confluentinc/librdkafka/issues/4605), as when a broker that was frozen goes on. So
here no call times out in there: who waits gives up, and lets the client go with all that it still looks for. It ends
the process, too, when it asks for a group's offsets and is answered that the coordinator is elsewhere
(https://github.com/confluentinc/librdkafka/issues/5315): here every cluster has one from the start, and it never moves.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Final, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from drill.confluent.replication import SLICE_S, Hurry, Spot, admin_client

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)
"""How a group refuses a commit from outside while it has members."""
LONGEST_S: Final = 3600.0
"""What librdkafka takes for a call at most."""
_NO_TOPIC: Final = Spot("__no-such-topic", 0)


class NoAnswer(RuntimeError):
    """Nobody answered in time, or something more urgent waits."""


class GroupAdmin:
    """Asks a cluster about groups. Several threads may share it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AdminClient | None = None
        self._lock = threading.Lock()

    def listed(self, timeout_s: float) -> set[str]:
        """The groups that the brokers list; librdkafka's mock cluster lists none.

        Raises:
            KafkaException
        """
        with self._lock:
            client = self._client = self._client or admin_client(self._bootstrap)
        return {group.group_id for group in client.list_consumer_groups(request_timeout=timeout_s).result().valid}

    def state_of(self, group: str, timeout_s: float) -> str:
        """The group's state, by the spec's words.

        Raises:
            KafkaException, NoAnswer
        """
        try:
            described = self._ask(
                lambda admin: admin.describe_consumer_groups([group], request_timeout=LONGEST_S)[group], timeout_s
            )
            return str(described.state.name).replace("REBALANCING", "REBALANCE")
        except KafkaException as error:
            if error.args[0].code() != KafkaError._UNSUPPORTED_FEATURE:
                raise
        # The mock cluster describes no groups, but it refuses a commit to one that has, or ever had, members. A commit
        # for a topic that does not exist is refused in any case, and so changes nothing.
        try:
            errors = {error.code() for error in self.commit(group, {_NO_TOPIC: 0}, timeout_s)}
        except KafkaException as error:
            errors = {error.args[0].code()}
        return "STABLE" if errors & MEMBERS else "EMPTY"

    def committed(
        self, group: str, spots: Collection[Spot], timeout_s: float, hurry: Hurry = lambda: False
    ) -> dict[Spot, int]:
        """The group's committed offsets for these partitions; without those it has none for, empty if nobody answers.

        Partitions are named one by one because librdkafka's mock cluster answers nothing to "all of them".
        """
        if not spots:
            return {}
        request = [ConsumerGroupTopicPartitions(group, [TopicPartition(spot.topic, spot.partition) for spot in spots])]
        try:
            answer = self._ask(
                lambda admin: admin.list_consumer_group_offsets(request, request_timeout=LONGEST_S)[group],
                timeout_s,
                hurry,
            )
        except (KafkaException, NoAnswer) as error:
            log.info("offsets of group %s could not be read: %s", group, error)
            return {}
        rows = answer.topic_partitions
        return {Spot(row.topic, row.partition): row.offset for row in rows if row.error is None and row.offset >= 0}

    def commit(self, group: str, offsets: Mapping[Spot, int], timeout_s: float) -> list[KafkaError]:
        """Commit offsets for the group; what is refused of them.

        Raises:
            KafkaException, NoAnswer
        """
        rows = [TopicPartition(spot.topic, spot.partition, offset) for spot, offset in offsets.items()]
        answer = self._ask(
            lambda admin: admin.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, rows)], request_timeout=LONGEST_S
            )[group],
            timeout_s,
        )
        return [row.error for row in answer.topic_partitions if row.error is not None]

    def _ask(
        self, call: Callable[[AdminClient], Future[Answer]], timeout_s: float, hurry: Hurry = lambda: False
    ) -> Answer:
        with self._lock:
            client = self._client = self._client or admin_client(self._bootstrap)
        answer, deadline = call(client), time.monotonic() + timeout_s
        while not answer.done() and time.monotonic() < deadline and not hurry():
            time.sleep(min(SLICE_S, 0.005))
        if answer.done():
            return answer.result()
        with self._lock:
            if self._client is client:
                self._client = None
        raise NoAnswer(f"no answer from {self._bootstrap} within {timeout_s} s")
