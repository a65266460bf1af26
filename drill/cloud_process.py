"""What the process of the world's AWS account is told when it starts."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from drill import fixture_plan, stacks
from drill.fixture_plan import REGIONS, STANDBY
from drill.world_settings import Settings


def cloud_config(settings: Settings, logs: Path) -> dict[str, Any]:
    """Of the account, with the stacks of the controllers and of the other vantage point."""
    timing = settings.timing
    return {
        "region": REGIONS[STANDBY],
        "account": fixture_plan.ACCOUNT,
        "ecs_start_delay_s": timing.task_start_s,
        "name_in_sync_s": timing.name_in_sync_s,
        "seed": settings.seed,
        "event_delivery_s": timing.event_delivery_s,
        "cold_start_s": timing.cold_start_s,
        "template": str(settings.template),
        "parameters": stacks.parameters(settings.controllers),
        "more_stacks": stacks.more(
            settings.template, settings.controllers, own_plans_at_third=settings.own_plans_at_third
        ),
        "python": sys.executable,
        "dependencies_path": [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]],
        "log_dir": str(logs / "functions"),
        "alarms": settings.alarms,
        "alarm_evaluation": settings.alarm_evaluation,
        "ecs_task": settings.container,
        "health_checks": True,
        "schedules": False,
    }
