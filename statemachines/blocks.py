"""What every flow is made of, in Amazon States Language (https://states-language.net) with JSONata.

A function here answers states by their names: a flow is their union. `${...}` is what the template substitutes.
"""

from __future__ import annotations

from typing import Any

State = dict[str, Any]
States = dict[str, State]

TRANSIENT = (
    "LedgerUnavailable",
    "LinkUnavailable",
    "LinkUncertain",
    "FleetUnavailable",
    "DnsUnavailable",
    "KafkaUnavailable",
    "KafkaUnauthorized",
    "ServiceUnavailable",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
)
"""The errors after which the same call may succeed: the ports' own by their class, Lambda's, and calls that ran out of
time (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html)."""

DEADLINE_EXCEEDED = "StepDeadlineExceeded"

PATIENCE_S = "${PatienceSeconds}"
"""How long a call is made again that nothing can go on without, nor end: AWS throttles for minutes in a disaster."""

GROWTH = 50
"""A wait is no shorter than this part of the time since the step began: a day of polling by the second is 400 turns."""

REDRIVES = "($exists($states.context.Execution.RedriveCount) ? $states.context.Execution.RedriveCount : 0)"
"""How often the execution was redriven (JSONata)."""

FEW_FLEETS = 3
"""What more of them do side by side is waited for longer, in proportion: they share one history."""


def jsonata(expression: str) -> str:
    """A value that Step Functions computes."""
    return f"{{% {expression} %}}"


EXECUTION: State = {"execution": jsonata("$execution")}
"""What every step is given: the execution, as it was claimed."""


def machine(comment: str, start: str, states: States) -> State:
    """A whole state machine."""
    return {"Comment": comment, "QueryLanguage": "JSONata", "StartAt": start, "States": states}


def branch(start: str, states: States) -> State:
    """A branch of a Parallel state, or what a Map state does with an item."""
    return {"StartAt": start, "States": states}


def catch(*errors: str, to: str, assign: State | None = None) -> State:
    """Go to a state with the error as its input, or with the error in variables."""
    caught: State = {"ErrorEquals": list(errors)}
    return caught | ({"Assign": assign} if assign else {"Output": jsonata("$states.errorOutput")}) | {"Next": to}


def stops_at(name: str) -> list[State]:
    """Whatever goes wrong is recorded with the state to go on from; who lost the lease touches nothing."""
    where = {"stopped_at": name, "failure": jsonata("$states.errorOutput")}
    return [catch("LeaseLost", to="LeaseLost"), catch("States.ALL", to="BeginStopped", assign=where)]


def call(function: str, payload: State, *, comment: str = "", **fields: Any) -> State:
    """Invoke a function; its answer is the state's output."""
    task: State = {"Comment": comment} if comment else {}
    task |= {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "Arguments": {"FunctionName": f"${{{function}Function}}", "Payload": payload},
        "TimeoutSeconds": jsonata("${CallTimeoutSeconds}"),
        "Output": jsonata("$states.result.Payload"),
    }
    return task | fields


def attempt(name: str, task: State, *, within: str, then: str, late: State) -> States:
    """Call a function until it answers; after `within` seconds (JSONata) without an answer, go to a state of its own.

    What can't succeed by calling again is left to the task's own Catch.
    """
    turns = _Turns(name)
    states: States = {
        f"Begin{name}": turns.begin(within),
        name: turns.task(task, then=then, unanswered=f"{name}Unanswered"),
        f"{name}Unanswered": {
            "Type": "Choice",
            "Choices": [choice(turns.past, f"{name}TooLate")],
            "Default": f"{name}Wait",
        },
        f"{name}Wait": turns.wait(),
    }
    return states | {f"{name}TooLate": late}


