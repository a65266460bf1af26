"""The ledger: one DynamoDB table that holds, per plan, the active site, the epoch, the lease, signals and executions.

Keys: partition `plan#<name>`; sort `state`, `execution#<name>`, `step#<execution>#<step>`,
`approval#<execution>`, and what signal store, decision log and topic tables keep. What two may race for is one item,
changed by conditional writes: one wins and the other learns it. There are no transactions, since a global table with
strong consistency has none; so whatever takes two writes can be taken up after the first. An execution writes to items
of its own and, while it holds the lease, to the plan's state; what it writes late can mislead nobody else.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from failover.errors import DuplicateExecution, LeaseLost
from failover.ledger.dynamodb import Item, ItemTable, sortable
from failover.ledger.execution import Execution
from failover.ledger.records import ExecutionRecord, Outcome, PlanState, StepRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DRY_RUN_KEPT_S = 30 * 86_400
FAILOVERS_KEPT_S = 86_400


class Ledger:
    """The ledger's table, through a DynamoDB client.

    Every method raises `LedgerUnavailable` when DynamoDB does not answer or throttles.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._items = ItemTable(dynamodb, table)

    def state(self, plan: str, home: str) -> PlanState:
        """Where the plan stands; a plan never claimed is active at `home`, epoch 0."""
        return _plan_state(self._items.get(plan, "state"), home)

    def claim(self, execution: Execution, home: str, supersedes: str | None = None) -> None:
        """Take the plan's lease and raise its epoch to the execution's; again for the same execution: nothing.

        Raises:
            DuplicateExecution: if another execution holds the lease, or the epoch or the name was used before.
        """
        plan, name = execution.plan, execution.name
        state = self.state(plan, home)
        if state.held_by(execution):
            self._begin(execution)
            return
        if state.holder is not None and state.holder != supersedes:
            raise DuplicateExecution(
                f"{_holder(state)} holds the lease of plan {plan!r} (epoch {state.epoch}): let it end, redrive"
                f" it, or, once it can't go on, start with supersedes={state.holder!r}"
            )
        if execution.epoch != state.epoch + 1:
            raise DuplicateExecution(
                f"epoch {execution.epoch} of plan {plan!r} is not the next: the ledger is at {state.epoch}"
            )
        if self._items.get(plan, f"execution#{name}") is not None:
            raise DuplicateExecution(f"there was an execution {name!r} of plan {plan!r} before")
        given = {":epoch": execution.epoch, ":seen": state.epoch, ":holder": name, ":active": state.active}
        given |= {":controller": execution.controller}
        free = "attribute_not_exists(holder)" if state.holder is None else "holder = :superseded"
        won = self._items.update(
            plan,
            "state",
            "SET epoch = :epoch, holder = :holder, controller = :controller, active = if_not_exists(active, :active)",
            given | ({":superseded": state.holder} if state.holder else {}),
            f"(attribute_not_exists(epoch) OR epoch = :seen) AND {free}",
        )
        if not won and not self.state(plan, home).held_by(execution):
            raise DuplicateExecution(f"another execution claimed plan {plan!r} first")
        self._begin(execution)
        if state.holder is not None:
            self._end(plan, state.holder, "superseded", {"superseded_by": name})

    def begin_dry_run(self, execution: Execution) -> None:
        """Keep the record of a dry run, which takes no lease; again: nothing."""
        self._begin(execution)

    def hold(self, execution: Execution) -> None:
        """Check that the execution holds the plan's lease under its epoch; a dry run needs none.

        Raises:
            LeaseLost: if it does not.
        """
        if execution.dry_run:
            return
        state = self.state(execution.plan, execution.from_site)
        if not state.held_by(execution):
            raise _lease_lost(execution, state)

    def record_step(
        self, execution: Execution, step: str, status: str, observed: dict[str, Any], started: float
    ) -> None:
        """Keep what a step reported, if the lease is still held.

        Raises:
            LeaseLost: if it is not.
        """
        self.hold(execution)
        self._items.update(
            execution.plan,
            f"step#{execution.name}#{step}",
            "SET step = :step, #status = :status, observed = :observed, reported_at = :reported,"
            " started_at = if_not_exists(started_at, :started) ADD calls :one",
            {
                ":step": step,
                ":status": status,
                ":observed": json.dumps(observed, default=str),
                ":started": str(started),
                ":reported": str(time.time()),
                ":one": 1,
            },
        )

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
            for item in self._items.query(execution.plan, f"step#{execution.name}#")
        ]
        return sorted(records, key=lambda record: record.started_at)

    def step(self, execution: Execution, step: str) -> StepRecord | None:
        """What a step of the execution last reported, or None."""
        return next((record for record in self.steps(execution) if record.step == step), None)

    def observed(self, plan: str, sort: str) -> list[dict[str, Any]]:
        """What a step of an execution last observed, by its sort key; empty if it was never called."""
        return [json.loads(item["observed"]) for item in self._items.query(plan, sort)]

    def put_fenced(self, execution: Execution, sort: str, values: Item) -> None:
        """Put an item beside the plan's others, if the lease is still held.

        Raises:
            LeaseLost: if it is not.
        """
        self.hold(execution)
        self._items.put(execution.plan, sort, values)

    def put(self, plan: str, sort: str, values: Item) -> None:
        """Put an item that no lease guards; the last writer wins."""
        self._items.put(plan, sort, values)

    def put_if_newer(self, plan: str, sort: str, values: Item, at: float) -> bool:
        """Put an item unless one that is as new, or newer, is kept: late is never over new. Says whether it was put."""
        when = sortable(at)
        condition = "attribute_not_exists(#at) OR #at < :at"
        return self._items.put(plan, sort, values | {"at": when}, condition, {":at": when})

    def extend_if_unchanged(self, plan: str, sort: str, same: Item, values: Item, at: float, gap: float) -> bool:
        """Renew the time of an item that has the same and is at most `gap` seconds older, and set its values; says
        whether there was one."""
        given = {f":{name}": value for name, value in (same | values).items()}
        return self._items.update(
            plan,
            sort,
            "SET " + ", ".join(f"#{name} = :{name}" for name in ("at", *values)),
            given | {":at": sortable(at), ":oldest": sortable(at - gap)},
            " AND ".join([*(f"#{name} = :{name}" for name in same), "#at < :at", "#at >= :oldest"]),
        )

    def set_once(self, plan: str, sort: str, values: Item) -> bool:
        """Add fields to an item that exists and has none of them; says whether that was done, once and for all."""
        return self._items.update(
            plan,
            sort,
            "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            {f":{name}": value for name, value in values.items()},
            f"attribute_exists(pk) AND attribute_not_exists(#{next(iter(values))})",
        )

    def increment(self, plan: str, sort: str, values: Item, counter: str) -> None:
        """Raise a counter of an item by one, and set fields of it; an item that is not there stays so."""
        self._items.update(
            plan,
            sort,
            "SET " + ", ".join(f"#{name} = :{name}" for name in values) + f" ADD #{counter} :one",
            {f":{name}": value for name, value in values.items()} | {":one": 1},
            "attribute_exists(pk)",
        )

    def compare_and_swap(self, plan: str, sort: str, values: Item, revision: int) -> bool:
        """Put an item in place of the one of that revision (0: of none); says whether it still was the one."""
        item = values | {"revision": revision + 1}
        if revision == 0:
            return self._items.put(plan, sort, item, "attribute_not_exists(pk)")
        return self._items.put(plan, sort, item, "revision = :revision", {":revision": revision})

    def item(self, plan: str, sort: str) -> Item | None:
        """One item of a plan, or None."""
        return self._items.get(plan, sort)

    def list_items(self, plan: str, prefix: str) -> list[Item]:
        """The items of a plan whose sort key begins so, in the order of their keys."""
        return list(self._items.query(plan, prefix))

    def newest(self, plan: str, prefix: str, most: int) -> list[Item]:
        """So many items of a plan whose sort key begins so, the last key first."""
        return self._items.newest(plan, prefix, most)

    def keep_approval_token(self, execution: Execution, token: str) -> None:
        """Keep the task token that an approval needs; it is in no message and no log.

        Raises:
            LeaseLost: if the lease is not held.
        """
        self.put_fenced(execution, f"approval#{execution.name}", {"token": token})

    def conclude(self, execution: Execution, outcome: Outcome, document: dict[str, Any]) -> None:
        """End the execution: its document is kept; on success its site becomes the active one; but for a failure the
        lease is released. Again with the same outcome: nothing, or what a crash left undone.

        Raises:
            LeaseLost: if the lease is not held and this outcome was not reached before.
        """
        kept = self.execution(execution.plan, execution.name)
        before = kept is not None and kept.status == outcome
        if not before:
            self.hold(execution)
            self._end(execution.plan, execution.name, outcome, document)
        if execution.dry_run or outcome == "failed":
            return
        if not self._release(execution, outcome) and not before:
            self._end(execution.plan, execution.name, "superseded", document)
            raise _lease_lost(execution)

    def execution(self, plan: str, name: str) -> ExecutionRecord | None:
        """What the ledger keeps of an execution, or None."""
        item = self._items.get(plan, f"execution#{name}")
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

    def pause(self, plan: str, why: str) -> None:
        """From now on nothing is started by itself; an execution that is under way goes on."""
        self._items.update(plan, "state", "SET paused = :why", {":why": why})

    def resume(self, plan: str) -> None:
        """The end of a pause."""
        self._items.update(plan, "state", "REMOVE paused")

    def _release(self, execution: Execution, outcome: Outcome) -> bool:
        changes, given = "", {":holder": execution.name, ":epoch": execution.epoch}
        if outcome == "succeeded":
            now = time.time()
            known = self.state(execution.plan, execution.from_site).failovers
            recent = [at for at in known if now - at < FAILOVERS_KEPT_S]
            changes = "SET active = :active, changed_at = :now, failovers = :failovers "
            given |= {":active": execution.to_site, ":now": str(now), ":failovers": json.dumps([*recent, now])}
        return self._items.update(
            execution.plan, "state", f"{changes}REMOVE holder", given, "holder = :holder AND epoch = :epoch"
        )

    def _begin(self, execution: Execution) -> None:
        """The record of an execution; again: nothing."""
        item: Item = {
            "name": execution.name,
            "controller": execution.controller,
            "epoch": execution.epoch,
            "kind": execution.kind,
            "status": "running",
            "from": execution.from_site,
            "to": execution.to_site,
            "started_at": str(execution.claimed_at),
        }
        if execution.dry_run:
            item["expires"] = int(time.time()) + DRY_RUN_KEPT_S
        self._items.put(execution.plan, f"execution#{execution.name}", item, "attribute_not_exists(pk)")

    def _end(self, plan: str, name: str, status: str, document: dict[str, Any]) -> None:
        self._items.update(
            plan,
            f"execution#{name}",
            "SET #status = :status, document = :document, ended_at = :ended",
            {":status": status, ":document": json.dumps(document, default=str), ":ended": str(time.time())},
            "attribute_exists(pk)",
        )


def _plan_state(item: Item | None, home: str) -> PlanState:
    if item is None:
        return PlanState(home, 0)
    changed = item.get("changed_at")
    return PlanState(
        item.get("active", home),
        int(item.get("epoch", 0)),
        item.get("holder"),
        float(changed) if changed else None,
        item.get("paused"),
        tuple(json.loads(item.get("failovers", "[]"))),
        item.get("controller", ""),
    )


def _holder(state: PlanState) -> str:
    return f"{state.holder} in {state.controller}" if state.controller else str(state.holder)


def _lease_lost(execution: Execution, state: PlanState | None = None) -> LeaseLost:
    held = f"; {_holder(state)} holds it under epoch {state.epoch}" if state and state.holder else ""
    return LeaseLost(
        f"{execution.name} no longer holds the lease of plan {execution.plan!r} under epoch {execution.epoch}{held}:"
        " it changes nothing any more"
    )
