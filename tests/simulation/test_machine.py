"""The interpreter does what Step Functions documents of branches, redrives and task tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonata
import pytest

from drill.aws.jsonata_values import NOTHING, json_value
from simulation import scheduler
from simulation.machine.execution import Execution, State, Token
from simulation.machine.expressions import StateError, filled
from simulation.scheduler import Scheduler


class Around:
    """Functions that answer at once, by name; a function that is in `failing` fails."""

    def __init__(self) -> None:
        self.scheduler = Scheduler("test", 0.0)
        self.tokens: dict[str, Token] = {}
        self.failing: set[str] = set()
        self.called: list[str] = []

    def invoke(self, function: str, payload: Any, timeout: float, execution: str) -> Any:
        self.called.append(function)
        self.scheduler.sleep(1.0)
        if function in self.failing:
            raise StateError("Boom", function)
        return payload

    def note(self, *what: object) -> None: ...


@pytest.fixture
def around() -> Iterator[Around]:
    surroundings = Around()
    scheduler.start(surroundings.scheduler)
    yield surroundings
    surroundings.scheduler.close()


def call(function: str, **fields: Any) -> State:
    arguments = {"FunctionName": function, "Payload": "{% $states.input %}"}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments} | (
        fields or {"End": True}
    )


def branch(name: str, state: State) -> State:
    return {"StartAt": name, "States": {name: state}}


@pytest.fixture
def run(around: Around) -> Callable[[State], Execution]:
    def started(machine: State) -> Execution:
        execution = Execution(around, machine, arn="arn:aws:states:us-west-2:1:execution:m:one", input_text='{"n": 1}')
        around.scheduler.run(around.scheduler.now + 100.0)
        return execution

    return started


def test_a_redrive_enters_only_the_branches_that_did_not_succeed(
    around: Around, run: Callable[[State], Execution]
) -> None:
    around.failing = {"second"}
    slow = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": 5, "Next": "Third"}, "Third": call("third")},
    }
    parallel = {
        "Type": "Parallel",
        "Branches": [branch("First", call("first")), branch("Second", call("second")), slow],
        "End": True,
    }
    execution = run({"StartAt": "Both", "States": {"Both": parallel}})
    assert (execution.status, execution.error, sorted(around.called)) == ("FAILED", "Boom", ["first", "second"])

    around.failing = set()
    execution.redrive()
    around.scheduler.run(around.scheduler.now + 100.0)

    assert execution.status == "SUCCEEDED"
    assert sorted(around.called) == ["first", "second", "second", "third"]


def test_an_error_is_tried_again_then_caught_with_its_name_and_cause(
    around: Around, run: Callable[[State], Execution]
) -> None:
    around.failing = {"first"}
    retry = {"ErrorEquals": ["Boom"], "MaxAttempts": 2, "IntervalSeconds": 3, "BackoffRate": 2.0}
    catch = {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Told"}
    told = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.Cause = 'first' %}", "Next": "Over"}]}
    first = call("first", Retry=[retry], Catch=[catch], Next="Over")
    execution = run({"StartAt": "First", "States": {"First": first, "Told": told, "Over": {"Type": "Succeed"}}})

    assert around.called == ["first"] * 3
    assert execution.entered == ["First", "Told", "Over"]
    assert execution.stopped == pytest.approx(3 * 1.0 + 3 + 6)


def test_a_map_does_the_same_with_each_item_and_gives_the_results_in_order(run: Callable[[State], Execution]) -> None:
    processor = branch("Each", {"Type": "Pass", "Output": "{% $states.input.fleet & '!' %}", "End": True})
    fleets = {
        "Type": "Map",
        "Items": "{% ['a', 'b'] %}",
        "ItemSelector": {"fleet": "{% $states.context.Map.Item.Value %}"},
        "ItemProcessor": processor,
        "Assign": {"done": "{% $states.result %}"},
        "Next": "Check",
    }
    check = {"Type": "Choice", "Choices": [{"Condition": "{% $done = ['a!', 'b!'] %}", "Next": "Over"}]}
    execution = run({"StartAt": "Each", "States": {"Each": fleets, "Check": check, "Over": {"Type": "Succeed"}}})

    assert (execution.status, execution.error) == ("SUCCEEDED", "")


def test_a_task_that_waits_for_its_token_times_out_or_goes_on_with_the_answer(
    around: Around, run: Callable[[State], Execution]
) -> None:
    waiting = call("ask", TimeoutSeconds=30, End=True)
    waiting["Resource"] += ".waitForTaskToken"
    machine = {"StartAt": "Ask", "States": {"Ask": waiting}}
    assert run(machine).error == "States.Timeout"

    around.scheduler.call_later(10.0, lambda: next(t for t in around.tokens.values() if t.open).succeed({}))
    assert run(machine).status == "SUCCEEDED"


def test_what_is_stopped_goes_no_further(around: Around) -> None:
    machine = {"StartAt": "First", "States": {"First": call("first", Next="Second"), "Second": call("second")}}
    execution = Execution(around, machine, arn="arn:aws:states:us-west-2:1:execution:m:one", input_text="{}")
    around.scheduler.call_later(0.5, execution.stop)
    around.scheduler.run(100.0)

    assert (execution.status, around.called) == ("ABORTED", ["first"])


@pytest.mark.parametrize("value", [0, 1.0, 1.5, "", "text", None, False, [], [1], [[1]], {}, {"n": None, "m": 2.0}])
@pytest.mark.parametrize("expression", ["$x", "$x.a", "$x.a.b", "$y.a", "$x.missing"])
def test_a_path_gives_what_the_library_makes_of_it(expression: str, value: Any) -> None:
    for x in (value, {"a": value}, {"a": {"b": value}}, [{"a": value}], {"a": [{"b": value}]}):
        program = jsonata.Jsonata(expression)
        program.set_output_convert_nulls(False)
        expected = json_value(program.evaluate(None, {"x": x}))
        if expected is NOTHING:
            with pytest.raises(StateError, match="gives nothing"):
                filled(f"{{% {expression} %}}", {"x": x})
        else:
            assert filled(f"{{% {expression} %}}", {"x": x}) == expected
