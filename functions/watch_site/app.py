"""watch_site: probe both sites from here, and publish what was seen as the metrics that the alarms stand on.

Metrics go out as EMF at one-second resolution, so that alarms of 10-second periods can stand on them
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
A probe that failed itself publishes nothing: it is no vote. Nor does a controller that sees neither site: it is ill.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit
from pydantic import BaseModel, ConfigDict

from failover.evidence import Probe
from failover.plans import plan_named
from failover.probes import probe_sites
from failover.read import read

logger = Logger(service="failover")


class WatchRequest(BaseModel):
    """The plan whose sites to probe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Probe and publish; answers what was seen.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan, ServiceUnavailable
    """
    plan = plan_named(read(WatchRequest, event).plan)
    probes = probe_sites(plan, plan.sites)
    blind = not any(probe.healthy for probe in probes)
    if blind:
        logger.warning("sees neither site, and takes itself to be ill", plan=plan.name)
    else:
        for probe in probes:
            _publish(plan.name, probe)
    return {"plan": plan.name, "blind": blind, "probes": [_said(probe) for probe in probes]}


def _publish(plan: str, probe: Probe) -> None:
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


def _said(probe: Probe) -> dict[str, Any]:
    return {"site": probe.site, "service": probe.service, "healthy": probe.healthy, "why": probe.why}
