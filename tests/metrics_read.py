"""What the alarms and the board of the templates read: every metric, and by which dimensions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from drill.aws.intrinsics import read_yaml

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ("template.yaml", "signals.yaml", "command/alarms.yaml", "beacon.yaml", "name.yaml", "ledger.yaml")
SEARCH = re.compile(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"(\w+)\"")


class MetricRead(NamedTuple):
    """A metric that is read; `by`: an alarm's logical id, or the board's."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]
    by: str


def metrics_read() -> list[MetricRead]:
    """Those of every alarm and board."""
    return sorted(set(_read_by_templates()))


def _read_by_templates() -> Iterator[MetricRead]:
    for template in TEMPLATES:
        for name, resource in read_yaml((ROOT / template).read_text())["Resources"].items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                yield from _read_by_alarm(name, resource["Properties"])
            elif resource["Type"] == "AWS::CloudWatch::Dashboard":
                yield from _read_by_board(name, resource["Properties"]["DashboardBody"])


def _read_by_alarm(alarm: str, properties: dict[str, Any]) -> Iterator[MetricRead]:
    of_metrics = [each["MetricStat"]["Metric"] for each in properties.get("Metrics", ()) if "MetricStat" in each]
    for metric in [properties, *of_metrics]:
        if "MetricName" in metric:
            dimensions = sorted(dimension["Name"] for dimension in metric.get("Dimensions", ()))
            yield MetricRead(metric["Namespace"], metric["MetricName"], tuple(dimensions), alarm)


def _read_by_board(board: str, body: dict[str, Any]) -> Iterator[MetricRead]:
    text = body["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[\w.:]+\}", "1", text if isinstance(text, str) else text[0]))["widgets"]
    for widget in widgets:
        before: list[str] = []
        for row in widget["properties"].get("metrics", ()):
            if isinstance(row[0], dict):
                for namespace, dimensions, name in SEARCH.findall(row[0]["expression"]):
                    yield MetricRead(namespace, name, tuple(sorted(dimensions.split(","))), board)
                continue
            if row[0] == "...":
                row = [*before[: len(before) - len(row) + 1], *row[1:]]
            before = [old if new == "." else new for new, old in zip(row, before or row, strict=True)]
            yield MetricRead(before[0], before[1], tuple(sorted(before[2::2])), board)
