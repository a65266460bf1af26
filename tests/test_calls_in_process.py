"""What is answered in the test's own process is what the server answers over HTTP."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import REGION

PUBLIC = {"Bucket": "reports", "CreateBucketConfiguration": {"LocationConstraint": REGION}}
KEY = "a folder/ünd more.json"


@pytest.fixture(params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest, aws: Callable[..., Any], aws_endpoint: str) -> Callable[[str], Any]:
    """Clients of an empty account. The server is known to be answered for by its address alone."""
    address = aws_endpoint if request.param == "in process" else aws_endpoint.replace("127.0.0.1", "localhost")
    return lambda service: boto3.client(service, region_name=REGION, endpoint_url=address)  # type: ignore[call-overload]


def test_json_is_answered_and_refused(client: Callable[[str], Any]) -> None:
    table = client("dynamodb")
    table.create_table(
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    table.put_item(TableName="items", Item={"pk": {"S": "ünd"}, "n": {"N": "1"}})
    found = table.get_item(TableName="items", Key={"pk": {"S": "ünd"}})
    assert found["Item"]["n"] == {"N": "1"}
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as refused:
        table.put_item(TableName="items", Item={"pk": {"S": "ünd"}}, ConditionExpression="attribute_not_exists(pk)")
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_stream_is_read_when_it_is_wanted_and_names_are_quoted(client: Callable[[str], Any]) -> None:
    bucket = client("s3")
    bucket.create_bucket(**PUBLIC)
    bucket.put_object(Bucket="reports", Key=KEY, Body=b"x" * 70_000, ContentType="application/json")
    found = bucket.get_object(Bucket="reports", Key=KEY)
    assert (found["ContentLength"], found["ContentType"]) == (70_000, "application/json")
    assert bucket.head_object(Bucket="reports", Key=KEY)["ContentLength"] == 70_000
    assert found["Body"].read(5) == b"xxxxx" and len(found["Body"].read()) == 69_995
    assert [row["Key"] for row in bucket.list_objects_v2(Bucket="reports", Prefix="a folder/")["Contents"]] == [KEY]


def test_what_is_sent_as_a_stream_arrives_with_its_checksum(client: Callable[[str], Any]) -> None:
    bucket = client("s3")
    bucket.create_bucket(**PUBLIC)
    bucket.put_object(Bucket="reports", Key=KEY, Body=io.BytesIO(b"x" * 200_000), ChecksumAlgorithm="SHA256")
    found = bucket.get_object(Bucket="reports", Key=KEY, ChecksumMode="ENABLED")
    assert found["Body"].read() == b"x" * 200_000
    assert found["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"x" * 200_000).digest()).decode()


def test_forms_and_xml_are_answered_and_refused(client: Callable[[str], Any]) -> None:
    topics, zones = client("sns"), client("route53")
    topic = topics.create_topic(Name="people")["TopicArn"]
    assert [row["TopicArn"] for row in topics.list_topics()["Topics"]] == [topic]
    zone = zones.create_hosted_zone(Name="example.com", CallerReference="one")["HostedZone"]["Id"]
    assert zones.get_hosted_zone(Id=zone)["HostedZone"]["Name"] == "example.com."
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        zones.get_hosted_zone(Id="Z0")


def test_what_fails_inside_is_answered_as_a_fault_of_the_service(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError) as failed:
        client("cloudwatch").list_alarm_mute_rules()  # moto has no such action
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
