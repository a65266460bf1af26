"""CloudWatch: what PutMetricData takes also goes where the alarms look."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend
from moto.sqs.models import sqs_backends

from drill.aws.metrics import MetricDatum, MetricSink

LOG = logging.getLogger(__name__)
QUEUES_EVERY_S = 10.0
"""SQS sends its metrics every minute; a drill's dead letter shall not wait that long."""

_Backend: Any = CloudWatchBackend


def feed(sink: MetricSink) -> None:
    """Hand every value of every PutMetricData to `sink`, after moto took it."""
    put = _Backend.put_metric_data

    def put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        put(self, namespace, metric_data)
        for datum in metric_data:
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in datum.get("Dimensions") or []}
            for value in _values(datum):
                sink(
                    MetricDatum(
                        namespace=namespace,
                        name=datum["MetricName"],
                        dimensions=dimensions,
                        value=value,
                        timestamp=_seconds(datum.get("Timestamp")),
                        unit=datum.get("Unit") or "None",
                        storage_resolution=int(datum.get("StorageResolution") or 60),
                    )
                )

    _Backend.put_metric_data = put_metric_data


def measure_queues(sink: MetricSink) -> None:
    """AWS/SQS ApproximateNumberOfMessagesVisible of every queue, once."""
    for regions in list(sqs_backends.values()):
        for backend in list(regions.values()):
            for name, queue in list(backend.queues.items()):
                visible = float(queue.approximate_number_of_messages)
                sink(
                    MetricDatum(
                        namespace="AWS/SQS",
                        name="ApproximateNumberOfMessagesVisible",
                        dimensions={"QueueName": name},
                        value=visible,
                    )
                )


def repeat(act: Callable[[], None], every_s: float, name: str) -> None:
    """Do `act` every so many seconds from a thread; what it raises is logged."""

    def run() -> None:
        while True:
            try:
                act()
            except Exception:
                LOG.exception("%s failed", name)
            time.sleep(every_s)

    threading.Thread(target=run, name=name, daemon=True).start()


def _values(datum: dict[str, Any]) -> list[float]:
    """The values of one datum. Of a statistic set, which keeps no values, its least and its greatest."""
    if datum.get("Values"):
        counts = datum.get("Counts") or [1] * len(datum["Values"])
        return [float(v) for v, count in zip(datum["Values"], counts, strict=True) for _ in range(int(float(count)))]
    if datum.get("StatisticValues"):
        return [float(datum["StatisticValues"]["Minimum"]), float(datum["StatisticValues"]["Maximum"])]
    return [float(datum["Value"])] if datum.get("Value") is not None else []


def _seconds(moment: Any) -> float:
    if moment is None:
        return time.time()
    if isinstance(moment, datetime.datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    return float(moment) if not isinstance(moment, str) else datetime.datetime.fromisoformat(moment).timestamp()
