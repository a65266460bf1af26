"""sample_lag looks at many plans in one call, each answered by itself, and writes no more than a reader would miss."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from failover.container import memory, recall
from failover.errors import LinkUnavailable
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table
from failover.link import Lag, Mirror, PartitionLag, trailing
from failover.loss.sample_table import load_samples
from failover.loss.samples import FETCH_S, SourceLiveness
from failover.plan.model import Plan
from tests.conftest import Context
from tests.plans import put_plan

BEGIN = 1_800_000_000.0


class Cluster:
    """The standby's mirrors, and whether the active cluster answers."""

    def __init__(self, count: int = 3) -> None:
        self.count, self.fetched_to, self.answers = count, 100, True
        self.fails: Exception | None = None
        """What a list of the mirrors ends with."""
        self.lists = threading.Event()
        """Set: the list of the mirrors ends at all."""
        self.lists.set()

    def mirrors(self) -> list[Mirror]:
        self.lists.wait(30)
        if self.fails is not None:
            raise self.fails
        lags = (PartitionLag(0, 3, self.fetched_to),)
        return [Mirror(topic=f"t{n}", status="ACTIVE", lags=lags) for n in range(self.count)]


class Sampling:
    """Calls sample_lag at moments. `clusters`: by plan; `written`: plans and sort keys of the last call's writes."""

    def __init__(self, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clusters = {"orders": Cluster()}
        self.written: list[tuple[str, str]] = []
        self._handler, self._now = module.handler, BEGIN
        put = Ledger.put

        def noted(book: Ledger, plan: str, sort: str, values: dict[str, Any]) -> None:
            self.written.append((plan, sort))
            put(book, plan, sort, values)

        async def kafka_answers(network: Any, plan: Plan, *_: Any) -> bool:
            return self.clusters[plan.name].answers

        monkeypatch.setattr(Ledger, "put", noted)
        monkeypatch.setattr(module, "kafka_answers", kafka_answers)
        monkeypatch.setattr(module, "links_at", lambda plan, _: [self.clusters[plan.name]])
        clock = SimpleNamespace(time=lambda: self._now, monotonic=time.monotonic)
        monkeypatch.setattr(module, "time", clock)

    def __call__(self, second: float, **request: Any) -> dict[str, dict[str, Any]]:
        """The answers of a call at so many seconds, by plan."""
        self._now = BEGIN + second
        self.written.clear()
        answer = self._handler({"plans": list(self.clusters), **request}, Context())
        return {of_plan["plan"]: of_plan for of_plan in answer["plans"]}

    def tables(self, plan: str = "orders") -> list[str]:
        """The tables of a plan that the last call wrote."""
        return sorted({sort.removeprefix("plan-table#") for name, sort in self.written if name == plan})


@pytest.fixture
def sampling(
    deployed: Any, function: Callable[[str], Any], plan_text: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sampling]:
    sampling = Sampling(function("sample_lag"), monkeypatch)
    yield sampling
    for cluster in sampling.clusters.values():
        cluster.lists.set()


def watch(deployed: Any) -> SourceLiveness:
    return SourceLiveness(**load_plan_table(Ledger(deployed("dynamodb"), "ledger"), "orders", "watch")["east"])


def test_samples_are_written_every_half_minute_and_not_while_they_are_frozen(deployed: Any, sampling: Sampling) -> None:
    cluster = sampling.clusters["orders"]
    writes = {}
    for second in range(0, 61, 5):
        cluster.fetched_to += 10
        sampling(second)
        writes[second] = sampling.tables()
    assert [second for second, tables in writes.items() if tables] == [0, 30, 60]
    assert writes[30] == ["samples-west", "watch"] and watch(deployed).answered_at == BEGIN + 60
    cluster.answers = False
    for second in (65, 95):
        sampling(second)
        assert sampling.tables() == ["watch"]


def test_what_was_sampled_last_is_written_at_once_when_the_source_stops_answering_and_when_it_answers_again(
    deployed: Any, sampling: Sampling
) -> None:
    cluster = sampling.clusters["orders"]
    sampling(0)
    cluster.fetched_to = 900
    sampling(5)
    assert sampling.tables() == []
    cluster.answers = False
    assert sampling(10)["orders"]["source_answers"] is False
    assert sampling.tables() == ["samples-west", "watch"] and watch(deployed).unanswered_since == BEGIN + 10
    samples = load_samples(Ledger(deployed("dynamodb"), "ledger"), "orders", "west").values()
    known = [(of_topic[0].at, of_topic[0].lag, of_topic[0].fetched_to) for of_topic in samples]
    assert known == [(BEGIN + 5 - FETCH_S, 3, 900)] * 3
    cluster.answers = True
    sampling(15)
    assert "watch" in sampling.tables() and watch(deployed).unanswered_since is None


def test_a_container_goes_on_from_what_another_wrote_meanwhile(deployed: Any, sampling: Sampling) -> None:
    sampling(0)
    remembered_by_first = memory()
    sampling.clusters["orders"].answers = False
    recall({})
    sampling(5)
    recall(remembered_by_first)
    for second in (10, 40):
        sampling(second)
        assert watch(deployed).unanswered_since == BEGIN + 5, "that it goes on not answering begins no new silence"


@pytest.mark.parametrize("trouble", [LinkUnavailable("gone", cluster="lkc-west01"), "it hangs", "a bad document"])
def test_what_is_wrong_with_one_plan_is_that_plans_alone(
    deployed: Any, sampling: Sampling, plan_text: str, monkeypatch: pytest.MonkeyPatch, trouble: Exception | str
) -> None:
    put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": "payments"}), "payments")
    sampling.clusters["payments"] = Cluster()
    if isinstance(trouble, Exception):
        sampling.clusters["payments"].fails = trouble
    elif trouble == "it hangs":
        monkeypatch.setattr("function_sample_lag.CALL_S", 0.5)
        sampling.clusters["payments"].lists.clear()
    else:
        put_plan(deployed, "name: payments", "payments")
    answers = sampling(0)
    assert answers["orders"]["sampled"] and sampling.tables("orders") == ["samples-west", "watch"]
    assert not answers.get("payments", {}).get("sampled") and sampling.tables("payments") == []


def test_a_fault_of_ours_is_heard_once_every_other_plan_is_sampled(
    deployed: Any, sampling: Sampling, plan_text: str
) -> None:
    put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": "payments"}), "payments")
    sampling.clusters = {"payments": Cluster()} | sampling.clusters
    sampling.clusters["payments"].fails = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        sampling(0)
    assert sampling.tables("orders") == ["samples-west", "watch"]


def test_while_an_execution_holds_the_plan_nothing_is_sampled_and_afterwards_what_was_kept_is_read_anew(
    deployed: Any, sampling: Sampling, call: Callable[..., dict[str, Any]]
) -> None:
    sampling(0)
    start = {"start": {"plan": "orders", "to": "west", "by": "Ada"}, "execution_name": "by-hand"}
    execution = call("claim", start)["execution"]
    answer = sampling(5)["orders"]
    assert (answer["sampled"], answer["why"], sampling.tables()) == (False, "by-hand is at it", [])
    call("conclude", {"execution": execution, "outcome": "stood-down"})
    assert sampling(35)["orders"]["sampled"] and watch(deployed).answered_at == BEGIN + 35


def test_the_round_of_a_minute_whose_successor_has_begun_looks_at_nothing(sampling: Sampling) -> None:
    assert sampling(0, scheduled_at="2026-11-23T09:31:00Z")["orders"]["sampled"]
    assert sampling(5, scheduled_at="2026-11-23T09:32:00Z")["orders"]["sampled"]
    assert sampling(10, scheduled_at="2026-11-23T09:31:00Z") == {}
    assert sampling(15)["orders"]["sampled"], "one of no minute"


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
    assert look(watch, 170.0, low).low_since == 100.0
    assert look(watch, 171.0, low).low_since == 171.0, "nobody looked for more than a minute"
