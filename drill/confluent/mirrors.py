"""The state machine of a cluster link and its mirror topics. Pure: a transition takes a link and gives the next one.

States and their names are Confluent's (`MirrorTopicStatus`, `link_state` of the Kafka REST v3 spec). What is not
documented and had to be chosen is marked "our choice".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

Clock = Callable[[], float]
"""Seconds since the epoch."""

NO_ERROR = "NO_ERROR"


class Status(StrEnum):
    """The states of `MirrorTopicStatus` that the stand-in can reach."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    LINK_PAUSED = "LINK_PAUSED"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    FAILED = "FAILED"
    PENDING_STOPPED = "PENDING_STOPPED"
    STOPPED = "STOPPED"


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


ALLOWED: Mapping[Verb, frozenset[Status]] = MappingProxyType(
    {
        # Failover always completes: from everything that is not stopped (also from PENDING_STOPPED: our choice, it is
        # how a stuck promote is escalated).
        Verb.FAILOVER: frozenset(Status) - {Status.STOPPED},
        # A promote with the source down is accepted and stays PENDING_STOPPED (our choice of the two possible).
        Verb.PROMOTE: frozenset({Status.ACTIVE, Status.PAUSED, Status.SOURCE_UNAVAILABLE, Status.PENDING_STOPPED}),
        Verb.PAUSE: frozenset({Status.ACTIVE, Status.SOURCE_UNAVAILABLE, Status.PAUSED}),
        Verb.RESUME: frozenset({Status.PAUSED}),
    }
)


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


@dataclass(frozen=True)
class Stopping:
    """A mirror on its way to STOPPED: which verb sent it there, when, and not before when it may arrive."""

    verb: Verb
    asked: float
    due: float
    errors: tuple[TransitionError, ...] = ()


