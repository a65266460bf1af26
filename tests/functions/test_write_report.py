"""write_report: every execution that left a report has its page, and nothing depends on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover.aws.clients import client
from failover.errors import MalformedEvent, ServiceRejected
from failover.ledger.ledger import Ledger
from failover.loss.estimate import summary
from tests.deployment.templates import RESOURCES
from tests.functions.conftest import Message
from tests.markup import mistakes

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
EVENTS = Path(__file__).resolve().parents[2] / "events"
BUCKET = "reports"


def event(**detail: Any) -> dict[str, Any]:
    ended: dict[str, Any] = json.loads((EVENTS / "write_report.json").read_text())
    return ended | {"detail": ended["detail"] | detail}


@pytest.fixture
def bucket(deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """What is in the bucket of reports, by key."""
    s3 = deployed("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    monkeypatch.setenv("REPORT_BUCKET", BUCKET)

    def files() -> dict[str, str]:
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys}

    return files


@pytest.fixture
def concluded(bucket: Any, call: Call) -> dict[str, Any]:
    """An execution that has ended; its report."""
    start = {"plan": "orders", "to": "west", "by": "Ada", "reason": "east burns <b>"}
    execution = call("claim", {"start": start, "execution_name": "orders-1-failover"})["execution"]
    report: dict[str, Any] = call("conclude", {"execution": execution, "outcome": "succeeded"})["report"]
    return report


def test_the_page_and_the_document_are_where_the_message_says(
    bucket: Callable[[], dict[str, str]], concluded: dict[str, Any], call: Call, messages: Callable[[], list[Message]]
) -> None:
    keys = call("write_report", event())["written"]
    assert keys == ["orders/orders-1-failover/report.html", "orders/orders-1-failover/report.json"]
    page, document = (bucket()[key] for key in keys)
    assert "east burns &lt;b&gt;" in page and "Ada" in page and mistakes(page) == []
    whole = json.loads(document)
    assert (whole["version"], whole["report"]) == (1, concluded)
    call("announce", {"execution": _execution(concluded)})
    (message,) = messages()
    assert f"us-west-2.console.aws.amazon.com/s3/object/{BUCKET}?" in message.body["text"]
    assert "prefix=orders%2Forders-1-failover%2Freport.html" in message.body["text"]


def _execution(report: dict[str, Any]) -> dict[str, Any]:
    fields = ("plan", "epoch", "kind", "from", "to", "dry_run", "manual", "started_by", "reason", "claimed_at")
    return {"name": report["execution"]} | {field: report[field] for field in fields}


def test_called_again_it_writes_the_same_again(bucket: Any, concluded: dict[str, Any], call: Call) -> None:
    call("write_report", event())
    before = bucket()
    call("write_report", event(status="FAILED"))
    assert bucket() == before


def test_the_page_of_a_failover_is_written_anew_once_a_restore_has_measured_its_loss(
    bucket: Callable[[], dict[str, str]], concluded: dict[str, Any], call: Call
) -> None:
    call("write_report", event())
    pages = bucket()
    start = {"plan": "orders", "to": "west", "by": "Ada"}
    restore = {"start": start, "execution_name": "orders-2-restore", "kind": "restore"}
    execution = call("claim", restore)["execution"]
    call("conclude", {"execution": execution, "outcome": "succeeded"})
    own = ["orders/orders-2-restore/report.html", "orders/orders-2-restore/report.json"]
    assert call("write_report", event(name="orders-2-restore"))["written"] == own, "it measured nothing"
    assert {key: text for key, text in bucket().items() if key not in own} == pages

    book = Ledger(client("dynamodb"), "ledger")
    measured = {
        "records": 4321,
        "partitions": 1,
        "unmeasured_partitions": 0,
        "at": 1.0,
        "execution": "orders-2-restore",
    }
    loss = summary([], 1.0, "east") | {"label": "measured", "measured": measured, "not_measured_because": ""}
    book.amend_report("orders", "orders-1-failover", concluded | {"loss": loss})
    for _ in range(2):
        assert call("write_report", event(name="orders-2-restore"))["written"] == [*own, *pages]
        assert "4,321" in bucket()["orders/orders-1-failover/report.html"]
    assert call("write_report", event())["written"] == [*pages], "a failover writes no page but its own"


@pytest.mark.parametrize("start", [None, "null", "[]", "not json", '{"plan": ""}', '{"plan": "nobody"}', '{"to": 3}'])
def test_what_left_no_report_has_no_page(bucket: Any, call: Call, start: str | None) -> None:
    assert call("write_report", event(input=start)) == {"written": []}
    assert bucket() == {}


def test_an_execution_without_an_end_has_no_page(bucket: Any, call: Call) -> None:
    call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-1-failover"})
    assert call("write_report", event(status="ABORTED")) == {"written": []}


def test_rubbish_is_refused_and_a_bucket_that_refuses_is_told(
    bucket: Any, concluded: dict[str, Any], call: Call, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MalformedEvent):
        call("write_report", {"detail": "rubbish"})
    monkeypatch.setenv("REPORT_BUCKET", "of-somebody-else")
    with pytest.raises(ServiceRejected):
        call("write_report", event())
    with pytest.raises(ClientError):
        deployed("s3").head_bucket(Bucket="of-somebody-else")


def test_no_execution_waits_for_its_page_and_the_bucket_is_private_encrypted_and_kept_for_a_time() -> None:
    machines = [each for each in RESOURCES.values() if each["Type"] == "AWS::Serverless::StateMachine"]
    assert "WriteReport" not in json.dumps(machines)
    reports = RESOURCES["Reports"]
    assert reports["DeletionPolicy"] == "Retain"
    properties = reports["Properties"]
    assert all(properties["PublicAccessBlockConfiguration"].values())
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (kept,) = properties["LifecycleConfiguration"]["Rules"]
    assert kept["ExpirationInDays"] == {"Ref": "ReportRetentionDays"}
