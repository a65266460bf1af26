"""Group members a cluster really has: what a real broker would tell a member of another cluster's group.

librdkafka's mock accepts the commit of a member it never saw, and answers its heartbeat with an error that clients
ignore. A broker answers both with UNKNOWN_MEMBER_ID, so that the client rejoins and starts from the offsets committed
here (https://kafka.apache.org/protocol#protocol_error_codes). So it does to a commit that names a generation, but no
member, as librdkafka sends after it lost its session: only one that names neither comes from outside a group, and is
taken (`validateOffsetCommit` of Kafka's ClassicGroup). A member of the newer protocol (KIP-848) whose group nobody
joined by it here is answered GROUP_ID_NOT_FOUND, and ends: committed offsets alone make no such group.
"""

from __future__ import annotations

import time
from typing import Any, Final

from kio.schema.errors import ErrorCode

from drill.kafka.messages import CONSUMER_GROUP_HEARTBEAT, HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP

GONE_AFTER_S: Final = 10.0
"""A group of which no member was heard for so long has none any more."""


class Membership:
    """The members that joined a group here.

    A member shows itself in the SyncGroup that follows its JoinGroup, or, in the newer protocol, in a heartbeat of
    epoch 0.
    """

    def __init__(self) -> None:
        self._members: set[tuple[str, str]] = set()
        self._heard: dict[str, float] = {}
        self._consumer_groups: set[str] = set()
        """Those of the newer protocol."""

    def wants(self, api_key: int) -> bool:
        """Whether a request must be looked at."""
        return api_key in (HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP, CONSUMER_GROUP_HEARTBEAT)

    def refusal_of(self, api_key: int, request: Any) -> ErrorCode | None:
        """What a member that never joined here is answered; None: it is a member, or a commit from outside a group."""
        group, member = str(request.group_id), (str(request.group_id), str(request.member_id))
        joins_consumer_group = api_key == CONSUMER_GROUP_HEARTBEAT and request.member_epoch == 0
        if joins_consumer_group:
            self._consumer_groups.add(group)
        if joins_consumer_group or api_key == SYNC_GROUP:
            self._members.add(member)
        elif api_key == CONSUMER_GROUP_HEARTBEAT and group not in self._consumer_groups:
            return ErrorCode.group_id_not_found
        elif member not in self._members and not _is_from_outside(api_key, request):
            return ErrorCode.unknown_member_id
        if request.member_id:
            self._heard[group] = time.monotonic()
        return None

    def active_groups(self) -> list[str]:
        """The groups whose members were heard of a moment ago."""
        now = time.monotonic()
        return sorted(group for group, at in self._heard.items() if now - at < GONE_AFTER_S)


def _is_from_outside(api_key: int, request: Any) -> bool:
    """Whether it is a commit as an admin client sends it: for a group that has no members."""
    return api_key == OFFSET_COMMIT and not request.member_id and request.generation_id_or_member_epoch < 0
