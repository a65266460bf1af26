"""The JSON bodies of mirror topics. The partitions of a mirror come in any order, as they do on the wire."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Literal

from drill.confluent.mirrors import Cut, Link, Mirror, Partition, Row, TransitionError
from drill.confluent.shapes import Body, Shape

Flavour = Literal["cloud", "platform"]
"""Whose sentinel stands for a lag that is not known: Confluent Cloud's 0 with offset -1, or Platform's -1 with -1."""


class MirrorBodies:
    """Bodies of mirror topics, in one shape and flavour.

    `recorded`: verbs answer kind KafkaAlterMirrorsDataList, and leave out the truncation fields that the spec requires.
    """

    def __init__(self, shape: Shape, flavour: Flavour = "cloud") -> None:
        self._shape = shape
        self._unknown_lag = 0 if flavour == "cloud" else -1

    def mirrors(self, rows: Iterable[tuple[Link, Mirror]], under: str) -> Body:
        """listKafkaMirrorTopicsUnderLink, and listKafkaMirrorTopics as `under` "-". A row: a link, and its mirror."""
        data = [self.mirror(link, mirror) for link, mirror in rows]
        return self._shape.collection("KafkaMirrorDataList", f"links/{under}/mirrors", data)

    def mirror(self, link: Link, mirror: Mirror, *, with_errors: bool = False) -> Body:
        """One mirror topic."""
        body: Body = {
            "kind": "KafkaMirrorData",
            "metadata": self._shape.metadata(f"links/{link.name}/mirrors/{mirror.topic}", self._shape.crn),
            "link_name": link.name,
            "mirror_topic_name": mirror.topic,
            "source_topic_name": link.source_of(mirror.topic),
            "num_partitions": len(mirror.partitions),
            "mirror_lags": self._lags(mirror),
            "mirror_status": mirror.status.value,
            "mirror_topic_error": mirror.error,
            "state_time_ms": int(mirror.since * 1000),
        }
        if with_errors:
            body["mirror_state_transition_errors"] = _errors(mirror.stopping.errors if mirror.stopping else ())
        return body

    def altered(self, link: str, rows: Iterable[Row], *, with_cuts: bool = False) -> Body:
        """What a verb answers: HTTP 200, whatever became of each row; `with_cuts`, where each partition is cut."""
        kind = "KafkaPromoteMirror" if self._shape.spec else "KafkaAlterMirrorsDataList"
        data = [self._altered_row(link, row, with_cuts) for row in rows]
        return self._shape.collection(kind, f"links/{link}/mirrors", data)

    def _altered_row(self, link: str, row: Row, with_cuts: bool) -> Body:
        body: Body = {
            "kind": "AlterMirrorsData",
            "metadata": self._shape.metadata(f"links/{link}/mirrors/{row.topic}", self._shape.crn),
            "mirror_topic_name": row.topic,
            "error_code": row.code,
            "error_message": row.message,
            "mirror_lags": self._lags(row.mirror) if row.mirror else [],
        }
        if self._shape.spec or row.cuts is not None:
            cuts = row.cuts or ()
            body["messages_truncated"] = sum(cut.messages for cut in cuts) if row.cuts is not None else None
            body["partition_level_truncation_data"] = [_cut(cut) for cut in cuts] if with_cuts else []
        return body

    def _lags(self, mirror: Mirror) -> list[Body]:
        rows = [self._lag(number, partition) for number, partition in enumerate(mirror.partitions)]
        if len(rows) > 1:
            random.shuffle(rows)
        return rows

    def _lag(self, number: int, partition: Partition) -> Body:
        if not partition.fetched:
            return {"partition": number, "lag": self._unknown_lag, "last_source_fetch_offset": -1}
        return {"partition": number, "lag": partition.lag, "last_source_fetch_offset": partition.log_end}


def _cut(cut: Cut) -> Body:
    return {"partition_id": cut.partition, "offset_truncated_to": cut.to, "messages_truncated": cut.messages}


def _errors(errors: Iterable[TransitionError]) -> list[Body]:
    return [{"error_code": error.code, "error_message": error.message} for error in errors]
