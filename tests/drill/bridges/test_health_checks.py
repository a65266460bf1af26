"""Route 53 health checks: an opinion changes after its threshold, and is told as a metric of us-east-1's kind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.aws import health_checks
from drill.aws.health_checks import CHECKERS, Check, Checker, HealthChecks, answers
from drill.aws.metrics import MetricDatum
from tests.claims import reaches


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def endpoint(port: int, **more: Any) -> SimpleNamespace:
    described: dict[str, Any] = {
        "id": "hc-1",
        "ip_address": "127.0.0.1",
        "fqdn": None,
        "port": port,
        "type_": "TCP",
        "resource_path": None,
        "request_interval": 10,
        "failure_threshold": 3,
        "inverted": "false",
        "disabled": "false",
    }
    return SimpleNamespace(**described | more)


@pytest.fixture
def checks(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[SimpleNamespace, Clock], tuple[HealthChecks, list[MetricDatum]]]:
    def of(health_check: SimpleNamespace, clock: Clock) -> tuple[HealthChecks, list[MetricDatum]]:
        backend = SimpleNamespace(health_checks={health_check.id: health_check})
        monkeypatch.setattr(health_checks, "route53_backends", {"1": {"aws": backend}})
        told: list[MetricDatum] = []
        return HealthChecks("1", told.append, clock), told

    return of


def listening() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(64)
    return server


def test_an_endpoint_that_dies_is_unhealthy_after_three_failures_of_the_checkers(checks: Any) -> None:
    server, clock = listening(), Clock()
    checking, told = checks(endpoint(server.getsockname()[1]), clock)
    checking.look()
    assert checking.statuses() == {"hc-1": True}
    assert (told[0].namespace, told[0].name, told[0].value) == ("AWS/Route53", "HealthCheckStatus", 1.0)
    server.close()
    states = []
    for second in range(1, 61):
        clock.now = float(second)
        checking.look()
        states.append(checking.statuses()["hc-1"])
    assert states[10] is True
    assert states[-1] is False
    assert told[-1].value == 0.0
    assert len(told) == 2


@pytest.mark.parametrize(("more", "value"), [({"inverted": "true"}, 1.0), ({"disabled": "true"}, 1.0), ({}, 0.0)])
def test_inverted_and_disabled_checks(checks: Any, more: dict[str, Any], value: float) -> None:
    server, clock = listening(), Clock()
    port = server.getsockname()[1]
    server.close()
    checking, told = checks(endpoint(port, **more), clock)
    for second in range(61):
        clock.now = float(second)
        checking.look()
    assert told[-1].value == value


@pytest.mark.parametrize(("status", "good"), [(200, True), (302, True), (404, False), (503, False)])
def test_an_http_check_wants_a_good_status(status: int, good: bool) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert answers(endpoint(server.server_address[1], type_="HTTP")) is good
        server.shutdown()


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 5))
def test_one_checkers_opinion_follows_the_last_answers(seen: list[bool], threshold: int) -> None:
    checker = Checker(0.0)
    for answered in seen:
        checker.saw(answered=answered, threshold=threshold)
    if seen[-1]:
        assert checker.healthy
    if reaches(len(seen) >= threshold and not any(seen[-threshold:]), floor=0.1):
        assert not checker.healthy


def test_one_healthy_checker_of_three_is_enough() -> None:
    opinions = [Checker(0.0, healthy=number == 0) for number in range(CHECKERS)]
    assert Check(opinions).healthy()
    opinions[0].healthy = False
    assert not Check(opinions).healthy()
