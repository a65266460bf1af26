"""The ledger: one DynamoDB table that holds, per plan, the active site, the epoch, the lease, signals and executions.

Keys: partition `plan#<name>`; sort `state`, `execution#<name>`, `step#<execution>#<step>`,
`approval#<execution>`, and the tables of `tables.py`. Every change is a conditional write: of two that race, one wins
and the other learns it. Writes of a step carry a check of the lease in the same transaction
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from failover.aws import error_code, is_transient
from failover.errors import DuplicateExecution, LeaseLost, LedgerUnavailable
from failover.execution import Execution

DRY_RUN_KEPT_S = 30 * 86_400
Outcome = Literal["succeeded", "stood-down", "failed"]
Item = dict[str, Any]


@dataclass(frozen=True)
class PlanState:
    """Where a plan stands. `holder` is the execution that holds the lease, under `epoch`. Times: seconds since 1970."""

    active: str
    epoch: int
    holder: str | None = None
    changed_at: float | None = None


@dataclass(frozen=True)
class StepRecord:
    """What one step of an execution last reported, and how often it was called."""

    step: str
    status: str
    calls: int
    started_at: float
    reported_at: float
    observed: dict[str, Any]


@dataclass(frozen=True)
class ExecutionRecord:
    """What the ledger keeps of an execution."""

    name: str
    epoch: int
    kind: str
    status: str
    started_at: float
    from_site: str
    to_site: str
    document: dict[str, Any]


class Ledger:
    """The ledger's table, through a DynamoDB client.

    Every method raises `LedgerUnavailable` when DynamoDB does not answer or throttles.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def state(self, plan: str, home: str) -> PlanState:
        """Where the plan stands; a plan never claimed is active at `home`, epoch 0."""
        return _plan_state(self._get(plan, "state"), home)

    def claim(self, execution: Execution, home: str, supersedes: str | None = None) -> None:
        """Take the plan's lease and raise its epoch to the execution's; again for the same execution: nothing.

        Raises:
            DuplicateExecution: if another execution holds the lease, or the epoch was used before.
        """
        item = self._get(execution.plan, "state")
        state = _plan_state(item, home)
        if state.holder == execution.name and state.epoch == execution.epoch:
            return
        if state.holder is not None and state.holder != supersedes:
            raise DuplicateExecution(
                f"{state.holder} holds the lease of plan {execution.plan!r} (epoch {state.epoch}): let it end, redrive"
                f" it, or, once it can't go on, start with supersedes={state.holder!r}"
            )
        if execution.epoch != state.epoch + 1:
            raise DuplicateExecution(
                f"epoch {execution.epoch} of plan {execution.plan!r} is not the next: the ledger is at {state.epoch}"
            )
        values = {":epoch": execution.epoch, ":seen": state.epoch, ":holder": execution.name, ":active": state.active}
        condition = "(attribute_not_exists(epoch) OR epoch = :seen) AND "
        if state.holder is None:
            condition += "attribute_not_exists(holder)"
        else:
            condition += "holder = :superseded"
            values[":superseded"] = state.holder
        update = {
            "Update": self._on(execution.plan, "state")
            | {
                "UpdateExpression": "SET epoch = :epoch, holder = :holder, active = if_not_exists(active, :active)",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": _values(values),
            }
        }
        try:
            self._transact([update, self._new_execution(execution)])
        except _ConditionFailed:
            if self.state(execution.plan, home).holder == execution.name:
                return
            raise DuplicateExecution(
                f"another execution claimed plan {execution.plan!r} first, or {execution.name!r} has ended already"
            ) from None

    def begin_dry_run(self, execution: Execution) -> None:
        """Keep the record of a dry run, which takes no lease; again: nothing."""
        try:
            self._transact([self._new_execution(execution)])
        except _ConditionFailed:
            return

    def hold(self, execution: Execution) -> None:
        """Check that the execution holds the plan's lease under its epoch; a dry run needs none.

        Raises:
            LeaseLost: if it does not.
        """
        if execution.dry_run:
            return
        item = self._get(execution.plan, "state") or {}
        if item.get("holder") != execution.name or item.get("epoch") != execution.epoch:
            raise _lease_lost(execution, item.get("holder"), item.get("epoch"))

    def record_step(
        self, execution: Execution, step: str, status: str, observed: dict[str, Any], started: float
    ) -> None:
        """Keep what a step reported, if the lease is still held.

        Raises:
            LeaseLost: if it is not.
        """
        values = {
            ":step": step,
            ":status": status,
            ":observed": json.dumps(observed, default=str),
            ":started": str(started),
            ":reported": str(time.time()),
            ":one": 1,
        }
        update = {
            "Update": self._on(execution.plan, f"step#{execution.name}#{step}")
            | {
                "UpdateExpression": "SET step = :step, #s = :status, observed = :observed, reported_at = :reported,"
                " started_at = if_not_exists(started_at, :started) ADD calls :one",
                "ExpressionAttributeNames": {"#s": "status"},
                "ExpressionAttributeValues": _values(values),
            }
        }
        try:
            self._transact([update, *self._lease_check(execution)])
        except _ConditionFailed:
            raise _lease_lost(execution) from None

    def steps(self, execution: Execution) -> list[StepRecord]:
        """The steps of an execution in the order they began."""
        records = [
            StepRecord(
                item["step"],
                item["status"],
                int(item["calls"]),
                float(item["started_at"]),
                float(item["reported_at"]),
                json.loads(item["observed"]),
            )
            for item in self._query(execution.plan, f"step#{execution.name}#")
        ]
        return sorted(records, key=lambda record: record.started_at)

    def step(self, execution: Execution, step: str) -> StepRecord | None:
        """What a step of the execution last reported, or None."""
        return next((record for record in self.steps(execution) if record.step == step), None)

    def keep(self, execution: Execution, sort: str, values: Item) -> None:
        """Put an item beside the plan's others, if the lease is still held.

        Raises:
            LeaseLost: if it is not.
        """
        put = {"Put": {"TableName": self._table, "Item": _values(_key(execution.plan, sort) | values)}}
        try:
            self._transact([put, *self._lease_check(execution)])
        except _ConditionFailed:
            raise _lease_lost(execution) from None

    def put(self, plan: str, sort: str, values: Item) -> None:
        """Put an item that no lease guards; the last writer wins."""
        try:
            self._dynamodb.put_item(TableName=self._table, Item=_values(_key(plan, sort) | values))
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def add_once(self, plan: str, sort: str, values: Item) -> bool:
        """Add fields to an item that exists and has none of them; says whether that was done, once and for all."""
        names = list(values)
        return self._won(
            self._dynamodb.update_item,
            **self._on(plan, sort),
            UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in range(len(names))),
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#0)",
            ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(names)},
            ExpressionAttributeValues=_values({f":{n}": values[name] for n, name in enumerate(names)}),
        )

    def replace(self, plan: str, sort: str, values: Item, revision: int) -> bool:
        """Put an item in place of the one of that revision (0: of none); says whether it still was the one."""
        item = _values(_key(plan, sort) | values | {"revision": revision + 1})
        if revision == 0:
            condition: Item = {"ConditionExpression": "attribute_not_exists(pk)"}
        else:
            seen = _values({":revision": revision})
            condition = {"ConditionExpression": "revision = :revision", "ExpressionAttributeValues": seen}
        return self._won(self._dynamodb.put_item, TableName=self._table, Item=item, **condition)

    def item(self, plan: str, sort: str) -> Item | None:
        """One item of a plan, or None."""
        return self._get(plan, sort)

    def observed(self, plan: str, sort: str) -> list[dict[str, Any]]:
        """What a step of an execution last observed, by its sort key; empty if it was never called."""
        return [json.loads(item["observed"]) for item in self._query(plan, sort)]

    def put_newer(self, plan: str, sort: str, values: Item, at: float) -> bool:
        """Put an item unless one that is as new, or newer, is kept: late is never over new. Says whether it was put."""
        return self._won(
            self._dynamodb.put_item,
            TableName=self._table,
            Item=_values(_key(plan, sort) | values | {"at": _sortable(at)}),
            ConditionExpression="attribute_not_exists(#at) OR #at < :at",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues=_values({":at": _sortable(at)}),
        )

    def kept(self, plan: str, prefix: str) -> list[Item]:
        """The items of a plan whose sort key begins so, in the order of their keys."""
        return list(self._query(plan, prefix))

    def keep_approval_token(self, execution: Execution, token: str) -> None:
        """Keep the task token that an approval needs; it is in no message and no log.

        Raises:
            LeaseLost: if the lease is not held.
        """
        self.keep(execution, f"approval#{execution.name}", {"token": token})

    def conclude(self, execution: Execution, outcome: Outcome, document: dict[str, Any]) -> None:
        """End the execution: its document is kept; on success its site becomes the active one; but for a failure the
        lease is released. Again with the same outcome: nothing.

        Raises:
            LeaseLost: if the lease is not held and this outcome was not reached before.
        """
        kept = self.execution(execution.plan, execution.name)
        if kept is not None and kept.status == outcome:
            return
        values = {":status": outcome, ":document": json.dumps(document, default=str), ":ended": str(time.time())}
        record = {
            "Update": self._on(execution.plan, f"execution#{execution.name}")
            | {
                "UpdateExpression": "SET #s = :status, document = :document, ended_at = :ended",
                "ExpressionAttributeNames": {"#s": "status"},
                "ExpressionAttributeValues": _values(values),
                "ConditionExpression": "attribute_exists(pk)",
            }
        }
        release: list[Item] = []
        if execution.dry_run:
            pass
        elif outcome == "failed":
            release = self._lease_check(execution)
        else:
            changed = {":active": execution.to_site, ":now": str(time.time())} if outcome == "succeeded" else {}
            release = [
                {
                    "Update": self._on(execution.plan, "state")
                    | {
                        "UpdateExpression": ("SET active = :active, changed_at = :now " if changed else "")
                        + "REMOVE holder",
                        "ConditionExpression": "holder = :holder AND epoch = :epoch",
                        "ExpressionAttributeValues": _values(
                            {":holder": execution.name, ":epoch": execution.epoch} | changed
                        ),
                    }
                }
            ]
        try:
            self._transact([record, *release])
        except _ConditionFailed:
            raise _lease_lost(execution) from None

    def execution(self, plan: str, name: str) -> ExecutionRecord | None:
        """What the ledger keeps of an execution, or None."""
        item = self._get(plan, f"execution#{name}")
        if item is None:
            return None
        return ExecutionRecord(
            item["name"],
            int(item["epoch"]),
            item["kind"],
            item["status"],
            float(item["started_at"]),
            item["from"],
            item["to"],
            json.loads(item.get("document", "{}")),
        )

    def _new_execution(self, execution: Execution) -> Item:
        item: Item = _key(execution.plan, f"execution#{execution.name}") | {
            "name": execution.name,
            "epoch": execution.epoch,
            "kind": execution.kind,
            "status": "running",
            "from": execution.from_site,
            "to": execution.to_site,
            "started_at": str(execution.claimed_at),
        }
        if execution.dry_run:
            item["expires"] = int(time.time()) + DRY_RUN_KEPT_S
        put = {"TableName": self._table, "Item": _values(item), "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": put}

    def _lease_check(self, execution: Execution) -> list[Item]:
        if execution.dry_run:
            return []
        condition = {
            "ConditionExpression": "holder = :holder AND epoch = :epoch",
            "ExpressionAttributeValues": _values({":holder": execution.name, ":epoch": execution.epoch}),
        }
        return [{"ConditionCheck": self._on(execution.plan, "state") | condition}]

    def _on(self, plan: str, sort: str) -> Item:
        return {"TableName": self._table, "Key": _values(_key(plan, sort))}

    def _won(self, write: Callable[..., Any], **arguments: Any) -> bool:
        """Whether a conditional write was made, not lost."""
        try:
            write(**arguments)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error
        return True

    def _get(self, plan: str, sort: str) -> Item | None:
        try:
            answer = self._dynamodb.get_item(**self._on(plan, sort), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return _plain(answer["Item"]) if "Item" in answer else None

    def _query(self, plan: str, prefix: str) -> Iterator[Item]:
        start: Item = {}
        while True:
            try:
                answer = self._dynamodb.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                    ExpressionAttributeValues=_values({":pk": f"plan#{plan}", ":prefix": prefix}),
                    ConsistentRead=True,
                    **start,
                )
            except (ClientError, BotoCoreError) as error:
                raise _unavailable(error) from error
            yield from (_plain(item) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _transact(self, items: list[Item]) -> None:
        try:
            self._dynamodb.transact_write_items(TransactItems=items)
        except ClientError as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if error_code(error) == "TransactionCanceledException":
                if "ConditionalCheckFailed" in reasons or not reasons:
                    raise _ConditionFailed from error
                raise LedgerUnavailable(
                    f"the ledger cancelled a transaction: {sorted(filter(None, reasons))}"
                ) from error
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error


class _ConditionFailed(Exception):
    """The conditional write lost."""


def _plan_state(item: Item | None, home: str) -> PlanState:
    if item is None:
        return PlanState(home, 0)
    changed = item.get("changed_at")
    return PlanState(item["active"], int(item["epoch"]), item.get("holder"), float(changed) if changed else None)


def _lease_lost(execution: Execution, holder: object = None, epoch: object = None) -> LeaseLost:
    held = f"; {holder} holds it under epoch {epoch}" if holder else ""
    return LeaseLost(
        f"{execution.name} no longer holds the lease of plan {execution.plan!r} under epoch {execution.epoch}{held}:"
        " it changes nothing any more"
    )


def _unavailable(error: Exception) -> Exception:
    return LedgerUnavailable(f"the ledger did not answer: {error}") if is_transient(error) else error


def _key(plan: str, sort: str) -> Item:
    return {"pk": f"plan#{plan}", "sk": sort}


def _sortable(seconds: float) -> str:
    """Seconds since 1970 as text whose order is the order of the times, to the microsecond."""
    return f"{seconds:018.6f}"


def _values(item: Item) -> Item:
    return {key: _typed(value) for key, value in item.items()}


def _typed(value: object) -> Item:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
    raise TypeError(f"the ledger keeps no {type(value).__name__}")


def _plain(item: Item) -> Item:
    return {key: _untyped(value) for key, value in item.items()}


def _untyped(value: Item) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return int(content)
        case _:
            return content
