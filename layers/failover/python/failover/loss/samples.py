"""Lag while all is well: the last sample of every partition whose freshness is proven, kept for the day it is needed.

A mirror's lag is counted against the source's end as of the last fetch, so it freezes when the source is gone, and 0
may mean unknown. A sample is fresh if the source answered at the same time: then it is of the last fetch before; or if
the offset advanced since the look before, which proves that a fetch took place after that look, but not when. Only
fresh ones are kept, with their proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from failover.link import PENDING_STOPPED, STOPPED, Lag, Mirror, PartitionLag

Proof = Literal["a fetch advanced", "the source answered", "both logs ended alike"]
PROOFS: Final[tuple[Proof, ...]] = ("a fetch advanced", "the source answered", "both logs ended alike")
LOOKS_APART_S: Final = 60.0
"""Looks further apart than that say nothing of the time between them."""
FETCH_S: Final = 1.0
"""A link's end of the source is up to so much older than the moment at which the source answers: it waits for records
for half a second at most (replica.fetch.wait.max.ms,
https://docs.confluent.io/platform/current/installation/configuration/broker-configs.html), and its fetch goes from one
region to the other and back, on brokers that have other things to do."""
_PEAK_DECAY = 0.9
APART_S: Final = 2 * FETCH_S
"""Samples closer together than this, of two samplers side by side, would make a rate of noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One partition, when its lag was last known to be fresh."""

    at: float
    """Since when it was fresh, in seconds since 1970."""
    lag: int
    """Records."""
    fetched_to: int
    """Everything before this offset was replicated."""
    rate: float | None
    """Records a second that came in, as a peak that fades; None before there were two samples."""
    proof: Proof
    last_fetched_to: int
    """`fetched_to` at the last look, fresh or not."""


Samples = Mapping[str, Mapping[int, Sample]]
"""By topic and partition."""


@dataclass(frozen=True, kw_only=True)
class SourceLiveness:
    """When mirrors were last looked at, when the source was last seen to answer, and since when it does not; seconds
    since 1970."""

    looked_at: float | None = None
    answered_at: float | None = None
    unanswered_since: float | None = None
    sampled_at: float | None = None
    """The look that the samples are of."""
    low_since: float | None = None
    """Since when every look has seen the mirrors trail by no more than a failback may begin with."""

    def with_lag(self, before: SourceLiveness, lag: Lag, limit: int) -> SourceLiveness:
        """The watch after a look that saw so much lag; `before`: the watch of the look before. A lag of which a part is
        unknown is not low, nor one that froze since the source does not answer, nor is one known between looks that are
        far apart."""
        answered = self.looked_at is not None and self.answered_at == self.looked_at
        low = lag.mirrors > 0 and not lag.unknown_partitions and lag.records <= limit
        if not low or not answered or self.looked_at is None:
            return replace(self, low_since=None)
        apart = before.looked_at is None or self.looked_at - before.looked_at > LOOKS_APART_S
        return replace(self, low_since=self.looked_at if apart or before.low_since is None else before.low_since)

    def updated(self, answers: bool | None, now: float, *, over: float | None = None) -> SourceLiveness:
        """The watch after another look. `answers` None: it is not known whether the source does. A look at a silent
        source takes seconds: what it saw is no newer than `now`, its begin, and that nobody answers is known when it is
        `over`."""
        looked = replace(self, looked_at=now, sampled_at=now)
        if answers is None:
            return looked
        if answers:
            return replace(looked, answered_at=now, unanswered_since=None)
        since = now if over is None else over
        return replace(looked, unanswered_since=since if self.unanswered_since is None else self.unanswered_since)


def update_samples(
    before: Samples, mirrors: Iterable[Mirror], watch: SourceLiveness, now: float, source_answers: bool | None
) -> dict[str, dict[int, Sample]]:
    """The samples after another look at the mirrors; `watch` is that of the look before. What is not fresh keeps the
    sample it had; a fetch that advanced is no older than the look that the samples before are of."""
    since, proof = (now - FETCH_S, PROOFS[1]) if source_answers else (watch.sampled_at, PROOFS[0])
    updated: dict[str, dict[int, Sample]] = {}
    for mirror in mirrors:
        of_topic = dict(before.get(mirror.topic, {}))
        if mirror.status not in (STOPPED, PENDING_STOPPED):
            for lag in mirror.lags:
                if sample := _next(of_topic.get(lag.partition), lag, since, proof):
                    of_topic[lag.partition] = sample
        if of_topic:
            updated[mirror.topic] = of_topic
    return updated


def _next(before: Sample | None, lag: PartitionLag, since: float | None, proof: Proof) -> Sample | None:
    if lag.records is None or lag.fetched_to is None:
        return before
    proven = proof == PROOFS[1] or (before is not None and lag.fetched_to > before.last_fetched_to)
    if since is None or not proven or (before is not None and since < before.at + APART_S):
        return before and replace(before, last_fetched_to=lag.fetched_to)
    return Sample(
        at=since,
        lag=lag.records,
        fetched_to=lag.fetched_to,
        rate=_rate(before, lag.fetched_to, since),
        proof=proof,
        last_fetched_to=lag.fetched_to,
    )


def _rate(before: Sample | None, fetched_to: int, at: float) -> float | None:
    if before is None:
        return None
    if fetched_to < before.fetched_to:
        return before.rate
    rate = (fetched_to - before.fetched_to) / (at - before.at)
    return rate if before.rate is None else max(rate, before.rate * _PEAK_DECAY + rate * (1 - _PEAK_DECAY))
