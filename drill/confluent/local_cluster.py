"""What the REST API knows of its own cluster: topics, log ends and groups over the Kafka protocol, and what it keeps
itself because the mock cluster has no such thing (topics of the API only, topic configurations, states of groups)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]

from drill.confluent.groups import GroupAdmin, NoAnswer
from drill.confluent.kafka_topics import REPLICATION_FACTOR, delete_topic, ensure_topics, grow_topic
from drill.confluent.replication import Spot, end_offsets

_INACTIVE = frozenset({"EMPTY", "DEAD", "UNKNOWN"})


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic of the cluster. `log_ends` is told of one that exists in the API only."""

    name: str
    partitions: int
    replication_factor: int = REPLICATION_FACTOR
    log_ends: tuple[int, ...] = ()

    @property
    def is_internal(self) -> bool:
        return self.name.startswith("__")


@dataclass(frozen=True)
class Group:
    """A consumer group, by the spec's words for its state."""

    name: str
    state: str


@dataclass(frozen=True)
class GroupLag:
    """A group's committed offset in a partition, beside its log end. The lag is negative if the offset is beyond it."""

    spot: Spot
    current_offset: int
    log_end_offset: int


@dataclass(kw_only=True)
class Overlay:
    """What the API has that the brokers do not.

    `made_up` topics exist in the API only; `states` are those of groups that the drill says are so, whatever the
    brokers say.
    """

    made_up: dict[str, Topic] = field(default_factory=dict)
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)


