"""judge: an event of many plans is judged plan by plan, beside each other, and what is wrong with one is no other's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.errors import BadPlan, LedgerUnavailable, MalformedEvent
from failover.ledger.ledger import Ledger
from tests.conftest import Context
from tests.functions.heard_events import executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
PLANS = ("orders", "payments", "refunds")


class Judging:
    """Calls judge with what two vantage points saw; `put_again`: what it put on the bus."""

    def __init__(self, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = module
        self.put_again: list[dict[str, Any]] = []
        self.bus_takes = True

        def put(detail_type: str, detail: dict[str, Any]) -> str | None:
            assert detail_type == "Site Sighting"
            self.put_again.append(detail)
            return None if self.bus_takes else "throttled"

        monkeypatch.setattr(module, "put_event_at_most_once", put)

    def __call__(self, *, spoilt: str | None = None) -> list[dict[str, Any]]:
        """The answers to the last of the events; `spoilt`: of this plan it can't be read."""
        for ago in (6.0, 3.0, 0.0):
            for vantage in ("us-west-2", "us-east-1"):
                event = sighting(vantage, ago=ago, plans=PLANS)
                for said in event["detail"]["observations"]:
                    if said["plan"] == spoilt:
                        said["view"] = said["view"] | {"probes": "rubbish"}
                judged = self.module.handler(event, Context())["judged"]
        return list(judged)


@pytest.fixture
def judging(deployed: Any, plan_text: str, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Judging:
    for name in PLANS[1:]:
        put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": name}), name)
    return Judging(function("judge"), monkeypatch)


def test_each_plan_of_an_event_is_judged_and_fails_over_by_itself(deployed: Any, judging: Judging) -> None:
    assert [answer["started"] for answer in judging()] == [f"{plan}-1-failover" for plan in PLANS]
    assert sorted(executions(deployed)) == [f"{plan}-1-failover" for plan in PLANS]
    assert judging.put_again == []


def test_what_can_not_be_read_of_one_plan_is_told_again_of_it_alone(deployed: Any, judging: Judging) -> None:
    assert [answer["plan"] for answer in judging(spoilt="payments")] == ["orders", "refunds"]
    assert sorted(executions(deployed)) == ["orders-1-failover", "refunds-1-failover"]
    assert {said["plan"] for detail in judging.put_again for said in detail["observations"]} == {"payments"}
    assert {detail["version"] for detail in judging.put_again} == {2}
    alone = sighting("us-west-2") | {"detail": judging.put_again[-1]}
    with pytest.raises(MalformedEvent):
        judging.module.handler(alone, Context())


def test_a_bad_plan_is_no_other_plans_trouble_either(deployed: Any, judging: Judging) -> None:
    put_plan(deployed, "name: payments", "payments")
    assert [answer["plan"] for answer in judging()] == ["orders", "refunds"]
    with pytest.raises(BadPlan):
        judging.module.handler(sighting("us-west-2", plans=("payments",)), Context())


def test_a_judgement_that_hangs_holds_up_no_other(judging: Judging, monkeypatch: pytest.MonkeyPatch) -> None:
    current_signals, judged_on, others = judging.module.current_signals, set[str](), threading.Event()

    def hanging(book: Ledger, plan: str, *args: Any) -> Any:
        if plan == "orders":
            assert others.wait(20), "the first of the plans is waited for"
        else:
            judged_on.add(plan)
            if judged_on == set(PLANS[1:]):
                others.set()
        return current_signals(book, plan, *args)

    monkeypatch.setattr(judging.module, "current_signals", hanging)
    answer = judging.module.handler(sighting("us-west-2", plans=PLANS), Context())
    assert [judged["plan"] for judged in answer["judged"]] == list(PLANS) and judging.put_again == []


@pytest.mark.parametrize("everything", [True, False])
def test_an_event_is_judged_anew_as_a_whole_if_nothing_of_it_was_or_the_bus_takes_nothing(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    state = Ledger.state

    def silent(book: Ledger, plan: str, home: str) -> Any:
        if everything or plan == "payments":
            raise LedgerUnavailable("throttled")
        return state(book, plan, home)

    monkeypatch.setattr(Ledger, "state", silent)
    judging.bus_takes = False
    with pytest.raises(LedgerUnavailable):
        judging.module.handler(sighting("us-west-2", plans=PLANS), Context())
    assert len(judging.put_again) == (0 if everything else 1)


def test_a_fault_of_ours_in_one_judgement_is_that_plans_alone(
    judging: Judging, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(book: Ledger, plan: str, *_: Any) -> Any:
        if plan == "payments":
            raise ZeroDivisionError
        return ()

    monkeypatch.setattr(judging.module, "current_signals", faulty)
    assert [answer["plan"] for answer in judging()] == ["orders", "refunds"] and judging.put_again
    with pytest.raises(ZeroDivisionError):
        judging.module.handler(sighting("us-west-2", plans=("payments",)), Context())


def test_a_vantage_point_of_the_version_before_is_heard(deployed: Any, judging: Judging) -> None:
    event = sighting("us-west-2")
    (observation,) = event["detail"]["observations"]
    (judged,) = judging.module.handler(event | {"detail": {"version": 1} | observation}, Context())["judged"]
    assert (judged["plan"], judged["kept"]) == ("orders", True)
