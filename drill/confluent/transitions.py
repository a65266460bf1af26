"""What happens to a link and its mirror topics by itself. Pure: a transition takes a link and gives the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from drill.confluent.mirrors import NO_ERROR, Link, Mirror, Partition, Status, TransitionError, Verb

_RUNNING = (Status.ACTIVE, Status.SOURCE_UNAVAILABLE)


def reached(link: Link, now: float, partitions: Mapping[str, Sequence[Partition]]) -> Link:
    """The source answered: what is known of each topic's partitions now. Topics not named keep what they had."""
    was_lost = link.unreached_since is not None
    link = replace(link, last_reached=now, unreached_since=None)
    changed = []
    for topic, new in partitions.items():
        mirror = link.mirrors.get(topic)
        if mirror is None or mirror.status is Status.STOPPED:
            continue
        mirror = replace(mirror, partitions=tuple(new))
        changed.append(mirror)
    link = link.put(*changed)
    return _with_reasons(_recovered(link, now) if was_lost else link)


def _recovered(link: Link, now: float) -> Link:
    return _moved(link, (Status.SOURCE_UNAVAILABLE,), Status.ACTIVE, now)


def unreached(link: Link, now: float) -> Link:
    """The source did not answer. Lags stay frozen; mirrors turn SOURCE_UNAVAILABLE after a while."""
    since = now if link.unreached_since is None else link.unreached_since
    link = replace(link, unreached_since=since)
    if now - since >= link.timings.source_unavailable_after:
        link = _moved(link, (Status.ACTIVE,), Status.SOURCE_UNAVAILABLE, now)
    return _with_reasons(link)


def _with_reasons(link: Link) -> Link:
    """Every mirror on its way to STOPPED with the reasons why it can't arrive yet. The codes are our choice."""
    changed = []
    for mirror in (link.mirrors[topic] for topic in link.pending):
        if mirror.stopping is not None:
            errors = tuple(_reasons(link, mirror, mirror.stopping.verb))
            if errors != mirror.stopping.errors:
                changed.append(replace(mirror, stopping=replace(mirror.stopping, errors=errors)))
    return link.put(*changed)


def _reasons(link: Link, mirror: Mirror, verb: Verb) -> Iterable[TransitionError]:
    if mirror.topic in link.stuck:
        yield link.stuck[mirror.topic]
    if verb is Verb.FAILOVER:
        return
    if link.unreached_since is not None:
        yield TransitionError("TIMEOUT_ERROR", "The source cluster cannot be reached")
    elif any(partition.behind != 0 for partition in mirror.partitions):
        yield TransitionError("MIRROR_LAG_ERROR", "The mirror topic has not caught up with its source")


def fail(link: Link, topic: str, error: str, now: float) -> Link:
    """The mirror can't be continued; `error` is a `mirror_topic_error`. One that a failover is stopping goes on to
    STOPPED: a failover always completes."""
    mirror = link.mirrors.get(topic)
    if mirror is None or not mirror.is_copied:
        return link
    return link.put(mirror.to(Status.FAILED, now, error=error, stopping=None))


def stick(link: Link, stuck: Mapping[str, TransitionError]) -> Link:
    """From now on exactly these topics can't become STOPPED."""
    return _with_reasons(replace(link, stuck=dict(stuck)))


def pause_link(link: Link, paused: bool, now: float) -> Link:
    """`cluster.link.paused`: mirrors that were being copied become LINK_PAUSED, and ACTIVE when it ends."""
    if paused == link.paused:
        return link
    before, after = (_RUNNING, Status.LINK_PAUSED) if paused else ((Status.LINK_PAUSED,), Status.ACTIVE)
    return replace(_moved(link, before, after, now), paused=paused)


def fail_link(link: Link, error: str, now: float) -> Link:
    """The link as a whole failed with a `link_error`, or with NO_ERROR is well again."""
    if error == NO_ERROR:
        link = _moved(link, (Status.LINK_FAILED,), Status.LINK_PAUSED if link.paused else Status.ACTIVE, now)
    else:
        link = _moved(link, (*_RUNNING, Status.LINK_PAUSED), Status.LINK_FAILED, now)
    return replace(link, error=error)


def _moved(link: Link, before: tuple[Status, ...], after: Status, now: float) -> Link:
    return link.put(*(mirror.to(after, now) for mirror in link.mirrors.values() if mirror.status in before))


def advanced(link: Link, now: float) -> Link:
    """Mirrors that are due go on to the next state ahead of them, as long as the source is there."""
    if link.unreached_since is not None or link.paused or link.error != NO_ERROR:
        return link
    pending = (link.mirrors[topic] for topic in link.pending)
    due = [mirror for mirror in pending if mirror.ahead and now - mirror.since >= link.timings.step]
    return link.put(*(mirror.to(mirror.ahead[0], now, ahead=mirror.ahead[1:]) for mirror in due))


def to_be_fenced(link: Link) -> tuple[str, ...]:
    """The topics whose source must refuse writes before it can become their mirror."""
    pending = (link.mirrors[topic] for topic in sorted(link.pending))
    return tuple(
        mirror.topic
        for mirror in pending
        if mirror.stopping is not None and mirror.stopping.verb.reverses and mirror.stopping.fenced is None
    )


def fenced(link: Link, topics: Iterable[str], now: float) -> Link:
    """The sources of these topics refuse writes: what they hold now is all there will be."""
    changed = []
    for topic in set(topics) & link.pending:
        mirror = link.mirrors[topic]
        if mirror.stopping is not None and mirror.stopping.verb.reverses:
            stopping = replace(mirror.stopping, fenced=now)
            changed.append(mirror.to(Status.PENDING_STOPPED, now, stopping=stopping))
    return link.put(*changed)


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
    since = stopping.requested if stopping.fenced is None else stopping.fenced
    reached_since = link.last_reached is not None and link.last_reached >= since
    caught_up = all(partition.behind == 0 for partition in mirror.partitions)
    return reached_since and link.unreached_since is None and caught_up


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
