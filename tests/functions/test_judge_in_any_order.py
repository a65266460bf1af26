"""No order of the same events, however often each comes and whenever an execution runs in between, leads to two
failovers of one epoch, or to one that policy forbids."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.aws.clients import client
from failover.errors import DuplicateExecution, WrongDirection
from failover.ledger.ledger import Ledger
from failover.plan.store import DEPLOYED
from tests.claims import reaches
from tests.functions.heard_events import event, executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
VANTAGE_POINTS = ("us-west-2", "us-east-1")
SITES = ("east", "west")
MANY_EXAMPLES = (pytest.mark.exhaustive, pytest.mark.timeout(600))


class Told:
    """An event that is made when it is first told, and is the same when it is told again."""

    def __init__(self, make: Callable[..., dict[str, Any]], *arguments: Any) -> None:
        self._make = partial(make, *arguments)
        self._says = f"{make.__name__}{arguments}"

    def __repr__(self) -> str:
        return self._says

    @cached_property
    def event(self) -> dict[str, Any]:
        return self._make()


def alarm(name: str, value: str, ago: float) -> dict[str, Any]:
    told = event(name, ago)
    told["detail"]["state"]["value"] = value
    return told


alarms = st.builds(
    partial(Told, alarm),
    st.sampled_from(["alarm-metric", "alarm-route53-health-check", "alarm-composite"]),
    st.sampled_from(["ALARM", "ALARM", "OK"]),
    st.sampled_from([40.0, 5.0, 0.0]),
)
sights = st.builds(
    partial(Told, sighting),
    st.sampled_from(VANTAGE_POINTS),
    st.sampled_from([("east",), ("west",), ("east", "west"), ()]),
    st.sampled_from([6.0, 4.0, 2.0, 0.0]),
)


@st.composite
def stories(draw: st.DrawFn) -> list[Told | None]:
    """An outage as both vantage points see it, anything else that may be heard, and some of it again, shuffled; then an
    outage of the other site or of the same, with something late of the first. None: what was started is carried out."""
    first = _outage("east") + draw(st.lists(st.one_of(alarms, sights), max_size=4))
    second = _outage(draw(st.sampled_from(SITES))) + draw(
        st.lists(st.one_of(sights, st.sampled_from(first)), max_size=3)
    )
    return [
        *draw(st.permutations([*first, draw(st.sampled_from(first)), None])),
        None,
        *draw(st.permutations([*second, None])),
        None,
    ]


def _outage(site: str) -> list[Told]:
    return [Told(sighting, vantage, (site,), ago) for vantage in VANTAGE_POINTS for ago in (1.0, 0.0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cooldown", "most", "examples"),
    [
        (3600, 1, 10),
        (0, 2, 25),
        *(pytest.param(*case, marks=MANY_EXAMPLES) for case in ((3600, 1, 100), (0, 2, 100))),
    ],
)
def test_no_order_of_events_leads_to_two_failovers_of_one_epoch(
    deployed: Any, call: Call, plan_text: str, cooldown: int, most: int, examples: int
) -> None:
    plan = yaml.safe_load(plan_text)
    plan["policy"] |= {"hold_seconds": 0, "cooldown_seconds": cooldown, "max_failovers_a_day": 2}
    put_plan(deployed, yaml.safe_dump(plan))

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(story=stories())
    def holds(story: list[Told | None]) -> None:
        _forget(deployed)
        succeeded: list[tuple[int, str]] = []
        for each in story:
            if each is None:
                succeeded += _carry_out(deployed, call)
            else:
                call("judge", each.event)
        started = executions(deployed)
        assert len(started) == len(set(started))
        assert [epoch for epoch, _ in succeeded] == list(range(1, len(succeeded) + 1))
        assert len(succeeded) <= most
        sites = ["east", *(site for _, site in succeeded)]
        assert all(before != after for before, after in pairwise(sites))
        assert _ledger().state("orders", "east").active == sites[-1]
        reaches(len(succeeded) == most, floor=1 / examples)

    holds()


def _ledger() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def _carry_out(aws: Callable[..., Any], call: Call) -> list[tuple[int, str]]:
    """Claim and conclude every execution that was started; the epochs and sites of those that changed something."""
    states = aws("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    changed = []
    for run in reversed(states.list_executions(stateMachineArn=machine)["executions"]):
        start = yaml.safe_load(states.describe_execution(executionArn=run["executionArn"])["input"])
        before = _ledger().state("orders", "east")
        try:
            claimed = call("claim", {"start": start, "execution_name": run["name"]})["execution"]
        except (DuplicateExecution, WrongDirection):
            continue
        call("conclude", {"execution": claimed, "outcome": "succeeded"})
        after = _ledger().state("orders", "east")
        assert after.holder is None
        if (after.epoch, after.active) != (before.epoch, before.active):
            changed.append((after.epoch, after.active))
    return changed


def _forget(aws: Callable[..., Any]) -> None:
    """A ledger with the deployed plan and nothing else, and no execution."""
    dynamodb, states = aws("dynamodb"), aws("stepfunctions")
    for item in dynamodb.scan(TableName="ledger")["Items"]:
        if not item["sk"]["S"].startswith(DEPLOYED):
            dynamodb.delete_item(TableName="ledger", Key={key: item[key] for key in ("pk", "sk")})
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        described = states.describe_state_machine(stateMachineArn=arn)
        states.delete_state_machine(stateMachineArn=arn)
        states.create_state_machine(name="failover", definition=described["definition"], roleArn=described["roleArn"])
