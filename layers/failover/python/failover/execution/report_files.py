"""Where the page of an execution and the same for machines are kept: in a bucket, by plan and execution."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote, urlencode

PAGE: Final = "report.html"
DOCUMENT: Final = "report.json"


def file_key(plan: str, execution: str, name: str) -> str:
    """The key of a file of a report."""
    return f"{plan}/{execution}/{name}"


def page_link(plan: str, execution: str) -> str | None:
    """Where AWS's console shows the page to whoever may read the bucket; None: this stack keeps no pages.

    It is known before the page is written, and is no secret: nobody gets in by it who could not without it.
    """
    bucket, region = os.environ.get("REPORT_BUCKET"), os.environ.get("AWS_REGION", "")
    if not bucket:
        return None
    query = urlencode({"region": region, "prefix": file_key(plan, execution, PAGE)})
    return f"https://{region}.console.aws.amazon.com/s3/object/{quote(bucket)}?{query}"
