"""CloudWatch alarms that really change: evaluated on time from the metrics, and told to EventBridge.

Evaluation: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html (periods, M of N,
missing data). Event: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html.
High-resolution alarms (10, 20 or 30 s) are looked at every 10 s, the others every minute, on whole periods.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from moto.cloudwatch.models import Alarm, cloudwatch_backends

from drill.aws.metrics import MetricStore

if TYPE_CHECKING:
    from drill.aws.regions import Regions

LOG = logging.getLogger(__name__)
SETTLED_S: Final = 1.0
"""How long after a period's end its values are taken to be there."""
EXTRA_PERIODS: Final = 2
"""CloudWatch looks at a few periods more than it evaluates, for those that are missing."""

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Value = float | None
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
STATISTIC: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an alarm asks of its data points: `needed` of the last `periods` must breach the threshold."""

    periods: int
    needed: int
    comparison: str
    threshold: float
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Whether one data point breaches the threshold."""
        return COMPARE[self.comparison](value, self.threshold)


def evaluate(points: Sequence[Value], rule: Rule, current: State) -> State:
    """The state that data points (oldest first, None where missing, the extra periods before) put an alarm in."""
    if rule.missing in ("breaching", "notBreaching"):
        filled = [rule.breaches(p) if p is not None else rule.missing == "breaching" for p in points[-rule.periods :]]
        return "ALARM" if sum(filled) >= rule.needed else "OK"
    if all(point is None for point in points[-rule.periods :]):
        return current if rule.missing == "ignore" else "INSUFFICIENT_DATA"
    present = [point for point in points if point is not None][-rule.periods :]
    breaching = sum(map(rule.breaches, present))
    if breaching >= rule.needed:
        return "ALARM"
    if rule.missing == "ignore" and len(present) < rule.needed:
        return current
    return "OK"


