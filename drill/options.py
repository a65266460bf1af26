"""What a drill's commands let one choose."""

from __future__ import annotations

import enum


class KafkaEngine(enum.Enum):
    """What the clusters are: librdkafka's mock, or Apache Kafka."""

    MOCK = "mock"
    APACHE = "apache"


class SiteReturn(enum.Enum):
    """How a site is lost that returns."""

    SUSPENDED = "suspended"
    KILLED = "killed"


class GatewayEngine(enum.Enum):
    """What a gateway's container is: the stand-in, or Kroxylicious."""

    STAND_IN = "stand-in"
    KROXYLICIOUS = "kroxylicious"


class LeaderEpochs(enum.Enum):
    """What clients meet at the standby: the leader epochs that they know, or lower ones."""

    ALIKE = "alike"
    LOWER = "lower"


class FleetKind(enum.Enum):
    """The kinds of gateway fleet that a world can have."""

    ECS = "ecs"
    ECS_BLUE_GREEN = "ecs-blue-green"
    CFK = "cfk"


class Gateways(enum.Enum):
    """Where a world's gateways stand."""

    SITES = "sites"
    NEAR_CLIENTS = "near-clients"


class Resolver(enum.Enum):
    """Whose cache of names clients have."""

    HOST = "host"
    JVM = "jvm"


class HoldPolicy(enum.Enum):
    """How long a vote must have stood: by default, or as the fast policy has it."""

    BALANCED = "balanced"
    FAST = "fast"

    @property
    def fields(self) -> dict[str, int]:
        """What it says in the plan's policy."""
        return {} if self is HoldPolicy.BALANCED else {"hold_seconds": 1}


class Functions(enum.Enum):
    """Where the controller's functions run."""

    DRILL = "drill"
    SAM_LOCAL = "sam-local"


class Callers(enum.Enum):
    """Who calls a world beside its own processes."""

    THIS_MACHINE = "this-machine"
    SAM_LOCAL = "sam-local"


class Mode(enum.Enum):
    """What a plan's policy does when the active site is lost."""

    APPROVE = "approve"
    AUTOMATIC = "automatic"
    OBSERVE = "observe"


class MoreClients(enum.Enum):
    """Who works beside the two pairs that every drill has."""

    LIBRDKAFKA_2024 = "librdkafka-2024"
    KAFKA_PYTHON = "kafka-python"
    NEW_PROTOCOL = "new-protocol"
    TRANSACTIONAL = "transactional"
    NEWCOMER = "newcomer"
    JAVA = "java"
    ALL = "all"
