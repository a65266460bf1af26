"""sample_lag writes no more than it has to: few mirrors when they changed, many every half minute."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from failover.errors import KafkaUnavailable
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table
from failover.link import Lag, Mirror, PartitionLag, trailing
from failover.loss.samples import SourceLiveness
from tests.conftest import Context


class Cluster:
    """The standby's mirrors, and whether the active cluster answers."""

    def __init__(self, count: int) -> None:
        self.count, self.fetched_to, self.answers = count, 100, True
        self.lag: int | None = 3

    def mirrors(self) -> list[Mirror]:
        return [
            Mirror(topic=f"t{n}", status="ACTIVE", lags=(PartitionLag(0, self.lag, self.fetched_to),))
            for n in range(self.count)
        ]

    def ask(self, plan: Any, site: str, _: Any) -> str:
        if not self.answers:
            raise KafkaUnavailable("gone")
        return str(plan.site(site).kafka.cluster_id)


@pytest.fixture
def sampling(
    deployed: Any, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Cluster, float], list[str]]:
    """Samples a cluster's mirrors at a moment; answers the sort keys that were written."""
    written: list[str] = []
    put = Ledger.put

    def noting(book: Ledger, plan: str, sort: str, values: dict[str, Any]) -> None:
        written.append(sort)
        put(book, plan, sort, values)

    monkeypatch.setattr(Ledger, "put", noting)

    def sample(cluster: Cluster, now: float) -> list[str]:
        module = function("sample_lag")
        monkeypatch.setattr(module, "as_controller", cluster.ask)
        monkeypatch.setattr(module, "links_at", lambda *_: [cluster])
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))
        written.clear()
        assert module.handler({"plan": "orders"}, Context())["sampled"]
        return [sort for sort in written if "watch" not in sort]

    return sample


def watch(deployed: Any) -> dict[str, Any]:
    return dict(load_plan_table(Ledger(deployed("dynamodb"), "ledger"), "orders", "watch")["east"])


def test_a_thousand_mirrors_are_written_every_half_minute_and_the_source_is_watched_each_time(
    deployed: Any, sampling: Callable[[Cluster, float], list[str]]
) -> None:
    cluster, begin = Cluster(1000), 1_800_000_000.0
    writes = {second: len(sampling(cluster, begin + second)) for second in range(0, 61, 5)}
    assert [second for second, count in writes.items() if count] == [0, 30, 60]
    assert watch(deployed)["answered_at"] == begin + 60
    cluster.answers = False
    assert sampling(cluster, begin + 65) == []
    assert watch(deployed)["unanswered_since"] == begin + 65


def test_few_mirrors_are_written_whenever_they_changed_and_not_while_they_are_frozen(
    sampling: Callable[[Cluster, float], list[str]],
) -> None:
    cluster, begin = Cluster(3), 1_800_000_000.0
    assert [len(sampling(cluster, begin + second)) for second in (0, 5, 10)] == [1, 1, 1]
    cluster.answers = False
    assert [len(sampling(cluster, begin + second)) for second in (15, 20)] == [0, 0]
    cluster.fetched_to = 200
    assert len(sampling(cluster, begin + 25)) == 1


def test_a_lag_that_is_not_known_is_no_figure_on_the_board(
    sampling: Callable[[Cluster, float], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, begin = Cluster(2), 1_800_000_000.0
    sampling(cluster, begin)
    assert "MirrorLagRecords" in capsys.readouterr().out
    cluster.lag = None
    sampling(cluster, begin + 5)
    assert "MirrorLagRecords" not in capsys.readouterr().out


def test_how_long_the_mirrors_have_trailed_by_little_is_kept_and_any_doubt_begins_anew() -> None:
    def look(watch: SourceLiveness, now: float, lag: Lag, *, answers: bool = True) -> SourceLiveness:
        return watch.updated(answers, now).with_lag(watch, lag, 10)

    low = trailing([Mirror(topic="t", status="ACTIVE", lags=(PartitionLag(0, 10),))])
    high = trailing([Mirror(topic="t", status="ACTIVE", lags=(PartitionLag(0, 11),))])
    unknown = trailing([Mirror(topic="t", status="ACTIVE", lags=(PartitionLag(0, None),))])
    watch = look(look(SourceLiveness(), 100.0, low), 110.0, low)
    assert watch.low_since == 100.0
    for doubt in (high, unknown, trailing([])):
        assert look(watch, 120.0, doubt).low_since is None
    assert look(watch, 120.0, low, answers=False).low_since is None, "a lag that froze"
    assert look(watch, 171.0, low).low_since == 171.0, "nobody looked for more than a minute"
