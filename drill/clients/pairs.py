"""Two pairs of the users' services, a writer and a reader each, that run side by side: with the settings recommended
for a failover, and with the library's defaults. Each has topics and a group of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from drill import fixture_plan
from drill.clients.families import LIBRDKAFKA, Family
from drill.clients.live import LiveTraffic
from drill.clients.producer import Settings
from drill.clients.read_log import ClusterLog, ClusterUnreadable, read_cluster
from drill.clients.record_log import ConsumerLog, ProducerLog, consumer_log, producer_log
from drill.clients.stop import finish
from drill.pair_accounts import PairLogs
from drill.process import Child
from drill.world import World

CAUGHT_UP_S: Final = 10.0
SettingsName = Literal["recommended", "default"]


@dataclass(frozen=True, kw_only=True)
class PairSpec:
    """A pair, before it runs. The settings are those that differ from the library's defaults."""

    family: Family = LIBRDKAFKA
    settings: SettingsName
    topics: tuple[str, ...]
    group: str
    rate: float
    """Records a second that its writer sends."""
    first_number: int
    """Its first record's."""
    suffix: str
    """Of the names of its logs."""
    writer: Settings = field(default_factory=dict)
    reader: Settings = field(default_factory=dict)
    newcomer: bool = False
    """Whether it begins when the failover is over."""
    mirrored: bool = True
    """Whether its topics are mirrored. The drill's link keeps no markers of transactions: topics with such are made on
    both clusters, and what is on the lost one is not looked for on the other."""


_GIVE_UP_EARLY: Final[Settings] = {
    "socket.timeout.ms": 8000,
    "socket.connection.setup.timeout.ms": 3000,
    "reconnect.backoff.max.ms": 1000,
}
"""A request that a dead connection swallowed is given up after this time; by default after a minute."""
RECOMMENDED: Final = PairSpec(
    settings="recommended",
    topics=fixture_plan.TOPICS,
    group=fixture_plan.GROUP,
    rate=500.0,
    first_number=0,
    suffix="",
    writer={**_GIVE_UP_EARLY, "request.timeout.ms": 6000, "enable.idempotence": True},
    reader={**_GIVE_UP_EARLY, "auto.commit.interval.ms": 1000},
)
DEFAULT: Final = PairSpec(
    settings="default",
    topics=fixture_plan.OTHER_TOPICS,
    group=fixture_plan.OTHER_GROUP,
    rate=50.0,
    first_number=1_000_000_000,
    suffix="-default",
    writer={"enable.idempotence": False},
    reader={"auto.commit.interval.ms": 5000},
)
SPECS: Final = (RECOMMENDED, DEFAULT)
TOPICS: Final = tuple(topic for spec in SPECS for topic in spec.topics)
GROUPS: Final = tuple(spec.group for spec in SPECS)


@dataclass
class Pair:
    """A pair that runs, and its logs."""

    spec: PairSpec
    logs: Path
    traffic: LiveTraffic = field(init=False)

    def __post_init__(self) -> None:
        self._producer_log = self.logs / f"producer{self.spec.suffix}.log"
        self._consumer_log = self.logs / f"consumer{self.spec.suffix}.log"
        self.traffic = LiveTraffic(producer_log=self._producer_log, consumer_log=self._consumer_log)
        self.began_at: float | None = None

    def start(self, world: World) -> None:
        """Start both; they end with the world."""
        self.start_writing(world)
        self.start_reading(world)

    def start_writing(self, world: World) -> None:
        """Start the writer, which makes its topics."""
        self.began_at = time.time()
        config = self._common(world, self._producer_log, self.spec.writer) | {
            "partitions": fixture_plan.PARTITIONS,
            "rate": self.spec.rate,
            "first_number": self.spec.first_number,
        }
        name, python = f"producer{self.spec.suffix}-process", self.spec.family.interpreter()
        self._producer = world.spawn(self.spec.family.writer, config, name, python=python)

    def start_reading(self, world: World) -> None:
        """Start the reader. One that looks for a topic which is not there yet may look again after minutes only."""
        config = self._common(world, self._consumer_log, self.spec.reader) | {"group": self.spec.group}
        name, python = f"consumer{self.spec.suffix}-process", self.spec.family.interpreter()
        self._consumer = world.spawn(self.spec.family.reader, config, name, python=python)

    def _common(self, world: World, log: Path, settings: Settings) -> dict[str, Any]:
        topics = list(self.spec.topics)
        return {"bootstrap": world.client_bootstrap, "topics": topics, "log": str(log), "settings": settings}

    @property
    def children(self) -> tuple[Child, Child]:
        """The writer and the reader."""
        return self._producer, self._consumer

    @property
    def name(self) -> str:
        """What tells it from the others: its settings, and its library where that is not the drill's own."""
        family = self.spec.family
        return f"{family.name} {self.version} " * (family is not LIBRDKAFKA) + self.spec.settings

    @property
    def version(self) -> str:
        """Its library's."""
        return str(self._producer.ready["version"])

    @property
    def settings(self) -> dict[str, Settings]:
        """What differs from the library's defaults, by role."""
        return {role: child.ready["settings"] for role, child in zip(("writer", "reader"), self.children, strict=True)}

    def finish_writing(self) -> None:
        """Let the writer end, and its log be complete."""
        finish(self._producer)

    def finish_reading(self) -> None:
        """Let the reader end, and its log be complete."""
        finish(self._consumer)

    def received_bytes(self) -> int:
        """How long the reader's log is by now."""
        return self._consumer_log.stat().st_size

    def written(self) -> ProducerLog:
        """The writer's whole log."""
        return producer_log(self._producer_log)

    def read(self) -> ConsumerLog:
        """The reader's whole log."""
        return consumer_log(self._consumer_log)

    def read_logs(self) -> PairLogs:
        """All that both wrote down."""
        spec = self.spec
        return PairLogs(
            family=spec.family.name,
            version=self.version,
            settings=spec.settings,
            topics=spec.topics,
            written=self.written(),
            read=self.read(),
            began_at=self.began_at if spec.newcomer else None,
            mirrored=spec.mirrored,
        )


def await_consumption(pairs: Sequence[Pair]) -> None:
    """Until the readers have nothing more to read: no record for a second."""
    deadline = time.time() + CAUGHT_UP_S
    size = -1
    while time.time() < deadline and size != (size := sum(pair.received_bytes() for pair in pairs)):
        time.sleep(1.0)


def read_topics(world: World, site: str, topics: Sequence[str] = TOPICS, *, checked: bool = True) -> ClusterLog | None:
    """All that the pairs' topics hold at a site; None if it can't be read. `checked`: as `read_cluster` has it."""
    try:
        return read_cluster(world.cluster(site)["raw_bootstrap"], topics, checked=checked)
    except ClusterUnreadable:
        return None
