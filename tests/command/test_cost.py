"""`failover cost` computes from the templates, what a drill used, and a table of prices whose sources it names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from command.cost import TEMPLATE
from command.idle_cost import (
    HERE,
    MONTH_MINUTES,
    NAMES_AT_ONCE,
    PLANS_A_SHARD,
    PLANS_AN_EVENT,
    WELL_EVERY_S,
    prices,
    read_stack,
    usage,
)
from failover.detection import alarm_recheck
from failover.detection.observation import PLANS_AT_MOST
from tests.command.conftest import Failover
from tests.plans import without_small_stack


@pytest.fixture(autouse=True)
def plan_in_this_directory(plan_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text(plan_text)


def bill(failover: Failover, *words: str) -> tuple[dict[str, Any], dict[str, float]]:
    document = json.loads(failover("cost", "plan.yaml", *words, "--json").out)
    return document, {item["name"]: item["usd"] for item in document["items"]}


def test_what_is_shown_adds_up_and_what_is_apart_is_apart(failover: Failover) -> None:
    document, items = bill(failover)
    apart = {"secrets", "alarms of plans", "metrics of plans"}
    assert {item["name"] for item in document["items"] if item["apart"]} == apart
    assert document["usd_a_month"] == pytest.approx(sum(items.values()) - sum(items[name] for name in apart), abs=0.01)
    assert 0 < document["usd_a_failover"] < 0.01
    shown = failover("cost", "plan.yaml").out
    assert f"{document['usd_a_month']:.2f}" in shown and shown.splitlines()[-1].startswith("next: ")
    assert max(map(len, shown.splitlines())) <= 80


def test_more_plans_cost_their_looks_and_share_the_controller(failover: Failover) -> None:
    _, one = bill(failover)
    _, four = bill(failover, "--copies", "4")
    assert one["looks"] < four["looks"] < 1.2 * one["looks"]  # one call looks at all of them
    assert four["secrets"] == pytest.approx(4 * one["secrets"])
    for name in ("judging", "lag samples"):  # one call is for all of them, and asks the ledger of each
        assert one[name] < four[name] < 4 * one[name]
    assert four["rounds"] == one["rounds"]
    assert four["alarms and board"] == one["alarms and board"]
    for name in ("dry runs", "readiness"):  # some plan's turn every half hour, or five minutes
        assert four[name] == one[name]


def test_a_plan_that_names_no_alarm_of_its_small_stack_pays_for_none(failover: Failover, plan_text: str) -> None:
    _, four = bill(failover, "--copies", "4")
    _, seldom = bill(failover, "--copies", "4", "--set", "WatchSeconds=10")
    metrics = 4 * 5 * prices()["metric"]
    logged, logged_seldom = (items["metrics of plans"] - metrics for items in (four, seldom))
    assert 0 < logged_seldom == pytest.approx(logged / 5, abs=0.01)
    Path("plan.yaml").write_text(without_small_stack(plan_text))
    _, none = bill(failover)
    assert none.keys() == four.keys() - {"alarms of plans", "metrics of plans"}


def test_the_stacks_parameters_and_resources_are_what_is_computed_with(failover: Failover) -> None:
    _, usual = bill(failover)
    _, seldom = bill(failover, "--set", "WatchSeconds=10", "--set", "DryRunState=DISABLED")
    assert seldom["looks"] == pytest.approx(usual["looks"] / 5, rel=0.01) and seldom["dry runs"] == 0
    _, smaller = bill(failover, "--set", "MemorySize=512")
    assert smaller["judging"] < usual["judging"]
    alarms = len(re.findall(r"Type: AWS::CloudWatch::Alarm$", TEMPLATE.read_text(), re.MULTILINE))
    boards = len(re.findall(r"Type: AWS::CloudWatch::Dashboard$", TEMPLATE.read_text(), re.MULTILINE))
    table = prices()
    assert usual["alarms and board"] == pytest.approx(alarms * table["alarm"] + boards * table["board"])


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--set", "WatchSecond=10"], "no parameter WatchSecond"),
        (["--set", "WatchSeconds"], "is no NAME=VALUE"),
        (["--set", "WatchSeconds=often"], "could not convert"),
        (["--template", "none.yaml"], "none.yaml: No such file"),
        (["paln.yaml"], "did you mean plan.yaml?"),
    ],
)
def test_what_can_not_be_computed_is_said_with_what_to_do(failover: Failover, words: list[str], what: str) -> None:
    ended = failover("cost", "plan.yaml", *words)
    assert ended.code == 2 and what in ended.err and "next: " in ended.err and "Traceback" not in ended.err


def test_every_price_has_its_source_and_what_was_measured_is_of_the_templates_functions() -> None:
    lines = [line for line in (HERE / "prices.yaml").read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(prices()) and all("https://aws.amazon.com/" in line for line in lines)
    measured, functions = usage(), read_stack(TEMPLATE, {}).resources
    called = {name for execution in measured["executions"].values() for name in execution["calls"]}
    assert called <= measured["functions"].keys() <= functions.keys()


def test_what_is_shared_and_how_often_is_told_is_as_the_functions_have_it(function: Any) -> None:
    assert PLANS_A_SHARD == function("start_rounds").PLANS_A_SHARD
    assert WELL_EVERY_S == function("watch_site").ALL_WELL_EVERY_S
    assert PLANS_AN_EVENT == PLANS_AT_MOST
    assert NAMES_AT_ONCE == alarm_recheck.NAMES_AT_ONCE


@pytest.mark.parametrize(("copies", "requests"), [(1, 3), (20, 3), (21, 6), (51, 12)])
def test_alarms_are_asked_for_each_minute_a_hundred_at_once_in_every_region_where_they_may_live(
    failover: Failover, copies: int, requests: int
) -> None:
    """Five of a plan, in three regions; 50 plans are judged together."""
    _, items = bill(failover, "--copies", str(copies))
    assert items["standing alarms"] == pytest.approx(MONTH_MINUTES * requests * 0.00001, abs=0.01)


@pytest.mark.parametrize(("plans", "most"), [(1, 25), (40, 85), (200, 325)])
def test_plans_of_600_busy_partitions_stay_within_what_they_may_cost(
    failover: Failover, plans: int, most: float
) -> None:
    document, _ = bill(failover, "--copies", str(plans), "--partitions", "600")
    assert document["usd_a_month"] <= most