@dataclass(frozen=True)
class Mirror:
    """A mirror topic. `since`: when it came into its state. One that is not `wired` exists in the API only: there is no
    such topic on the wire, and its offsets are made up."""

    topic: str
    partitions: tuple[Partition, ...]
    since: float
    status: Status = Status.ACTIVE
    error: str = NO_ERROR
    stopping: Stopping | None = None
    wired: bool = True

    @property
    def writable(self) -> bool:
        return self.status is Status.STOPPED

    def to(self, status: Status, now: float, **changes: object) -> Mirror:
        """The same mirror in another state."""
        return replace(self, status=status, since=now, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Timings:
    """Durations in seconds. Confluent documents five minutes for the link; for mirrors no figure is published."""

    stop_delay: float = 0.5
    stop_delay_of: Mapping[str, float] = field(default_factory=dict)
    source_unavailable_after: float = 60.0
    link_unavailable_after: float = 300.0

    def delay(self, topic: str) -> float:
        return self.stop_delay_of.get(topic, self.stop_delay)


@dataclass(frozen=True)
class Link:
    """A cluster link as its destination sees it. `stuck` are topics that the drill keeps from ever being STOPPED;
    `pending` those that are on their way there."""

    name: str
    mirrors: Mapping[str, Mirror]
    timings: Timings = Timings()
    last_reached: float | None = None
    unreached_since: float | None = None
    paused: bool = False
    stuck: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()

    def state(self, now: float) -> LinkState:
        """`link_state`: it turns UNAVAILABLE long after the source was lost, so it is no liveness probe."""
        if self.paused:
            return LinkState.PAUSED
        lost = self.unreached_since is not None and now - self.unreached_since >= self.timings.link_unavailable_after
        return LinkState.UNAVAILABLE if lost else LinkState.ACTIVE

    def read_only(self) -> frozenset[str]:
        """Topics on the wire that refuse writes: every mirror that is not STOPPED."""
        return frozenset(topic for topic, mirror in self.mirrors.items() if mirror.wired and not mirror.writable)

    def copied(self) -> tuple[Mirror, ...]:
        """The mirrors that records are being copied to. A promote goes on copying, a failover stops at once."""
        if self.paused:
            return ()
        return tuple(mirror for mirror in self.mirrors.values() if _is_copied(mirror))

    def put(self, *mirrors: Mirror) -> Link:
        """The link with these mirrors in place of those of the same name."""
        if not mirrors:
            return self
        put = {mirror.topic: mirror for mirror in mirrors}
        pending = {topic for topic, mirror in put.items() if mirror.stopping is not None}
        return replace(self, mirrors={**self.mirrors, **put}, pending=(self.pending - put.keys()) | pending)


@dataclass(frozen=True)
class Row:
    """What a verb answers for one topic; `code` None: accepted (which is not done). `mirror` None: there is none."""

    topic: str
    mirror: Mirror | None
    code: int | None = None
    message: str | None = None


def _is_copied(mirror: Mirror) -> bool:
    if mirror.status is Status.PENDING_STOPPED:
        return mirror.stopping is not None and mirror.stopping.verb is Verb.PROMOTE
    return mirror.status in (Status.ACTIVE, Status.SOURCE_UNAVAILABLE)


def alter(link: Link, verb: Verb, topics: Iterable[str], now: float) -> tuple[Link, tuple[Row, ...]]:
    """Ask `verb` of each topic. Rows stand in the order asked; refused topics are left as they were."""
    rows = [_altered(link, verb, topic, now) for topic in dict.fromkeys(topics)]
    return link.put(*(row.mirror for row in rows if row.code is None and row.mirror is not None)), tuple(rows)


def _altered(link: Link, verb: Verb, topic: str, now: float) -> Row:
    mirror = link.mirrors.get(topic)
    if mirror is None:
        # Code and text are our choice: neither is documented.
        return Row(topic, None, 404, f"Topic '{topic}' is not a mirror topic of cluster link '{link.name}'")
    if mirror.status is Status.STOPPED:
        return Row(topic, mirror, 400, f"Topic '{topic}' has already stopped its mirror from '{link.name}'")
    if mirror.status not in ALLOWED[verb]:
        return Row(topic, mirror, 400, f"Cannot {verb} mirror topic '{topic}' in state {mirror.status}")
    return Row(topic, _asked(link, mirror, verb, now))


def _asked(link: Link, mirror: Mirror, verb: Verb, now: float) -> Mirror:
    match verb:
        case Verb.PAUSE:
            return mirror if mirror.status is Status.PAUSED else mirror.to(Status.PAUSED, now)
        case Verb.RESUME:
            return mirror.to(Status.LINK_PAUSED if link.paused else Status.ACTIVE, now)
        case Verb.FAILOVER | Verb.PROMOTE:
            current = mirror.stopping
            if current is not None and (current.verb is verb or current.verb is Verb.FAILOVER):
                return mirror  # asked again: it is under way
            stopping = Stopping(verb, now, now + link.timings.delay(mirror.topic))
            return mirror.to(Status.PENDING_STOPPED, now, stopping=stopping)


def reached(link: Link, now: float, partitions: Mapping[str, Sequence[Partition]]) -> Link:
    """The source answered: what is known of each topic's partitions now. Topics not named keep what they had."""
    was_lost = link.unreached_since is not None
    link = replace(link, last_reached=now, unreached_since=None)
    changed = []
    for topic, seen in partitions.items():
        mirror = link.mirrors.get(topic)
        if mirror is None or mirror.status is Status.STOPPED:
            continue
        mirror = replace(mirror, partitions=tuple(seen))
        changed.append(mirror)
    link = link.put(*changed)
    return _with_promote_errors(_recovered(link, now) if was_lost else link)


def _recovered(link: Link, now: float) -> Link:
    back = (mirror for mirror in link.mirrors.values() if mirror.status is Status.SOURCE_UNAVAILABLE)
    return link.put(*(mirror.to(Status.ACTIVE, now) for mirror in back))


def unreached(link: Link, now: float) -> Link:
    """The source did not answer. Lags stay frozen; mirrors turn SOURCE_UNAVAILABLE after a while."""
    since = now if link.unreached_since is None else link.unreached_since
    link = replace(link, unreached_since=since)
    if now - since >= link.timings.source_unavailable_after:
        active = (mirror for mirror in link.mirrors.values() if mirror.status is Status.ACTIVE)
        link = link.put(*(mirror.to(Status.SOURCE_UNAVAILABLE, now) for mirror in active))
    return _with_promote_errors(link)


def _with_promote_errors(link: Link) -> Link:
    """Every pending promote with the reasons why it can't complete yet. The codes are our choice."""
    changed = []
    for mirror in (link.mirrors[topic] for topic in link.pending):
        if mirror.stopping is None or mirror.stopping.verb is not Verb.PROMOTE:
            continue
        errors: list[TransitionError] = []
        if link.unreached_since is not None:
            errors.append(TransitionError("TIMEOUT_ERROR", "The source cluster cannot be reached"))
        elif any(partition.behind != 0 for partition in mirror.partitions):
            errors.append(TransitionError("MIRROR_LAG_ERROR", "The mirror topic has not caught up with its source"))
        if tuple(errors) != mirror.stopping.errors:
            changed.append(replace(mirror, stopping=replace(mirror.stopping, errors=tuple(errors))))
    return link.put(*changed)


def fail(link: Link, topic: str, error: str, now: float) -> Link:
    """The mirror can't be continued; `error` is a `mirror_topic_error`. One that a failover is stopping goes on to
    STOPPED: a failover always completes."""
    mirror = link.mirrors.get(topic)
    if mirror is None or not _is_copied(mirror):
        return link
    return link.put(mirror.to(Status.FAILED, now, error=error, stopping=None))


def pause_link(link: Link, paused: bool, now: float) -> Link:
    """`cluster.link.paused`: mirrors that were being copied become LINK_PAUSED, and ACTIVE when it ends."""
    if paused == link.paused:
        return link
    if paused:
        held = [m for m in link.mirrors.values() if m.status in (Status.ACTIVE, Status.SOURCE_UNAVAILABLE)]
        changed = [mirror.to(Status.LINK_PAUSED, now) for mirror in held]
    else:
        held = [mirror for mirror in link.mirrors.values() if mirror.status is Status.LINK_PAUSED]
        changed = [mirror.to(Status.ACTIVE, now) for mirror in held]
    return replace(link.put(*changed), paused=paused)


def ready_to_stop(link: Link, now: float) -> tuple[str, ...]:
    """The topics whose copying is over and that may be opened for writes now."""
    return tuple(sorted(topic for topic in link.pending if _ready(link, link.mirrors[topic], now)))


def _ready(link: Link, mirror: Mirror, now: float) -> bool:
    stopping = mirror.stopping
    if mirror.status is not Status.PENDING_STOPPED or stopping is None or mirror.topic in link.stuck:
        return False
    if now < stopping.due:
        return False
    if stopping.verb is Verb.FAILOVER:
        return True
    seen_since = link.last_reached is not None and link.last_reached >= stopping.asked
    caught_up = all(partition.behind == 0 for partition in mirror.partitions)
    return seen_since and link.unreached_since is None and caught_up


def stopped(link: Link, log_ends: Mapping[str, Sequence[int]], now: float) -> Link:
    """These topics were opened for writes at these log ends. Nothing happens to one that is not PENDING_STOPPED."""
    changed = []
    for topic, ends in log_ends.items():
        mirror = link.mirrors.get(topic)
        if mirror is None or mirror.status is not Status.PENDING_STOPPED:
            continue
        partitions = tuple(replace(p, log_end=end) for p, end in zip(mirror.partitions, ends, strict=True))
        changed.append(mirror.to(Status.STOPPED, now, partitions=partitions, stopping=None))
    return link.put(*changed)


def promoted(link: Link) -> dict[str, dict[int, int]]:
    """Log end offset of every partition of every STOPPED mirror, at the moment it became STOPPED."""
    return {
        topic: {number: partition.log_end for number, partition in enumerate(mirror.partitions)}
        for topic, mirror in link.mirrors.items()
        if mirror.status is Status.STOPPED
    }
