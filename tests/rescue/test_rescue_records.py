"""What is stranded is read byte for byte into S3, on the real wire: none twice, none missing, whenever it is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient
from confluent_kafka import Producer

from failover.aws.clients import client
from failover.errors import KafkaUnavailable, RescueDamaged, RescueIncomplete, ServiceUnavailable
from failover.ledger.ledger import Ledger
from failover.rescue.record import load_progress, load_stranded, save_progress
from failover.rescue.stranded import Saved, unsaved
from tests.rescue.conftest import BUCKET, EXECUTION, PREFIX, RESCUE, Bucket, Returned

Step = Callable[[], Any]
Strand = Callable[..., None]


def until_done(rescue_records: Step, limit: int = 40) -> dict[str, Any]:
    """What the step observed, once it is done."""
    for _ in range(limit):
        report = answer(rescue_records)
        if report["status"] == "done":
            return dict(report["observed"])
    raise AssertionError(report)


def answer(rescue_records: Step, retries: int = 5) -> dict[str, Any]:
    """The step's answer; as the state machine has it, it is called again while a cluster is silent."""
    for _ in range(retries):
        with contextlib.suppress(KafkaUnavailable):
            return dict(rescue_records())
    return dict(rescue_records())


def test_records_are_saved_byte_for_byte(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step
) -> None:
    producer = Producer({"bootstrap.servers": returned.bootstrap})
    written: list[tuple[Any, Any, Any]] = [
        (None, None, []),
        (b"", b"", [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", b""), ("null", None)]),
        (bytes(range(256)), b'{"quoted": "\n"}', [('n"ame', "ü".encode())]),
    ]
    for number, (key, value, headers) in enumerate(written):
        producer.produce("orders", value, key, partition=1, headers=headers, timestamp=1_700_000_000_000 + number)
    producer.flush(10)
    strand({("orders", 1): (0, 3)})
    until_done(rescue_records)
    saved = bucket.records("orders", 1)
    assert [(record.key, record.value, list(record.headers)) for record in saved] == written
    assert [(record.offset, record.timestamp) for record in saved] == [(n, 1_700_000_000_000 + n) for n in range(3)]
    assert {record.timestamp_type for record in saved} == {"create"}


def test_of_each_partition_only_what_is_stranded_is_saved(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, ledger: Ledger
) -> None:
    for partition in range(3):
        returned.write("orders", 50, partition=partition)
    returned.write("payments", 5)
    strand({("orders", 0): (10, 50), ("orders", 2): (49, 50), ("payments", 0): (0, 4)})
    observed = until_done(rescue_records)
    assert [record.offset for record in bucket.records("orders", 0)] == list(range(10, 50))
    assert [record.offset for record in bucket.records("orders", 2)] == [49]
    assert [record.offset for record in bucket.records("payments", 0)] == [0, 1, 2, 3]
    assert bucket.records("orders", 1) == []
    assert (observed["diverged"], observed["saved"], observed["without_record"]) == (45, 45, 0)
    stranded = load_stranded(ledger, EXECUTION)
    assert stranded is not None
    assert unsaved(stranded, load_progress(ledger, EXECUTION)) == []


def test_the_index_says_what_is_in_every_object(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.rescue.save.SEGMENT_BYTES", 1)
    monkeypatch.setattr("failover.kafka.range_reader._MESSAGES", 10)
    returned.write("orders", 30)
    strand({("orders", 0): (0, 30)})
    until_done(rescue_records)
    index = bucket.index("orders")
    segments = index["segments"]
    assert len(segments) == 3
    assert [segment["begin"] for segment in segments] == [0, 10, 20]
    assert [segment["end"] for segment in segments] == [10, 20, 30]
    assert sum(segment["records"] for segment in segments) == index["saved"]["records"] == 30
    assert all(segment["sha256"] for segment in segments)
    head = bucket.s3.head_object(Bucket="rescued", Key=segments[0]["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", RESCUE["key"])


def test_a_segment_is_vouched_for_by_a_checksum_that_is_signed_and_hashed_once(
    returned: Returned, strand: Strand, rescue_records: Step
) -> None:
    requests: list[Any] = []
    events = client("s3", None, attempts=3).meta.events
    events.register_first("before-send.s3.PutObject", lambda request, **_: requests.append(request))
    returned.write("orders", 5)
    strand({("orders", 0): (0, 5)})
    until_done(rescue_records)
    assert len(requests) == 2, "a segment, and the index"
    for request in requests:
        assert request.headers["X-Amz-Content-SHA256"] == b"UNSIGNED-PAYLOAD"
        assert b"x-amz-checksum-sha256" in request.headers["Authorization"]


def test_who_is_done_reads_nothing_again(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step
) -> None:
    returned.write("orders", 5)
    strand({("orders", 0): (0, 5)})
    first = until_done(rescue_records)
    modified = [bucket.s3.head_object(Bucket="rescued", Key=key)["ETag"] for key in bucket.keys("")]
    assert until_done(rescue_records, limit=1) == first
    assert [bucket.s3.head_object(Bucket="rescued", Key=key)["ETag"] for key in bucket.keys("")] == modified


def test_what_was_not_measured_is_not_saved(rescue_records: Step) -> None:
    with pytest.raises(RescueIncomplete, match="not measured"):
        rescue_records()


def test_a_dry_run_reads_nothing_and_does_not_know_what_was_not_measured(strand: Strand, call: Any) -> None:
    rehearsal = {"execution": EXECUTION.as_state() | {"dry_run": True}}
    assert call("rescue_records", rehearsal)["observed"] == {"would_rescue": None}
    strand({("orders", 0): (0, 5), ("payments", 0): (3, 4)})
    assert call("rescue_records", rehearsal)["observed"] == {"would_rescue": 6}


def test_nothing_stranded_is_nothing_to_save(strand: Strand, rescue_records: Step) -> None:
    strand({})
    assert until_done(rescue_records, limit=1)["diverged"] == 0


@pytest.mark.parametrize("rescue", [None])
def test_without_a_place_to_keep_them_records_stay_where_they_are(strand: Strand, rescue_records: Step) -> None:
    strand({("orders", 0): (0, 5)})
    with pytest.raises(RescueIncomplete, match="plan has no rescue"):
        rescue_records()


def test_a_log_that_ends_before_it_was_measured_to_is_not_saved(
    returned: Returned, strand: Strand, rescue_records: Step, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    monkeypatch.setattr("failover.rescue.save.READ_S", 0.5)
    returned.write("orders", 5)
    strand({("orders", 0): (0, 6)})
    for _ in range(20):
        report = rescue_records()
        assert report["status"] == "waiting"
        if report["observed"]["saved"] == 5:
            break
    assert report["observed"]["unsaved"] == ["orders[0]: 1 offsets are not saved yet"]
    returned.write("orders", 1, first=5)
    assert until_done(rescue_records)["saved"] == 6


class Killed(BaseException):
    """The container is gone; nothing that handles exceptions handles it."""


def kill_at(patch: pytest.MonkeyPatch, call: int, *, after: bool) -> list[str]:
    """Die before, or just after, the AWS call of that number; answers the calls that were made."""
    made: list[str] = []
    clients: Any = BaseClient
    send = clients._make_api_call

    def killing(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        made.append(operation)
        if len(made) != call:
            return send(client, operation, parameters)
        if after:
            send(client, operation, parameters)
        raise Killed(operation)

    patch.setattr(clients, "_make_api_call", killing)
    return made


def assert_whole(bucket: Bucket, partitions: int, count: int) -> None:
    for partition in range(partitions):
        offsets = [record.offset for record in bucket.records("orders", partition)]
        assert offsets == list(range(count)), "none twice, none missing"
        index = bucket.index("orders", partition)
        assert len(index["segments"]) == len(
            [key for key in bucket.keys(".ndjson") if f"/orders/{partition}/" in key]
        ), "every object is in the index"


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failover.rescue.save.SEGMENT_BYTES", 1000)
    monkeypatch.setattr("failover.rescue.save.BUFFERED_BYTES", 1500)
    monkeypatch.setattr("failover.kafka.range_reader._MESSAGES", 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.usefixtures("small_segments")
def test_killed_at_any_call_none_is_twice_and_none_is_missing(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, after: bool
) -> None:
    for partition in range(2):
        returned.write("orders", 40, partition=partition)
    strand({("orders", 0): (0, 40), ("orders", 1): (0, 40)})
    for number in range(1, 200):
        for key in bucket.keys(""):
            bucket.s3.delete_object(Bucket="rescued", Key=key)
        strand({("orders", 0): (0, 40), ("orders", 1): (0, 40)})
        forget_progress()
        with pytest.MonkeyPatch.context() as patch:
            made = kill_at(patch, number, after=after)
            with contextlib.suppress(Killed):
                rescue_records()
        observed = until_done(rescue_records)
        assert observed["saved"] == observed["diverged"] == 80
        assert_whole(bucket, 2, 40)
        if len(made) < number:
            break
    else:
        pytest.fail("the step makes more calls than were tried")


def forget_progress() -> None:
    for item in client("dynamodb").scan(TableName="ledger")["Items"]:
        if "#rescued" in item["sk"]["S"]:
            client("dynamodb").delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.mark.slow
def test_of_twenty_thousand_none_is_twice_or_missing_however_often_it_is_killed(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.rescue.save.SEGMENT_BYTES", 50_000)
    for partition in range(4):
        returned.write("orders", 5000, partition=partition, size=100)
    strand({("orders", partition): (0, 5000) for partition in range(4)})
    killed = 0
    for number in (3, 7, 11, 19, 30, 42):
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, number, after=number % 2 == 0)
            try:
                rescue_records()
            except Killed:
                killed += 1
    observed = until_done(rescue_records)
    assert killed >= 4
    assert observed["saved"] == observed["diverged"] == 20_000
    assert_whole(bucket, 4, 5000)


def test_an_object_that_says_it_ends_where_it_begins_is_damage_and_is_not_looked_at_for_ever(
    bucket: Bucket, strand: Strand, rescue_records: Step
) -> None:
    strand({("orders", 0): (0, 40)})
    facts = {"end": "0", "records": "0", "gone": "0", "sha256": ""}
    bucket.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}orders/0/{0:020}.ndjson", Body=b"", Metadata=facts)
    with pytest.raises(RescueDamaged):
        rescue_records()


@pytest.mark.usefixtures("small_segments")
def test_of_two_calls_that_read_the_same_range_one_writes(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call was taken for lost, and goes on beside the second."""
    returned.write("orders", 40)
    strand({("orders", 0): (0, 40)})
    clients: Any = BaseClient
    send, overtaken = clients._make_api_call, [False]

    def overtake(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "PutObject" and not overtaken[0]:
            overtaken[0] = True
            until_done(rescue_records)
        return send(client, operation, parameters)

    monkeypatch.setattr(clients, "_make_api_call", overtake)
    with pytest.raises(ServiceUnavailable, match="another call wrote"):
        rescue_records()
    assert until_done(rescue_records, limit=1)["saved"] == 40
    assert_whole(bucket, 1, 40)


@pytest.mark.slow
@pytest.mark.parametrize("rescue", [RESCUE, RESCUE | {"on_gone": "go-on"}], ids=["stop", "go-on"])
def test_records_that_expired_meanwhile_are_named_or_counted_as_gone(
    returned: Returned, bucket: Bucket, strand: Strand, rescue_records: Step, rescue: dict[str, Any], ledger: Ledger
) -> None:
    """The mock cluster keeps 5 MB a partition."""
    returned.write("orders", 7000, size=1000)
    strand({("orders", 0): (0, 7000)})
    if rescue.get("on_gone") != "go-on":
        with pytest.raises(RescueIncomplete, match=r"orders\[0\]: .* are not on the site any more"):
            rescue_records()
        assert load_progress(ledger, EXECUTION) == {}
        return
    observed = until_done(rescue_records)
    assert observed["gone"] > 1000
    assert observed["saved"] + observed["gone"] == observed["diverged"] == 7000
    offsets = [record.offset for record in bucket.records("orders")]
    assert offsets == list(range(observed["gone"], 7000))


@pytest.mark.slow
@pytest.mark.parametrize("rescue", [RESCUE, RESCUE | {"on_gone": "go-on"}], ids=["stop", "go-on"])
def test_records_of_a_topic_that_was_deleted_are_named_or_counted_as_gone(
    returned: Returned, strand: Strand, rescue_records: Step, rescue: dict[str, Any]
) -> None:
    returned.write("orders", 5)
    strand({("orders", 0): (0, 5), ("orders", 77): (3, 9), ("vanished", 0): (0, 6)})
    if rescue.get("on_gone") != "go-on":
        with pytest.raises(RescueIncomplete, match=r"(orders\[77\]|vanished\[0\]): 6 stranded offsets"):
            rescue_records()
        return
    observed = until_done(rescue_records)
    assert (observed["saved"], observed["gone"], observed["diverged"]) == (5, 12, 17)


def test_a_redrive_after_the_truncation_does_not_forget_what_was_saved(
    strand: Strand, rescue_records: Step, ledger: Ledger
) -> None:
    strand({})
    save_progress(ledger, EXECUTION, {("orders", 0): Saved(begin=10, next_offset=15, records=4, without_record=1)})
    observed = until_done(rescue_records)
    assert (observed["partitions"], observed["diverged"]) == (1, 5)
    assert (observed["saved"], observed["without_record"]) == (4, 1)
