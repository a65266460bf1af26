"""What the controller uses of AWS: `python -m bench.usage DIRECTORY`, of a world that `python -m drill up` keeps there.

It looks on for some minutes in which all is well, and has readiness looked at now and then, after a first time in which
all that it finds is news; then it waits for a dry run and a failover, and writes
`command/usage.yaml`, of which `failover cost` computes. Durations are this machine's, the lower quartile of warm calls,
as it may have other work; a call of the ledger is taken as
one unit, as no item of it is over 4 KB to read, or 1 KB to write, but a plan and the samples of many mirrors.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import yaml

from drill.fixture_plan import PLAN
from drill.network.plain_http import plain

USAGE: Final = Path(__file__).resolve().parent.parent / "command" / "usage.yaml"
MINUTES: Final = 3.0
LOOK_EVERY_S: Final = 1.0
READINESS_LOOKS: Final = 5
READINESS: Final = "failover-CheckReadiness"
PLATFORM_BYTES: Final = 700
"""What Lambda's own lines of start, end and report come to in JSON, an invocation."""
_READS: Final = ("GetItem", "Query", "BatchGetItem")
_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was used until a moment: invocations, calls by function and operation, bytes of each function's log."""

    invocations: list[dict[str, Any]]
    calls: Counter[tuple[str, str]]
    log_bytes: Counter[str]


class RunningDrill:
    """The world whose directory it is."""

    def __init__(self, directory: Path) -> None:
        described = json.loads((directory / "controller.json").read_text())
        self._logs = directory / "logs" / "functions"
        self._endpoint = described["environment"]["AWS_ENDPOINT_URL"]
        self._machine = described["outputs"]["StateMachineArn"]
        region = described["environment"]["AWS_REGION"]
        session = boto3.Session(
            region_name=region,
            aws_access_key_id=described["environment"].get("AWS_ACCESS_KEY_ID", "drill"),
            aws_secret_access_key="drill",
        )
        self._states = session.client("stepfunctions", endpoint_url=self._endpoint)
        self._functions = session.client("lambda", endpoint_url=self._endpoint)

    def read(self) -> Reading:
        """What was used until now."""
        calls = {(call["function"], call["operation"]): call["calls"] for call in self._get("calls")}
        sizes = {path.stem: path.stat().st_size for path in self._logs.glob("*.log")}
        return Reading(invocations=self._get("invocations"), calls=Counter(calls), log_bytes=Counter(sizes))

    def look_at_readiness(self) -> None:
        """As its schedule does."""
        self._functions.invoke(FunctionName=READINESS, Payload=json.dumps({"plan": PLAN}))

    def execution(self, *, dry_run: bool) -> tuple[int, float, float]:
        """The transitions of the next failover that ends, and when it began and ended."""
        before = {run["executionArn"] for run in self._runs()}
        while True:
            for run in self._runs():
                if run["executionArn"] not in before and run["status"] != "RUNNING":
                    described = self._states.describe_execution(executionArn=run["executionArn"])
                    if bool(json.loads(described["input"]).get("dry_run")) == dry_run:
                        return (
                            self._transitions(run["executionArn"]),
                            run["startDate"].timestamp(),
                            run["stopDate"].timestamp(),
                        )
            time.sleep(LOOK_EVERY_S)

    def _runs(self) -> list[dict[str, Any]]:
        return [dict(run) for run in self._states.list_executions(stateMachineArn=self._machine)["executions"]]

    def _transitions(self, arn: str) -> int:
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])

    def _get(self, report: str) -> Any:
        return plain.get(f"{self._endpoint}/drill/{report}", timeout=30.0).raise_for_status().json()


def per_call(before: Reading, after: Reading) -> dict[str, dict[str, float]]:
    """What one call of each function uses, between two readings; those of a vantage point alone are left out."""
    made = after.invocations[len(before.invocations) :]
    used = {}
    for function in sorted({invocation["function"] for invocation in made if _is_controllers(invocation["function"])}):
        own = [call for call in made if call["function"] == function]
        times = sorted(call["duration_ms"] for call in own if not call["cold"]) or [own[0]["duration_ms"]]
        many = len(own)
        if many:
            calls = after.calls - before.calls
            used[_name(function)] = {
                "milliseconds": round(times[len(times) // 4], 1),
                "reads": round(_sum(calls, function, _READS) / many, 2),
                "writes": round(_sum(calls, function, _WRITES) / many, 2),
                "events": round(_sum(calls, function, ("PutEvents",)) / many, 2),
                "log_bytes": round((after.log_bytes[function] - before.log_bytes[function]) / many) + PLATFORM_BYTES,
            }
    return used


def of_execution(
    invocations: Iterable[Mapping[str, Any]], transitions: int, began: float, ended: float
) -> dict[str, Any]:
    """What an execution used: its transitions, and the calls of its functions while it ran."""
    others = ("WatchSite", "SampleLag", "Judge", "StartRounds", "CheckReadiness")
    within = [_name(call["function"]) for call in invocations if began <= call["start"] <= ended]
    calls = Counter(name for name in within if name not in others)
    return {"transitions": transitions, "calls": dict(sorted(calls.items()))}


def _is_controllers(function: str) -> bool:
    return function.startswith("failover-") and not function.startswith("failover-signals-")


def _name(function: str) -> str:
    return function.rpartition("-")[2]


def _sum(calls: Counter[tuple[str, str]], function: str, operations: tuple[str, ...]) -> int:
    return sum(many for (by, what), many in calls.items() if by == function and what.rpartition(".")[2] in operations)


def main() -> None:
    """Measure, and write."""
    directory = Path(sys.argv[1])
    world = RunningDrill(directory)
    print(f"for {MINUTES:g} minutes all is well")
    world.look_at_readiness()
    before, began = world.read(), time.monotonic()
    for look in range(READINESS_LOOKS):
        time.sleep(max(0.0, began + 60 * MINUTES * look / READINESS_LOOKS - time.monotonic()))
        world.look_at_readiness()
    time.sleep(max(0.0, began + 60 * MINUTES - time.monotonic()))
    idle = per_call(before, world.read())
    executions, measured = {}, [idle]
    for name, dry_run in (("dry_run", True), ("failover", False)):
        print(f"now start a {name.replace('_', ' ')}, and let it end")
        before = world.read()
        transitions, began, ended = world.execution(dry_run=dry_run)
        after = world.read()
        executions[name] = of_execution(after.invocations, transitions, began, ended)
        measured.append(per_call(before, after))
    functions = {name: used for calls in reversed(measured) for name, used in calls.items()}
    document = {"functions": dict(sorted(functions.items())), "executions": executions}
    head = "# Written by `python -m bench.usage` of a drill with one plan; what one call of each function uses.\n"
    USAGE.write_text(head + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120))
    print(USAGE)


if __name__ == "__main__":
    main()
