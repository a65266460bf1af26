"""What was lost, as far as it can honestly be said while the lost site is away. Pure.

Each figure carries its label: *observed* (the last sample proven fresh, with its time), *unknown* (nothing is known of
the partition; never counted as 0), *estimated* (from low to high), and *measured*, which needs the lost site back: the
standby's log end at STOPPED is kept as its anchor. Low is the lag that froze when the source went away. High is what
the last fresh sample trailed by, and what came in at its peak rate until the source did not answer any more, without
what was still replicated after that sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from failover.documents.execution import Loss
from failover.documents.execution import PartitionLoss as PartitionLossRow
from failover.loss.samples import Sample, Samples

Offsets = Mapping[str, Mapping[int, int]]
"""Log ends by topic and partition."""
Lags = Mapping[str, Mapping[int, int | None]]
"""Records each partition trailed by when the failover was decided, as the standby had last seen it; None: unknown."""
NAMED = 20


@dataclass(frozen=True, kw_only=True)
class PartitionLoss:
    """What is known of one partition; None where nothing is."""

    topic: str
    partition: int
    frozen: int | None
    """Its lag at the decision."""
    sample: Sample | None
    log_end: int | None
    """Of the standby, at STOPPED."""
    low: int | None
    """How many records are stranded at least, estimated."""
    high: int | None
    """And at most."""

    @property
    def has_estimate(self) -> bool:
        return self.high is not None

    def as_row(self) -> PartitionLossRow:
        """The form it has in the report."""
        sample, low, high = self.sample, self.low, self.high
        return {
            "topic": self.topic,
            "partition": self.partition,
            "observed": None if sample is None else {"records": sample.lag, "at": sample.at, "proof": sample.proof},
            "estimated": None if low is None or high is None else {"low": low, "high": high},
            "measured": None,
            "log_end_at_promotion": self.log_end,
        }


def losses(lags: Lags, samples: Samples, log_ends: Offsets, lost_by: float) -> list[PartitionLoss]:
    """Every partition's loss. `lost_by`: the first moment at which the source is known not to have answered, seconds
    since 1970; it may have been lost earlier."""
    return [
        _loss(
            topic,
            partition,
            lags=lags.get(topic, {}),
            samples=samples.get(topic, {}),
            log_ends=log_ends.get(topic, {}),
            lost_by=lost_by,
        )
        for topic in sorted({*lags, *log_ends})
        for partition in sorted({*lags.get(topic, {}), *log_ends.get(topic, {})})
    ]


def _loss(
    topic: str,
    partition: int,
    lags: Mapping[int, int | None],
    samples: Mapping[int, Sample],
    log_ends: Mapping[int, int],
    lost_by: float,
) -> PartitionLoss:
    frozen, sample, log_end = lags.get(partition), samples.get(partition), log_ends.get(partition)
    low, high = _range(frozen, sample, log_end, lost_by)
    return PartitionLoss(
        topic=topic, partition=partition, frozen=frozen, sample=sample, log_end=log_end, low=low, high=high
    )


def _range(
    frozen: int | None, sample: Sample | None, log_end: int | None, lost_by: float
) -> tuple[int | None, int | None]:
    """An upper end needs a fresh sample and its rate; without them the frozen lag is a lower end and nothing more."""
    if sample is None or sample.rate is None:
        return frozen, None
    came_in = sample.rate * max(0.0, lost_by - sample.at)
    replicated = 0 if log_end is None else max(0, log_end - sample.fetched_to)
    low = frozen or 0
    return low, max(low, ceil(sample.lag + came_in - replicated))


def summary(losses: list[PartitionLoss], lost_by: float, lost_site: str) -> Loss:
    """The totals, the partitions that lost most, and what is not known. `records` is a range, or None if nothing is
    known of any partition; partitions that are unknown are in no total."""
    estimated = [loss for loss in losses if loss.has_estimate]
    observed = [loss.sample for loss in losses if loss.sample is not None]
    ranked = sorted((-loss.high, loss.topic, loss.partition, loss) for loss in losses if loss.high is not None)
    unknown = [f"{loss.topic}[{loss.partition}]" for loss in losses if not loss.has_estimate]
    return {
        "label": "estimated" if estimated else "unknown",
        "partitions": len(losses),
        "unknown_partitions": len(unknown),
        "unknown": unknown[:NAMED],
        "records": {"low": _sum(loss.low for loss in estimated), "high": _sum(loss.high for loss in estimated)}
        if estimated
        else None,
        "at_least": _sum(loss.low for loss in losses),
        "observed": {
            "records": sum(sample.lag for sample in observed),
            "from": min(sample.at for sample in observed),
            "to": max(sample.at for sample in observed),
        }
        if observed
        else None,
        "lost_by": lost_by,
        "measured": None,
        "not_measured_because": f"only {lost_site} knows what it had acknowledged; it can be counted once it is back",
        "worst": [loss.as_row() for *_, loss in ranked[:NAMED]],
        "basis": "low: the lag that froze when the source went away; high: the last sample proven fresh, and its peak"
        " rate until the source did not answer, without what was still replicated",
    }


def peak_rate(losses: list[PartitionLoss]) -> float | None:
    """Records a second that came in over all partitions, at their peaks; None if it is known of none."""
    rates = [loss.sample.rate for loss in losses if loss.sample is not None and loss.sample.rate is not None]
    return sum(rates) if rates else None


def _sum(parts: Iterator[int | None]) -> int:
    return sum(part or 0 for part in parts)
