"""What a drill's commands let one choose."""

from __future__ import annotations

import enum
from typing import Final

import typer

from drill.loss import LossKind
from drill.scenarios import Scenario

OF_A_LOSS: Final = ("loss", "policy", "gateways", "leader_epochs", "functions", "more_clients", "plans")
"""Options of `run` that only a scenario knows in which a site is lost."""


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


def refuse_options_of_a_loss(context: typer.Context, scenario: str) -> None:
    """What a scenario does not know is no option of it.

    Raises:
        typer.BadParameter: one was given.
    """
    sources = {f"--{name.replace('_', '-')}": context.get_parameter_source(name) for name in OF_A_LOSS}
    refused = [option for option, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if refused:
        raise typer.BadParameter(f"{scenario} does not know {', '.join(refused)}: leave it out, or take region-loss")


def check_epochs(leader_epochs: LeaderEpochs, kafka: KafkaEngine) -> None:
    """Raises typer.BadParameter for epochs that the clusters can't have."""
    if leader_epochs is LeaderEpochs.LOWER and kafka is KafkaEngine.APACHE:
        raise typer.BadParameter("a real broker's leader epochs are its own: take --kafka mock")


def check_gateway(gateway: GatewayEngine, fleet: FleetKind) -> None:
    """Raises typer.BadParameter for gateways that a fleet can't be of."""
    if gateway is GatewayEngine.KROXYLICIOUS and fleet is FleetKind.CFK:
        raise typer.BadParameter("Kroxylicious changes no route in place, as Kubernetes' gateways do: take --fleet ecs")


def check_choice(fleet: FleetKind, gateways: Gateways, scenario: Scenario, *, in_containers: bool) -> None:
    """Raises typer.BadParameter for gateways that a scenario can't have."""
    if in_containers and fleet is FleetKind.CFK:
        raise typer.BadParameter("containers reach no Kubernetes cluster of the drill yet: take --fleet ecs")
    of_ecs_by_record = fleet is FleetKind.ECS and scenario.name_kind == "route53-record"
    if gateways is Gateways.NEAR_CLIENTS and not of_ecs_by_record:
        raise typer.BadParameter("gateways near the clients are ECS services of the drill, led to by latency")


def check_plans(plans: int, loss: LossKind, scenario: Scenario, *, in_containers: bool) -> None:
    """Raises typer.BadParameter for plans beside the drill's own that could not fail over."""
    if plans == 1:
        return
    if loss in (LossKind.CLUSTER, LossKind.HANG):
        raise typer.BadParameter("more plans are lost with their region: take --loss loud, silent or partition")
    if scenario.without or not scenario.watch:
        raise typer.BadParameter(f"more plans are seen by probes and led by records: {scenario.name} has none of one")
    if in_containers:
        raise typer.BadParameter("the functions of more plans run in the drill's own runtime alone")
