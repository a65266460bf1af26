"""The stacks that are deployed to the drill's AWS account: the controller's, or one in each site's region with a ledger
that they share, and the other vantage point's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from drill import fixture_plan
from drill.fixture_plan import HOME, PLAN, REGIONS, STANDBY, THIRD_REGION
from drill.process import ROOT

CONTROLLER: Final = "failover"
OTHER: Final = "failover-other"
LEDGER: Final = "failover-ledger"
SIGNALS: Final = "failover-signals"
THIRD_LEDGER: Final = "failover-third"
"""Where the third region's vantage point reads a plan of its own, in a world that leads it astray."""

ON_THE_WAY: Final = (
    "Judge",
    "WatchSite",
    "SampleLag",
    "StartRounds",
    "Claim",
    "Assess",
    "Fence",
    "PromoteMirrors",
    "CheckOffsets",
    "CreateGroups",
    "SwitchRoutes",
    "FlipDns",
    "Verify",
    "Conclude",
    "Announce",
)
"""The functions of a failover that asks nobody: what a deployed stack's schedules keep warm."""


def vantage_regions(controllers: int) -> list[str]:
    """Where the sites are looked at from."""
    return sorted({REGIONS[STANDBY], THIRD_REGION, *([REGIONS[HOME]] if controllers == 2 else [])})


def ledger(controllers: int) -> str:
    """The name of the controller's table, or of both controllers'."""
    return LEDGER if controllers == 2 else f"{CONTROLLER}-Ledger"


def more(template: Path, controllers: int, *, own_plans_at_third: bool = False) -> list[dict[str, Any]]:
    """The stacks beside the controller's, in the order they are deployed."""

    def stack(name: str, region: str, path: Path, parameters: dict[str, str]) -> dict[str, Any]:
        return {"name": name, "region": region, "template": str(path), "parameters": parameters}

    shared = ("Secrets", "HealthCheckAlarmNames", "Runtime", "OtherControllerRegion")
    values = {key: value for key, value in parameters(controllers).items() if key in shared}
    values |= {
        "ControllerRegion": REGIONS[STANDBY],
        "LedgerTable": THIRD_LEDGER if own_plans_at_third else ledger(controllers),
    }
    signals = stack(SIGNALS, THIRD_REGION, ROOT / "signals.yaml", values)

    def alarms(controller: str, region: str) -> dict[str, Any]:
        topic = f"arn:aws:sns:{region}:{fixture_plan.ACCOUNT}:{controller}-Notifications"
        of_plan = {"PlanName": PLAN, "HomeSite": HOME, "OtherSite": STANDBY, "NotificationTopicArn": topic}
        path = ROOT / "command" / "alarms.yaml"
        return stack(f"{controller}-alarms", region, path, of_plan | {"ReadinessState": "DISABLED"})

    here = [signals, alarms(CONTROLLER, REGIONS[STANDBY])]
    if controllers == 1:
        return here
    regions = {"OtherRegion": REGIONS[HOME], "WitnessRegion": THIRD_REGION, "TableName": LEDGER}
    other = parameters(controllers) | {"OtherControllerRegion": REGIONS[STANDBY]}
    return [
        *here,
        stack(LEDGER, REGIONS[STANDBY], ROOT / "ledger.yaml", regions),
        stack(OTHER, REGIONS[HOME], template, other),
        alarms(OTHER, REGIONS[HOME]),
    ]


def parameters(controllers: int) -> dict[str, str]:
    """The controller's parameters. Those that only policies name are given as what they could be: moto has no IAM."""
    another = {"OtherControllerRegion": REGIONS[HOME], "LedgerTable": LEDGER} if controllers == 2 else {}
    return another | {
        "ClientHostnames": fixture_plan.HOSTNAME,
        "HostedZones": "ZDRILL",
        "Secrets": "*",
        "HealthCheckAlarmNames": ",".join(map(fixture_plan.health_check_alarm, (HOME, STANDBY))),
        "EcsServices": "*",
        "EcsClusters": "*",
        "Listeners": "*",
        "EcsTaskRoles": "*",
        "EksClusters": "*",
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "DryRunState": "DISABLED",
        "ReadinessState": "DISABLED",
    }
