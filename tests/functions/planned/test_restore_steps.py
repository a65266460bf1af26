"""The steps of a restore converge on the real wire: what the returned site holds beyond is counted exactly, nothing
of it is truncated before it is saved or given up by a plain word, and then it mirrors the active site again."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from drill import fixture_plan
from drill.network.plain_http import plain
from failover.errors import AbortRefused, DivergenceUnknown, RescueIncomplete, ReturnedSiteInUse
from failover.execution.inventory import Listed, save_inventory
from failover.ledger.execution import Execution
from failover.link import Truncation
from tests.functions.planned.conftest import TOPICS, Call, Pair, book
from tests.functions.polled_steps import until_done
from tests.functions.wire.conftest import crash_before_the_answer
from tests.patience import eventually

pytestmark = pytest.mark.slow
VERB = "updateKafkaMirrorTopicsTruncateAndRestoreMirror"


@pytest.fixture
def truncation() -> bool:
    return True


@pytest.fixture
def request_(secrets: None, pair: Pair, call: Call) -> dict[str, Any]:
    """What a step of a claimed restore of east is called with, after a failover to west that stranded seven records."""
    start = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    failover = {"execution": call("claim", start)["execution"]}
    while any(end_of(pair, "west", topic) != end_of(pair, "east", topic) for topic in TOPICS):
        time.sleep(0.1)
    until_done(call, "promote_mirrors", failover)
    until_done(call, "check_offsets", failover)
    call("conclude", failover | {"outcome": "succeeded"})
    pair.write(7)
    pair.write(3, site="west", topic="payments")
    start = {"start": {"plan": "orders", "to": "west", "by": "anna"}, "execution_name": "orders-2-restore"}
    claimed = dict(call("claim", start | {"kind": "restore"})["execution"])
    mirrors = {topic: Listed(fixture_plan.LINK, "STOPPED", dict.fromkeys(range(4))) for topic in TOPICS}
    save_inventory(book(), Execution.model_validate(claimed), mirrors)
    return {"execution": claimed}


def end_of(pair: Pair, site: str, topic: str) -> list[int]:
    """Where each partition ends."""
    consumer = Consumer({"bootstrap.servers": pair.kafka[site].ready["raw_bootstrap"], "group.id": "looks"})
    try:
        return [consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=10)[1] for n in range(4)]
    finally:
        consumer.close()


def test_what_is_stranded_is_counted_kept_until_it_may_go_and_then_the_site_mirrors_again(
    pair: Pair, call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        crash_before_the_answer(patch)
        with pytest.raises(MemoryError):
            call("measure_divergence", request_)
    measured = until_done(call, "measure_divergence", request_)["observed"]
    assert (measured["partitions"], measured["diverged_partitions"], measured["diverged"]) == (8, 4, 7)
    with pytest.raises(RescueIncomplete, match="4 partitions are not saved"):
        call("restore_mirrors", request_)
    assert pair.statuses("east") == {} and sum(end_of(pair, "east", "orders")) == 17
    until_done(call, "restore_mirrors", request_ | {"discard": True})
    assert set(pair.statuses("east").values()) == {"ACTIVE"}
    asked = pair.asked(VERB, "east")
    assert until_done(call, "restore_mirrors", request_ | {"discard": True})["observed"]["unready"] == []
    assert asked == pair.asked(VERB, "east")
    eventually(lambda: end_of(pair, "east", "orders") == end_of(pair, "west", "orders"))
    with pytest.raises(AbortRefused, match="point of no return"):
        book().request_abort("orders", "orders-2-restore", "anna", "too late")
    call("conclude", request_ | {"outcome": "succeeded"})
    failover = book().execution("orders", "orders-1-failover")
    assert failover is not None and failover.status == "succeeded"
    loss = failover.document["loss"]
    assert (loss["label"], loss["measured"]["records"], loss["not_measured_because"]) == ("measured", 7, "")


def test_who_writes_after_it_was_measured_is_named_and_it_is_measured_anew(
    pair: Pair, call: Call, request_: dict[str, Any]
) -> None:
    until_done(call, "measure_divergence", request_)
    pair.write(1, topic="payments")
    with pytest.raises(ReturnedSiteInUse, match=r"payments\[0\] ends at"):
        call("restore_mirrors", request_ | {"discard": True})
    assert pair.statuses("east") == {}
    assert until_done(call, "measure_divergence", request_)["observed"]["diverged"] == 8


def test_where_the_link_does_not_count_the_ends_that_the_failover_recorded_do(
    call: Call, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.schemas.AlteredRow.truncation", _untold)
    measured = until_done(call, "measure_divergence", request_)["observed"]
    assert (measured["diverged"], measured["by_recorded_ends"]) == (7, 8)


def _untold(row: Any) -> Truncation:
    return Truncation(topic=row.mirror_topic_name, messages=None, rejection=row.rejection())


def test_a_dry_run_that_the_link_refuses_is_no_zero(pair: Pair, call: Call, request_: dict[str, Any]) -> None:
    until_done(call, "measure_divergence", request_)
    pair.commit("east", "fulfilment", 1)
    control = pair.rest["east"].ready["control"]
    plain.put(f"{control}/cluster", json={"groups": {"fulfilment": "STABLE"}}).raise_for_status()
    report = call("measure_divergence", request_)
    assert report["status"] == "waiting" and "fulfilment" in str(report["observed"]["unknown"])
    with pytest.raises(DivergenceUnknown, match="nothing is truncated"):
        call("measure_divergence", request_ | {"last_chance": True})
