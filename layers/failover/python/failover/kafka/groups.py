"""Consumer groups over the Kafka protocol: of which protocol they are, whether anybody works in them, and making one
that a cluster does not know.

A member of the new protocol (KIP-848, `group.protocol=consumer`) that comes to a cluster without its group is answered
GROUP_ID_NOT_FOUND, which is fatal to it: its application must make a new client. So the group has to be there before.
It is made by one member that joins and leaves. Offsets that were committed for the group stay, and members of the old
protocol may join it as well (measured on Apache Kafka 4.4).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from confluent_kafka import Consumer, ConsumerGroupType, KafkaError, KafkaException
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.client import (
    LONGEST_S,
    Admin,
    Settings,
    failed,
    is_authorization,
    reporting,
    result,
    trouble,
    unauthorized,
)

_TELL_NOTHING: Final = {"UNKNOWN", "DEAD"}
Protocol = Literal["classic", "consumer"]
"""As `group.protocol` of a client has it."""
TIMEOUT_S: Final = 3.0
JOIN_S: Final = 3.0
_POLL_S: Final = 0.02
_PROTOCOLS: Final[dict[ConsumerGroupType, Protocol]] = {
    ConsumerGroupType.CLASSIC: "classic",
    ConsumerGroupType.CONSUMER: "consumer",
}


def group_protocols(chosen: Settings, groups: Collection[str]) -> dict[str, Protocol]:
    """The protocol of each of the groups; not of those that the cluster does not tell of. A cluster that can't tell any
    is older than the new protocol.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if a broker does not answer: each tells of its own groups.
    """
    admin, deadline, what = Admin(chosen), time.monotonic() + TIMEOUT_S + 0.5, "listed no consumer groups"
    listed: Any = result(admin, admin.client.list_consumer_groups(request_timeout=TIMEOUT_S), what, deadline)
    errors = [error.args[0] if isinstance(error, KafkaException) else error for error in listed.errors or ()]
    if errors and all(error.code() == KafkaError._UNSUPPORTED_FEATURE for error in errors):
        return dict.fromkeys(groups, "classic")
    if errors:
        raise failed(admin, what, errors[0])
    protocols = {group.group_id: _PROTOCOLS.get(group.type) for group in listed.valid or ()}
    return {group: protocol for group in groups if (protocol := protocols.get(group)) is not None}


def unreadable_groups(chosen: Settings, groups: Collection[str]) -> list[str]:
    """Those of the groups of which the cluster says that we may not READ them: who may not, can't join. A group that it
    does not tell of is not among them.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if it tells of none.
    """
    if not groups:
        return []
    admin, deadline, what = Admin(chosen), time.monotonic() + TIMEOUT_S + 0.5, "described no consumer groups"
    described = admin.client.describe_consumer_groups(
        list(groups), include_authorized_operations=True, request_timeout=LONGEST_S
    )
    refused, errors = list[str](), list[KafkaUnavailable]()
    for group, answer in described.items():
        try:
            operations = result(admin, answer, what, deadline).authorized_operations
        except KafkaUnauthorized:
            refused.append(group)
        except KafkaUnavailable as error:
            errors.append(error)
        else:
            if operations and not {AclOperation.READ, AclOperation.ALL} & set(operations):
                refused.append(group)
    if len(errors) == len(described):
        raise errors[0]
    return refused


@dataclass(frozen=True)
class GroupStates:
    """The states of groups, in the words of Confluent's REST API; and of the others, why theirs is not told."""

    states: Mapping[str, str]
    unknown: Mapping[str, str]


def group_states(chosen: Settings, groups: Collection[str]) -> GroupStates:
    """What the groups' coordinators say of them.

    A group that is said to be DEAD, or in no state that is known, is one whose state is not told: so is a group of
    another kind than consumer groups described, whoever works in it.
    """
    states, unknown = dict[str, str](), dict[str, str]()
    admin, deadline, what = Admin(chosen), time.monotonic() + TIMEOUT_S + 0.5, "described no such consumer group"
    for group, answer in admin.client.describe_consumer_groups(list(groups), request_timeout=LONGEST_S).items():
        try:
            state = str(result(admin, answer, what, deadline).state.name)
        except KafkaUnavailable as error:
            unknown[group] = str(error)
        else:
            if state in _TELL_NOTHING:
                unknown[group] = f"its coordinator says {state}"
            else:
                states[group] = state
    return GroupStates(states, unknown)


def create_group(chosen: Settings, group: str, topic: str, timeout: float = JOIN_S) -> None:
    """Make a group of the new protocol: one member joins it, is given partitions of the topic, and leaves. Nothing is
    committed.

    Raises:
        KafkaUnauthorized: at once, if the credentials are refused, or the group or the topic may not be read.
        KafkaUnavailable: if it has not joined within `timeout` seconds, or the cluster refuses it.
    """
    deadline, assigned, errors = time.monotonic() + timeout, [False], list[KafkaError]()
    what = f"let no member join group {group} by the new protocol"
    consumer = Consumer(
        {**chosen, "group.id": group, "group.protocol": "consumer", "enable.auto.commit": False, **reporting(errors)}
    )

    def joined(*_: object) -> None:
        assigned[0] = True

    try:
        consumer.subscribe([topic], on_assign=joined)
        while not assigned[0] and time.monotonic() < deadline:
            message = consumer.poll(_POLL_S)
            if message is not None and (error := message.error()) is not None:
                errors.append(error)
            for error in errors:
                if is_authorization(error):
                    raise unauthorized(what, error)
                if error.fatal():
                    raise KafkaUnavailable(f"Kafka at {chosen['bootstrap.servers']} {what}: {error}")
            if isinstance(refusal := trouble(chosen, errors, what), KafkaUnauthorized):
                raise refusal
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka at {chosen['bootstrap.servers']} {what}: {error.args[0]}") from error
    finally:
        consumer.close()
    if not assigned[0]:
        raise trouble(chosen, errors, f"{what} in time")
