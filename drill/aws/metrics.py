"""CloudWatch's metrics in memory: what EMF lines and PutMetricData hand in, and what alarms read back."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

KEEP_S = 1800.0
"""How long a value is kept: no alarm of the drill looks back further."""

MetricKey = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class MetricDatum:
    """One value of one metric. A metric is its namespace, name and exact set of dimensions, as in CloudWatch.

    `timestamp` is in seconds since the epoch; `storage_resolution` is 1 (high resolution) or 60, in seconds.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    timestamp: float = field(default_factory=time.time)
    unit: str = "None"
    storage_resolution: int = 60

    @property
    def key(self) -> MetricKey:
        return metric_key(self.namespace, self.name, self.dimensions)


MetricSink = Callable[[MetricDatum], None]


def metric_key(namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
    return namespace, name, frozenset(dimensions.items())


class MetricStore:
    """Every value of the last half hour, by metric. Safe to use from any thread; `add` is a `MetricSink`."""

    def __init__(self, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._values: dict[MetricKey, list[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def add(self, datum: MetricDatum) -> None:
        with self._lock:
            values = self._values.setdefault(datum.key, [])
            insort(values, (datum.timestamp, datum.value))
            oldest = bisect_left(values, (values[-1][0] - self._keep_s,))
            del values[:oldest]

    def values(
        self, namespace: str, name: str, dimensions: Mapping[str, str], start: float, end: float
    ) -> list[tuple[float, float]]:
        """(timestamp, value) of that metric with start <= timestamp < end, oldest first."""
        with self._lock:
            values = self._values.get(metric_key(namespace, name, dimensions), [])
            return values[bisect_left(values, (start,)) : bisect_left(values, (end,))]

    def metrics(self) -> list[MetricKey]:
        """Every metric that has values."""
        with self._lock:
            return list(self._values)

    def report(self) -> list[dict[str, object]]:
        """Every metric with its values, as JSON has it."""
        with self._lock:
            return [
                {"namespace": namespace, "name": name, "dimensions": dict(dimensions), "values": list(values)}
                for (namespace, name, dimensions), values in self._values.items()
            ]
