"""EventBridge Scheduler, and rules with a schedule: moto keeps them, here they fire.

A rate fires at once and then on its period, as Scheduler's do when they have no start date.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from drill.aws.cloudwatch import repeat
from drill.aws.events import EventBus, iso_time
from drill.aws.regions import Regions

LOG = logging.getLogger(__name__)
_RATE = re.compile(r"rate\((?P<value>[1-9][0-9]*) (?P<unit>minute|hour|day)s?\)")
_UNIT_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
LOOK_EVERY_S = 0.1


class UnsupportedSchedule(ValueError):
    """The drill fires rates only; a cron or at expression would wait for longer than a drill lasts."""

    def __init__(self, expression: str) -> None:
        super().__init__(f"{expression!r} is not a rate(<n> minutes|hours|days): the drill does not fire it")


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A schedule as it stands: what fires, how often, and where to."""

    arn: str
    account: str
    region: str
    expression: str
    target: dict[str, Any]
    rule: Any = None


def period_s(expression: str) -> float:
    """Seconds between two firings.

    Raises:
        UnsupportedSchedule: if the expression is no rate.
    """
    rate = _RATE.fullmatch(expression)
    if rate is None:
        raise UnsupportedSchedule(expression)
    return int(rate["value"]) * _UNIT_S[rate["unit"]]


class Schedules:
    """PlanSnapshot at every schedule that moto keeps, ten times a second, and fires those that are due."""

    def __init__(self, bus: EventBus, regions: Regions) -> None:
        self._bus = bus
        self._regions = regions
        self._next: dict[str, float] = {}
        self._started = False

    def start(self) -> None:
        """Look from now on; once only."""
        if self._started:
            return
        self._started = True
        repeat(lambda: self.fire_due(time.monotonic()), LOOK_EVERY_S, "schedules")

    def fire_due(self, now: float) -> None:
        """Fire what is due at `now` (monotonic seconds). A schedule in a lost region lets its firings pass."""
        current = {firing.arn: firing for firing in _enabled()}
        for arn in set(self._next) - set(current):
            del self._next[arn]
        for firing in current.values():
            if now < self._next.get(firing.arn, now):
                continue
            try:
                self._next[firing.arn] = self._next.get(firing.arn, now) + period_s(firing.expression)
            except UnsupportedSchedule as error:
                self._next[firing.arn] = float("inf")
                LOG.warning("%s: %s", firing.arn, error)
                continue
            if not self._regions.is_lost(firing.region, "scheduler"):
                self._fire(firing)

    def _fire(self, firing: Firing) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "source": "aws.events",
            "detail-type": "Scheduled Event",
            "account": firing.account,
            "time": iso_time(time.time()),
            "region": firing.region,
            "resources": [firing.arn],
            "detail": {},
        }
        if firing.rule is not None:
            self._bus.fire(firing.rule, event)
            return
        text = firing.target.get("Input") or json.dumps(event)
        for name, value in (
            ("schedule-arn", firing.arn),
            ("scheduled-time", event["time"]),
            ("execution-id", event["id"]),
            ("attempt-number", "1"),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", str(value))
        target = {**firing.target, "Input": text}
        threading.Thread(target=self._bus.deliver, args=(firing.arn, target, event), daemon=True).start()


def _enabled() -> Iterator[Firing]:
    for account, region, backend in _backends(scheduler_backends):
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED":
                    yield Firing(
                        arn=schedule.arn,
                        account=account,
                        region=region,
                        expression=schedule.schedule_expression,
                        target=schedule.target,
                    )
    for account, region, backend in _backends(events_backends):
        for bus in list(backend.event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.scheduled_expression and rule.state != "DISABLED":
                    yield Firing(
                        arn=rule.arn,
                        account=account,
                        region=region,
                        expression=rule.scheduled_expression,
                        target={},
                        rule=rule,
                    )


def _backends(of_service: Any) -> Iterator[tuple[str, str, Any]]:
    for account, regions in list(of_service.items()):
        for region, backend in list(regions.items()):
            yield account, region, backend
