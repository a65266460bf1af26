"""`failover rescue`: what was saved is shown and exported as it was saved, or it is said that it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.plan.model import parse
from failover.rescue.archive import Archive
from failover.rescue.stranded import StrandedRange

FOLDER = "rescue/orders/orders-2-restore"
LINE = b'{"offset":%d,"timestamp":0,"timestamp_type":"create","key":null,"value":"eA==","headers":[]}\n'
RESCUE = {
    "bucket": "rescued",
    "key": "arn:aws:kms:us-west-2:123456789012:key/1",
    "retention_days": 400,
    "readers": ["arn:aws:iam::123456789012:role/reader"],
}


@pytest.fixture
def plan_text(plan_text: str) -> str:
    return yaml.safe_dump(yaml.safe_load(plan_text) | {"rescue": RESCUE})


@pytest.fixture
def bucket(stack: Callable[..., Any]) -> Any:
    s3 = stack("s3")
    s3.create_bucket(Bucket="rescued", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return s3


@pytest.fixture
def save(bucket: Any, plan_text: str) -> Callable[..., None]:
    """Saves two segments of a partition, the second one with a gap."""

    def save(topic: str = "orders", execution: str = "orders-2-restore", *, indexed: bool = True) -> None:
        rescue = parse(plan_text).rescue
        assert rescue is not None
        archive, spot = Archive(rescue, "orders", execution), (topic, 0)
        chain = [
            archive.put(spot, LINE % 5 + LINE % 6, begin=5, end=7, records=2, gone=0),
            archive.put(spot, LINE % 8, begin=7, end=9, records=1, gone=0),
        ]
        if indexed:
            archive.put_index(StrandedRange(topic=topic, partition=0, begin=5, end=9), chain)

    return save


def test_what_was_saved_is_shown(failover: Any, save: Any) -> None:
    save()
    shown = failover("rescue", "show", "orders")
    assert shown.code == 0
    assert "orders-2-restore saved 3 records of 1 partitions" in shown.out
    assert "orders[0]  5-8      3        1          0" in shown.out
    assert "every object is in S3 as it was saved" in shown.out
    document = json.loads(failover("rescue", "show", "--json").out)
    assert document["partitions"][0]["saved"]["records"] == 3
    assert (document["damaged"], document["unfinished"]) == ([], [])


def test_records_are_exported_as_they_were_saved(failover: Any, save: Any, tmp_path: Path) -> None:
    save()
    save("payments")
    ended = failover("rescue", "export", "orders", "--to", str(tmp_path), "--topic", "orders")
    assert (ended.code, "3 records" in ended.out) == (0, True)
    assert (tmp_path / "orders" / "0.ndjson").read_bytes() == LINE % 5 + LINE % 6 + LINE % 8
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_an_object_that_is_gone_or_another_is_named(failover: Any, save: Any, bucket: Any, tmp_path: Path) -> None:
    save()
    bucket.delete_object(Bucket="rescued", Key=f"{FOLDER}/orders/0/{5:020}.ndjson")
    bucket.put_object(Bucket="rescued", Key=f"{FOLDER}/orders/0/{7:020}.ndjson", Body=LINE % 9)
    shown = failover("rescue", "show")
    assert shown.code == 1
    assert f"{5:020}.ndjson is not there any more" in shown.out
    assert f"{7:020}.ndjson was not saved by a rescue" in shown.out
    assert "as it was saved" not in shown.out


def test_an_object_whose_bytes_changed_is_not_exported(failover: Any, save: Any, bucket: Any, tmp_path: Path) -> None:
    save()
    key = f"{FOLDER}/orders/0/{7:020}.ndjson"
    facts = bucket.head_object(Bucket="rescued", Key=key)["Metadata"]
    bucket.put_object(Bucket="rescued", Key=key, Body=LINE % 9, Metadata=facts)
    ended = failover("rescue", "export", "--to", str(tmp_path))
    assert ended.code == 2 and "SHA-256 differs" in ended.err
    assert not (tmp_path / "orders" / "0.ndjson").exists()


def test_a_partition_that_is_not_saved_to_its_end_is_said_to_be_so(failover: Any, save: Any) -> None:
    save("orders")
    save("payments", indexed=False)
    assert "not saved to its end: rescue/orders/orders-2-restore/payments/0" in failover("rescue", "show").out


def test_of_several_restores_one_has_to_be_named(failover: Any, save: Any) -> None:
    assert "nothing was rescued" in failover("rescue", "show").err
    save()
    save(execution="orders-4-restore")
    refused = failover("rescue", "show")
    assert refused.code == 2 and "orders-2-restore, orders-4-restore" in refused.err
    assert failover("rescue", "show", "--execution", "orders-4-restore").code == 0
    assert failover("rescue", "show", "--execution", "orders-9-restore").code == 2


def test_a_topic_that_was_not_rescued_is_refused(failover: Any, save: Any, tmp_path: Path) -> None:
    save()
    assert failover("rescue", "export", "--to", str(tmp_path), "--topic", "order").code == 2
