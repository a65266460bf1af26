"""What every flow is made of, in Amazon States Language (https://states-language.net) with JSONata.

A function here answers states by their names: a flow is their union. `${...}` is what the template substitutes.
"""

from __future__ import annotations

from typing import Any

State = dict[str, Any]
States = dict[str, State]

_TRANSIENT = (
    "LedgerUnavailable",
    "LinkUnavailable",
    "LinkUncertain",
    "FleetUnavailable",
    "DnsUnavailable",
    "KafkaUnavailable",
    "KafkaUnauthorized",
    "ServiceUnavailable",
)
_OF_LAMBDA = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
)


def jsonata(expression: str) -> str:
    """A value that Step Functions computes."""
    return f"{{% {expression} %}}"


def machine(comment: str, start: str, states: States) -> State:
    """A whole state machine."""
    return {"Comment": comment, "QueryLanguage": "JSONata", "StartAt": start, "States": states}


def branch(start: str, states: States) -> State:
    """A branch of a Parallel state, or what a Map state does with an item."""
    return {"StartAt": start, "States": states}


def retry(*errors: str, attempts: int = 6, rate: float = 2.0) -> State:
    """Call again after a second, then ever later, five seconds at most."""
    policy: State = {"ErrorEquals": list(errors), "IntervalSeconds": 1, "BackoffRate": rate}
    if rate > 1:
        policy["MaxDelaySeconds"] = 5
    return policy | {"MaxAttempts": attempts, "JitterStrategy": "FULL"}


def catch(*errors: str, to: str, assign: State | None = None) -> State:
    """Go to a state with the error as its input, or with the error in variables."""
    caught: State = {"ErrorEquals": list(errors)}
    return caught | ({"Assign": assign} if assign else {"Output": jsonata("$states.errorOutput")}) | {"Next": to}


def stops_at(name: str) -> list[State]:
    """Whatever goes wrong is recorded with the state to go on from; who lost the lease touches nothing."""
    where = {"stopped_at": name, "error": jsonata("$states.errorOutput")}
    return [catch("LeaseLost", to="LeaseLost"), catch("States.ALL", to="Stopped", assign=where)]


def call(function: str, payload: State, *, comment: str = "", **fields: Any) -> State:
    """Invoke a function; its answer is the state's output."""
    task: State = {"Comment": comment} if comment else {}
    task |= {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": f"${{{function}Function}}", "Payload": payload},
        "TimeoutSeconds": jsonata("${CallTimeoutSeconds}"),
        "Retry": [retry(*_TRANSIENT), retry(*_OF_LAMBDA)],
        "Output": jsonata("$states.result.Payload"),
    }
    return task | fields


def step(
    name: str,
    task: State,
    *,
    deadline: str,
    then: str,
    late: State | None,
    last_chance: bool = False,
    assign: State | None = None,
) -> States:
    """Call a step until it reports `done`, then go on; when it is too late, to a state of its own.

    `deadline`: JSONata, in seconds. `last_chance`: the step is told that it is called for the last time, once the
    deadline has passed. `late`: what becomes of a step that is not done by then; None for one that decides at its last
    chance. `assign`: variables of the step, as it begins.
    """
    prefix = name.lower()
    past = f"$millis() > ${prefix}_deadline"
    begin: State = {f"{prefix}_deadline": jsonata(f"$millis() + 1000 * {deadline}")}
    wait: State = {"Type": "Wait", "Seconds": jsonata("$states.input.retry_after")}
    if last_chance:
        begin[f"{prefix}_over"] = False
        wait["Assign"] = {f"{prefix}_over": jsonata(past)}
        task["Arguments"]["Payload"]["last_chance"] = jsonata(f"${prefix}_over")
        past = f"${prefix}_over"
    choices = [choice("$states.input.status = 'done'", then)] + ([choice(past, f"{name}TooLate")] if late else [])
    states: States = {
        f"Begin{name}": {"Type": "Pass", "Assign": begin | (assign or {}), "Next": name},
        name: task | {"Next": f"{name}Done"},
        f"{name}Done": {"Type": "Choice", "Choices": choices, "Default": f"{name}Wait"},
        f"{name}Wait": wait | {"Next": name},
    }
    return states | ({f"{name}TooLate": late} if late else {})


def choice(condition: str, to: str) -> State:
    """One way of a Choice state."""
    return {"Condition": jsonata(condition), "Next": to}


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
    return {"Type": "Fail", "Error": "StepDeadlineExceeded", "Cause": cause}
