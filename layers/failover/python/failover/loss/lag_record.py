"""The lag of a plan's mirrors, as who samples it goes on with it: looked at every few seconds, written when a reader
would want to know: every half minute, and at once when the source stops answering, or answers again.

A container goes on from what it remembers, while that is young and nobody else has written since; else from what the
ledger has. One that ends takes half a minute of samples with it: the last ones are older then, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table
from failover.link import ACTIVE, Lag, Mirror, trailing
from failover.loss.sample_table import load_samples, save_samples
from failover.loss.samples import Samples, SourceLiveness, update_samples
from failover.plan.model import Plan

WRITTEN_EVERY_S: Final = 30.0
REMEMBERED_S: Final = 15.0
"""What a container remembers of longer ago may be older than what another has written."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the mirrors and their source. Times: seconds since 1970."""

    began: float
    ended: float
    mirrors: Sequence[Mirror]
    source_answers: bool | None
    """None: it is not known."""

    @property
    def lag(self) -> Lag:
        """How far the mirrors trail."""
        return trailing(self.mirrors)


@dataclass(frozen=True, kw_only=True)
class LagRecord:
    """What is known of the lag while a site is the source."""

    source: str
    watch: SourceLiveness = field(default_factory=SourceLiveness)
    samples: Samples = field(default_factory=dict)
    written_watch: SourceLiveness = field(default_factory=SourceLiveness)
    """As the ledger has it."""
    written_samples: Samples = field(default_factory=dict)

    def is_remembered(self, source: str, now: float) -> bool:
        """Whether it may be gone on from without reading it anew."""
        looked_at = self.watch.looked_at
        return self.source == source and looked_at is not None and 0 <= now - looked_at <= REMEMBERED_S

    def with_look(self, look: Look, low_lag: int) -> LagRecord:
        """The record after another look; `low_lag`: records by which mirrors may trail as a failback begins."""
        samples = update_samples(
            self.samples, look.mirrors, watch=self.watch, now=look.began, source_answers=look.source_answers
        )
        active = trailing(mirror for mirror in look.mirrors if mirror.status == ACTIVE)
        watch = self.watch.updated(look.source_answers, look.began, over=look.ended).with_lag(
            self.watch, active, low_lag
        )
        return replace(self, samples=samples, watch=watch)

    @property
    def is_due(self) -> bool:
        """Whether it is to be written: the source answers no more, or again; the lag is low, or no more; or for long
        nothing was written."""
        now, before = self.watch, self.written_watch
        if now.looked_at is None or before.looked_at is None:
            return True
        changed = (now.unanswered_since is None, now.low_since is None) != (
            before.unanswered_since is None,
            before.low_since is None,
        )
        return changed or now.looked_at - before.looked_at >= WRITTEN_EVERY_S


def load_lag(book: Ledger, plan: Plan, source: str) -> LagRecord:
    """As the ledger has it.

    Raises:
        LedgerUnavailable
    """
    watch, samples = _load_watch(book, plan, source), load_samples(book, plan.name, plan.other(source))
    return LagRecord(source=source, watch=watch, samples=samples, written_watch=watch, written_samples=samples)


def add_look(book: Ledger, plan: Plan, record: LagRecord, look: Look) -> LagRecord:
    """The record after another look, written if it is due: then on top of what another has written meanwhile.

    Raises:
        LedgerUnavailable
    """
    low_lag = plan.policy.failback_lag_records
    after = record.with_look(look, low_lag)
    if not after.is_due:
        return after
    if _load_watch(book, plan, record.source) != record.written_watch:
        after = load_lag(book, plan, record.source).with_look(look, low_lag)
    if after.samples != after.written_samples:
        save_samples(book, plan.name, plan.other(after.source), after.samples)
    save_plan_table(book, plan.name, "watch", {after.source: asdict(after.watch)})
    return replace(after, written_watch=after.watch, written_samples=after.samples)


def _load_watch(book: Ledger, plan: Plan, source: str) -> SourceLiveness:
    return SourceLiveness(**load_plan_table(book, plan.name, "watch").get(source, {}))