def step(
    name: str,
    task: State,
    *,
    deadline: str,
    then: str,
    late: State,
    last_chance: bool = False,
    patience: str = "",
    assign: State | None = None,
    side_by_side: str = "",
) -> States:
    """Call a step until it reports `done`, then go on; when it is too late, to a state of its own.

    A transient error is a turn like any other. `deadline`: JSONata, in seconds. `last_chance`: the step is told that it
    is called for the last time, once it has answered after the deadline. `patience`: seconds (JSONata) after the
    deadline in which its answer is still waited for. `late`: what becomes of a step that is not done by then.
    `assign`: variables of the step, as it begins. `side_by_side`: the fleets (JSONata) each of which does the same.
    """
    turns = _Turns(name, side_by_side)
    begin, wait, too_late = turns.begin(deadline), turns.wait(), turns.past
    begin["Assign"] |= assign or {}
    if last_chance:
        over = f"${turns.prefix}_over"
        begin["Assign"] |= {f"{turns.prefix}_over": False}
        wait["Assign"] = {
            f"{turns.prefix}_over": jsonata(f"{over} or ($states.input.status = 'waiting' and {turns.past})")
        }
        task["Arguments"]["Payload"]["last_chance"] = jsonata(over)
        too_late = f"$states.input.status = 'waiting' ? {over} : {turns.past}"
    if patience:
        too_late = f"{turns.past} + 1000 * {patience}"
    return {
        f"Begin{name}": begin,
        name: turns.task(task, then=f"{name}Done", unanswered=f"{name}Done"),
        f"{name}Done": {
            "Type": "Choice",
            "Choices": [choice("$states.input.status = 'done'", then), choice(too_late, f"{name}TooLate")],
            "Default": f"{name}Wait",
        },
        f"{name}Wait": wait,
        f"{name}TooLate": late,
    }


class _Turns:
    """A call that is made again and again, ever more slowly, until a deadline."""

    def __init__(self, name: str, side_by_side: str = "") -> None:
        self.name = name
        self.growth = f" * $max([1, $count({side_by_side}) / {FEW_FLEETS}])" if side_by_side else ""
        self.prefix = name.lower()
        self.past = f"$millis() > ${self.prefix}_deadline"

    def begin(self, seconds: str) -> State:
        deadline = jsonata(f"$millis() + 1000 * {seconds}")
        assign = {f"{self.prefix}_begun": jsonata("$millis()"), f"{self.prefix}_deadline": deadline}
        return {"Type": "Pass", "Assign": assign, "Next": self.name}

    def task(self, task: State, *, then: str, unanswered: str) -> State:
        """`unanswered`: where a call goes on that had no answer, as if the step had reported its error."""
        report = {"status": "unanswered", "retry_after": 1, "observed": jsonata("$states.errorOutput")}
        caught: State = {"ErrorEquals": list(TRANSIENT), "Output": report, "Next": unanswered}
        catches = task.pop("Catch", [])
        own = [handler for handler in catches if "States.ALL" not in handler["ErrorEquals"]]
        rest = [handler for handler in catches if "States.ALL" in handler["ErrorEquals"]]
        return task | {"Catch": [*own, caught, *rest], "Next": then}

    def wait(self) -> State:
        """As long as the step asked for, or longer, but not beyond the deadline."""
        elapsed_part = f"$floor(($millis() - ${self.prefix}_begun){self.growth} / {1000 * GROWTH})"
        grown = f"$max([$states.input.retry_after, {elapsed_part}])"
        remaining = f"$ceil((${self.prefix}_deadline - $millis()) / 1000)"
        seconds = f"{self.past} ? {grown} : $min([{grown}, {remaining}])"
        return {"Type": "Wait", "Seconds": jsonata(seconds), "Next": self.name}


def choice(condition: str, to: str) -> State:
    """One way of a Choice state."""
    return {"Condition": jsonata(condition), "Next": to}


FLEET: State = {"site": jsonata("$fleet.site"), "fleet": jsonata("$fleet.fleet")}
"""Which fleet a step is called for, in states that know it as `$fleet`."""
FLEET_OF_ITEM: State = {"site": jsonata("$states.input.fleet.site"), "fleet": jsonata("$states.input.fleet.fleet")}
"""The same, where it is the state's input."""


def fleets(items: str, start: str, states: States) -> State:
    """Do the same with each fleet, side by side; the states know it as `$fleet`."""
    return {
        "Type": "Map",
        "Items": jsonata(items),
        "ItemSelector": {"fleet": jsonata("$states.context.Map.Item.Value")},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **branch(start, states)},
        "End": True,
    }


END: State = {"Type": "Pass", "End": True}


def too_late(function: str) -> State:
    """End a branch, and with it all that goes side by side with it."""
    cause = jsonata(f"'{function} was not done in time: ' & $string($states.input.observed)")
    return {"Type": "Fail", "Error": DEADLINE_EXCEEDED, "Cause": cause}


def stop(name: str, function: str) -> State:
    """Stop the execution, to be gone on with at a state."""
    cause = f"'{function} was not done in time: ' & $string($states.input.observed)"
    error = jsonata(f"{{'Error': '{DEADLINE_EXCEEDED}', 'Cause': {cause}}}")
    return {"Type": "Pass", "Assign": {"stopped_at": name, "failure": error}, "Next": "BeginStopped"}
