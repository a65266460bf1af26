"""The drill's AWS takes no more of an account than the real one does."""

from __future__ import annotations

from typing import Any

import pytest

from drill.aws.limits import BUSY_S, ECS, LAUNCHES, ROUTE53, Buckets, Limits, Rate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(clock)


def route53(path: str, method: str = "GET") -> dict[str, Any]:
    return {"PATH_INFO": f"/2013-04-01/{path}", "REQUEST_METHOD": method}


def ecs(operation: str, region: str = "us-west-2") -> dict[str, Any]:
    signed = f"AWS4-HMAC-SHA256 Credential=drill/20261129/{region}/ecs/aws4_request, SignedHeaders=host"
    target = f"AmazonEC2ContainerServiceV20141113.{operation}"
    return {"PATH_INFO": "/", "HTTP_X_AMZ_TARGET": target, "HTTP_AUTHORIZATION": signed}


def taken(limits: Limits, environ: dict[str, Any], times: int = 300) -> int:
    """How many of so many requests at one moment are taken."""
    return sum(limits.refusal(environ) is None for _ in range(times))


def test_the_limits_are_those_that_aws_documents() -> None:
    assert Rate(50, 10.0) == ROUTE53
    assert {
        "UpdateService": ("UpdateService", Rate(50, 5.0)),
        "DescribeServices": ("DescribeServices", Rate(100, 20.0)),
        "ListTasks": ("tasks", Rate(100, 20.0)),
        "DescribeTasks": ("tasks", Rate(100, 20.0)),
        "RunTask": ("RunTask", Rate(100, 40.0)),
    } == ECS
    assert Rate(100, 20.0) == LAUNCHES


def test_fargate_launches_a_burst_in_each_region_and_so_many_a_second_after(clock: Clock) -> None:
    launches = Buckets(clock)
    east, west = ([launches.take(region, LAUNCHES) for _ in range(150)] for region in ("us-east-2", "us-west-2"))
    assert sum(east) == sum(west) == 100
    clock.now += 1.0
    assert [launches.take("us-east-2", LAUNCHES) for _ in range(30)].count(True) == 20


def test_route_53_takes_a_burst_of_an_account_and_so_many_a_second_after(limits: Limits, clock: Clock) -> None:
    assert taken(limits, route53("hostedzone/Z1/rrset")) == ROUTE53.burst
    clock.now += 2.0
    assert taken(limits, route53("change/C1")) == 2 * ROUTE53.a_second
    refusal = limits.refusal(route53("change/C1"))
    assert refusal is not None and b"<Code>Throttling</Code>" in refusal.body


def test_a_zone_takes_one_change_at_a_time(limits: Limits, clock: Clock) -> None:
    change, elsewhere = route53("hostedzone/Z1/rrset/", "POST"), route53("hostedzone/Z2/rrset/", "POST")
    assert limits.refusal(change) is None
    refusal = limits.refusal(change)
    assert refusal is not None and b"<Code>PriorRequestNotComplete</Code>" in refusal.body
    assert limits.refusal(elsewhere) is None
    clock.now += BUSY_S
    assert limits.refusal(change) is None


@pytest.mark.parametrize("operation", ECS)
def test_ecs_has_a_limit_for_each_kind_of_request_in_each_region(limits: Limits, clock: Clock, operation: str) -> None:
    _, rate = ECS[operation]
    assert taken(limits, ecs(operation)) == rate.burst
    assert taken(limits, ecs(operation, "us-east-2")) == rate.burst
    clock.now += 1.0
    assert taken(limits, ecs(operation)) == rate.a_second


def test_tasks_are_listed_and_described_within_one_limit(limits: Limits) -> None:
    assert taken(limits, ecs("ListTasks")) == ECS["ListTasks"][1].burst
    assert taken(limits, ecs("DescribeTasks")) == 0


def test_what_has_no_limit_here_is_always_taken(limits: Limits) -> None:
    assert taken(limits, ecs("RegisterTaskDefinition")) == taken(limits, {"PATH_INFO": "/"}) == 300
