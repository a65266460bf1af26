"""Lag samples and the loss that is told from them: never fresher, and never less, than is proven."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.link import Mirror, PartitionLag
from failover.loss.estimate import losses, peak_rate, summary
from failover.loss.sample_table import from_rows, to_rows
from failover.loss.samples import APART_S, FETCH_S, Sample, SourceLiveness, update_samples
from tests.claims import reaches

NEVER = SourceLiveness()


def mirror(records: int | None, fetched_to: int | None, status: str = "ACTIVE") -> Mirror:
    return Mirror(topic="orders", status=status, lags=(PartitionLag(0, records, fetched_to),))


def after(*looks: tuple[float, bool, Mirror]) -> dict[str, dict[int, Sample]]:
    """The samples after looks at (time, whether the source answered, the mirror)."""
    samples: dict[str, dict[int, Sample]] = {}
    watch = NEVER
    for now, answers, seen in looks:
        samples = update_samples(samples, [seen], watch, now, answers)
        watch = watch.updated(answers, now)
    return samples


def test_a_lag_is_fresh_if_the_source_answered_at_the_same_time() -> None:
    sample = after((10, True, mirror(3, 100)))["orders"][0]
    assert (sample.at, sample.lag, sample.fetched_to, sample.proof) == (10 - FETCH_S, 3, 100, "the source answered")


def test_a_fetch_that_advanced_is_as_fresh_as_the_look_before_it_and_no_fresher() -> None:
    looks = [(10.0, True, mirror(3, 100)), (20.0, False, mirror(5, 100)), (30.0, False, mirror(5, 180))]
    sample = after(*looks)["orders"][0]
    assert (sample.at, sample.lag, sample.proof) == (20, 5, "a fetch advanced")


def test_a_look_that_was_not_kept_makes_no_later_fetch_look_fresher() -> None:
    samples = update_samples({}, [mirror(3, 100)], NEVER, 10, True)
    watch = replace(NEVER.updated(True, 10).updated(False, 20).updated(False, 30), sampled_at=10)
    assert (watch.looked_at, watch.unanswered_since) == (30, 20)
    after_many = update_samples(samples, [mirror(5, 180)], watch, 40, False)["orders"][0]
    assert (after_many.at, after_many.lag) == (10 - FETCH_S, 3), "somewhen since the look at 10, not since that at 30"


def test_the_last_fetches_before_an_outage_do_not_make_a_frozen_lag_look_fresh() -> None:
    sample = after((10, True, mirror(3, 100)), (20, False, mirror(17, 150)), (30, False, mirror(17, 150)))["orders"][0]
    assert (sample.at, sample.lag) == (10 - FETCH_S, 3)


def test_an_unknown_lag_leaves_the_last_known_sample() -> None:
    assert after((10, True, mirror(3, 100)), (20, True, mirror(None, None)))["orders"][0].at == 10 - FETCH_S
    assert "orders" not in after((10, True, mirror(None, None)))


def test_a_stopped_mirror_is_not_sampled() -> None:
    assert after((10, True, mirror(3, 100)), (20, True, mirror(0, 200, "STOPPED")))["orders"][0].at == 10 - FETCH_S


def test_the_rate_is_a_peak_that_fades() -> None:
    looks = [(0.0, True, mirror(0, 0)), (10.0, True, mirror(0, 1000))]
    rates = [after(*looks, (20.0, True, mirror(0, end)))["orders"][0].rate for end in (1000, 1500, 3000)]
    assert rates == [90, 95, 200]


def test_two_samplers_side_by_side_make_no_rate_of_noise() -> None:
    samples = after((0, True, mirror(0, 0)), (10, True, mirror(0, 1000)), (10.001, True, mirror(0, 1100)))
    assert (samples["orders"][0].rate, samples["orders"][0].at) == (100, 10 - FETCH_S)
    apart = after((0, True, mirror(0, 0)), (10, True, mirror(0, 1000)), (10 + APART_S, True, mirror(0, 1200)))
    assert (apart["orders"][0].rate, apart["orders"][0].at) == (100, 10 + APART_S - FETCH_S)


def test_samples_are_kept_as_they_were() -> None:
    samples = after((0, True, mirror(0, 0)), (10, True, mirror(2, 1000)), (20, False, mirror(2, 1200)))
    assert samples["orders"][0].last_fetched_to - samples["orders"][0].fetched_to == 200
    assert from_rows(to_rows(samples)) == samples


def test_the_watch_knows_since_when_the_source_is_silent() -> None:
    watch = SourceLiveness().updated(True, 10).updated(False, 20).updated(False, 30)
    assert (watch.answered_at, watch.unanswered_since) == (10, 20)
    assert watch.updated(True, 40) == SourceLiveness(looked_at=40, answered_at=40, unanswered_since=None, sampled_at=40)


def sample(at: float = 100, lag: int = 10, fetched_to: int = 1000, rate: float | None = 50) -> Sample:
    return Sample(
        at=at, lag=lag, fetched_to=fetched_to, rate=rate, proof="the source answered", last_fetched_to=fetched_to
    )


def one(frozen: int | None, known: Sample | None, log_end: int | None, lost_by: float = 104):  # type: ignore[no-untyped-def]
    samples = {"orders": {0: known}} if known else {}
    ends = {} if log_end is None else {"orders": {0: log_end}}
    return losses({"orders": {0: frozen}}, samples, ends, lost_by)[0]


def test_a_loss_is_from_the_frozen_lag_to_what_came_in_until_the_source_fell_silent() -> None:
    loss = one(20, sample(), 1090)
    assert (loss.low, loss.high) == (20, 10 + 50 * 4 - 90)


def test_the_range_never_ends_below_where_it_begins() -> None:
    assert one(500, sample(), 5000).high == 500


def test_a_partition_without_a_sample_or_a_rate_has_no_upper_end() -> None:
    assert one(20, None, 1090).high is None
    assert one(20, sample(rate=None), 1090).high is None
    assert not one(0, None, 0).has_estimate
    assert one(20, None, 1090).as_row()["estimated"] is None, "half a range is none"


def test_unknown_is_never_zero() -> None:
    found = summary(losses({"orders": {0: 0, 1: None}}, {}, {}, 104), 104, "east")
    assert (found["label"], found["records"], found["unknown_partitions"]) == ("unknown", None, 2)
    assert found["unknown"] == ["orders[0]", "orders[1]"]
    assert found["measured"] is None and "only east knows" in found["not_measured_because"]


def test_unknown_partitions_are_in_no_total_and_are_named() -> None:
    found = losses({"orders": {0: 20, 1: None}}, {"orders": {0: sample()}}, {"orders": {0: 1090, 1: 7}}, 104)
    told = summary(found, 104, "east")
    assert told["records"] == {"low": 20, "high": 120}
    assert (told["unknown_partitions"], told["unknown"], told["at_least"]) == (1, ["orders[1]"], 20)
    assert found[1].as_row()["log_end_at_promotion"] == 7
    assert peak_rate(found) == 50


def test_the_worst_are_named_first_and_the_document_stays_small() -> None:
    lags = {f"t{number:05}": {0: number, 1: number} for number in range(10_000)}
    samples = {topic: {0: sample(lag=part[0]), 1: sample()} for topic, part in lags.items()}
    told = summary(losses(lags, samples, {}, 104), 104, "east")
    assert [row["topic"] for row in told["worst"][:2]] == ["t09999", "t09998"]
    assert told["partitions"] == 20_000 and len(str(told)) < 10_000


@given(
    tens_a_second=st.integers(0, 50),
    tenths_since_fetch=st.integers(0, int(10 * FETCH_S)),
    seconds_to_loss=st.integers(0, 9),
    fetched=st.integers(0, 10_000),
)
def test_with_a_steady_source_the_true_loss_is_within_the_range(
    tens_a_second: int, tenths_since_fetch: int, seconds_to_loss: int, fetched: int
) -> None:
    """A source that never exceeds the peak it was seen at, looked at every 10 seconds: each look sees it as the link's
    last fetch did. It dies, and is seen silent at the next look."""
    rate = 10 * tens_a_second
    since_fetch = tens_a_second * tenths_since_fetch
    ends = [max(0, rate * 10 * look - since_fetch) for look in range(4)]
    samples = after(*((10.0 * look, True, mirror(0, end)) for look, end in enumerate(ends)))
    last = 10.0 * (len(ends) - 1)
    came = rate * seconds_to_loss + since_fetch
    replicated = min(fetched, came)
    stranded = came - replicated
    reaches(stranded > 0, floor=0.1)
    loss = losses({"orders": {0: 0}}, samples, {"orders": {0: ends[-1] + replicated}}, last + 10)[0]
    assert loss.low is not None and loss.high is not None
    assert loss.low <= stranded <= loss.high
    assert loss.high <= math.ceil(rate * (10 + FETCH_S))


@pytest.mark.parametrize("tenths", range(int(10 * FETCH_S) + 1))
def test_a_source_that_dies_as_it_is_seen_to_answer_has_lost_what_came_since_the_last_fetch(tenths: int) -> None:
    """And is known to be silent at once: nothing else makes the range wide enough."""
    samples = after((10, True, mirror(0, 1_000 - 10 * tenths)), (20, True, mirror(0, 2_000 - 10 * tenths)))
    (loss,) = losses({"orders": {0: 0}}, samples, {"orders": {0: 2_000 - 10 * tenths}}, 20.0)
    assert loss.high is not None and 10 * tenths <= loss.high


def test_a_source_that_can_not_be_asked_is_neither_answering_nor_lost() -> None:
    """A refused key would else date the loss to its rotation."""
    watch = SourceLiveness(looked_at=90.0, answered_at=90.0, unanswered_since=None)
    assert watch.updated(None, 100.0) == SourceLiveness(
        looked_at=100.0, answered_at=90.0, unanswered_since=None, sampled_at=100.0
    )
    gone = SourceLiveness(looked_at=90.0, answered_at=80.0, unanswered_since=85.0)
    assert gone.updated(None, 100.0) == SourceLiveness(
        looked_at=100.0, answered_at=80.0, unanswered_since=85.0, sampled_at=100.0
    )
    assert gone.updated(False, 100.0).unanswered_since == 85.0


def test_a_look_at_a_silent_source_is_of_its_begin_and_knows_the_silence_at_its_end() -> None:
    watch = SourceLiveness().updated(True, 10.0, over=10.1).updated(False, 15.0, over=18.0)
    assert (watch.looked_at, watch.sampled_at, watch.answered_at, watch.unanswered_since) == (15.0, 15.0, 10.0, 18.0)
