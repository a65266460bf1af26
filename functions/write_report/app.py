"""write_report: the page of an execution that has ended, and the same for machines, in the bucket of reports.

EventBridge calls it once Step Functions says that an execution has ended, whatever that one could still do itself: no
execution waits for its page, and none fails by it. Called again, as after a redrive, it writes the files again. Once a
restore has measured the loss of a failover, that one's are written anew, too.
"""

from __future__ import annotations

import json
import os
from typing import Any

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.documents.whole_report import WholeReport
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.execution.report_files import DOCUMENT, PAGE, file_key
from failover.execution.status_change import status_change
from failover.execution.step import ledger, logger
from failover.execution.whole_report import measured_by, whole_report
from report import execution_page


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write the files; answers their keys, or none if the execution left no report.

    Raises:
        MalformedEvent: it is no event of Step Functions.
        LedgerUnavailable, ServiceUnavailable: AWS did not answer; Lambda calls again.
        LedgerRejected, ServiceRejected: this stack may not do it.
    """
    ended = status_change(event)
    keys: list[str] = []
    for execution in (ended.execution, *measured_by(ledger(), ended.plan, ended.execution)) if ended.plan else ():
        whole = whole_report(ledger(), ended.plan, execution)
        if whole is not None:
            keys += _write(ended.plan, execution, whole)
    logger.info("written" if keys else "the ledger has no report of it", execution=ended.execution, keys=keys)
    return {"written": keys}


def _write(plan: str, execution: str, whole: WholeReport) -> list[str]:
    files = (
        (PAGE, "text/html; charset=utf-8", execution_page(whole)),
        (DOCUMENT, "application/json", json.dumps(whole, indent=2)),
    )
    keys = [file_key(plan, execution, name) for name, _, _ in files]
    for key, (_, kind, text) in zip(keys, files, strict=True):
        _put(key, kind, text)
    return keys


def _put(key: str, kind: str, text: str) -> None:
    with aws_errors(f"S3, for the report {key!r}", transient=ServiceUnavailable, final=ServiceRejected):
        client("s3").put_object(
            Bucket=os.environ["REPORT_BUCKET"], Key=key, Body=text.encode(), ContentType=kind, CacheControl="no-store"
        )
