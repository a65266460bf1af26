"""watch_site: look at both sites from here, and say what was seen: to the judge at once, and as the metrics of alarms.

The observation goes to the default bus of every region that has a controller. Metrics go out as EMF at one-second
resolution, so that alarms of 10-second periods can stand on them
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
A probe that failed itself publishes nothing: it is no vote. Nor does a vantage point that is cut off itself.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit
from pydantic import BaseModel, ConfigDict

from failover.decision.controllers import controller_regions
from failover.detection.evidence import Probe
from failover.detection.observation import publish
from failover.detection.probes import probe_sites
from failover.plan.store import plan_named
from failover.validation import read

LOOK_S = 3.0

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
    view = probe_sites(plan, LOOK_S)
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
