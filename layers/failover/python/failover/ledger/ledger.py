"""The ledger: one DynamoDB table that holds, per plan, the active site, the epoch, the lease, signals and executions.

Keys: partition `plan#<name>`; sort `state`, `attempt#<epoch>#<kind>`, `execution#<name>`, `step#<execution>#<step>`,
`failure#<execution>#<step>`, `approval#<execution>`, `plan#<execution>`, and what the rooms above keep. What two may
race for is one item, changed by conditional writes: one wins and the other learns it. No transactions: a table with
strong consistency has none; so whatever takes two writes can be taken up after the first. An execution writes to items
of its own and, while it holds the lease, to the plan's state; what it writes late can mislead nobody else.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from failover.errors import AbortRefused, AbortRequested, DuplicateExecution, LeaseLost
from failover.ledger.dynamodb import Item
from failover.ledger.execution import Execution, Kind
from failover.ledger.items import PlanItems
from failover.ledger.records import (
    AbortWish,
    Denial,
    ExecutionRecord,
    Outcome,
    PlanState,
    StepRecord,
    execution_record,
    plan_state,
    step_record,
)

DRY_RUN_RETENTION_S: Final = 30 * 86_400
EXECUTION_RETENTION_S: Final = 180 * 86_400
FAILOVERS_RETENTION_S: Final = 86_400
ATTEMPT_RETENTION_S: Final = 120 * 86_400
"""Longer than the 90 days for which Step Functions blocks the name of an execution that is over."""


def expiry(execution: Execution) -> int:
    """When what is kept of an execution may be forgotten, in seconds since 1970."""
    return int(time.time()) + (DRY_RUN_RETENTION_S if execution.dry_run else EXECUTION_RETENTION_S)


class Ledger(PlanItems):
    """The ledger's table, through a DynamoDB client.

    Every method raises `LedgerUnavailable` when DynamoDB does not answer or throttles.
    """

    def state(self, plan: str, home: str) -> PlanState:
        """Where the plan stands; a plan never claimed is active at `home`, epoch 0."""
        return plan_state(self._items.get(plan, "state"), home)

    def claim(self, execution: Execution, home: str, supersedes: str | None = None) -> None:
        """Take the plan's lease and raise its epoch to the execution's; again for the same execution: nothing.

        Raises:
            DuplicateExecution: if another execution holds the lease, or the epoch or the name was used before.
        """
        plan, name = execution.plan, execution.name
        state = self.state(plan, home)
        if state.leased_to(execution):
            self._begin(execution, state.superseded)
            return
        if state.holder is not None and state.holder != supersedes:
            raise DuplicateExecution(
                f"{state.holder_in_words} holds the lease of plan {plan!r} (epoch {state.epoch}): let it end, redrive"
                f" it, or, once it can't go on, start with supersedes={state.holder!r}"
            )
        if execution.epoch != state.epoch + 1:
            raise DuplicateExecution(
                f"epoch {execution.epoch} of plan {plan!r} is not the next: the ledger is at {state.epoch}"
            )
        if self._items.get(plan, f"execution#{name}") is not None:
            raise DuplicateExecution(f"there was an execution {name!r} of plan {plan!r} before")
        placeholders = {":epoch": execution.epoch, ":seen": state.epoch, ":holder": name, ":active": state.active}
        placeholders |= {":controller": execution.controller, ":arn": execution.arn}
        free = "attribute_not_exists(holder)" if state.holder is None else "holder = :superseded"
        before = state.holder or (supersedes if execution.leads_back else None)
        supersession = ", superseded = :superseded" if before else ""
        stale = "abort_wish, no_return" if before else "abort_wish, no_return, superseded"
        won = self._items.update(
            plan,
            "state",
            expression="SET epoch = :epoch, holder = :holder, controller = :controller, holder_arn = :arn,"
            " last_execution = :holder,"
            f" active = if_not_exists(active, :active){supersession} REMOVE {stale}",
            placeholders=placeholders | ({":superseded": before} if before else {}),
            condition=f"(attribute_not_exists(epoch) OR epoch = :seen) AND {free}",
        )
        if not won and not self.state(plan, home).leased_to(execution):
            raise DuplicateExecution(f"another execution claimed plan {plan!r} first")
        self._begin(execution, before)

    def attempt(self, plan: str, epoch: int, kind: Kind) -> int:
        """Which attempt at the execution of that epoch is to be started: 1, unless earlier ones ended unclaimed."""
        item = self.item(plan, f"attempt#{epoch}#{kind}")
        return item["attempt"] if item else 1

    def next_attempt(self, plan: str, epoch: int, kind: Kind, ended: int) -> int:
        """Which attempt is to be started once that one is over; the same for everybody who saw it end."""
        sort, expires = f"attempt#{epoch}#{kind}", int(time.time()) + ATTEMPT_RETENTION_S
        self._items.update(
            plan,
            sort,
            expression="SET attempt = :next, expires = :expires",
            placeholders={":next": ended + 1, ":ended": ended, ":expires": expires},
            condition="attribute_not_exists(attempt) OR attempt <= :ended",
        )
        return self.attempt(plan, epoch, kind)

    def begin_dry_run(self, execution: Execution) -> None:
        """Keep the record of a dry run, which takes no lease; again: nothing."""
        self._begin(execution, None)

    def hold(self, execution: Execution, *, may_be_aborted: bool = False) -> None:
        """Check that the execution holds the plan's lease under its epoch; a dry run needs none. `may_be_aborted`: and
        that nobody wants it aborted.

        Raises:
            LeaseLost: if it does not.
            AbortRequested: if somebody does, and it is not past its point of no return.
        """
        if execution.dry_run:
            return
        state = self.state(execution.plan, execution.from_site)
        if not state.leased_to(execution):
            raise _lease_lost(execution, state)
        if may_be_aborted and (wish := state.aborts(execution)):
            raise AbortRequested(f"{wish.by} asked for {execution.name} to be aborted: {wish.why}")

    def request_abort(self, plan: str, execution: str, by: str, why: str) -> None:
        """Want an execution to put back what it changed. Again: the last wish stands.

        Raises:
            AbortRefused: if it does not hold the lease, goes forward only, or is a failover, which has no way back.
        """
        record = self.execution(plan, execution)
        if record is None or record.kind == "failover":
            raise AbortRefused(f"{execution} of plan {plan!r} can't be aborted: a failover goes forward only")
        wish = AbortWish(execution=execution, by=by, why=why, at=time.time())
        if not self._items.update(
            plan,
            "state",
            expression="SET abort_wish = :wish",
            placeholders={":wish": wish.as_json(), ":execution": execution},
            condition="holder = :execution AND (attribute_not_exists(no_return) OR no_return <> :execution)",
        ):
            raise AbortRefused(
                f"{execution} does not hold the lease of plan {plan!r}, or is past its point of no return: what it"
                " changed is not put back; let it end, and switch back"
            )

    def pass_no_return(self, execution: Execution) -> None:
        """From here on the execution goes forward only; again: nothing. Of this and a wish to abort it, one is first.

        Raises:
            LeaseLost, AbortRequested
        """
        if not self._items.update(
            execution.plan,
            "state",
            expression="SET no_return = :holder",
            placeholders={":holder": execution.name, ":epoch": execution.epoch},
            condition="holder = :holder AND epoch = :epoch"
            " AND (attribute_not_exists(abort_wish) OR no_return = :holder)",
        ):
            self.hold(execution, may_be_aborted=True)
            raise _lease_lost(execution)

    def take_back_no_return(self, execution: Execution) -> None:
        """The execution can give up again: nothing came of what it asked for.

        Raises:
            LeaseLost
        """
        if not self._items.update(
            execution.plan,
            "state",
            expression="REMOVE no_return",
            placeholders={":holder": execution.name, ":epoch": execution.epoch},
            condition="holder = :holder AND epoch = :epoch",
        ):
            raise _lease_lost(execution)

    def record_step(
        self, execution: Execution, step: str, status: str, observed: dict[str, Any], started: float
    ) -> None:
        """Keep what a step reported, if the lease is still held. One that is done and looked at again, and is still
        done, was done when it first was.

        Raises:
            LeaseLost: if it is not.
        """
        self.hold(execution)
        sort = f"step#{execution.name}#{step}"
        placeholders: Item = {
            ":step": step,
            ":status": status,
            ":observed": json.dumps(observed, default=str),
            ":started": str(started),
            ":expires": expiry(execution),
            ":one": 1,
        }
        report = (
            "SET step = :step, #status = :status, observed = :observed,"
            " started_at = if_not_exists(started_at, :started), expires = :expires"
        )
        first = None if status != "done" else "attribute_not_exists(#status) OR #status <> :status"
        reported = placeholders | {":reported": str(time.time())}
        if not self._items.update(
            execution.plan, sort, f"{report}, reported_at = :reported ADD calls :one", reported, condition=first
        ):
            self._items.update(execution.plan, sort, f"{report} ADD calls :one", placeholders)

    def steps(self, execution: Execution) -> list[StepRecord]:
        """The steps of an execution in the order they began."""
        return self.steps_of(execution.plan, execution.name)

    def steps_of(self, plan: str, execution: str) -> list[StepRecord]:
        """The steps of the execution of that name, in the order they began."""
        records = [step_record(item) for item in self.list_items(plan, f"step#{execution}#")]
        return sorted(records, key=lambda record: record.started_at)

    def step(self, plan: str, execution: str, step: str) -> StepRecord | None:
        """What a step of that execution last reported, or None."""
        item = self.item(plan, f"step#{execution}#{step}")
        return step_record(item) if item else None

    def put_fenced(self, execution: Execution, sort: str, values: Item) -> None:
        """Put an item beside the plan's others, if the lease is still held.

        Raises:
            LeaseLost: if it is not.
        """
        self.hold(execution)
        self._items.put(execution.plan, sort, values | {"expires": expiry(execution)})

    def save_approval_token(self, execution: Execution, token: str) -> None:
        """Keep the task token that an approval needs, in no message and no log, and the one person who can't give it:
        who started the execution by hand.

        Raises:
            LeaseLost: if the lease is not held.
        """
        starter = execution.started_by if execution.manual else ""
        self.put_fenced(execution, f"approval#{execution.name}", {"token": token, "started_by": starter})

    def conclude(
        self,
        execution: Execution,
        outcome: Outcome,
        document: dict[str, Any],
        denial: Denial | None = None,
        *,
        active: str | None = None,
    ) -> None:
        """End the execution: its document is kept; on success its site becomes the active one, on a stand-down the one
        that was found to be, if any; but for a failure the lease is released, and with it a denial is kept, and that
        the end is to be announced. Again with the same outcome: nothing, or what a crash left undone; but who was
        redriven may stop again, elsewhere, and the last failure is the one that is kept.

        Raises:
            LeaseLost: if the lease is not held and this outcome was not reached before.
        """
        recorded = self.execution(execution.plan, execution.name)
        before = recorded is not None and recorded.status == outcome != "failed"
        if not before:
            self.hold(execution)
            self._end(execution.plan, execution.name, outcome, document)
        if execution.dry_run or outcome == "failed":
            return
        if not (self._release(execution, outcome, denial, active) or before or self._gave_back(execution)):
            self._end(execution.plan, execution.name, "superseded", document)
            raise _lease_lost(execution)

    def _gave_back(self, execution: Execution) -> bool:
        """Whether the lease was given back under the execution's epoch: the SDK repeats a release whose answer is lost,
        and finds nothing to release any more."""
        state = self.state(execution.plan, execution.from_site)
        if state.epoch == execution.epoch:
            return state.holder is None
        return state.epoch == execution.epoch + 1 and state.superseded is None

    def execution(self, plan: str, name: str) -> ExecutionRecord | None:
        """What the ledger keeps of an execution, or None."""
        item = self._items.get(plan, f"execution#{name}")
        return execution_record(item) if item is not None else None

    def executions(self, plan: str) -> list[ExecutionRecord]:
        """What the ledger keeps of a plan's executions, the last one that began first."""
        records = [execution_record(item) for item in self.list_items(plan, "execution#")]
        return sorted(records, key=lambda record: -record.started_at)

    def amend_report(self, plan: str, execution: str, document: dict[str, Any]) -> None:
        """Keep another report of an execution that has ended; how and when it ended stays."""
        self._items.update(
            plan,
            f"execution#{execution}",
            expression="SET document = :document",
            placeholders={":document": json.dumps(document, default=str)},
            condition="attribute_exists(ended_at)",
        )

    def keep_announced(self, plan: str, execution: str) -> None:
        """The end of an execution is told."""
        self._items.update(
            plan,
            "state",
            expression="DELETE unannounced :told",
            placeholders={":told": frozenset({execution})},
            condition="attribute_exists(pk)",
        )

    def pause(self, plan: str, why: str) -> None:
        """From now on nothing is started by itself; an execution that is under way goes on."""
        self._items.update(plan, "state", "SET paused = :why", {":why": why})

    def resume(self, plan: str) -> None:
        """The end of a pause, and of a denial."""
        self._items.update(plan, "state", "REMOVE paused, denial")

    def forget_denial(self, plan: str, denial: Denial) -> None:
        """The end of that denial; another one, that came meanwhile, stands."""
        self._items.update(
            plan,
            "state",
            expression="REMOVE denial",
            placeholders={":denial": denial.as_json()},
            condition="denial = :denial",
        )

    def _release(self, execution: Execution, outcome: Outcome, denial: Denial | None, active: str | None) -> bool:
        changes, placeholders = "REMOVE holder", {":holder": execution.name, ":epoch": execution.epoch}
        if outcome == "succeeded":
            now = time.time()
            failovers = self.state(execution.plan, execution.from_site).failovers
            recent = [at for at in failovers if now - at < FAILOVERS_RETENTION_S]
            this = [now] if execution.kind == "failover" else []
            changes = "SET active = :active, changed_at = :now, failovers = :failovers REMOVE denial, holder"
            placeholders |= {
                ":active": execution.to_site,
                ":now": str(now),
                ":failovers": json.dumps([*recent, *this]),
            }
        elif active is not None:
            changes = "SET active = :active, changed_at = :now REMOVE denial, holder"
            placeholders |= {":active": active, ":now": str(time.time())}
        elif denial is not None:
            changes = "SET denial = :denial REMOVE holder"
            placeholders |= {":denial": denial.as_json()}
        return self._items.update(
            execution.plan,
            "state",
            expression=f"{changes} ADD unannounced :unannounced",
            placeholders=placeholders | {":unannounced": frozenset({execution.name})},
            condition="holder = :holder AND epoch = :epoch",
        )

    def _begin(self, execution: Execution, superseded: str | None) -> None:
        """The record of an execution, and the end of the one whose lease it took; again: nothing."""
        item: Item = {
            "name": execution.name,
            "controller": execution.controller,
            "epoch": execution.epoch,
            "kind": execution.kind,
            "status": "running",
            "from": execution.from_site,
            "to": execution.to_site,
            "started_at": str(execution.claimed_at),
            "expires": expiry(execution),
        }
        if superseded:
            item["supersedes"] = superseded
        self._items.put(execution.plan, f"execution#{execution.name}", item, "attribute_not_exists(pk)")
        if superseded:
            self._items.update(
                execution.plan,
                f"execution#{superseded}",
                expression="SET #status = :status, superseded_by = :by",
                placeholders={":status": "superseded", ":by": execution.name},
                condition="attribute_exists(pk)",
            )

    def _end(self, plan: str, name: str, status: str, document: dict[str, Any]) -> None:
        self._items.update(
            plan,
            f"execution#{name}",
            expression="SET #status = :status, document = :document, ended_at = :ended",
            placeholders={
                ":status": status,
                ":document": json.dumps(document, default=str),
                ":ended": str(time.time()),
            },
            condition="attribute_exists(pk)",
        )


def _lease_lost(execution: Execution, state: PlanState | None = None) -> LeaseLost:
    successor = f"; {state.holder_in_words} holds it under epoch {state.epoch}" if state and state.holder else ""
    return LeaseLost(
        f"{execution.name} no longer holds the lease of plan {execution.plan!r} under epoch {execution.epoch}"
        f"{successor}: it changes nothing any more"
    )
