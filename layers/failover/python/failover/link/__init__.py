"""The port to Cluster Linking: the mirrors of a link, and the verb that makes them writable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from failover.evidence import Lag

STOPPED: Final = "STOPPED"
PENDING_STOPPED: Final = "PENDING_STOPPED"


@dataclass(frozen=True)
class PartitionLag:
    """How far one partition trails, in records; None where the standby never fetched it since its leader started."""

    partition: int
    records: int | None


@dataclass(frozen=True)
class Mirror:
    """A mirror topic. `status` is Confluent's word, known or not; only STOPPED is writable."""

    topic: str
    status: str
    lags: tuple[PartitionLag, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Rejection:
    """Why one mirror of a call was not accepted."""

    topic: str
    code: int
    message: str


class MirrorLink(Protocol):
    """A cluster link, seen from the cluster that holds the mirrors.

    Every method raises `LinkUnavailable` if repeating may help and `LinkRejected` if not.
    """

    def cluster_answers(self) -> str:
        """The id of the cluster that answers."""

    def mirrors(self) -> list[Mirror]:
        """Every mirror under the link, in any state."""

    def fail_over(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """Ask for these mirrors to be made writable without waiting for the source; accepted is not done."""


def trailing(mirrors: Iterable[Mirror]) -> Lag:
    """How far mirrors trail altogether."""
    mirrors = list(mirrors)
    lags = [lag for mirror in mirrors for lag in mirror.lags]
    known = [lag.records for lag in lags if lag.records is not None]
    return Lag(len(mirrors), len(lags), len(lags) - len(known), sum(known), max(known, default=0))


def by_status(mirrors: Iterable[Mirror]) -> dict[str, int]:
    """How many mirrors are in each state."""
    return dict(sorted(Counter(mirror.status for mirror in mirrors).items()))
