"""The scenarios that a drill can rehearse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from drill.client_name import NameKind


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How a loss, of whatever kind, is noticed and acted on. Durations in seconds: traffic before the loss, the longest
    wait for recovery, traffic after it. `watch`: whether the stack's own probes run; `name_kind`: how the client
    hostname is held; `without`: services of AWS that are lost everywhere a moment before, by their signing names."""

    name: str
    description: str
    traffic_before_s: float = 8.0
    recovery_limit_s: float = 120.0
    traffic_after_s: float = 4.0
    watch: bool = True
    name_kind: NameKind = "route53-record"
    without: tuple[str, ...] = ()
    policy: dict[str, Any] = field(default_factory=dict)


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="region-loss",
            description="Probes from two regions agree; the controller decides and acts by itself.",
        ),
        Scenario(
            name="region-loss-seen-by-alarms",
            description="Policy does not let probes decide alone: an alarm must stand, too, at CloudWatch's real"
            " timing.",
            policy={"fast_path": False},
        ),
        Scenario(
            name="region-loss-seen-by-route53",
            description="The controller's own probes are off: only the alarm on a Route 53 health check tells, a"
            " minute's metric in us-east-1 whose events are forwarded. The slow path.",
            recovery_limit_s=300.0,
            watch=False,
        ),
        Scenario(
            name="route53-control-plane-down",
            description="Route 53's API answers nobody meanwhile. The client hostname is held by a health check, which"
            " beacons in two regions switch: name servers hear of it without the API.",
            name_kind="route53-health-check",
            without=("route53",),
        ),
    )
}
