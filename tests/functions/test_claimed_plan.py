"""An execution goes by the plan it claimed, and nobody who knows a plan needs the ledger to answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError

from failover.container import forget
from failover.errors import LedgerUnavailable, UnknownPlan
from failover.plan import store
from failover.plan.store import deployed_plans, plan_named
from tests.plans import put_plan

EVENTS = Path(__file__).resolve().parents[2] / "events"
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The calls to DynamoDB; while it throttles, there is "throttled" among them."""
    calls: list[str] = []
    make = botocore.session.Session.create_client

    def client(self: Any, service: str, *args: Any, **kwargs: Any) -> Any:
        made = make(self, service, *args, **kwargs)
        if service == "dynamodb":
            made.meta.events.register("before-send.dynamodb.*", lambda **_: calls.append("dynamodb"))
            made.meta.events.register("before-call.dynamodb.*", refuse)
        return made

    def refuse(model: Any, **_: Any) -> None:
        if "throttled" in calls:
            calls.append("dynamodb")
            error = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
            raise ClientError(error, model.name)  # type: ignore[arg-type]

    monkeypatch.setattr(botocore.session.Session, "create_client", client)
    forget()
    yield calls


def start(**more: Any) -> dict[str, Any]:
    return {"start": {"plan": "orders", "to": "west", "epoch": 1} | more, "execution_name": "orders-1-failover"}


def changed(plan_text: str, **policy: Any) -> str:
    plan = yaml.safe_load(plan_text)
    return yaml.safe_dump(plan | {"policy": plan.get("policy", {}) | policy})


def deploy(deployed: Any, text: str) -> None:
    put_plan(deployed, text)


def test_a_cold_step_needs_no_plan_but_the_one_that_was_claimed(deployed: Any, call: Call) -> None:
    execution = call("claim", start())["execution"]
    put_plan(deployed, "name: broken")
    forget()
    answer = call("conclude", {"execution": execution, "outcome": "stood-down", "why": "no vote stands"})
    assert answer["outcome"] == "stood-down"


def test_an_execution_goes_on_with_the_plan_it_claimed(
    deployed: Any, call: Call, function: Callable[[str], Any], plan_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = call("claim", start())["execution"]
    before = plan_named("orders")
    deploy(deployed, changed(plan_text, promotion_timeout_seconds=3_000))
    forget()
    again = call("claim", start())
    assert again["execution"]["epoch"] == execution["epoch"]
    assert again["promotion_timeout_seconds"] == before.policy.promotion_timeout_seconds != 3_000
    assert plan_named("orders").policy.promotion_timeout_seconds == 3_000


def test_a_step_of_an_execution_is_given_the_plan_it_claimed(
    deployed: Any, call: Call, plan_text: str, messages: Callable[[], list[Any]]
) -> None:
    execution = call("claim", start())["execution"]
    deploy(deployed, changed(plan_text, approval_timeout_seconds=77))
    forget()
    request = {"execution": execution, "task_token": "token", "assessed": {"why": "", "evidence": {}}}
    call("request_approval", request)
    (message,) = messages()
    assert message.body["answer_within_seconds"] == yaml.safe_load(plan_text)["policy"]["approval_timeout_seconds"]


@pytest.mark.parametrize("mended", [True, False])
def test_a_redrive_goes_by_the_plan_that_was_mended_for_it_if_it_is_a_good_one(
    deployed: Any, call: Call, plan_text: str, mended: bool
) -> None:
    execution = call("claim", start())["execution"]
    deploy(deployed, changed(plan_text, promotion_timeout_seconds=3_000) if mended else "name: orders")
    forget()
    stopped = {"execution": execution, "outcome": "failed", "stopped_at": "PromoteAndPrepare", "redriven": True}
    assert call("conclude", stopped)["resume"] == "PromoteAndPrepare"
    deploy(deployed, plan_text)
    forget()
    assert (call("claim", start())["promotion_timeout_seconds"] == 3_000) is mended


def test_the_plan_of_a_dry_run_expires_with_it(deployed: Any, call: Call) -> None:
    call("claim", start(dry_run=True))
    items = deployed("dynamodb").scan(TableName="ledger")["Items"]
    (kept,) = [item for item in items if item["sk"]["S"].startswith("plan#")]
    assert int(kept["expires"]["N"]) > 0


def test_who_knows_a_plan_goes_on_with_it_while_the_ledger_is_silent_and_says_so(
    deployed: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "PLAN_CACHED_S", 0)
    one, all_plans = plan_named("orders"), deployed_plans()
    asked[:] = ["throttled"]
    with caplog.at_level(logging.WARNING):
        assert (plan_named("orders"), deployed_plans()) == (one, all_plans)
    assert "going on with the plan last read" in caplog.text
    assert len(asked) > 1


def test_a_silent_ledger_is_not_asked_at_every_call(deployed: Any, asked: list[str]) -> None:
    plan_named("orders")
    deployed_plans()
    for last in store._last_reads().values():
        last.again_at = 0.0
    asked[:] = ["throttled"]
    assert plan_named("orders").name == "orders" and list(deployed_plans()) == ["orders"]
    refused = len(asked)
    assert plan_named("orders").name == "orders" and list(deployed_plans()) == ["orders"]
    assert len(asked) == refused > 1


def test_a_container_that_never_read_a_plan_has_none_while_the_ledger_is_silent(
    deployed: Any, asked: list[str]
) -> None:
    asked[:] = ["throttled"]
    with pytest.raises(LedgerUnavailable):
        plan_named("orders")


def test_a_vantage_point_reads_its_plan_in_another_controllers_region_where_the_first_is_silent(
    deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("CONTROLLER_REGIONS", "us-east-2,us-west-2")
    make = botocore.session.Session.create_client

    def client(self: Any, service: str, *args: Any, **kwargs: Any) -> Any:
        made = make(self, service, *args, **kwargs)
        if made.meta.region_name == "us-east-2":
            made.meta.events.register("before-call.dynamodb.*", silent)
        return made

    def silent(model: Any, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-2.amazonaws.com")

    monkeypatch.setattr(botocore.session.Session, "create_client", client)
    forget()
    assert plan_named("orders").name == "orders"


def test_a_plan_of_1000_topics_is_deployed(deployed: Any, plan_text: str) -> None:
    topics = [f"orders.region-{number:04}.events" for number in range(1_000)]
    document = yaml.safe_load(plan_text)
    put_plan(deployed, yaml.safe_dump(document | {"protect": {"topics": topics}}))
    assert plan_named("orders").protect.topics == tuple(topics)


def test_a_plan_that_was_deleted_is_not_remembered(deployed: Any) -> None:
    plan_named("orders")
    revision = store.current_revision("orders")
    assert revision is not None
    removal = replace(revision, number=2, document=None)
    assert store.replace_revision(removal, revision) and not store.replace_revision(removal, revision)
    with pytest.raises(UnknownPlan):
        plan_named("orders")
