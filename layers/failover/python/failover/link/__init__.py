"""The ports to Cluster Linking: the mirrors of a link and what can be done with them, and the cluster they are on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import httpx

ACTIVE: Final = "ACTIVE"
STOPPED: Final = "STOPPED"
PENDING_STOPPED: Final = "PENDING_STOPPED"

NO_CODE: Final = 0
"""The code of a rejection that the answer gave none for."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far one partition trails, in records; None where the standby never fetched it since its leader started.

    `fetched_to`: everything before this offset has been replicated; None if unknown. It says that a fetch took place
    if it advanced; with `records` above zero no arithmetic holds between the two.
    """

    partition: int
    records: int | None
    fetched_to: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far the mirrors trail, as the standby last saw it. It freezes when the source is gone, and is not a loss."""

    mirrors: int
    partitions: int
    unknown_partitions: int
    """Never fetched since their leader started (last_source_fetch_offset -1)."""
    records: int
    """Of the partitions that are known."""
    largest: int

    @property
    def total_records(self) -> int | None:
        """Of all partitions; None if one is unknown: a part is not the whole."""
        return None if self.unknown_partitions else self.records


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A mirror topic."""

    topic: str
    status: str
    """Confluent's word, known or not; only STOPPED is writable."""
    lags: tuple[PartitionLag, ...] = ()
    error: str | None = None
    source_topic: str | None = None
    transition_errors: tuple[str, ...] = ()
    """Told of a mirror that is asked for by itself only."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one mirror of a call was not accepted. `code` is HTTP-like, of three or five digits, or NO_CODE."""

    topic: str
    code: int
    message: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.code} {self.message}"

    @property
    def may_pass(self) -> bool:
        """Whether asking again may be answered otherwise."""
        return self.code == NO_CODE or str(self.code)[:3] in ("408", "429") or str(self.code)[:1] == "5"


@dataclass(frozen=True, slots=True)
class Task:
    """A background task of a link: ConsumerOffsetSync, AclSync, TopicConfigsSync, AutoCreateMirror."""

    name: str
    state: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """A link's own row."""

    name: str
    state: str | None
    """It turns bad minutes after the source is lost: no liveness probe."""
    error: str | None
    """None: there is none."""
    remote_cluster_id: str | None
    tasks: tuple[Task, ...] = ()
    id: str | None = None
    """The same on both sides of a bidirectional link; None where it is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """What restoring one mirror cuts off, or would cut off: offsets, control records and compacted ones included."""

    topic: str
    messages: int | None
    partitions: tuple[tuple[int, int, int], ...] = ()
    """Number, the offset it is cut at, and how many are cut off; -1 where that is not told."""
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a cluster."""

    name: str
    partitions: int
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group. `state` is Kafka's word: STABLE and EMPTY are the common ones."""

    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOffset:
    """What a group has committed for a partition, and where that partition ends."""

    topic: str
    partition: int
    committed: int
    log_end: int


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Acl:
    """One ACL binding, as both clusters must have it."""

    resource_type: str
    resource_name: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str


class MirrorLink(Protocol):
    """A cluster link, seen from the cluster that holds the mirrors.

    Every method raises `LinkUnavailable` if repeating may help and `LinkRejected` (`LinkNotFound`) if not; one that
    changes something raises `LinkUncertain` if it may have been carried out: look before asking again. All raise
    `CredentialsMissing` and `ServiceUnavailable` where the secret can't be read. A verb's call answers the mirrors that
    were not accepted, or not known to be; accepted is not done.
    """

    name: str

    def facts(self) -> LinkFacts:
        """Its state, error and tasks."""

    def configs(self) -> dict[str, str | None]:
        """Its configuration, by Confluent's keys; None where a value is not told."""

    def set_config(self, name: str, value: str) -> None:
        """Set one key of its configuration."""

    def unset_config(self, name: str) -> None:
        """Put one key back to its default. Putting back a toggle clears its filters."""

    def mirrors(self, status: str | None = None) -> list[Mirror]:
        """Every mirror under the link, in any state, or in that one; those that were STOPPED stay listed."""

    def mirror(self, topic: str) -> Mirror:
        """One mirror, with the errors that keep it from its next state."""

    def create_mirror(self, topic: str) -> None:
        """Ask for a topic of the source to be mirrored under its own name, which must be free here."""

    def fail_over(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for these mirrors to be made writable without waiting for the source."""

    def promote(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for these mirrors to be made writable once they have caught up; needs the source."""

    def reverse_and_start(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for source and mirror to change places without loss; needs both, and a bidirectional link."""

    def reverse_and_pause(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """As `reverse_and_start`, but the new mirrors are left paused."""

    def pause(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for these mirrors to fetch no more."""

    def resume(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for paused mirrors to fetch again."""

    def truncate_and_restore(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Truncation]:
        """Ask for topics of the returned site to become mirrors of the active one; what they hold beyond is cut off."""


class ClusterRest(Protocol):
    """A Kafka cluster over its REST API. Errors as of `MirrorLink`."""

    def answers(self) -> str:
        """The id of the cluster that answers."""

    async def look(self, client: httpx.AsyncClient) -> str:
        """The same on an event loop, over a pool of connections for as many clusters as are looked at."""

    def topics(self) -> list[Topic]:
        """Every topic."""

    def delete_topic(self, topic: str) -> None:
        """Delete a topic and all that it holds; one that is not there raises `LinkNotFound`."""

    def groups(self) -> list[Group]:
        """Every consumer group."""

    def group_offsets(self, group: str) -> list[GroupOffset] | None:
        """The group's committed offsets beside the log ends; None where this cluster does not tell them over REST
        (only Dedicated ones do) or the group has none."""

    def acls(self) -> frozenset[Acl]:
        """Every ACL binding."""

    def links(self) -> list[LinkFacts]:
        """Every cluster link that ends or begins here, without tasks."""

    def create_link(
        self,
        name: str,
        remote_cluster_id: str,
        configs: Mapping[str, str],
        *,
        link_id: str | None = None,
        validate_only: bool = False,
    ) -> None:
        """Make a link to another cluster. `link_id`: that of the other side, of a bidirectional one."""


def trailing(mirrors: Iterable[Mirror]) -> Lag:
    """How far mirrors trail altogether."""
    mirrors = list(mirrors)
    lags = [lag for mirror in mirrors for lag in mirror.lags]
    records = [lag.records for lag in lags if lag.records is not None]
    return Lag(
        mirrors=len(mirrors),
        partitions=len(lags),
        unknown_partitions=len(lags) - len(records),
        records=sum(records),
        largest=max(records, default=0),
    )


def is_bidirectional(link: MirrorLink) -> bool:
    """Whether its mirrors can be reversed
    (https://docs.confluent.io/cloud/current/multi-cloud/cluster-linking/cluster-links-cc.html)."""
    return link.configs().get("link.mode") == "BIDIRECTIONAL"


def by_status(mirrors: Iterable[Mirror]) -> dict[str, int]:
    """How many mirrors are in each state."""
    return dict(sorted(Counter(mirror.status for mirror in mirrors).items()))


def prefixed(mirrors: Iterable[Mirror]) -> int:
    """How many mirrors are named otherwise than their source topic: clients would not find those."""
    return sum(mirror.source_topic not in (None, mirror.topic) for mirror in mirrors)
