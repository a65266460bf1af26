from __future__ import annotations

import json

import pytest

from drill.aws.cloudwatch import _values
from drill.aws.emf import metrics_of
from drill.aws.metrics import MetricDatum, MetricStore
from tests.patience import eventually

from .conftest import Aws


def line(**more: object) -> str:
    directive = {
        "Namespace": "Failover",
        "Dimensions": [["plan", "site"], ["plan"], ["absent"]],
        "Metrics": [{"Name": "SiteHealthy", "Unit": "Count", "StorageResolution": 1}],
    }
    document = {"_aws": {"Timestamp": 1_700_000_000_500, "CloudWatchMetrics": [directive]}}
    return json.dumps({**document, "plan": "orders", "site": "east", "SiteHealthy": [1, 0], **more})


def test_an_emf_line_gives_each_value_for_each_set_of_dimensions_it_has() -> None:
    data = list(metrics_of(line()))
    assert [(dict(datum.dimensions), datum.value) for datum in data] == [
        ({"plan": "orders", "site": "east"}, 1.0),
        ({"plan": "orders", "site": "east"}, 0.0),
        ({"plan": "orders"}, 1.0),
        ({"plan": "orders"}, 0.0),
    ]
    first = data[0]
    assert (first.namespace, first.name, first.unit) == ("Failover", "SiteHealthy", "Count")
    assert (first.timestamp, first.storage_resolution) == (1_700_000_000.5, 1)


def test_other_lines_give_nothing() -> None:
    assert list(metrics_of("START RequestId")) == []
    assert list(metrics_of('{"_aws": 1}')) == []
    assert list(metrics_of('{"_aws": not json')) == []
    assert list(metrics_of(line(SiteHealthy="up"))) == []


def test_a_store_gives_the_values_of_exactly_one_metric_in_time_order() -> None:
    store = MetricStore()
    for timestamp, value, site in ((30.0, 3.0, "east"), (10.0, 1.0, "east"), (20.0, 2.0, "west")):
        store.add(
            MetricDatum(
                namespace="Failover", name="SiteHealthy", dimensions={"site": site}, value=value, timestamp=timestamp
            )
        )
    east = {"site": "east"}
    assert store.values("Failover", "SiteHealthy", east, 0, 100) == [(10.0, 1.0), (30.0, 3.0)]
    assert store.values("Failover", "SiteHealthy", east, 10, 30) == [(10.0, 1.0)]
    assert store.values("Failover", "SiteHealthy", {}, 0, 100) == []
    assert len(store.metrics()) == 2


def test_a_store_forgets_what_is_old() -> None:
    store = MetricStore(keep_s=10)
    for timestamp in (0.0, 5.0, 12.0):
        store.add(MetricDatum(namespace="n", name="m", dimensions={}, value=1.0, timestamp=timestamp))
    assert store.values("n", "m", {}, 0, 100) == [(5.0, 1.0), (12.0, 1.0)]


def test_put_metric_data_may_give_counted_values_or_a_statistic_set() -> None:
    assert _values({"Value": 0}) == [0.0]
    assert _values({"Values": [1, 2], "Counts": [2, 1]}) == [1.0, 1.0, 2.0]
    assert _values({"StatisticValues": {"Minimum": 1, "Maximum": 9, "Sum": 10, "SampleCount": 2}}) == [1.0, 9.0]


def values(aws: Aws, namespace: str, **dimensions: str) -> list[float]:
    metrics = aws.drill("metrics")
    found = [each for each in metrics if (each["namespace"], each["dimensions"]) == (namespace, dimensions)]
    return [value for each in found for _, value in each["values"]]


def test_what_a_function_prints_becomes_a_metric(aws: Aws) -> None:
    aws.invoke("test-Step", {"act": "metric"})
    assert eventually(lambda: values(aws, "Failover", plan="orders", site="east")) == [0.0]
    assert '"_aws"' in (aws.root / "logs" / "test-Step.log").read_text()


def test_what_put_metric_data_takes_becomes_a_metric(aws: Aws) -> None:
    data = [{"MetricName": "Lag", "Dimensions": [{"Name": "topic", "Value": "orders"}], "Value": 7}]
    aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=data)
    assert values(aws, "Test", topic="orders") == [7.0]


@pytest.mark.slow
def test_a_queue_s_messages_are_measured(aws: Aws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="measured")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert eventually(lambda: 1.0 in values(aws, "AWS/SQS", QueueName="measured"), 30)
