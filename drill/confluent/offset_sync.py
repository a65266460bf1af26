"""Consumer offset sync: the committed offsets of the source's groups, committed on the mirrors' cluster.

As the real link's ConsumerOffsetSync task: it copies what the source says, whether the records have arrived or not, so
a group's offset can be ahead of its mirror; it leaves a group alone that is active here (CONSUMER_GROUP_IN_USE_ERROR).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from confluent_kafka import KafkaException

from drill.confluent.groups import MEMBERS, GroupAdmin, NoAnswer
from drill.confluent.mirrors import TransitionError
from drill.confluent.replication import Hurry, Spot

log = logging.getLogger(__name__)

IN_USE: Final = "CONSUMER_GROUP_IN_USE_ERROR"
COMMIT_S: Final = 2.0


class GroupOffsets:
    """Reads and commits group offsets. Used by one thread. A mirror is named `prefix` and its source's name."""

    def __init__(self, source: GroupAdmin, local: GroupAdmin, prefix: str = "", timeout_s: float = 0.75) -> None:
        self._source = source
        self._local = local
        self._prefix = prefix
        self._timeout_s = timeout_s

    def sync(
        self,
        groups: Mapping[str, str],
        spots: Collection[Spot],
        hurry: Hurry,
        beyond: Mapping[Spot, int] = MappingProxyType({}),
    ) -> tuple[TransitionError, ...]:
        """Copy the offsets of `groups` (their names here: at the source) for `spots`; what went wrong, group by group.

        A source that does not answer is left until the next time. No offset is less than `beyond` says, if anything.
        """
        at_source = {Spot(spot.topic.removeprefix(self._prefix), spot.partition): spot for spot in spots}
        errors: list[TransitionError] = []
        for group, source_group in groups.items():
            if hurry():
                break
            source_offsets = self._source.committed(source_group, list(at_source), self._timeout_s, hurry)
            offsets = {
                at_source[spot]: max(end, beyond.get(at_source[spot], 0)) for spot, end in source_offsets.items()
            }
            error = self._commit(group, offsets) if offsets else None
            if error is not None:
                log.info("group %s is not synced: %s", group, error.message)
                errors.append(error)
        return tuple(errors)

    def _commit(self, group: str, offsets: dict[Spot, int]) -> TransitionError | None:
        try:
            refused = self._local.commit(group, offsets, COMMIT_S)
        except (KafkaException, NoAnswer) as error:
            return TransitionError("INTERNAL_ERROR", f"Offsets of group '{group}' could not be committed: {error}")
        if not refused:
            return None
        if any(error.code() in MEMBERS for error in refused):
            return TransitionError(IN_USE, f"Consumer group '{group}' is active on the destination cluster")
        return TransitionError("INTERNAL_ERROR", f"Offsets of group '{group}' were refused: {refused[0]}")