class LocalCluster:
    """Blocking reads. May be used by several threads. With no `admin` there are no brokers.

    Every method raises `KafkaException` if the brokers do not answer. `dedicated`: the type of cluster that serves lags
    of groups; `with_members` tells the groups that have members, where the brokers themselves can't; `reachable` false
    cuts the API off from its brokers, which serve their clients all the same.
    """

    def __init__(
        self,
        admin: AdminClient | None,
        groups: Iterable[str] = (),
        timeout_s: float = 3.0,
        *,
        group_admin: GroupAdmin | None = None,
        with_members: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._admin = admin
        self._group_admin = group_admin
        self._timeout_s = timeout_s
        self._with_members = with_members
        self._lock = threading.Lock()
        self._overlay = Overlay(groups=set(groups))
        self.dedicated = True
        self.reachable = True

    def topics(self) -> list[Topic]:
        """Every topic, by name."""
        admin = self._brokers()
        on_brokers = admin.list_topics(timeout=self._timeout_s).topics if admin is not None else {}
        with self._lock:
            topics = {name: _topic(name, row) for name, row in on_brokers.items()} | self._overlay.made_up
        return [topics[name] for name in sorted(topics)]

    def topic(self, name: str) -> Topic | None:
        """One topic; None if there is none."""
        return next((topic for topic in self.topics() if topic.name == name), None)

    def make_up(self, topics: Iterable[Topic]) -> None:
        """From now on these exist, in the API only."""
        with self._lock:
            self._overlay.made_up |= {topic.name: topic for topic in topics}

    def is_made_up(self, name: str) -> bool:
        """Whether a topic exists in the API only."""
        return name in self._overlay.made_up

    def create(self, name: str, partitions: int, configs: Mapping[str, str]) -> Topic:
        """A new topic; the mock cluster gives it as many partitions as every other.

        Raises:
            TopicNotCreated
        """
        admin = self._brokers()
        if admin is None:
            self.make_up([Topic(name=name, partitions=partitions, log_ends=(0,) * partitions)])
        else:
            ensure_topics(admin, {name: partitions})
        self.configure_topic(name, configs)
        created = self.topic(name)
        assert created is not None
        return created

    def delete(self, name: str) -> None:
        """Delete a topic.

        Raises:
            NotSupported: by the mock cluster.
        """
        admin = self._brokers()
        if admin is not None and not self.is_made_up(name):
            delete_topic(admin, name)
        with self._lock:
            self._overlay.made_up.pop(name, None)
            self._overlay.configs.pop(name, None)

    def grow(self, topic: Topic, partitions: int) -> None:
        """Give a topic more partitions.

        Raises:
            NotSupported: by the mock cluster.
        """
        admin = self._brokers()
        if admin is not None and not self.is_made_up(topic.name):
            grow_topic(admin, topic.name, partitions)
            return
        ends = topic.log_ends + (0,) * (partitions - topic.partitions)
        self.make_up([replace(topic, partitions=partitions, log_ends=ends)])

    def log_ends(self, topics: Iterable[str]) -> dict[str, list[int]]:
        """Where the partitions of these topics end; without those that are not known."""
        admin, ends_by_topic = self._brokers(), dict[str, list[int]]()
        on_wire: list[Topic] = []
        names = set(topics)
        for topic in (present for present in self.topics() if present.name in names):
            if not self.is_made_up(topic.name):
                on_wire.append(topic)
            elif topic.log_ends:
                ends_by_topic[topic.name] = list(topic.log_ends)
        if admin is not None:
            spots = [Spot(topic.name, number) for topic in on_wire for number in range(topic.partitions)]
            ends = end_offsets(admin, spots, self._timeout_s, lambda: False)
            for topic in on_wire:
                rows = [ends.get(Spot(topic.name, number)) for number in range(topic.partitions)]
                if None not in rows:
                    ends_by_topic[topic.name] = [row for row in rows if row is not None]
        return ends_by_topic

    def topic_configs(self, name: str) -> dict[str, str]:
        """What is not the default in a topic's configuration."""
        with self._lock:
            return dict(self._overlay.configs.get(name, {}))

    def configure_topic(self, name: str, configs: Mapping[str, str]) -> None:
        """Set a topic's configuration; what is not named gets its default."""
        with self._lock:
            self._overlay.configs[name] = dict(configs)

    def group_lags(self, group: str) -> list[GroupLag]:
        """A row for every partition the group has committed an offset for, active or not."""
        admin = self._brokers()
        if admin is None:
            return []
        made_up = self._overlay.made_up
        spots = [
            Spot(topic.name, number)
            for topic in self.topics()
            if topic.name not in made_up
            for number in range(topic.partitions)
        ]
        groups = self._group_admin
        offsets = groups.committed(group, spots, self._timeout_s) if groups is not None else {}
        ends = end_offsets(admin, list(offsets), self._timeout_s, lambda: False)
        return [GroupLag(spot, offset, ends[spot]) for spot, offset in sorted(offsets.items()) if spot in ends]

    def know_groups(self, groups: Iterable[str]) -> None:
        """Groups there may be: librdkafka's mock cluster can't list its own."""
        with self._lock:
            self._overlay.groups |= set(groups)

    def candidates(self) -> list[str]:
        """The names of groups there may be, here or at the source of a link."""
        with self._lock:
            return sorted(self._overlay.groups | self._overlay.states.keys())

    def group_names(self) -> list[str]:
        """The names of all groups there may be."""
        self._brokers()
        names = self._group_admin.listed(self._timeout_s) if self._group_admin is not None else set()
        with self._lock:
            return sorted(names | self._overlay.groups | self._overlay.states.keys())

    def groups(self) -> list[Group]:
        """The groups that are active or have committed offsets, or whose state the drill has set."""
        listed = (Group(name, self.group_state(name)) for name in self.group_names())
        return [g for g in listed if g.state == "STABLE" or g.name in self._overlay.states or self.group_lags(g.name)]

    def group_state(self, name: str) -> str:
        """STABLE for a group with members, EMPTY for one without."""
        self._brokers()
        forced = self._overlay.states.get(name)
        if forced is not None or self._group_admin is None:
            return forced or "EMPTY"
        if self._with_members is not None:
            return "STABLE" if name in self._with_members() else "EMPTY"
        try:
            return self._group_admin.state_of(name, self._timeout_s)
        except NoAnswer as error:
            raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT, str(error))) from error

    def set_group_states(self, states: Mapping[str, str | None]) -> None:
        """Say what state groups are in; None: as the brokers say."""
        with self._lock:
            self._overlay.states |= {name: state for name, state in states.items() if state is not None}
            for name in (name for name, state in states.items() if state is None):
                self._overlay.states.pop(name, None)

    def forced_active(self, groups: Collection[str]) -> list[str]:
        """Which of these groups have members because the drill says so."""
        return [group for group in groups if self._overlay.states.get(group, "EMPTY") not in _INACTIVE]

    def active(self, groups: Collection[str]) -> list[str]:
        """Which of these groups have members."""
        return [group for group in groups if self.group_state(group) not in _INACTIVE]

    def _brokers(self) -> AdminClient | None:
        if not self.reachable:
            raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))
        return self._admin


def _topic(name: str, metadata: TopicMetadata) -> Topic:
    replicas = max((len(partition.replicas) for partition in metadata.partitions.values()), default=1)
    return Topic(name=name, partitions=len(metadata.partitions), replication_factor=replicas)
