"""What an account may ask of AWS a second, as services enforce it: what is beyond is throttled, and nothing is done.

Sources: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html,
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html.
"""

from __future__ import annotations

from collections import Counter

from drill.aws.limits import ECS, LAUNCHES, ROUTE53, Rate
from simulation.aws.errors import ApiError
from simulation.scheduler import Scheduler


class Bucket:
    """A limit, and what is left of it."""

    def __init__(self, scheduler: Scheduler, rate: Rate) -> None:
        self._clock = scheduler
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = scheduler.now

    def take(self) -> bool:
        """Whether one more request is taken now."""
        if self._refill() < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_for_one(self) -> float:
        """Seconds until a request that waits for its turn has it."""
        tokens = self._refill()
        self._tokens -= 1.0
        return max(0.0, (1.0 - tokens) / self._rate.a_second)

    def _refill(self) -> float:
        now = self._clock.now
        self._tokens = min(float(self._rate.burst), self._tokens + (now - self._at) * self._rate.a_second)
        self._at = now
        return self._tokens


class Limits:
    """The limits of one account. `throttled`: how many requests were, by what was asked."""

    def __init__(self, scheduler: Scheduler, route53: Rate = ROUTE53) -> None:
        self._clock = scheduler
        self._route53 = Bucket(scheduler, route53)
        self._ecs: dict[tuple[str, str], Bucket] = {}
        self.launches = Bucket(scheduler, LAUNCHES)
        self.requests: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()

    def check(self, service: str, region: str, operation: str) -> None:
        """Count a request.

        Raises:
            ApiError: it is one too many.
        """
        what = f"{service} {operation}"
        self.requests[what] += 1
        if service == "route53" and not self._route53.take():
            self.throttled[what] += 1
            raise ApiError("Throttling", "Rate exceeded")
        if service == "ecs" and operation in ECS and not self._of_ecs(region, operation).take():
            self.throttled[what] += 1
            raise ApiError("ThrottlingException", "Rate exceeded")

    def _of_ecs(self, region: str, operation: str) -> Bucket:
        shared, rate = ECS[operation]
        return self._ecs.setdefault((region, shared), Bucket(self._clock, rate))
