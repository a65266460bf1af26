"""Hooks are called at least once and always with the same key; one that fails, hangs or is refused is never silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

from failover.errors import AbortRequested, BadPlan, HookFailed
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import parse

ARN = "arn:aws:lambda:us-west-2:123456789012:function:hook-"
Script = dict[str, list[Any]]


class Hooks:
    """Functions of the plan's owner: each answers by its script, the last line for good."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.script: Script = {}
        self.events: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        clients: Any = BaseClient
        send = clients._make_api_call

        def answer(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            return self._invoke(parameters) if operation == "Invoke" else send(client, operation, parameters)

        patch.setattr(clients, "_make_api_call", answer)

    def _invoke(self, parameters: dict[str, Any]) -> dict[str, Any]:
        lines = self.script.get(parameters["FunctionName"].removeprefix(ARN), [None])
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        self.events.append(json.loads(parameters["Payload"]))
        self.kinds.append(parameters["InvocationType"])
        if isinstance(line, Exception):
            raise line
        if isinstance(line, dict) and "errorMessage" in line:
            return {"FunctionError": "Unhandled", "Payload": BytesIO(json.dumps(line).encode())}
        return {"Payload": BytesIO(line if isinstance(line, bytes) else json.dumps(line).encode())}

    @property
    def called(self) -> list[str]:
        """Their names, in the order they were called."""
        return [event["hook"] for event in self.events]


def hook(name: str, *when: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "function": f"{ARN}{name}", "when": list(when or ["before-fence"]), **more}


@pytest.fixture
def hooks_of_plan() -> list[dict[str, Any]]:
    return [hook("registry"), hook("connectors", on_failure="stop")]


@pytest.fixture
def plan_text(plan_text: str, hooks_of_plan: list[dict[str, Any]]) -> str:
    return yaml.safe_dump(yaml.safe_load(plan_text) | {"hooks": hooks_of_plan})


@pytest.fixture
def hooks(deployed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Hooks:
    return Hooks(monkeypatch)


@pytest.fixture
def execution(hooks: Hooks) -> Execution:
    """A switchover from east to west, that holds the lease."""
    execution = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-switchover",
        kind="switchover",
        from_site="east",
        to_site="west",
        claimed_at=1000.0,
    )
    from failover.aws.clients import client

    Ledger(client("dynamodb"), "ledger").claim(execution, "east")
    return execution


@pytest.fixture
def at(call: Any, execution: Execution) -> Callable[..., dict[str, Any]]:
    """One call of the step at a turn."""

    def at(moment: str, **more: Any) -> dict[str, Any]:
        changed = execution.model_copy(update=more.pop("execution", {}))
        return dict(call("call_hooks", {"execution": changed.as_state(), "moment": moment, **more}))

    return at


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {row["hook"]: row["status"] for row in report["observed"]["hooks"]}


def test_every_hook_of_a_turn_is_called_and_knows_what_for(hooks: Hooks, at: Any) -> None:
    report = at("before-fence")
    assert (report["status"], statuses(report)) == ("done", {"registry": "done", "connectors": "done"})
    event = next(event for event in hooks.events if event["hook"] == "registry")
    assert (event["version"], event["key"]) == (1, "orders/orders-1-switchover/before-fence/registry")
    assert {name: event[name] for name in ("plan", "kind", "from", "to", "forced")} == {
        "plan": "orders",
        "kind": "switchover",
        "from": "east",
        "to": "west",
        "forced": False,
    }


def test_at_another_turn_none_is_called(hooks: Hooks, at: Any) -> None:
    assert at("after-promotion")["observed"]["hooks"] == []
    assert hooks.events == []


def test_who_waits_is_called_again_with_the_same_key_and_who_is_done_is_not(hooks: Hooks, at: Any) -> None:
    hooks.script = {"registry": [{"status": "waiting", "why": "exporter still runs"}, {"status": "done"}]}
    first = at("before-fence")
    assert (first["status"], statuses(first)) == ("waiting", {"registry": "waiting", "connectors": "done"})
    last = at("before-fence")
    assert (last["status"], statuses(last)) == ("done", {"registry": "done", "connectors": "done"})
    assert sorted(hooks.called) == ["connectors", "registry", "registry"]
    assert len({event["key"] for event in hooks.events if event["hook"] == "registry"}) == 1
    assert at("before-fence")["status"] == "done"
    assert len(hooks.called) == 3, "a redrive calls nobody again who has answered"


HANGING = ReadTimeoutError(endpoint_url="https://lambda.us-west-2.amazonaws.com")
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
REFUSED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Invoke")
RAISED = {"errorType": "KeyError", "errorMessage": "mode"}


@pytest.mark.parametrize("trouble", [HANGING, THROTTLED, RAISED], ids=["hangs", "throttled", "raises"])
def test_one_that_fails_or_hangs_is_called_again(hooks: Hooks, at: Any, trouble: Any) -> None:
    hooks.script = {"registry": [trouble, {"status": "done"}]}
    assert statuses(at("before-fence"))["registry"] == "waiting"
    report = at("before-fence")
    assert statuses(report)["registry"] == "done"
    assert report["observed"]["hooks"][0]["calls"] == 2


@pytest.mark.parametrize("trouble", [HANGING, RAISED], ids=["hangs", "raises"])
def test_one_that_is_not_done_in_its_time_is_gone_on_without_and_reported(
    hooks: Hooks, at: Any, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.script = {"registry": [trouble]}
    at("before-fence")
    pass_time(monkeypatch, 31)
    report = at("before-fence")
    assert (report["status"], statuses(report)["registry"]) == ("done", "went-on")
    assert "not done within 30 s" in report["observed"]["hooks"][0]["why"]


def test_one_that_the_plan_does_not_go_on_without_stops(hooks: Hooks, at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks.script = {"connectors": [HANGING]}
    at("before-fence")
    pass_time(monkeypatch, 31)
    with pytest.raises(HookFailed, match="connectors: not done within 30 s"):
        at("before-fence")
    hooks.script = {"connectors": [{"status": "done"}]}
    assert at("before-fence")["status"] == "done", "a redrive calls it again"


@pytest.mark.parametrize("stopped_by", ["its own time", "the machine's"])
def test_a_redrive_gives_who_has_not_answered_all_of_its_time_again(
    hooks: Hooks, at: Any, monkeypatch: pytest.MonkeyPatch, stopped_by: str
) -> None:
    hooks.script = {"connectors": [HANGING], "registry": [{"status": "waiting"}]}
    at("before-fence")
    pass_time(monkeypatch, 3600)
    if stopped_by == "its own time":
        with pytest.raises(HookFailed):
            at("before-fence")
    hooks.script = {"connectors": [{"status": "waiting"}, {"status": "done"}], "registry": [{"status": "waiting"}]}
    assert statuses(at("before-fence", redrives=1)) == {"registry": "waiting", "connectors": "waiting"}
    assert statuses(at("before-fence", redrives=1)) == {"registry": "waiting", "connectors": "done"}
    pass_time(monkeypatch, 31)
    assert statuses(at("before-fence", redrives=1)) == {"registry": "went-on", "connectors": "done"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": "failed", "why": "mode is locked"}, "mode is locked"),
        ({"status": "fine"}, "'fine'"),
        (b"<html>", "no JSON"),
        (REFUSED, "can't be called"),
    ],
)
def test_what_calling_again_can_not_mend_fails_at_once(hooks: Hooks, at: Any, answer: Any, why: str) -> None:
    hooks.script = {"registry": [answer]}
    report = at("before-fence")
    assert statuses(report)["registry"] == "went-on"
    assert why in report["observed"]["hooks"][0]["why"]


@pytest.mark.parametrize("hooks_of_plan", [[hook("connectors", on_failure="stop")]])
@pytest.mark.parametrize("answer", [{"status": "failed", "why": "locked"}, b"<html>", REFUSED])
def test_what_fails_at_once_stops_at_once_if_the_plan_says_so(hooks: Hooks, at: Any, answer: Any) -> None:
    hooks.script = {"connectors": [answer]}
    with pytest.raises(HookFailed, match="connectors: "):
        at("before-fence")


def test_killed_between_the_call_and_its_record_it_is_called_again_with_the_same_key(
    hooks: Hooks, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(*_: Any, **__: Any) -> None:
            raise MemoryError("the container is gone")

        patch.setattr(Ledger, "record_step", die)
        with pytest.raises(MemoryError):
            at("before-fence")
    assert at("before-fence")["status"] == "done"
    assert sorted(hooks.called) == ["connectors", "connectors", "registry", "registry"]
    assert len({event["key"] for event in hooks.events}) == 2


def test_a_forced_execution_calls_them_and_says_so(hooks: Hooks, at: Any) -> None:
    at("before-fence", execution={"forced": True})
    assert sorted(hooks.called) == ["connectors", "registry"]
    assert all(event["forced"] for event in hooks.events)


def test_a_dry_run_calls_nobody_and_asks_whether_it_could(hooks: Hooks, at: Any) -> None:
    report = at("before-fence", execution={"dry_run": True})
    assert hooks.kinds == ["DryRun", "DryRun"]
    assert report["observed"]["hooks"][0]["why"] == "would be called"
    hooks.script = {"connectors": [REFUSED]}
    with pytest.raises(HookFailed, match="can't be called"):
        at("before-fence", execution={"dry_run": True, "name": "another"})


@pytest.mark.parametrize("hooks_of_plan", [[hook("registry", "after-switch-back")]])
def test_a_switch_back_is_one_home_or_one_that_was_given_up(hooks: Hooks, at: Any) -> None:
    at("after-switch-back")
    assert hooks.called == [], "west is not home"
    at("after-switch-back", put_back=True)
    assert hooks.called == ["registry"] and hooks.events[0]["put_back"] is True


def test_a_wish_to_abort_is_heard_before_the_first_is_called(hooks: Hooks, at: Any, execution: Execution) -> None:
    from failover.aws.clients import client

    Ledger(client("dynamodb"), "ledger").request_abort("orders", execution.name, "anna", "wrong day")
    with pytest.raises(AbortRequested):
        at("before-fence")
    assert hooks.called == []


def test_two_of_one_name_are_refused(plan_text: str) -> None:
    document = yaml.safe_load(plan_text) | {"hooks": [hook("registry"), hook("registry", "after-name")]}
    with pytest.raises(BadPlan, match="hooks: has two of one name"):
        parse(yaml.safe_dump(document))


def pass_time(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """So many seconds later."""
    import time

    now = time.time
    patch.setattr("time.time", lambda: now() + seconds)
