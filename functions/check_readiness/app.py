"""check_readiness: look, before the disaster, at everything a failover will need; on a schedule, and on demand.

Each check is `pass`, `warn`, `fail` or `unknown`, with its evidence and a remedy. They are kept in the ledger, and told
when they change; how many are not ready is a metric where the plan has alarms. A plan that an execution holds just now
is looked at, but nothing of it is kept: what is seen then is in between.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, ConfigDict

from failover.documents import readiness as documents
from failover.errors import LedgerUnavailable
from failover.execution.step import ledger, logger
from failover.plan.store import plan_named
from failover.readiness.checks import Readiness, run_checks
from failover.readiness.notifications import publish_changes
from failover.readiness.store import mark_published, save
from failover.validation import read


class ReadinessRequest(BaseModel):
    """The plan to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> documents.Readiness:
    """Look, publish, keep, tell; answers the whole document.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan: there is nothing to look at.
        ServiceUnavailable: the plan could not be read, or a change could not be told; the next call tells it.
    """
    plan = plan_named(read(ReadinessRequest, event).plan)
    logger.append_keys(plan=plan.name)
    book = ledger()
    readiness = run_checks(plan, book)
    document = readiness.as_document()
    if readiness.under_way:
        logger.info("an execution is at it", execution=readiness.under_way)
        return document
    if plan.has_alarms:
        _publish(readiness)
    for check in readiness.unready:
        logger.warning("not ready", check=check.name, status=check.status, evidence=check.evidence, remedy=check.remedy)
    try:
        saved = save(book, document)
        publish_changes(plan.name, saved.untold)
        mark_published(book, plan.name, saved)
    except LedgerUnavailable as error:
        logger.warning("not kept, and no change is told", why=str(error))
    return document


def _publish(readiness: Readiness) -> None:
    """How many checks are not ready, as a metric."""
    failures = len(readiness.unready)
    with single_metric(name="ReadinessFailures", unit=MetricUnit.Count, value=failures, namespace="Failover") as metric:
        metric.add_dimension("plan", readiness.plan)
