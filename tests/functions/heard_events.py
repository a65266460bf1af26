"""Events as EventBridge delivers them to judge, and what judge started on them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).resolve().parents[2] / "events"


def written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def event(name: str, ago: float = 5.0) -> dict[str, Any]:
    """A sample event, as if its alarm had changed so many seconds ago, ten seconds after its first bad data point."""
    sample = dict(json.loads((EVENTS / f"{name}.json").read_text()))
    state = sample["detail"]["state"]
    state["timestamp"] = written(time.time() - ago)
    if "startDate" in state.get("reasonData", ""):
        data = json.loads(state["reasonData"]) | {"startDate": written(time.time() - ago - 10)}
        state["reasonData"] = json.dumps(data)
    return sample


def sighting(
    vantage: str,
    lost: tuple[str, ...] = ("east",),
    ago: float = 0.0,
    *,
    plans: tuple[str, ...] = ("orders",),
    **changes: Any,
) -> dict[str, Any]:
    """What a vantage point saw of both sites of plans."""
    sample = dict(json.loads((EVENTS / "sighting.json").read_text()))
    (observation,) = sample["detail"]["observations"]
    view = observation["view"] | {"vantage": vantage, "at": time.time() - ago} | changes
    view["probes"] = [probe | {"healthy": probe["site"] not in lost} for probe in view["probes"]]
    sample["detail"]["observations"] = [observation | {"view": view, "plan": plan} for plan in plans]
    return sample


def executions(aws: Callable[..., Any]) -> list[str]:
    machine = aws("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    return [run["name"] for run in aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]]
