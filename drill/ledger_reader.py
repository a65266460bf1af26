"""The controller's own account of what it did, read from its ledger, as an operator reads it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

from drill.fixture_plan import PLAN


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of an execution. Times: seconds since 1970; `ended` is its last report."""

    name: str
    status: str
    calls: int
    started: float
    ended: float
    observed: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of the ledger; `controller`: the region it runs in."""

    name: str
    epoch: int
    status: str
    started: float
    document: dict[str, Any]
    steps: tuple[Step, ...]
    controller: str

    def done_at(self, step: str) -> float | None:
        """When a step reported done, or None."""
        return next((record.ended for record in self.steps if record.name == step and record.status == "done"), None)


class ControllerAccount:
    """What the ledger's table holds of a plan, by default the drill's own."""

    def __init__(self, dynamodb: Any, table: str, plan: str = PLAN) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._plan = plan

    def active_site(self) -> str | None:
        """The active site, or None while no execution ever claimed the plan."""
        items = self.items("state")
        return str(items[0]["active"]) if items else None

    def executions(self) -> list[Execution]:
        """Every execution, the first one first."""
        executions = [
            Execution(
                name=item["name"],
                epoch=int(item["epoch"]),
                status=item["status"],
                started=float(item["started_at"]),
                document=json.loads(item.get("document", "{}")),
                steps=self._steps(item["name"]),
                controller=item["controller"],
            )
            for item in self.items("execution#")
        ]
        return sorted(executions, key=lambda execution: execution.started)

    def failover(self) -> Execution | None:
        """The last execution that was no dry run, or None."""
        real = [execution for execution in self.executions() if not _dry(execution)]
        return real[-1] if real else None

    def approval_token(self, execution: str) -> str:
        """The task token that an execution waits for."""
        return str(self.items(f"approval#{execution}")[0]["token"])

    def loss_table(self, execution: str) -> dict[tuple[str, int], dict[str, Any]]:
        """What the controller knows of each partition's loss, by topic and partition."""
        key = f"table#{execution}#loss"
        head = next((item for item in self.items(key) if item["sk"] == key), None)
        if head is None:
            return {}
        others = self.items(f"{key}#{head['slot']}#")
        parts = [head, *others[: int(head["parts"]) - 1]]
        return {
            (row["topic"], int(row["partition"])): row
            for part in parts
            for of_topic in json.loads(gzip.decompress(part["rows"])).values()
            for row in of_topic
        }

    def _steps(self, execution: str) -> tuple[Step, ...]:
        steps = [
            Step(
                name=item["step"],
                status=item["status"],
                calls=int(item["calls"]),
                started=float(item["started_at"]),
                ended=float(item["reported_at"]),
                observed=json.loads(item["observed"]),
            )
            for item in self.items(f"step#{execution}#")
        ]
        return tuple(sorted(steps, key=lambda step: step.started))

    def items(self, prefix: str) -> list[dict[str, Any]]:
        """The plan's items whose sort key begins so, as plain values."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": f"plan#{self._plan}"}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in answer["Items"]]


def _dry(execution: Execution) -> bool:
    return "dry-run" in execution.name
