"""Plans are put, changed and removed through one door, which refuses what would do harm and keeps who did what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.container import forget
from failover.errors import PlanChangeRefused
from failover.execution.plan_changes import put_plan
from failover.ledger.ledger import Ledger
from failover.plan import store
from failover.plan.store import current_revision, plan_named, replaced_revisions
from tests.functions.test_serve_operators import ADA, BOB, signed

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(deployed: Any, call: Call) -> Ask:
    """Asks as a caller, of a new container."""

    def ask(path: str, body: Any, caller: str = ADA) -> tuple[int, dict[str, Any]]:
        forget()
        response = call("serve_operators", signed(path, body, caller))
        return response["statusCode"], json.loads(response["body"])

    return ask


@pytest.fixture
def changed(plan_text: str) -> Callable[..., str]:
    """The example plan with other fields."""
    return lambda **fields: yaml.safe_dump(yaml.safe_load(plan_text) | fields, sort_keys=False)


@pytest.fixture
def payments(changed: Callable[..., str]) -> str:
    """Another plan, with a hostname of its own."""
    name = "kafka.payments.example.com"
    dns = yaml.safe_load(changed())["dns"]
    return changed(name="payments", hostname=name, bootstrap=f"{name}:9092", dns=dns)


def claim(deployed: Any, call: Call) -> str:
    """An execution of the plan that holds the lease, and runs; its ARN."""
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = deployed("stepfunctions").start_execution(stateMachineArn=machine, name="orders-1-failover")["executionArn"]
    start = {"plan": "orders", "to": "west", "epoch": 1}
    call("claim", {"start": start, "execution_name": "orders-1-failover", "execution_arn": arn})
    return str(arn)


def test_a_plan_is_put_changed_and_removed_and_every_revision_says_who_and_when(ask: Ask, payments: str) -> None:
    assert ask("/plans/put", {"document": payments})[1]["revision"] == 1
    assert ask("/plans/put", {"document": payments}, BOB)[1]["by"] == ADA, "what is put twice is one revision"
    other = payments + "\n# mended\n"
    assert ask("/plans/put", {"document": other}, BOB)[1]["revision"] == 2
    assert plan_named("payments").hostname == "kafka.payments.example.com"
    assert ask("/plans/remove", {"plan": "payments"})[1]["revision"] == 3
    assert sorted(store.plan_names()) == ["orders"]
    assert ask("/plans/remove", {"plan": "payments"})[0] == 403
    assert ask("/plans/put", {"document": payments})[1]["revision"] == 4
    revisions = [(each.number, each.by, each.document) for each in replaced_revisions("payments")]
    assert revisions == [(3, ADA, None), (2, BOB, other), (1, ADA, payments)]


def test_a_bad_plan_changes_nothing_and_every_wrong_field_is_named(ask: Ask, plan_text: str, payments: str) -> None:
    status, answer = ask("/plans/put", {"document": payments.replace("home: east", "home: north")})
    assert (status, answer["error"]) == (403, "BadPlan") and "home" in answer["why"]
    assert current_revision("payments") is None


def test_two_plans_can_not_move_one_name(ask: Ask, changed: Callable[..., str]) -> None:
    status, answer = ask("/plans/put", {"document": changed(name="payments")})
    assert (status, answer["error"]) == (403, "PlanChangeRefused") and "'orders'" in answer["why"]


def test_while_an_execution_works_on_a_plan_only_what_it_does_not_touch_may_change(
    deployed: Any, call: Call, ask: Ask, changed: Callable[..., str]
) -> None:
    arn = claim(deployed, call)
    status, answer = ask("/plans/put", {"document": changed(links=[{"name": "another"}])})
    assert (status, answer["error"]) == (403, "PlanChangeRefused")
    assert "orders-1-failover" in answer["why"] and "links" in answer["why"]
    assert ask("/plans/remove", {"plan": "orders"})[0] == 403
    assert ask("/plans/put", {"document": changed(operators=[ADA])})[0] == 200
    deployed("stepfunctions").stop_execution(executionArn=arn)
    mended = changed(links=[{"name": "another"}], operators=[ADA])
    assert ask("/plans/put", {"document": mended})[0] == 200, "one that stopped is mended, and redriven"
    assert ask("/plans/remove", {"plan": "orders"})[0] == 403, "it keeps the lease"


def test_the_active_site_can_not_be_taken_out_of_a_plan(deployed: Any, ask: Ask, changed: Callable[..., str]) -> None:
    deployed("dynamodb").put_item(
        TableName="ledger",
        Item={
            "pk": {"S": "plan#orders"},
            "sk": {"S": "state"},
            "epoch": {"N": "3"},
            "active": {"S": "south"},
        },
    )
    status, answer = ask("/plans/put", {"document": changed(operators=[ADA])})
    assert status == 403 and "south is the active site" in answer["why"]


def test_only_operators_of_a_plan_may_do_anything_with_it_and_none_locks_the_others_out(
    ask: Ask, changed: Callable[..., str]
) -> None:
    operators = ["arn:aws:sts::123456789012:assumed-role/*/ada@example.com"]
    assert ask("/plans/put", {"document": changed(operators=operators)}, BOB)[1]["error"] == "NotAnOperator"
    assert ask("/plans/put", {"document": changed(operators=operators)})[0] == 200
    start = {"plan": "orders", "to": "west", "reason": "east is lost"}
    answer = {"plan": "orders", "execution": "orders-1-failover", "answer": "approve"}
    pause = {"plan": "orders", "why": "maintenance"}
    for path, body in (
        ("/plans/put", {"document": changed()}),
        ("/plans/remove", {"plan": "orders"}),
        ("/start", start),
        ("/start", start | {"kind": "switchover"}),
        ("/practice", {"plan": "orders", "reason": "the quarter's"}),
        ("/abort", {"plan": "orders", "execution": "by-hand-1", "why": "wrong day"}),
        ("/answer", answer),
        ("/pause", pause),
        ("/resume", {"plan": "orders"}),
    ):
        status, refusal = ask(path, body, BOB)
        assert (status, refusal["error"]) == (403, "NotAnOperator"), path
    assert ask("/pause", pause) == (200, {"plan": "orders", "paused": True})
    assert ask("/resume", {"plan": "orders"}) == (200, {"plan": "orders", "paused": False})
    assert ask("/start", start)[0] == 200


def test_of_two_who_change_a_plan_at_once_one_is_told(
    deployed: Any, changed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Ledger(deployed("dynamodb"), "ledger")
    stale = current_revision("orders")
    put_plan(book, changed(operators=[ADA]), by=ADA)
    monkeypatch.setattr("failover.execution.plan_changes.current_revision", lambda name: stale)
    with pytest.raises(PlanChangeRefused, match="meanwhile"):
        put_plan(book, changed(operators=[ADA, BOB]), by=ADA)
    assert plan_named("orders").operators == (ADA,)
