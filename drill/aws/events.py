"""EventBridge: what moto leaves out of it.

moto matches events and keeps rules and targets. Here they get the envelope that AWS gives them, reach every kind of
target, are tried again as the target's policy says, and end in its dead-letter queue.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
import uuid
from collections import deque
from typing import Any

from moto.events.models import EventsBackend, Rule, events_backends

from drill.aws.input_transform import target_input
from drill.aws.regions import Regions
from drill.aws.targets import Targets, Undeliverable, dead_letter_attributes

LOG = logging.getLogger(__name__)
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0

Event = dict[str, Any]


class EventBus:
    """The event buses of all regions: takes events, matches rules, delivers.

    `copies` is how often each event is delivered: AWS says at least once, so a drill may ask for two. `delivery_s`: how
    long an event is on its way to each target.
    """

    def __init__(self, targets: Targets, regions: Regions, *, copies: int = 1, delivery_s: float = 0.0) -> None:
        self._targets = targets
        self._regions = regions
        self._copies = copies
        self._delivery_s = delivery_s
        self._recorded: deque[dict[str, Any]] = deque(maxlen=10_000)

    def install(self) -> None:
        """Take the place of moto's delivery, and become the buses of `put_service_event`."""
        global _bus
        _bus = self
        bus = self

        def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [bus.put_entry(self, entry) for entry in events]

        def put_on_bus(arn: str, body: str) -> None:
            bus.put(*_place_of(arn), json.loads(body))

        EventsBackend.put_events = put_events  # type: ignore[method-assign]
        self._targets.put_on_bus = put_on_bus

    def put_entry(self, backend: EventsBackend, entry: dict[str, Any]) -> dict[str, str]:
        """One entry of PutEvents, answered as AWS answers it."""
        missing = next((name for name in ("Source", "DetailType", "Detail") if not entry.get(name)), None)
        if missing:
            why = f"Parameter {missing} is not valid. Reason: {missing} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": why}
        if entry["Source"].startswith("aws."):
            why = "Not authorized for the source."
            return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": why}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        bus = (entry.get("EventBusName") or "default").rpartition("/")[2]
        backend.describe_event_bus(bus)
        event: Event = {
            "source": entry["Source"],
            "detail-type": entry["DetailType"],
            "resources": entry.get("Resources") or [],
            "detail": detail,
        }
        if entry.get("Time") is not None:
            event["time"] = iso_time(float(entry["Time"]))
        return {"EventId": self.put(backend.account_id, backend.region_name, bus, event)}

    def put(self, account: str, region: str, bus: str, event: Event) -> str:
        """Put an event on a bus, with what is missing of its envelope filled in, and deliver it. Gives its id."""
        envelope: Event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "account": account,
            "time": iso_time(time.time()),
            "region": region,
            "resources": [],
            **event,
        }
        if self._regions.is_lost(region, "events"):
            LOG.info("an event of lost region %s is not seen by anyone: %s", region, envelope["detail-type"])
            return str(envelope["id"])
        self._recorded.append({"at": time.time(), "bus": bus, "bus_region": region, **envelope})
        for rule in list(events_backends[account][region].describe_event_bus(bus).rules.values()):
            if _matches(rule, envelope):
                self.fire(rule, envelope)
        return str(envelope["id"])

    def fire(self, rule: Rule, event: Event) -> None:
        """Deliver an event to every target of a rule."""
        for target in list(rule.targets):
            for _ in range(self._copies):
                on_its_way = threading.Timer(self._delivery_s, self.deliver, (rule.arn, target, event))
                on_its_way.daemon = True
                on_its_way.start()

    def deliver(self, rule_arn: str, target: dict[str, Any], event: Event) -> None:
        """Deliver an event to a target until it takes it, its retry policy is used up, or trying again can't help."""
        body = target_input(target, event, rule_arn)
        policy = target.get("RetryPolicy", {})
        give_up_at = time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86_400)
        retries = policy.get("MaximumRetryAttempts", 185)
        group = target.get("SqsParameters", {}).get("MessageGroupId")
        tried, pause_s = 0, FIRST_RETRY_S
        while True:
            try:
                self._targets.send(target["Arn"], body, group=group)
            except Undeliverable as error:
                too_old = time.monotonic() + pause_s > give_up_at
                if error.for_good or tried >= retries or too_old:
                    why = "MaximumEventAgeInSeconds" if too_old and tried < retries else "MaximumRetryAttempts"
                    self._dead_letter(rule_arn, target, event=event, error=error, tried=tried, why=why)
                    return
            else:
                return
            time.sleep(pause_s)
            tried, pause_s = tried + 1, min(pause_s * 2, LONGEST_RETRY_S)

    def recorded(self) -> list[dict[str, Any]]:
        """Every event, with the bus it was put on and when that was (`at`, seconds since the epoch)."""
        return list(self._recorded)

    def _dead_letter(
        self, rule_arn: str, target: dict[str, Any], event: Event, error: Undeliverable, tried: int, why: str
    ) -> None:
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        if not queue:
            LOG.error("event %s is dropped, %s has no dead-letter queue: %s", event["id"], rule_arn, error)
            return
        exhausted = {} if error.for_good else {"EXHAUSTED_RETRY_CONDITION": why}
        attributes = dead_letter_attributes(
            error, RULE_ARN=rule_arn, TARGET_ARN=target["Arn"], RETRY_ATTEMPTS=str(tried), **exhausted
        )
        try:
            self._targets.send(queue, json.dumps(event), attributes)
        except Undeliverable:
            LOG.exception("event %s is lost, its dead-letter queue does not take it", event["id"])


_bus: EventBus | None = None


def put_service_event(account: str, region: str, event: dict[str, Any]) -> None:
    """Put an event of an AWS service on the region's default bus, as the service itself would.

    `event` has the envelope's own keys: at least `source`, `detail-type` and `detail` (a dict), often `resources`;
    `version`, `id`, `time`, `account` and `region` are filled in where they are missing. Nothing happens in a lost
    region.

    Raises:
        RuntimeError: if no EventBus is installed.
    """
    if _bus is None:
        raise RuntimeError("no EventBus is installed; drill.aws.cloud installs one before anything can happen")
    _bus.put(account, region, "default", event)


def _matches(rule: Rule, event: Any) -> bool:
    """Whether an enabled rule with a pattern matches; in moto disabled rules deliver, and scheduled ones match all."""
    pattern = rule.event_pattern
    return bool(rule.state != "DISABLED" and pattern.get_pattern() and pattern.matches_event(event))


def _place_of(bus_arn: str) -> tuple[str, str, str]:
    _, _, _, region, account, resource = bus_arn.split(":", 5)
    return account, region, resource.removeprefix("event-bus/")


def iso_time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
