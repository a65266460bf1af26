"""What alarms and the board read goes out under the very names and dimensions that they read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drill.aws.emf import metrics_of
from drill.aws.intrinsics import read_yaml
from failover.detection.evidence import Probe, View
from failover.readiness import Check
from failover.readiness.checks import Readiness
from tests.metrics_read import MetricRead, metrics_read
from tests.plans import put_plan, without_small_stack

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Metric = tuple[str, Mapping[str, str], float]
ROOT = Path(__file__).resolve().parents[2]
SERVICE_NAME = str(
    read_yaml((ROOT / "template.yaml").read_text())["Globals"]["Function"]["Environment"]["Variables"][
        "POWERTOOLS_SERVICE_NAME"
    ]
)
"""What the stack calls its functions, and the alarms that read them."""


def sent(text: str) -> list[Metric]:
    """The metrics among a function's log lines."""
    return [(each.name, each.dimensions, each.value) for line in text.splitlines() for each in metrics_of(line)]


METRIC_SENT = re.compile(r"single_metric\(\s*name=\"(\w+)\"")
AWS_OWN = {
    "AWS/Lambda": {"Errors"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
    "AWS/States": {
        "ExecutionTime",
        "ExecutionsAborted",
        "ExecutionsFailed",
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "ExecutionsTimedOut",
    },
}
"""Those of what is read that AWS itself sends, by the names of its user guides."""


def look_with(monkeypatch: pytest.MonkeyPatch, seen: View) -> None:
    """Have a look see this."""

    async def look(*_: Any) -> View:
        return seen

    monkeypatch.setattr("failover.detection.probes.view", look)


def watch(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at both sites."""
    probe = Probe(site="east", service="kafka", healthy=True, took_seconds=0.1, why="")
    view = View(vantage="us-west-2", at=1.0, probes=(probe,))
    look_with(monkeypatch, view)
    call("watch_site", {"plans": ["orders"]})


def check_readiness(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at whether the plan is ready."""
    checks = (Check(name="links", status="fail", evidence=(), remedy=""),)
    readiness = Readiness(plan="orders", active="east", at=1.0, took_seconds=0.1, checks=checks)
    monkeypatch.setattr("failover.readiness.checks.run_checks", lambda *_: readiness)
    call("check_readiness", {"plan": "orders"})


SENT_BY: Mapping[str, Callable[[Call, pytest.MonkeyPatch], None]] = {
    "SiteHealthy": watch,
    "ReadinessFailures": check_readiness,
}


@pytest.mark.parametrize("read", metrics_read(), ids=lambda read: f"{read.by}-{read.name}")
def test_what_an_alarm_or_the_board_reads_is_sent_by_its_very_name_and_dimensions(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: MetricRead
) -> None:
    if read.namespace != "Failover":
        assert read.name in AWS_OWN[read.namespace]
        return
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", SERVICE_NAME)
    SENT_BY[read.name](call, monkeypatch)
    metrics = [metric for line in capsys.readouterr().out.splitlines() for metric in metrics_of(line)]
    sent_as = {(metric.namespace, tuple(sorted(metric.dimensions))) for metric in metrics if metric.name == read.name}
    assert sent_as == {(read.namespace, read.dimensions)}


def seen_from(vantage: str, seen: Mapping[tuple[str, str], bool | None]) -> View:
    """What was seen of services, by site and service."""
    probes = [Probe(site=site, service=it, healthy=healthy, took_seconds=0.1) for (site, it), healthy in seen.items()]
    return View(vantage=vantage, at=1.0, probes=tuple(probes))


def test_what_a_vantage_point_saw_of_a_service_is_1_or_0_and_nothing_if_it_is_not_known(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plan_text: str
) -> None:
    put_plan(deployed, plan_text.replace("hold_seconds: 3", "hold_seconds: 0"))  # one look is enough
    seen = {("east", "kafka"): True, ("east", "gateway"): None, ("east", "rest"): False, ("west", "gateway"): False}
    look_with(monkeypatch, seen_from("us-west-2", seen))
    call("watch_site", {"plans": ["orders"]})
    metrics = [metric for metric in sent(capsys.readouterr().out) if metric[0] == "SiteHealthy"]
    assert [(dimensions["service"], value) for _, dimensions, value in metrics] == [("kafka", 1.0), ("gateway", 0.0)]
    assert metrics[0][1] == {"plan": "orders", "site": "east", "service": "kafka", "vantage": "us-west-2"}


def test_a_region_without_a_controller_has_no_alarms_to_send_metrics_for(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look_with(monkeypatch, seen_from("us-east-1", {("east", "kafka"): True}))
    assert call("watch_site", {"plans": ["orders"]})["plans"][0]["vantage"] == "us-east-1"
    assert sent(capsys.readouterr().out) == []


def test_a_plan_that_names_no_alarm_of_its_small_stack_has_no_metrics(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plan_text: str
) -> None:
    put_plan(deployed, without_small_stack(plan_text))
    watch(call, monkeypatch)
    check_readiness(call, monkeypatch)
    assert sent(capsys.readouterr().out) == []


def test_an_isolated_vantage_point_sends_nothing(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe = Probe(site="east", service="kafka", healthy=False, took_seconds=0.1, why="no answer")
    view = View(vantage="us-west-2", at=1.0, probes=(probe,), isolated_because="it reaches no anchor")
    look_with(monkeypatch, view)
    call("watch_site", {"plans": ["orders"]})
    assert not any(name == "SiteHealthy" for name, _, _ in sent(capsys.readouterr().out))


def test_the_checks_that_are_not_ready_are_counted(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = (
        Check(name="plan", status="pass", evidence=(), remedy=""),
        Check(name="links", status="fail", evidence=(), remedy=""),
    )
    readiness = Readiness(plan="orders", active="east", at=1.0, took_seconds=0.1, checks=checks)
    monkeypatch.setattr("failover.readiness.checks.run_checks", lambda *_: readiness)
    call("check_readiness", {"plan": "orders"})
    metrics = sent(capsys.readouterr().out)
    failures = [metric for metric in metrics if metric[0] == "ReadinessFailures"]
    assert failures == [("ReadinessFailures", {"plan": "orders", "service": "failover"}, 1.0)]


def test_no_metric_is_sent_that_no_alarm_or_board_reads() -> None:
    sources = [*ROOT.glob("functions/*/app.py"), *ROOT.glob("layers/failover/python/failover/**/*.py")]
    names = {name for source in sources for name in METRIC_SENT.findall(source.read_text())}
    assert names == {read.name for read in metrics_read() if read.namespace == "Failover"}
