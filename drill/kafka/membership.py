"""Group members a cluster really has: what a real broker would tell a member of another cluster's group.

librdkafka's mock accepts the commit of a member it never saw, and answers its heartbeat with an error that clients
ignore. A broker answers both with UNKNOWN_MEMBER_ID, so that the client rejoins and starts from the offsets committed
here (https://kafka.apache.org/protocol#protocol_error_codes).
"""

from __future__ import annotations

from typing import Any

from drill.kafka.messages import CONSUMER_GROUP_HEARTBEAT, HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP


class Membership:
    """The members that joined a group here.

    A member shows itself in the SyncGroup that follows its JoinGroup, or, in the newer protocol (KIP-848), in a
    heartbeat of epoch 0.
    """

    def __init__(self) -> None:
        self._members: set[tuple[str, str]] = set()

    def wants(self, api_key: int) -> bool:
        """Whether a request must be looked at."""
        return api_key in (HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP, CONSUMER_GROUP_HEARTBEAT)

    def is_stranger(self, api_key: int, request: Any) -> bool:
        """Whether the request comes from a member that never joined here; a commit from outside a group does not."""
        member = (str(request.group_id), str(request.member_id))
        if api_key == SYNC_GROUP or (api_key == CONSUMER_GROUP_HEARTBEAT and request.member_epoch == 0):
            self._members.add(member)
            return False
        return bool(request.member_id) and member not in self._members
