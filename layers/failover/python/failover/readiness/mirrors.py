"""The mirrors: whether every topic has one, whether they are well, and how far they trail. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from failover.link import ACTIVE, STOPPED, Mirror, Topic, by_status, trailing
from failover.loss.samples import SourceLiveness
from failover.plan.model import Plan
from failover.readiness import Finding, fail, listed, ok, unknown, warn

_BAD: Final = {"FAILED", "LINK_FAILED", "LINK_PAUSED", "PAUSED", "SOURCE_UNAVAILABLE"}
WATCHED_S: Final = 120.0
"""Lag is sampled every few seconds; after so long nobody does."""


def required(plan: Plan, topics: Iterable[Topic]) -> dict[str, int | None]:
    """The topics that must have a mirror, with their partitions; None for one the active cluster does not have. The
    canary topic is none: it is on both clusters."""
    partitions = {topic.name: topic.partitions for topic in topics if not topic.internal}
    if plan.protect.topics:
        return {name: partitions.get(name) for name in plan.protect.topics}
    return {name: count for name, count in partitions.items() if name != plan.clients.canary_topic}


def coverage(plan: Plan, topics: Collection[Topic], mirrors: Iterable[Mirror]) -> Iterator[Finding]:
    """Whether every required topic has an ACTIVE mirror of its own name with as many partitions."""
    by_source: dict[str, list[Mirror]] = {}
    for mirror in mirrors:
        by_source.setdefault(mirror.source_topic or mirror.topic, []).append(mirror)
    covered: dict[_Covered, list[str]] = {}
    required_topics = required(plan, topics)
    for name, partitions in required_topics.items():
        covered.setdefault(_covered(name, partitions, by_source.get(name, [])), []).append(name)
    if not required_topics:
        yield unknown("the active cluster has no topic to protect", "check protect.topics and the active cluster")
    for how, (severity, what, remedy) in _UNCOVERED.items():
        if names := covered.get(how):
            yield severity(f"{len(names):,} topics {what}: {listed(names)}", remedy)
    good = len(covered.get("covered", ()))
    yield ok(f"{good:,} of {len(required_topics):,} topics have an ACTIVE mirror with as many partitions")


_Covered = Literal["covered", "absent", "bare", "idle", "renamed", "uneven", "untold"]
_UNCOVERED: Final[Mapping[_Covered, tuple[Callable[[str, str], Finding], str, str]]] = {
    "bare": (fail, "have no mirror", "create their mirrors: all of it would be lost"),
    "idle": (fail, "have a mirror that is not ACTIVE", "resume, restore or create those mirrors anew"),
    "renamed": (fail, "are mirrored under another name", "mirror them without a prefix: clients would not find them"),
    "uneven": (
        fail,
        "have another number of partitions than their mirror",
        "look again in a minute; if it stays, create those mirrors anew",
    ),
    "untold": (unknown, "have a mirror whose partitions are not told", "look at those mirrors"),
    "absent": (
        warn,
        "of protect.topics are not on the active cluster",
        "correct protect.topics, or create the topics",
    ),
}


def _covered(name: str, partitions: int | None, mirrors: Sequence[Mirror]) -> _Covered:
    active = [mirror for mirror in mirrors if mirror.status == ACTIVE]
    own = next((mirror for mirror in active if mirror.topic == name), None)
    if partitions is None:
        return "absent"
    if own is None:
        return "renamed" if active else "idle" if mirrors else "bare"
    if not own.lags:
        return "untold"
    return "covered" if len(own.lags) == partitions else "uneven"


def health(mirrors: Collection[Mirror]) -> Iterator[Finding]:
    """Whether a mirror is in trouble, or in between. A STOPPED one is a mirror no more; whether it should be one is a
    matter of coverage."""
    if not mirrors:
        yield fail("the standby holds no mirror under the plan's links", "create the mirrors")
        return
    bad = [mirror for mirror in mirrors if mirror.status in _BAD or mirror.error is not None]
    pending = [mirror for mirror in mirrors if mirror.status.startswith("PENDING_") and mirror.error is None]
    fine = [mirror for mirror in mirrors if mirror.status in (ACTIVE, STOPPED) and mirror.error is None]
    strange = len(mirrors) - len(bad) - len(pending) - len(fine)
    statuses = ", ".join(f"{count:,} {status}" for status, count in by_status(mirrors).items())
    if bad:
        yield fail(
            f"{len(bad):,} mirrors are in trouble: {listed(map(_described, bad))}",
            "look at each mirror's mirror_topic_error: resume it, or create it anew",
        )
    if pending:
        yield fail(
            f"{len(pending):,} mirrors are between two states: {listed(map(_described, pending))}",
            "let the change end; if it does not, look at mirror_state_transition_errors",
        )
    if strange:
        yield unknown(f"{strange:,} mirrors are in a state that is not known: {statuses}", "look at those mirrors")
    yield ok(f"{len(mirrors):,} mirrors: {statuses}")


def _described(mirror: Mirror) -> str:
    return f"{mirror.topic} {mirror.status}" + (f" {mirror.error}" if mirror.error else "")


def lag(plan: Plan, mirrors: Iterable[Mirror], watch: SourceLiveness, now: float) -> Iterator[Finding]:
    """How many records a failover now would strand at least, beside the policy's limit. Lag freezes when the source is
    gone, so it counts only while the source is seen to answer; a partition of unknown lag is counted by itself."""
    live = [mirror for mirror in mirrors if mirror.status != STOPPED]
    limit, total = plan.policy.rpo_limit_records, trailing(live)
    if watch.looked_at is None or now - watch.looked_at > WATCHED_S:
        since = "never" if watch.looked_at is None else f"{now - watch.looked_at:,.0f} s ago for the last time"
        yield unknown(f"lag was sampled {since}", "look at the log of sample_lag: what is lost could not be estimated")
    elif watch.unanswered_since is not None:
        ago = now - watch.unanswered_since
        yield unknown(f"the active cluster does not answer since {ago:,.0f} s: lag is frozen", "look at that cluster")
    if total.unknown_partitions:
        severity = unknown if limit is not None or total.unknown_partitions == total.partitions else warn
        yield severity(
            f"the lag of {total.unknown_partitions:,} of {total.partitions:,} partitions is unknown",
            "they were never fetched since their leader started; write to them, or look at their mirrors",
        )
    trail = f"the mirrors trail by {total.records:,} records, {total.largest:,} at most in one partition"
    if limit is not None and total.records > limit:
        worst = sorted(_trailing(live), reverse=True)[:5]
        named = ", ".join(f"{topic}[{partition}] {records:,}" for records, topic, partition in worst)
        yield fail(f"{trail}, above the limit of {limit:,}: {named}", "look at the link's throughput and the producers")
    else:
        yield ok(trail + (f", within the limit of {limit:,}" if limit is not None else "; the policy sets no limit"))


def _trailing(mirrors: Iterable[Mirror]) -> Iterator[tuple[int, str, int]]:
    for mirror in mirrors:
        for partition_lag in mirror.lags:
            if partition_lag.records:
                yield partition_lag.records, mirror.topic, partition_lag.partition


def canary(topic: str, topics: Iterable[Topic], mirrors: Iterable[Mirror]) -> Iterator[Finding]:
    """Whether the standby has the canary topic, and as a topic of its own: to a mirror nobody can write."""
    existing = next((mirror for mirror in mirrors if mirror.topic == topic and mirror.status != STOPPED), None)
    if existing is not None:
        yield fail(f"the canary topic {topic} is a mirror", "promote it, and keep it out of the link's filters")
    elif any(present.name == topic for present in topics):
        yield ok(f"the standby has the canary topic {topic}")
    else:
        yield fail(f"the standby has no topic {topic}", "create it: verify proves with a record of it")
