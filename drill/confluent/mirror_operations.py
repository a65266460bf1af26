"""What the verbs of the API do to mirror topics. Pure: a verb takes a link, and gives the next one and an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from drill.confluent.mirrors import Cut, Link, Mirror, Partition, Row, Status, Stopping, Verb

ALLOWED: Mapping[Verb, frozenset[Status]] = MappingProxyType(
    {
        # Failover always completes: from everything that is not stopped (also from PENDING_STOPPED, see Unverified).
        Verb.FAILOVER: frozenset(Status) - {Status.STOPPED},
        # A promote with the source down is accepted and stays PENDING_STOPPED (see Unverified).
        Verb.PROMOTE: frozenset({Status.ACTIVE, Status.PAUSED, Status.SOURCE_UNAVAILABLE, Status.PENDING_STOPPED}),
        Verb.PAUSE: frozenset({Status.ACTIVE, Status.SOURCE_UNAVAILABLE, Status.PAUSED}),
        Verb.RESUME: frozenset({Status.PAUSED}),
        Verb.REVERSE_AND_START: frozenset({Status.ACTIVE}),
        Verb.REVERSE_AND_PAUSE: frozenset({Status.ACTIVE}),
    }
)
RESTORING = (Status.PENDING_RESTORE, Status.PENDING_SYNCHRONIZE, Status.ACTIVE)


class Refusal(NamedTuple):
    """Why a verb can't be carried out on a topic, beyond what the mirror itself says."""

    code: int
    message: str


def alter(
    link: Link, verb: Verb, topics: Iterable[str], now: float, refused: Mapping[str, Refusal] = MappingProxyType({})
) -> tuple[Link, tuple[Row, ...]]:
    """Ask `verb` of each topic. Rows stand in the order asked; refused topics are left as they were."""
    rows = [_altered(link, verb, topic=topic, now=now, refusal=refused.get(topic)) for topic in dict.fromkeys(topics)]
    return link.put(*(row.mirror for row in rows if row.code is None and row.mirror is not None)), tuple(rows)


def _altered(link: Link, verb: Verb, topic: str, now: float, refusal: Refusal | None) -> Row:
    mirror = link.mirrors.get(topic)
    if mirror is None:
        # Code and text are our choice: neither is documented.
        return Row(
            topic=topic,
            mirror=None,
            code=404,
            message=f"Topic '{topic}' is not a mirror topic of cluster link '{link.name}'",
        )
    if mirror.status is Status.STOPPED:
        return Row(
            topic=topic,
            mirror=mirror,
            code=400,
            message=f"Topic '{topic}' has already stopped its mirror from '{link.name}'",
        )
    stopping = mirror.stopping
    if stopping is not None and stopping.verb is verb:
        return Row(topic=topic, mirror=mirror)  # asked again: it is under way
    reversing = stopping is not None and stopping.verb.reverses and verb is not Verb.FAILOVER
    if mirror.status not in ALLOWED[verb] or reversing:
        return Row(
            topic=topic,
            mirror=mirror,
            code=400,
            message=f"Cannot {verb} mirror topic '{topic}' in state {mirror.status}",
        )
    refusal = refusal or _unverified(link, verb, mirror)
    if refusal is not None:
        return Row(topic=topic, mirror=mirror, code=refusal.code, message=refusal.message)
    return Row(topic=topic, mirror=_applied(link, mirror, verb, now))


def _unverified(link: Link, verb: Verb, mirror: Mirror) -> Refusal | None:
    """A refusal that a real cluster may or may not give; codes and texts are our choice."""
    if verb is Verb.PROMOTE and link.unverified.promote_refused and link.unreached_since is not None:
        return Refusal(400, f"The source of mirror topic '{mirror.topic}' cannot be reached")
    pending = mirror.status is Status.PENDING_STOPPED
    if verb is Verb.FAILOVER and link.unverified.escalation_refused and pending:
        return Refusal(400, f"Mirror topic '{mirror.topic}' is being stopped already")
    return None


def _applied(link: Link, mirror: Mirror, verb: Verb, now: float) -> Mirror:
    if verb is Verb.PAUSE:
        return mirror if mirror.status is Status.PAUSED else mirror.to(Status.PAUSED, now)
    if verb is Verb.RESUME:
        return mirror.to(Status.LINK_PAUSED if link.paused else Status.ACTIVE, now)
    if mirror.stopping is not None and mirror.stopping.verb is Verb.FAILOVER:
        return mirror  # nothing undoes a failover
    stopping = Stopping(verb=verb, requested=now, due=now + link.timings.delay(mirror.topic))
    status = Status.PENDING_SYNCHRONIZE if verb.reverses else Status.PENDING_STOPPED
    return mirror.to(status, now, stopping=stopping, ahead=())


def mirrored(link: Link, topic: str, partitions: Iterable[Partition], now: float, *, paused: bool, wired: bool) -> Link:
    """The link with a new mirror, which begins as PENDING_MIRROR."""
    return link.put(new_mirror(topic, partitions, now, paused=paused, wired=wired))


def new_mirror(topic: str, partitions: Iterable[Partition], now: float, *, paused: bool, wired: bool) -> Mirror:
    """A mirror that is to be, beginning as PENDING_MIRROR."""
    ahead = (Status.PAUSED if paused else Status.ACTIVE,)
    return Mirror(
        topic=topic, partitions=tuple(partitions), since=now, status=Status.PENDING_MIRROR, wired=wired, ahead=ahead
    )


def restored(link: Link, cuts: Mapping[str, tuple[Cut, ...]], now: float, *, wired: frozenset[str]) -> Link:
    """The link with writable topics on their way to be mirrors again, each cut to where its remote mirror stopped."""
    return link.put(
        *(
            Mirror(
                topic=topic,
                partitions=tuple(Partition(cut.to, cut.to, fetched=cut.to > 0) for cut in rows),
                since=now,
                status=Status.PENDING_SETUP_FOR_RESTORE,
                wired=topic in wired,
                ahead=RESTORING,
            )
            for topic, rows in cuts.items()
        )
    )
