"""What a run needs of this machine beside the drill itself: looked for before anything is started."""

from __future__ import annotations

from collections.abc import Sequence

from drill.clients.families import FamilyMissing
from drill.clients.pairs import PairSpec
from drill.engines import java_client, kroxylicious
from drill.engines.jars import jars
from drill.options import GatewayEngine, KafkaEngine
from drill.ports import HERE, Host
from drill.sam_local.build import check_build
from drill.sam_local.engine import host_for_containers


def prepare(kafka: KafkaEngine, gateway: GatewayEngine, pairs: Sequence[PairSpec], *, in_containers: bool) -> Host:
    """Have all that the choice takes. Where the world listens then.

    Raises:
        EngineMissing, FamilyMissing, NoEngine, NotBuilt: with what is missing.
    """
    if any(pair.family.of_java for pair in pairs):
        if kafka is not KafkaEngine.APACHE:
            raise FamilyMissing("Java's clients were tried with real brokers only: take --kafka apache beside them")
        java_client.prepare()
    for pair in pairs:
        pair.family.interpreter()
    if kafka is KafkaEngine.APACHE:
        jars("kafka")
    if gateway is GatewayEngine.KROXYLICIOUS:
        kroxylicious.prepare()
    if not in_containers:
        return HERE
    host = host_for_containers()
    check_build()
    return host