class AlarmEvaluator:
    """Evaluates the alarms of every region, from a thread."""

    def __init__(
        self,
        account: str,
        store: MetricStore,
        put_event: Callable[[dict[str, Any]], None],
        regions: Regions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._store = store
        self._put_event = put_event
        self._regions = regions
        self._clock = clock
        self._next: dict[str, float] = {}
        self._silenced: dict[str, dict[str, Any]] = {}
        self.evaluates = True
        """Whether alarms follow their metrics once this has started; else each stays as it was set."""

    def install(self) -> None:
        """A new alarm is INSUFFICIENT_DATA, and any change of state is told, one by SetAlarmState too."""
        evaluator = self
        alarm_class: Any = Alarm
        create, update = alarm_class.__init__, alarm_class.update_state

        def created(alarm: Alarm, *args: Any, **kwargs: Any) -> None:
            create(alarm, *args, **kwargs)
            alarm.state_value = "INSUFFICIENT_DATA"

        def update_state(alarm: Alarm, reason: str, reason_data: str, state_value: str) -> None:
            before = _state(alarm)
            update(alarm, reason, reason_data, state_value)
            if before["value"] != state_value:
                evaluator._tell(alarm, before)

        alarm_class.__init__, alarm_class.update_state = created, update_state

    def silence(self, alarm: str, **detail: Any) -> None:
        """From now on the alarm's events say that it is muted (`muteDetail`) or suppressed (`actionsSuppressedBy`)."""
        self._silenced[alarm] = detail

    def start(self) -> None:
        """Evaluate from now on, if at all."""
        if self.evaluates:
            threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def look(self) -> None:
        """Evaluate every alarm that is due."""
        now = self._clock()
        for region, backend in list(cloudwatch_backends[self._account].items()):
            if self._regions.is_lost(region, "monitoring"):
                continue
            for alarm in list(backend.alarms.values()):
                if alarm.rule is None and alarm.metric_name and now >= self._next.get(alarm.alarm_arn, 0.0):
                    every = 10.0 if int(alarm.period) < 60 else 60.0
                    self._next[alarm.alarm_arn] = (now - SETTLED_S) // every * every + every + SETTLED_S
                    self._evaluate(alarm, now - SETTLED_S)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                LOG.exception("alarms could not be evaluated")
            time.sleep(0.1)

    def _evaluate(self, alarm: Alarm, now: float) -> None:
        period = int(alarm.period)
        rule = Rule(
            periods=int(alarm.evaluation_periods),
            needed=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            missing=alarm.treat_missing_data or "missing",
        )
        end = now // period * period
        starts = [end - period * n for n in range(rule.periods + EXTRA_PERIODS, 0, -1)]
        points = [self._point(alarm, start, start + period) for start in starts]
        state = evaluate(points, rule, alarm.state_value)  # type: ignore[arg-type]
        if state == alarm.state_value:
            return
        shown = [(start, p) for start, p in zip(starts, points, strict=True) if p is not None][-rule.periods :]
        update: Any = alarm.update_state
        update(_reason(shown, rule, state), json.dumps(_reason_data(alarm, shown, now), separators=(",", ":")), state)

    def _point(self, alarm: Alarm, start: float, end: float) -> Value:
        dimensions = {str(dimension.name): str(dimension.value) for dimension in alarm.dimensions}
        values = [
            value
            for _, value in self._store.values(
                alarm.namespace, alarm.metric_name, dimensions=dimensions, start=start, end=end
            )
        ]
        return STATISTIC[alarm.statistic](values) if values else None

    def _tell(self, alarm: Alarm, before: dict[str, Any]) -> None:
        silence = self._silenced.get(alarm.name, {})
        state = _state(alarm)
        state |= {key: value for key, value in silence.items() if key != "muteDetail"}
        detail: dict[str, Any] = {
            "alarmName": alarm.name,
            "configuration": _configuration(alarm),
            "previousState": before,
            "state": state,
        }
        if "muteDetail" in silence:
            detail["muteDetail"] = silence["muteDetail"]
        self._put_event(
            {
                "source": "aws.cloudwatch",
                "detail-type": "CloudWatch Alarm State Change",
                "region": alarm.region_name,
                "account": self._account,
                "resources": [alarm.alarm_arn],
                "detail": detail,
            }
        )


def _state(alarm: Alarm) -> dict[str, Any]:
    state = {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "timestamp": _written(alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()),
    }
    if alarm.state_reason_data not in ("", "{}"):
        state["reasonData"] = alarm.state_reason_data
    return state


def _configuration(alarm: Alarm) -> dict[str, Any]:
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {dimension.name: dimension.value for dimension in alarm.dimensions},
    }
    stat = {"metric": metric, "period": int(alarm.period), "stat": alarm.statistic}
    metric_id = str(uuid.uuid5(uuid.NAMESPACE_URL, alarm.alarm_arn))
    return {
        "description": alarm.description or "",
        "metrics": [{"id": metric_id, "metricStat": stat, "returnData": True}],
    }


def _reason(shown: Sequence[tuple[float, float]], rule: Rule, state: State) -> str:
    if state == "INSUFFICIENT_DATA":
        return "Insufficient Data: no datapoints were received for the last periods."
    listed = ", ".join(f"{value} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})" for start, value in shown)
    crossed = sum(rule.breaches(value) for _, value in shown)
    return (
        f"Threshold Crossed: {crossed} out of the last {rule.periods} datapoints"
        f" [{listed}] breached the threshold ({rule.threshold}) (minimum {rule.needed} datapoint(s) for a transition)."
    )


def _reason_data(alarm: Alarm, shown: Sequence[tuple[float, float]], now: float) -> dict[str, Any]:
    breaching = [start for start, value in shown if COMPARE[alarm.comparison_operator](value, float(alarm.threshold))]
    return {
        "version": "1.0",
        "queryDate": _written(now),
        "startDate": _written(min(breaching or [start for start, _ in shown] or [now])),
        "statistic": alarm.statistic,
        "period": int(alarm.period),
        "recentDatapoints": [value for _, value in shown],
        "threshold": float(alarm.threshold),
    }


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
