"""Both sites of a plan, as the steps of a switchover and a restore see them: links and logs in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import FailoverError, LinkUnavailable
from failover.kafka.offsets import Commit, Offsets, Spot
from failover.ledger.ledger import Ledger
from failover.link import Mirror, PartitionLag, Rejection, Topic, Truncation

TOPICS = ("orders", "payments")
SPOTS: tuple[Spot, ...] = (("orders", 0), ("payments", 0))


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@dataclass(eq=False)
class Link:
    """One side of the plan's link."""

    name: str = "orders-link"
    mode: str = "BIDIRECTIONAL"
    statuses: dict[str, str] = field(default_factory=lambda: dict.fromkeys(TOPICS, "ACTIVE"))
    lag: int | None = 0
    cuts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 10))
    """Where a truncation would cut each topic."""
    refused: int = 0
    """The code that it refuses all with."""
    asked: list[str] = field(default_factory=list)
    silent: bool = False
    busy_s: float = 0.0
    """For how long it wants to be left alone, where it does not answer."""
    busy: Collection[str] = ()
    """The verbs that it does not answer."""
    then: Callable[[], None] | None = None
    """What happens as it is asked."""

    def mirrors(self, status: str | None = None) -> list[Mirror]:
        if self.silent:
            raise LinkUnavailable("503", retry_after=self.busy_s)
        lags = (PartitionLag(0, self.lag),)
        return [Mirror(topic=topic, status=state, lags=lags) for topic, state in self.statuses.items()]

    def configs(self) -> dict[str, str | None]:
        return {"link.mode": self.mode}

    def reverse_and_start(self, topics: Sequence[str]) -> list[Rejection]:
        return self._ask("reverse", topics)

    def promote(self, topics: Sequence[str]) -> list[Rejection]:
        return self._ask("promote", topics)

    def truncate_and_restore(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Truncation]:
        rejected = {row.topic: row for row in self._ask("try" if validate_only else "restore", topics)}
        return [
            Truncation(
                topic=topic, messages=None, partitions=((0, self.cuts[topic], 0),), rejection=rejected.get(topic)
            )
            for topic in topics
        ]

    def _ask(self, verb: str, topics: Sequence[str]) -> list[Rejection]:
        self.asked += [f"{verb} {topic}" for topic in topics]
        if verb in self.busy:
            raise LinkUnavailable("429", retry_after=self.busy_s)
        if self.then is not None:
            self.then()
        return [Rejection(topic, self.refused, "no") for topic in topics] if self.refused else []


@dataclass
class Sites:
    """Both sites, as the steps see them; east is left, or has returned."""

    link: dict[str, Link] = field(default_factory=lambda: {"east": Link(statuses={}), "west": Link()})
    topics: dict[str, list[str]] = field(default_factory=lambda: {site: list(TOPICS) for site in ("east", "west")})
    ends: dict[str, dict[Spot, int]] = field(
        default_factory=lambda: {site: dict.fromkeys(SPOTS, 10) for site in ("east", "west")}
    )
    unknown: dict[str, dict[Spot, str]] = field(default_factory=lambda: {"east": {}, "west": {}})
    refused: dict[str, dict[Spot, str]] = field(default_factory=lambda: {"east": {}, "west": {}})
    committed: dict[str, Offsets | FailoverError] = field(
        default_factory=lambda: {"east": Offsets({SPOTS[0]: 5}), "west": Offsets({SPOTS[0]: 5})}
    )
    commit: Commit = field(default_factory=Commit)
    commits: list[dict[Spot, int]] = field(default_factory=list)
    unfenced: list[str] = field(default_factory=list)
    """Fleets that are not fenced, and where each leads."""
    fleets_error: FailoverError | None = None
    """What a look at the fleets raises."""
    between: Callable[[], None] | None = None
    """What happens between the two looks of a call."""

    def log_ends(self, site: str, spots: Collection[Spot]) -> Offsets:
        untold = self.unknown[site].keys() | self.refused[site].keys()
        told = {spot: end for spot, end in self.ends[site].items() if spot in spots and spot not in untold}
        return Offsets(told, dict(self.unknown[site]), dict(self.refused[site]))

    def committed_offsets(self, _: Any, site: str, __: str, ___: Collection[Spot]) -> Offsets:
        offsets = self.committed[site]
        if isinstance(offsets, FailoverError):
            raise offsets
        return offsets

    def commit_offsets(self, _: Any, site: str, __: str, offsets: dict[Spot, int]) -> Commit:
        assert site == "west"
        self.commits.append(dict(offsets))
        if not (self.commit.refused or self.commit.retry):
            self.committed["west"] = Offsets(dict(offsets))
        return self.commit

    def unfenced_fleets(self, _: Any, to_site: str) -> list[str]:
        assert to_site == "west"
        if self.fleets_error is not None:
            raise self.fleets_error
        return self.unfenced

    def sleep(self, _: float) -> None:
        if self.between is not None:
            self.between()


def put_in_place(sites: Sites, patch: pytest.MonkeyPatch) -> None:
    """Let the functions that are loaded from now on see these sites."""

    @dataclass(frozen=True)
    class Cluster:
        site: str

        def topics(self) -> list[Topic]:
            return [Topic(name, 1) for name in sites.topics[self.site]]

    patch.setattr("failover.link.factory.links_at", lambda _, site: (sites.link[site],))
    patch.setattr("failover.link.factory.cluster_at", lambda _, site: Cluster(site))
    patch.setattr("failover.kafka.factory.as_controller", lambda _, site, work: work(site))
    patch.setattr("failover.kafka.offsets.log_ends", sites.log_ends)
    patch.setattr("failover.execution.committed_offsets.committed_offsets", sites.committed_offsets)
    patch.setattr("failover.execution.committed_offsets.commit_offsets", sites.commit_offsets)
    patch.setattr("failover.execution.unfenced_fleets.unfenced_fleets", sites.unfenced_fleets)
    patch.setattr("time.sleep", sites.sleep)
