"""What AWS takes of an account a second: what is beyond is throttled, as the services themselves do it.

Sources: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html (requests, and one change of a
zone at a time), https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html (launches on Fargate). For how long a zone
is busy with a change AWS does not say: a second is what tools leave between two.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

_ROUTE53: Final = re.compile(r"/2013-04-01/(hostedzone|change|healthcheck|accountlimit)")
_CHANGE: Final = re.compile(r"/2013-04-01/hostedzone/(?P<zone>[^/]+)/rrset/?")
_ECS: Final = re.compile(r"AmazonEC2ContainerService\w*\.(?P<operation>\w+)")
_REGION: Final = re.compile(r"Credential=[^/]+/[^/]+/(?P<region>[^/]+)/")
BUSY_S: Final = 1.0


@dataclass(frozen=True)
class Rate:
    """So many requests at once, and so many a second from then on."""

    burst: int
    a_second: float


ROUTE53: Final = Rate(50, 10.0)
ECS: Final = {
    "UpdateService": ("UpdateService", Rate(50, 5.0)),
    "DescribeServices": ("DescribeServices", Rate(100, 20.0)),
    "ListTasks": ("tasks", Rate(100, 20.0)),
    "DescribeTasks": ("tasks", Rate(100, 20.0)),
    "RunTask": ("RunTask", Rate(100, 40.0)),
}
"""By operation, of an account in a region: which of them share a limit."""
LAUNCHES: Final = Rate(100, 20.0)
"""Of tasks on Fargate, of an account in a region: those beyond are launched later."""


@dataclass(frozen=True, kw_only=True)
class Throttled:
    """An answer in place of the service's: its body, and what that is."""

    body: bytes
    content_type: str
    status: int = 400


class Buckets:
    """How much each limit takes yet. `clock`: seconds, of any beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[object, tuple[float, float]] = {}
        """By limit; and when that was counted."""

    def take(self, limit: object, rate: Rate) -> bool:
        """Whether one more is taken now."""
        now = self._clock()
        tokens, at = self._tokens.get(limit, (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + (now - at) * rate.a_second)
        enough = tokens >= 1.0
        self._tokens[limit] = tokens - 1.0 if enough else tokens, now
        return enough


class Limits:
    """The limits of one account. Safe to use from any thread. `clock`: seconds, of any beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets = Buckets(clock)
        self._busy_until: dict[str, float] = {}

    def refusal(self, environ: Mapping[str, Any]) -> Throttled | None:
        """What answers a request that is one too many; None if it is taken."""
        path = str(environ.get("PATH_INFO", ""))
        with self._lock:
            if _ROUTE53.match(path):
                return self._of_route53(environ, path)
            operation = _ECS.fullmatch(str(environ.get("HTTP_X_AMZ_TARGET", "")))
            if operation is not None and operation["operation"] in ECS:
                shared, rate = ECS[operation["operation"]]
                region = _REGION.search(str(environ.get("HTTP_AUTHORIZATION", "")))
                if not self._buckets.take(("ecs", region and region["region"], shared), rate):
                    body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
                    return Throttled(body=body, content_type="application/x-amz-json-1.1")
        return None

    def _of_route53(self, environ: Mapping[str, Any], path: str) -> Throttled | None:
        if not self._buckets.take("route53", ROUTE53):
            return _route53_error("Throttling", "Rate exceeded")
        change = _CHANGE.fullmatch(path)
        if change is None or environ.get("REQUEST_METHOD") != "POST":
            return None
        zone, now = change["zone"], self._clock()
        if now < self._busy_until.get(zone, now):
            return _route53_error(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.",
            )
        self._busy_until[zone] = now + BUSY_S
        return None


def _route53_error(code: str, message: str) -> Throttled:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">{error}'
    return Throttled(body=f"{body}<RequestId>drill</RequestId></ErrorResponse>".encode(), content_type="text/xml")
