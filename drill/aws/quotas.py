"""What an account may have that asked AWS for nothing, and what the drill's has: moto tells none of it without loading
all of IAM.

Formats: https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetAccountLimit.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HEALTH_CHECKS: Final = (0, 200)
ROLES: Final = (45, 1000)
_ACCOUNT_LIMIT: Final = re.compile(r"/2013-04-01/accountlimit/(?P<type>\w+)")
_OF_IAM: Final = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/iam/")


def account_limit(environ: Mapping[str, Any]) -> bytes | None:
    """The answer to a question for a limit; None: it is none."""
    if limit := _ACCOUNT_LIMIT.fullmatch(str(environ.get("PATH_INFO", ""))):
        count, most = HEALTH_CHECKS
        answer = f"<Limit><Type>{limit['type']}</Type><Value>{most}</Value></Limit><Count>{count}</Count>"
        return _document("GetAccountLimitResponse", "https://route53.amazonaws.com/doc/2013-04-01/", answer)
    if not _OF_IAM.search(str(environ.get("HTTP_AUTHORIZATION", ""))):
        return None
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    rows = zip(("Roles", "RolesQuota"), ROLES, strict=True)
    entries = "".join(f"<entry><key>{key}</key><value>{value}</value></entry>" for key, value in rows)
    answer = f"<GetAccountSummaryResult><SummaryMap>{entries}</SummaryMap></GetAccountSummaryResult>"
    return _document("GetAccountSummaryResponse", "https://iam.amazonaws.com/doc/2010-05-08/", answer)


def _document(name: str, namespace: str, content: str) -> bytes:
    return f'<?xml version="1.0"?><{name} xmlns="{namespace}">{content}</{name}>'.encode()
