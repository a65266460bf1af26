"""Consumer offset sync: the committed offsets of the source's groups, committed on the mirrors' cluster.

As the real link's ConsumerOffsetSync task: it copies what the source says, whether the records have arrived or not, so
a group's offset can be ahead of its mirror; it leaves a group alone that is active here (CONSUMER_GROUP_IN_USE_ERROR).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from drill.confluent.groups import MEMBERS, committed
from drill.confluent.mirrors import TransitionError
from drill.confluent.replication import Hurry, Spot

log = logging.getLogger(__name__)

IN_USE: Final = "CONSUMER_GROUP_IN_USE_ERROR"


class GroupOffsets:
    """Reads and commits group offsets. Used by one thread."""

    def __init__(self, source: AdminClient, local: AdminClient, timeout_s: float = 0.75) -> None:
        self._source = source
        self._local = local
        self._timeout_s = timeout_s

    def sync(self, groups: Iterable[str], spots: Collection[Spot], hurry: Hurry) -> tuple[TransitionError, ...]:
        """Copy the offsets of `groups` for `spots`; what went wrong, group by group. A source that does not answer is
        left until the next time."""
        errors: list[TransitionError] = []
        for group in groups:
            if hurry():
                break
            offsets = committed(self._source, group, spots, self._timeout_s, hurry)
            error = self._commit(group, offsets) if offsets else None
            if error is not None:
                log.info("group %s is not synced: %s", group, error.message)
                errors.append(error)
        return tuple(errors)

    def _commit(self, group: str, offsets: dict[Spot, int]) -> TransitionError | None:
        rows = [TopicPartition(spot.topic, spot.partition, offset) for spot, offset in offsets.items()]
        try:
            answer = self._local.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, rows)], request_timeout=2.0
            )[group]
            refused = [row.error for row in answer.result(3.0).topic_partitions if row.error is not None]
        except (KafkaException, TimeoutError) as error:
            return TransitionError("INTERNAL_ERROR", f"Offsets of group '{group}' could not be committed: {error}")
        if not refused:
            return None
        if any(error.code() in MEMBERS for error in refused):
            return TransitionError(IN_USE, f"Consumer group '{group}' is active on the destination cluster")
        return TransitionError("INTERNAL_ERROR", f"Offsets of group '{group}' were refused: {refused[0]}")
