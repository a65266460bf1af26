"""watch_site: look at both sites from here, and say what was seen: to the judge at once, and as the metrics of alarms.

What looks lost is looked at again at once, every half second, until it has looked so for as long as policy wants of a
vote, or answers: an outage is confirmed within one call, and so is a blip.

The observation goes to the default bus of every region that has a controller. Metrics go out as EMF at one-second
resolution, so that alarms of 10-second periods can stand on them
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
A probe that failed itself publishes nothing: it is no vote. Nor does a vantage point that is cut off itself.
"""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit
from pydantic import BaseModel, ConfigDict

from failover.container import remembered
from failover.decision.controllers import controller_regions
from failover.detection.evidence import Probe, Signal, View, unbroken
from failover.detection.observation import publish
from failover.detection.probes import probe_sites
from failover.plan.model import Plan
from failover.plan.store import plan_named
from failover.validation import read

LOOK_S = 2.0
"""A site that is silent for so long does not answer."""
CONFIRMING_LOOK_S = 1.5
CONFIRM_EVERY_S = 0.5
CONFIRM_FOR_S = 4.0
"""No look begins later after the first of a call: the next call goes on."""

logger = Logger(service="failover")


class WatchRequest(BaseModel):
    """The plan whose sites to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look and tell; answers what was seen, and what region's bus did not take it.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan, ServiceUnavailable
    """
    plan = plan_named(read(WatchRequest, event).plan)
    began = looked_at = time.monotonic()
    answer = _look_and_tell(plan, view := probe_sites(plan, LOOK_S))
    while _is_unconfirmed(plan, view):
        pause = max(0.0, looked_at + CONFIRM_EVERY_S - time.monotonic())
        if time.monotonic() + pause > began + CONFIRM_FOR_S:
            break
        time.sleep(pause)
        looked_at = time.monotonic()
        answer = _look_and_tell(plan, view := probe_sites(plan, CONFIRMING_LOOK_S))
    return answer


def _is_unconfirmed(plan: Plan, view: View) -> bool:
    """Whether a site looks lost for less than a vote must have stood. What earlier calls saw spares looks, no more."""
    before, young = _last_signals(), False
    for signal in view.signals():
        key = plan.name, signal.site
        before[key] = signal = unbroken(signal, before.get(key), plan.policy.probe_max_age_seconds)
        young |= signal.says_lost and signal.at - signal.since < plan.policy.hold_seconds
    return young


@remembered
def _last_signals() -> dict[tuple[str, str], Signal]:
    """What this container last saw, by plan and site."""
    return {}


def _look_and_tell(plan: Plan, view: View) -> dict[str, Any]:
    if view.isolated_because:
        logger.warning("no vote", plan=plan.name, vantage=view.vantage, why=view.isolated_because)
    else:
        for probe in view.probes:
            _publish(plan.name, view.vantage, probe)
    untold = publish(plan.name, view, controller_regions())
    if untold:
        logger.warning("observation not taken", plan=plan.name, vantage=view.vantage, regions=untold)
    return {
        "plan": plan.name,
        "vantage": view.vantage,
        "isolated_because": view.isolated_because,
        "probes": [_result(probe) for probe in view.probes],
        "untold": untold,
    }


def _publish(plan: str, vantage: str, probe: Probe) -> None:
    if probe.healthy is None:
        return
    with single_metric(
        name="SiteHealthy",
        unit=MetricUnit.Count,
        value=int(probe.healthy),
        resolution=MetricResolution.High,
        namespace="Failover",
    ) as metric:
        metric.add_dimension("plan", plan)
        metric.add_dimension("site", probe.site)
        metric.add_dimension("service", probe.service)
        metric.add_dimension("vantage", vantage)


def _result(probe: Probe) -> dict[str, Any]:
    return {"site": probe.site, "service": probe.service, "healthy": probe.healthy, "why": probe.why}
