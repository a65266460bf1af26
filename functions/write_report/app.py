"""write_report: the page of an execution that has ended, and the same for machines, in the bucket of reports.

EventBridge calls it once Step Functions says that an execution has ended, whatever that one could still do itself: no
execution waits for its page, and none fails by it. Called again, as after a redrive, it writes the files again.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.execution.report_files import DOCUMENT, PAGE, file_key
from failover.execution.step import ledger, logger
from failover.execution.whole_report import whole_report
from failover.validation import read
from report import execution_page


class Start(BaseModel):
    """What an execution was started with, as far as it says which ledger items are its own."""

    model_config = ConfigDict(frozen=True)

    plan: str = Field(min_length=1)


class Ended(BaseModel):
    """The detail of `Step Functions Execution Status Change`; its input is left out if it is very long."""

    model_config = ConfigDict(frozen=True)

    name: str
    input: str | None = None


class StatusChange(BaseModel):
    """The event
    (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html)."""

    model_config = ConfigDict(frozen=True)

    detail: Ended


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write the files; answers their keys, or none if the execution left no report.

    Raises:
        MalformedEvent: it is no event of Step Functions.
        LedgerUnavailable, ServiceUnavailable: AWS did not answer; Lambda calls again.
        LedgerRejected, ServiceRejected: this stack may not do it.
    """
    ended = read(StatusChange, event).detail
    try:
        plan = Start.model_validate_json(ended.input or "null").plan
    except ValidationError:
        logger.info("started with no plan: there is nothing to report", execution=ended.name)
        return {"written": []}
    whole = whole_report(ledger(), plan, ended.name)
    if whole is None:
        logger.info("the ledger has no report of it", execution=ended.name)
        return {"written": []}
    files = (
        (PAGE, "text/html; charset=utf-8", execution_page(whole)),
        (DOCUMENT, "application/json", json.dumps(whole, indent=2)),
    )
    keys = [file_key(plan, ended.name, name) for name, _, _ in files]
    for key, (_, kind, text) in zip(keys, files, strict=True):
        _put(key, kind, text)
    logger.info("written", execution=ended.name, keys=keys)
    return {"written": keys}


def _put(key: str, kind: str, text: str) -> None:
    with aws_errors(f"S3, for the report {key!r}", transient=ServiceUnavailable, final=ServiceRejected):
        client("s3").put_object(
            Bucket=os.environ["REPORT_BUCKET"], Key=key, Body=text.encode(), ContentType=kind, CacheControl="no-store"
        )
