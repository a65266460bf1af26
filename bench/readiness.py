"""Readiness of 10,000 mirrors (20,000 partitions) by the handler itself, against the Confluent stand-in of both
clusters with 50 ms a call: coverage, health, lag, and the promotion of every mirror by name, validated.

There is no Kafka and no fleet in it: those checks find nothing, at once. The second call is measured too: a warm
function, with a document to compare with.
"""

from __future__ import annotations

from typing import Any, Final

from bench.handlers import aws, deploy_plan, run, stand_in
from bench.result import NotMeasured, Result
from drill import fixture_plan

MIRRORS: Final = 10_000
PARTITIONS: Final = 2
LATENCY_S: Final = 0.05
LIMIT_S: Final = 10
LOOKED_AT: Final = ("links", "link-configs", "mirror-coverage", "mirror-health", "promotion")

_DRIVE: Final = """
seconds, documents = [], []
for _ in range(2):
    started = time.perf_counter()
    documents.append(app.handler(dict(event), Context()))
    seconds.append(time.perf_counter() - started)
said = {c["name"]: [c["status"], c["evidence"][0]] for c in documents[-1]["checks"]}
print("\\n" + json.dumps({"seconds": seconds, "checks": said, "document": len(json.dumps(documents[-1]))}))
"""


def measure() -> list[Result]:
    """Seconds of the first and the second call, the document's size, and peak memory.

    Raises:
        NotMeasured: if a check of the mirrors did not look at all of them.
    """
    many: dict[str, Any] = {"count": MIRRORS, "partitions": PARTITIONS}
    with (
        aws() as endpoint,
        stand_in(fixture_plan.HOME, rest_only_topics=many, latency_s=LATENCY_S) as home,
        stand_in(fixture_plan.STANDBY, rest_only_mirrors=many | {"lag": 50}, latency_s=LATENCY_S) as standby,
    ):
        rest = {fixture_plan.HOME: home, fixture_plan.STANDBY: standby}
        deploy_plan(endpoint, rest, protect={"groups": [], "topics": []})
        figures, peak_mb = run(endpoint, "check_readiness", _DRIVE, {"plan": fixture_plan.PLAN})
    checks: dict[str, list[str]] = figures["checks"]
    if any(checks[name][0] not in ("pass", "warn") for name in LOOKED_AT):
        raise NotMeasured(f"not every mirror was looked at: { ({name: checks[name] for name in LOOKED_AT}) }")
    first, second = figures["seconds"]
    return [
        Result(name="readiness.seconds", value=first, unit="s", limit=LIMIT_S),
        Result(name="readiness.warm_seconds", value=second, unit="s", limit=LIMIT_S),
        Result(name="readiness.peak_memory", value=peak_mb, unit="MB", limit=1024),
        Result(name="readiness.document", value=figures["document"] / 1024, unit="KiB", limit=350),
    ]
