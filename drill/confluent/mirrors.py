"""A cluster link and its mirror topics, as values.

States and their names are Confluent's (`MirrorTopicStatus`, `link_state` of the Kafka REST v3 spec). What is not
documented and had to be chosen is marked "our choice".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

Clock = Callable[[], float]
"""Seconds since the epoch."""

NO_ERROR = "NO_ERROR"


class Status(StrEnum):
    """`MirrorTopicStatus`."""

    PENDING_MIRROR = "PENDING_MIRROR"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    LINK_PAUSED = "LINK_PAUSED"
    LINK_FAILED = "LINK_FAILED"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    FAILED = "FAILED"
    PENDING_SYNCHRONIZE = "PENDING_SYNCHRONIZE"
    PENDING_STOPPED = "PENDING_STOPPED"
    STOPPED = "STOPPED"
    PENDING_SETUP_FOR_RESTORE = "PENDING_SETUP_FOR_RESTORE"
    PENDING_RESTORE = "PENDING_RESTORE"


class LinkState(StrEnum):
    """`link_state`."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    UNAVAILABLE = "UNAVAILABLE"
    FAILED = "FAILED"


class Verb(StrEnum):
    """What can be asked of a mirror topic: the `mirrors:<verb>` of the API."""

    FAILOVER = "failover"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    REVERSE_AND_START = "reverse-and-start-mirror"
    REVERSE_AND_PAUSE = "reverse-and-pause-mirror"
    TRUNCATE_AND_RESTORE = "truncate-and-restore"

    @property
    def reverses(self) -> bool:
        """Whether the source becomes the mirror."""
        return self in (Verb.REVERSE_AND_START, Verb.REVERSE_AND_PAUSE)


@dataclass(frozen=True)
class TransitionError:
    """One row of `mirror_state_transition_errors`, or of a link task's `errors`."""

    code: str
    message: str


@dataclass(frozen=True)
class Partition:
    """One partition of a mirror. Offsets; `source_high_watermark` is the last one seen, None if none was."""

    log_end: int = 0
    source_high_watermark: int | None = None
    fetched: bool = False

    @property
    def behind(self) -> int | None:
        """Records the mirror trails the source by, as of the last look at it; None if it was never seen."""
        return None if self.source_high_watermark is None else max(0, self.source_high_watermark - self.log_end)

    @property
    def lag(self) -> int:
        """`lag` as Confluent Cloud gives it: 0 also for a partition that was never fetched."""
        return (self.behind or 0) if self.fetched else 0

    @property
    def last_source_fetch_offset(self) -> int:
        """Everything before this offset has been replicated; -1: nothing was fetched since the leader started."""
        return self.log_end if self.fetched else -1


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """A mirror on its way to STOPPED: which verb sent it there, when, and not before when it may arrive. `fenced`: when
    the source refused writes, so that it can become the mirror."""

    verb: Verb
    requested: float
    due: float
    errors: tuple[TransitionError, ...] = ()
    fenced: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A mirror topic. `since`: when it came into its state; `ahead`: the states it goes on to by itself. One that is
    not `wired` has no data to be copied: its offsets are made up."""

    topic: str
    partitions: tuple[Partition, ...]
    since: float
    status: Status = Status.ACTIVE
    error: str = NO_ERROR
    stopping: Stopping | None = None
    wired: bool = True
    ahead: tuple[Status, ...] = ()

    @property
    def is_copied(self) -> bool:
        """Whether records are being copied to it. A promote goes on copying, a failover stops at once."""
        if self.stopping is not None:
            return self.stopping.verb is not Verb.FAILOVER
        return self.status in (Status.ACTIVE, Status.SOURCE_UNAVAILABLE)

    @property
    def writable(self) -> bool:
        return self.status is Status.STOPPED

    def to(self, status: Status, now: float, **changes: object) -> Mirror:
        """The same mirror in another state."""
        return replace(self, status=status, since=now, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Durations in seconds. Confluent documents five minutes for the link; for mirrors no figure is published. `step`:
    how long a mirror is in each state that it passes through by itself."""

    stop_delay: float = 0.5
    step: float = 0.2
    stop_delay_of: Mapping[str, float] = field(default_factory=dict)
    source_unavailable_after: float = 60.0
    link_unavailable_after: float = 300.0

    def delay(self, topic: str) -> float:
        return self.stop_delay_of.get(topic, self.stop_delay)


@dataclass(frozen=True)
class Unverified:
    """What nobody has seen a real cluster do, so that both ways must be expected.

    `promote_refused`: a promote while the source is lost, which else is accepted and stays pending.
    `escalation_refused`: a failover of a mirror that is PENDING_STOPPED already, which else takes over.
    """

    promote_refused: bool = False
    escalation_refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Link:
    """A cluster link as its destination sees it.

    `prefix`: what a mirror's name has before its source's. `error`: a `link_error` that the link failed with. `stuck`
    are topics that the drill keeps from ever being STOPPED, and why; `pending` those on their way to another state.
    """

    name: str
    mirrors: Mapping[str, Mirror]
    timings: Timings = Timings()
    unverified: Unverified = Unverified()
    last_reached: float | None = None
    unreached_since: float | None = None
    prefix: str = ""
    paused: bool = False
    error: str = NO_ERROR
    stuck: Mapping[str, TransitionError] = field(default_factory=dict)
    pending: frozenset[str] = frozenset()

    def state(self, now: float) -> LinkState:
        """`link_state`: it turns UNAVAILABLE long after the source was lost, so it is no liveness probe."""
        if self.error != NO_ERROR:
            return LinkState.FAILED
        if self.paused:
            return LinkState.PAUSED
        lost = self.unreached_since is not None and now - self.unreached_since >= self.timings.link_unavailable_after
        return LinkState.UNAVAILABLE if lost else LinkState.ACTIVE

    def read_only(self) -> frozenset[str]:
        """Topics on the wire that refuse writes: every mirror that is not STOPPED."""
        return frozenset(topic for topic, mirror in self.mirrors.items() if mirror.wired and not mirror.writable)

    def copied(self) -> tuple[Mirror, ...]:
        """The mirrors that records are being copied to."""
        if self.paused or self.error != NO_ERROR:
            return ()
        return tuple(mirror for mirror in self.mirrors.values() if mirror.is_copied)

    def source_of(self, topic: str) -> str:
        """The name that a mirror topic has on the source."""
        return topic.removeprefix(self.prefix)

    def put(self, *mirrors: Mirror) -> Link:
        """The link with these mirrors in place of those of the same name."""
        if not mirrors:
            return self
        put = {mirror.topic: mirror for mirror in mirrors}
        pending = {topic for topic, mirror in put.items() if mirror.stopping or mirror.ahead}
        return replace(self, mirrors={**self.mirrors, **put}, pending=(self.pending - put.keys()) | pending)


@dataclass(frozen=True)
class Cut:
    """Where a partition is truncated, and how many offsets that cuts off."""

    partition: int
    to: int
    messages: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a verb answers for one topic; `code` None: accepted (which is not done). `mirror` None: there is none.
    `cuts`: what a restore truncates, None where that is not told."""

    topic: str
    mirror: Mirror | None
    code: int | None = None
    message: str | None = None
    cuts: tuple[Cut, ...] | None = None
