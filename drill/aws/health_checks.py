"""Route 53 health checks that really check: TCP and HTTP endpoints, asked by several checkers, told as a metric.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html: a checker
asks every 10 or 30 seconds and calls an endpoint unhealthy after `FailureThreshold` failures in a row; the endpoint is
healthy while more than 18 % of the checkers say so. The status is the metric AWS/Route53 HealthCheckStatus, which is in
us-east-1 only, one value a minute.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.route53.models import route53_backends
from moto.route53.responses import Route53

from drill.aws.metrics import MetricDatum, MetricSink

LOG = logging.getLogger(__name__)
CHECKERS: Final = 3
HEALTHY_SHARE: Final = 0.18
CONNECT_S: Final = 4.0
METRIC_EVERY_S: Final = 60.0
CALCULATED: Final = "CALCULATED"


@dataclass
class Checker:
    """One checker's opinion of one endpoint; a new check is healthy until a checker finds otherwise."""

    next_at: float
    failures: int = 0
    healthy: bool = True

    def saw(self, *, answered: bool, threshold: int) -> None:
        """Take in one answer, or its absence; opinions change after `threshold` of a kind in a row."""
        self.failures = 0 if answered else self.failures + 1
        if answered:
            self.healthy = True
        elif self.failures >= threshold:
            self.healthy = False


@dataclass
class Check:
    """The checkers of one health check."""

    checkers: list[Checker] = field(default_factory=list)

    def healthy(self, *, inverted: bool = False) -> bool:
        """What Route 53 takes the endpoint for."""
        share = sum(checker.healthy for checker in self.checkers) / len(self.checkers)
        return (share > HEALTHY_SHARE) != inverted


class HealthChecks:
    """Every health check of an account, from a thread. A lost region does not stop them: checkers are everywhere."""

    def __init__(self, account: str, sink: MetricSink, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._sink = sink
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._next_metric = 0.0

    def install(self) -> None:
        """Make moto's API tell what each checker sees."""
        checks = self

        def get_health_check_status(response: Any) -> ActionResult:
            identity = response._get_param("HealthCheckId")
            response.backend.get_health_check(identity)
            checkers = checks._checks[identity].checkers if identity in checks._checks else []
            words = {True: "Success: a TCP connection was made", False: "Failure: no connection in time"}
            observations = [{"StatusReport": {"Status": words[checker.healthy]}} for checker in checkers]
            return ActionResult({"HealthCheckObservations": observations})

        responses: Any = Route53
        responses.get_health_check_status = get_health_check_status

    def start(self) -> None:
        """Check from now on."""
        threading.Thread(target=self._run, name="health-checks", daemon=True).start()

    def statuses(self) -> dict[str, bool]:
        """What each health check says now, as the name servers hear it."""
        described = self._described()
        return {identity: self._says(identity, described) for identity in described}

    def look(self) -> None:
        """Ask the endpoints that are due; every minute tell the metric."""
        now = self._clock()
        described = self._described()
        for identity, health_check in described.items():
            if health_check.type_ == CALCULATED:
                continue
            interval = float(health_check.request_interval)
            new = Check([Checker(now + n * interval / CHECKERS) for n in range(CHECKERS)])
            for checker in self._checks.setdefault(identity, new).checkers:
                if now >= checker.next_at:
                    checker.next_at = now + interval
                    answered = _true(health_check.disabled) or answers(health_check)
                    checker.saw(answered=answered, threshold=int(health_check.failure_threshold))
        if now >= self._next_metric:
            self._next_metric = now + METRIC_EVERY_S
            for identity in described:
                healthy = self._says(identity, described)
                dimensions = {"HealthCheckId": identity}
                self._sink(
                    MetricDatum(
                        namespace="AWS/Route53", name="HealthCheckStatus", dimensions=dimensions, value=float(healthy)
                    )
                )

    def _described(self) -> dict[str, Any]:
        return {check.id: check for region in route53_backends[self._account].values() for check in _all(region)}

    def _says(self, identity: str, described: dict[str, Any]) -> bool:
        """A check that no checker looked at yet is healthy, or if it is inverted, not."""
        health_check = described[identity]
        inverted = _true(health_check.inverted)
        if health_check.type_ != CALCULATED:
            return self._checks[identity].healthy(inverted=inverted) if identity in self._checks else not inverted
        healthy = sum(self._says(child, described) for child in health_check.children or () if child in described)
        return (healthy >= int(health_check.health_threshold)) != inverted

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                LOG.exception("health checks could not be made")
            time.sleep(0.2)


def answers(health_check: Any) -> bool:
    """Whether the endpoint answers one checker: a TCP connection in time, for HTTP a status of 2xx or 3xx, too."""
    host, port = health_check.ip_address or health_check.fqdn, int(health_check.port)
    try:
        with socket.create_connection((host, port), CONNECT_S):
            if health_check.type_ != "HTTP":
                return True
        connection = http.client.HTTPConnection(host, port, timeout=CONNECT_S)
        try:
            connection.request("GET", health_check.resource_path or "/")
            return 200 <= connection.getresponse().status < 400
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def _all(backend: Any) -> list[Any]:
    return list(backend.health_checks.values())


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
