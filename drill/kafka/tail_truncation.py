"""Truncation of Apache Kafka's topics. No client can have a broker cut off the tail of a log: a topic of which
something is cut off is deleted and made anew, with the records that are kept at the offsets that they had.

What groups had committed for it goes with it; rules of who may write to it stay.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata  # type: ignore[attr-defined]

from drill.kafka.record_copy import NotCopied, log_ends, records_before, truncated_ends, write_alike

ANSWER_S: Final = 20.0
_LOOK_S: Final = 0.05


class NotTruncated(ValueError):
    """The topics are as they were, or what was kept could not be written again."""


def truncate_tails(admin: AdminClient, bootstrap: str, first_truncated: Mapping[str, Sequence[int]]) -> None:
    """Truncate each partition of these topics to an offset. Blocks.

    Raises:
        NotTruncated
    """
    try:
        here = admin.list_topics(timeout=ANSWER_S).topics
        ends = log_ends(bootstrap)
        ends_after = truncated_ends(ends, first_truncated)
        cut = {topic for (topic, partition), end in ends_after.items() if end < ends[topic, partition]}
        # All that is kept is in memory before anything is deleted: what can't be copied refuses the truncation.
        records = list(records_before(bootstrap, {spot: end for spot, end in ends_after.items() if spot[0] in cut}))
        _make_anew(admin, {topic: len(here[topic].partitions) for topic in cut})
        write_alike(bootstrap, records)
    except (KafkaException, NotCopied) as error:
        raise NotTruncated(str(error)) from error


def _make_anew(admin: AdminClient, partitions: Mapping[str, int]) -> None:
    if not partitions:
        return
    for answer in admin.delete_topics(list(partitions), request_timeout=ANSWER_S).values():
        answer.result(ANSWER_S)
    _await_topics(admin, partitions, there=False)
    # By then the broker has forgotten the offsets that groups had committed: it does so before it takes up a topic.
    new = [NewTopic(topic, count, 1) for topic, count in partitions.items()]
    for answer in admin.create_topics(new, request_timeout=ANSWER_S).values():
        answer.result(ANSWER_S)
    _await_topics(admin, partitions, there=True)


def _await_topics(admin: AdminClient, topics: Collection[str], *, there: bool) -> None:
    """Until the broker itself tells of all of them, with leaders, or of none."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        topics_there = admin.list_topics(timeout=ANSWER_S).topics
        if there and all(topic in topics_there and _has_leaders(topics_there[topic]) for topic in topics):
            return
        if not there and not topics_there.keys() & set(topics):
            return
        if time.monotonic() > deadline:
            raise NotCopied(
                f"not {'made' if there else 'deleted'} within {ANSWER_S:.0f} s: {', '.join(sorted(topics))}"
            )
        time.sleep(_LOOK_S)


def _has_leaders(topic: TopicMetadata) -> bool:
    return bool(topic.partitions) and all(partition.leader >= 0 for partition in topic.partitions.values())
