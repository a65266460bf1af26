"""CloudWatch: what PutMetricData takes also goes where the alarms look."""

from __future__ import annotations

import datetime
import time
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend

from drill.aws.metrics import MetricDatum, MetricSink

_Backend: Any = CloudWatchBackend


def feed(sink: MetricSink) -> None:
    """Hand every value of every PutMetricData to `sink`, after moto took it."""
    put = _Backend.put_metric_data

    def put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        put(self, namespace, metric_data)
        for datum in metric_data:
            dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions") or []}
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
