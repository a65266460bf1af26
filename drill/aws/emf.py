"""Embedded metric format: the metrics that a function prints in its log lines.

Source: "Specification: Embedded metric format", Amazon CloudWatch user guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drill.aws.metrics import MetricDatum


def metrics_of(line: str) -> Iterator[MetricDatum]:
    """Every value in one log line; none if the line is not in the format, as CloudWatch passes such lines over.

    A metric is given once for every dimension set; a value may be one number or a list of them. A set that names a
    member which the line lacks, or a value that is no number, is passed over.
    """
    if '"_aws"' not in line:
        return
    try:
        document = json.loads(line)
        described = document["_aws"]
        timestamp = described["Timestamp"] / 1000
        directives = described["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for dimensions in _dimension_sets(directive, document):
            for metric in directive.get("Metrics", []):
                for value in _numbers(document.get(metric["Name"])):
                    yield MetricDatum(
                        namespace=directive["Namespace"],
                        name=metric["Name"],
                        dimensions=dimensions,
                        value=value,
                        timestamp=timestamp,
                        unit=metric.get("Unit", "None"),
                        storage_resolution=metric.get("StorageResolution", 60),
                    )


def _dimension_sets(directive: dict[str, Any], document: dict[str, Any]) -> Iterator[dict[str, str]]:
    for names in directive.get("Dimensions") or [[]]:
        if all(name in document for name in names):
            yield {name: str(document[name]) for name in names}


def _numbers(value: object) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(number) for number in values if isinstance(number, int | float) and not isinstance(number, bool)]
