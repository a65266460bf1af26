"""A plan that a stack or a configuration declares goes through the door that one put by hand goes through; and a stack
removes what it put, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from failover.container import forget
from failover.errors import FailoverError, LedgerUnavailable, MalformedEvent, PlanChangeRefused, ServiceUnavailable
from failover.execution.plan_changes import put_plan
from failover.ledger.ledger import Ledger
from failover.plan.store import current_revision, plan_names
from tests.conftest import Context
from tests.functions.test_plan_changes import Call, changed, claim, payments
from tests.functions.test_serve_operators import ADA, BOB

__all__ = ["changed", "payments"]
SAMPLE = Path(__file__).resolve().parents[2] / "events/deploy_plan.json"
STACK = "arn:aws:cloudformation:us-west-2:123456789012:stack/payments-plan/1111"
OTHER_STACK = "arn:aws:cloudformation:us-west-2:123456789012:stack/others/2222"


class Stacks:
    """CloudFormation, as far as it asks and takes answers."""

    def __init__(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[httpx.Request] = []
        self.status = 200
        self._call = call
        monkeypatch.setattr("httpx.HTTPTransport", lambda **_: httpx.MockTransport(self._take))

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.answers.append(request)
        return httpx.Response(self.status)

    def ask(self, what: str, document: Any, *, stack: str = STACK, **more: Any) -> dict[str, Any]:
        """One request, of a new container; what was answered at the URL."""
        forget()
        event = json.loads(SAMPLE.read_text()) | {"RequestType": what, "StackId": stack} | more
        event["ResourceProperties"] |= {"Document": document}
        if what == "Create":
            event.pop("PhysicalResourceId")
        self._call("deploy_plan", event)
        return dict(json.loads(self.answers[-1].content))


@pytest.fixture
def stacks(deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    return Stacks(call, monkeypatch)


def by_hand(deployed: Any, text: str, by: str = ADA) -> None:
    put_plan(Ledger(deployed("dynamodb"), "ledger"), text, by=by)


def in_force(name: str = "payments") -> tuple[int, str | None, str]:
    revision = current_revision(name)
    assert revision is not None
    return revision.number, revision.document, revision.origin


def test_a_stack_puts_changes_and_removes_its_plan_under_one_physical_id(stacks: Stacks, payments: str) -> None:
    created = stacks.ask("Create", payments)
    assert (created["Status"], created["PhysicalResourceId"]) == ("SUCCESS", "payments")
    assert created["Data"] == {"Plan": "payments", "Revision": "1"}
    assert stacks.ask("Create", payments) == created, "Lambda may bring a request twice"
    other = payments + "\n# mended\n"
    updated = stacks.ask("Update", other, OldResourceProperties={"Document": payments})
    assert (updated["PhysicalResourceId"], updated["Data"]["Revision"]) == ("payments", "2")
    assert in_force() == (2, other, f"{STACK}/Plan")
    rolled_back = stacks.ask("Update", payments, OldResourceProperties={"Document": other})
    assert rolled_back["Status"] == "SUCCESS" and in_force()[:2] == (3, payments)
    for _ in range(2):
        assert stacks.ask("Delete", payments)["Status"] == "SUCCESS"
        assert in_force()[:2] == (4, None), "what is not there is no failure"


def test_an_answer_is_one_that_cloudformation_takes(stacks: Stacks, payments: str) -> None:
    answer = stacks.ask("Create", payments.replace("home: east", f"home: {'north' * 2000}"))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "(no plan)")
    assert answer["Reason"].startswith("BadPlan") and "home" in answer["Reason"]
    (request,) = stacks.answers
    assert (request.method, request.headers["Content-Type"]) == ("PUT", "")
    assert len(request.content) <= 4096
    sample = json.loads(SAMPLE.read_text())
    assert str(request.url) == sample["ResponseURL"] and answer["StackId"] == STACK
    assert all(answer[name] == sample[name] for name in ("RequestId", "LogicalResourceId"))


def test_a_stack_that_could_not_be_created_takes_nothing_away(deployed: Any, stacks: Stacks, payments: str) -> None:
    by_hand(deployed, payments)
    refused = stacks.ask("Create", payments + "\n# another\n")
    assert refused["Status"] == "FAILED" and ADA in refused["Reason"] and "the log" not in refused["Reason"]
    assert stacks.ask("Delete", payments, PhysicalResourceId=refused["PhysicalResourceId"])["Status"] == "SUCCESS"
    taken_over = stacks.ask("Create", payments)
    assert taken_over["Status"] == "SUCCESS"
    assert stacks.ask("Delete", payments)["Status"] == "SUCCESS", "of a stack that is rolled back for something else"
    assert in_force() == (1, payments, "")


def test_a_plan_that_a_stack_took_over_is_its_own_from_the_first_change_on(
    deployed: Any, stacks: Stacks, payments: str
) -> None:
    by_hand(deployed, payments)
    stacks.ask("Create", payments)
    other = payments + "\n# mended\n"
    assert stacks.ask("Update", other, OldResourceProperties={"Document": payments})["Status"] == "SUCCESS"
    assert in_force()[2] == f"{STACK}/Plan"
    assert stacks.ask("Delete", other)["Status"] == "SUCCESS" and "payments" not in plan_names()


def test_what_a_person_put_since_is_changed_by_the_stack_and_not_removed_by_it(
    deployed: Any, stacks: Stacks, payments: str
) -> None:
    stacks.ask("Create", payments)
    by_hand(deployed, payments)
    assert in_force()[2] == "", "the same text from a person is a person's"
    stacks.ask("Delete", payments)
    assert in_force()[1] == payments
    assert stacks.ask("Update", payments, OldResourceProperties={"Document": payments})["Status"] == "SUCCESS"
    stacks.ask("Delete", payments)
    assert in_force()[1] is None


def test_what_a_person_changed_since_is_as_the_stack_declares_it_from_its_next_change_on(
    deployed: Any, stacks: Stacks, payments: str
) -> None:
    stacks.ask("Create", payments)
    by_hand(deployed, payments + "\n# by Ada\n")
    mended = payments + "\n# mended\n"
    assert stacks.ask("Update", mended, OldResourceProperties={"Document": payments})["Status"] == "SUCCESS"
    assert in_force() == (3, mended, f"{STACK}/Plan")


def test_of_two_stacks_that_declare_one_plan_the_second_is_told(stacks: Stacks, payments: str) -> None:
    stacks.ask("Create", payments)
    assert "payments-plan" in stacks.ask("Create", payments + "\n# b\n", stack=OTHER_STACK)["Reason"]
    assert stacks.ask("Create", payments, stack=OTHER_STACK)["Status"] == "SUCCESS"
    mine = stacks.ask("Update", payments + "\n# a\n", OldResourceProperties={"Document": payments})
    assert mine["Status"] == "SUCCESS"
    theirs = stacks.ask("Update", payments + "\n# b\n", stack=OTHER_STACK, OldResourceProperties={"Document": payments})
    assert theirs["Status"] == "FAILED" and "payments-plan" in theirs["Reason"]
    assert theirs["PhysicalResourceId"] == "payments", "a failed update replaces nothing"
    assert stacks.ask("Delete", payments, stack=OTHER_STACK)["Status"] == "SUCCESS"
    assert in_force()[2] == f"{STACK}/Plan"


def test_what_would_break_a_running_execution_is_refused_and_says_which(
    deployed: Any, call: Call, stacks: Stacks, plan_text: str, changed: Callable[..., str]
) -> None:
    first = plan_text + "\n# declared\n"
    stacks.ask("Update", first, PhysicalResourceId="orders", OldResourceProperties={"Document": plan_text})
    claim(deployed, call)
    for what, document in (("Update", changed(links=[{"name": "another"}])), ("Delete", first)):
        answer = stacks.ask(what, document, PhysicalResourceId="orders", OldResourceProperties={"Document": first})
        assert answer["Status"] == "FAILED" and "orders-1-failover" in answer["Reason"], what
    assert in_force("orders")[1] == first


def test_a_plan_of_another_name_is_another_resource(stacks: Stacks, payments: str) -> None:
    stacks.ask("Create", payments)
    renamed = payments.replace("name: payments", "name: refunds")
    refused = stacks.ask("Update", renamed, OldResourceProperties={"Document": payments})
    assert refused["Status"] == "FAILED" and "kafka.payments.example.com" in refused["Reason"]
    moved = renamed.replace("kafka.payments", "kafka.refunds")
    replaced = stacks.ask("Update", moved, OldResourceProperties={"Document": payments})
    assert replaced["PhysicalResourceId"] == "refunds"
    stacks.ask("Delete", payments)
    assert sorted(plan_names()) == ["orders", "refunds"]


def test_the_caller_is_the_function_as_it_was_invoked_and_must_be_an_operator(
    stacks: Stacks, changed: Callable[..., str], payments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operators = ["arn:aws:lambda:*:123456789012:function:*:payments"]
    declared = yaml.safe_dump(yaml.safe_load(payments) | {"operators": operators})
    refused = stacks.ask("Create", declared)
    assert refused["Status"] == "FAILED" and refused["Reason"].startswith("NotAnOperator")
    with monkeypatch.context() as of_an_alias:
        of_an_alias.setattr(Context, "invoked_function_arn", f"{Context.invoked_function_arn}:payments")
        assert stacks.ask("Create", declared)["Status"] == "SUCCESS"
    assert stacks.ask("Create", payments)["Reason"].startswith("NotAnOperator")


@pytest.mark.parametrize("operators", [[ADA, BOB], ["arn:aws:sts::123456789012:assumed-role/*"]])
def test_a_plan_whose_operators_are_people_is_none_for_a_stack(
    deployed: Any, stacks: Stacks, payments: str, operators: list[str]
) -> None:
    text = yaml.safe_dump(yaml.safe_load(payments) | {"operators": operators})
    by_hand(deployed, text)
    assert stacks.ask("Create", text)["Reason"].startswith("NotAnOperator")
    assert in_force()[0] == 1


@pytest.mark.parametrize(("named", "document"), [("payments", "no: [yaml"), ("2026/11/30/[$LATEST]4f1a", None)])
def test_what_a_stack_removes_has_the_name_of_its_physical_id_else_that_of_its_document(
    stacks: Stacks, payments: str, named: str, document: str | None
) -> None:
    """A create whose answer was lost leaves a physical id that CloudFormation made up."""
    stacks.ask("Create", payments)
    assert "payments" in plan_names()
    answer = stacks.ask("Delete", document or payments, PhysicalResourceId=named)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", named)
    forget()
    assert "payments" not in plan_names()


def test_a_stack_is_answered_whatever_happens(stacks: Stacks, payments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr("failover.execution.declared_plans.put_plan", broken)
    failure: Exception = LedgerUnavailable("DynamoDB: throttled")
    assert "deploy it again" in stacks.ask("Create", payments)["Reason"]
    failure = KeyError("a secret")
    reason = stacks.ask("Create", payments)["Reason"]
    assert reason.startswith("KeyError") and "secret" not in reason
    for document in ("", 3, None, [payments]):
        answer = stacks.ask("Create", document)
        assert answer["Status"] == "FAILED" and "Document" in answer["Reason"]


def test_an_answer_that_is_not_taken_is_given_again_and_its_url_stays_secret(stacks: Stacks, payments: str) -> None:
    stacks.status = 503
    with pytest.raises(ServiceUnavailable) as refused:
        stacks.ask("Create", payments)
    assert "amazonaws" not in str(refused.value) and refused.value.__suppress_context__
    stacks.status = 200
    assert stacks.ask("Create", payments)["Data"]["Revision"] == "1"


def test_an_answer_goes_nowhere_without_tls(stacks: Stacks, payments: str) -> None:
    with pytest.raises(MalformedEvent, match="ResponseURL"):
        stacks.ask("Create", payments, ResponseURL="http://example.com/answer")
    assert stacks.answers == [] and "payments" not in plan_names()


ORIGIN = "terraform/kafka-plans"
Apply = Callable[..., dict[str, Any]]


@pytest.fixture
def apply(deployed: Any, call: Call) -> Apply:
    """What `terraform apply` or `destroy` invokes the function with."""

    def apply(action: str, document: str, before: str | None = None, origin: str = ORIGIN) -> dict[str, Any]:
        forget()
        prev_input = None if before is None else {"document": before, "origin": ORIGIN}
        lifecycle = {"action": action, "prev_input": prev_input}
        return call("deploy_plan", {"document": document, "origin": origin, "tf": lifecycle})

    return apply


def test_terraform_puts_changes_and_removes_its_plan(apply: Apply, payments: str) -> None:
    other = payments + "\n# mended\n"
    assert apply("create", payments)["revision"] == 1
    assert apply("update", other, payments)["revision"] == 2
    assert in_force() == (2, other, ORIGIN)
    assert apply("update", other, other, origin="terraform/moved")["revision"] == 3
    assert apply("delete", other, other)["removed"] is False, "it is another origin's now"
    assert apply("delete", other, other, origin="terraform/moved") == {
        "plan": "payments",
        "removed": True,
        "revision": 4,
    }
    assert apply("delete", "no: [yaml", None)["removed"] is False


def test_what_is_refused_fails_the_apply(deployed: Any, apply: Apply, payments: str) -> None:
    by_hand(deployed, payments)
    with pytest.raises(PlanChangeRefused, match="there already"):
        apply("create", payments + "\n# another\n")
    with pytest.raises(PlanChangeRefused, match="a plan's name is its key"):
        apply("update", payments.replace("name: payments", "name: refunds"), payments)
    with pytest.raises(FailoverError, match="document"):
        apply("create", "")
    assert in_force() == (1, payments, "")


@pytest.mark.parametrize("event", [{}, {"document": "name: x", "origin": "t"}, {"RequestType": "Create"}])
def test_whatever_else_it_is_invoked_with_is_refused(deployed: Any, call: Call, event: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        call("deploy_plan", event)
