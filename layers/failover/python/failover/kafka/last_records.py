"""The last record of each partition, as it is on the cluster."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from failover.errors import KafkaUnauthorized
from failover.kafka.client import Settings, is_authorization, reporting, trouble, unauthorized
from failover.kafka.offsets import Spot, in_words

_LAST: Final = -2001
"""librdkafka's RD_KAFKA_OFFSET_TAIL(1) (https://docs.confluent.io/platform/current/clients/librdkafka/html/rdkafka_8h.html)."""
_POLL_S: Final = 0.2


def last_records(chosen: Settings, spots: Collection[Spot], timeout: float) -> dict[Spot, Message]:
    """What the partitions end with that told it in time; one that is empty, or ends with a transaction's marker, has
    none.

    Raises:
        KafkaUnauthorized: the credentials, or a topic, are refused.
        KafkaUnavailable: nothing was told of any partition.
    """
    deadline, errors, pending = time.monotonic() + timeout, list[KafkaError](), set(spots)
    records: dict[Spot, Message] = {}
    consumer = Consumer(
        {
            **chosen,
            "group.id": "failover-readiness",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 4096,
            **reporting(errors),
        }
    )
    untold = "tells nothing of the last records"
    try:
        consumer.assign([TopicPartition(topic, partition, _LAST) for topic, partition in spots])
        while pending and (seconds := deadline - time.monotonic()) > 0:
            for message in consumer.consume(len(pending), timeout=min(seconds, _POLL_S)):
                spot = str(message.topic()), int(message.partition() or 0)
                error = message.error()
                if error is not None and is_authorization(error):
                    raise unauthorized(f"does not let {in_words(spot)} be read", error)
                if error is None:
                    records[spot] = message
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    pending.discard(spot)
            if isinstance(refusal := trouble(chosen, errors, untold), KafkaUnauthorized):
                raise refusal
    finally:
        consumer.close()
    if spots and len(pending) == len(set(spots)):
        raise trouble(chosen, errors, untold)
    return records
