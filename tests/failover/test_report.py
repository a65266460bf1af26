"""The controller's account in one line, as people read it first."""

from __future__ import annotations

from typing import Any

import pytest

from failover.execution.report import headline
from failover.execution.report import restore as account_of_restore
from failover.execution.report import switchover as account_of_switchover


def report(**changes: Any) -> dict[str, Any]:
    known = {"records": {"low": 200, "high": 1775}, "unknown_partitions": 0}
    told = {"plan": "orders", "from": "east", "to": "west", "dry_run": False, "outcome": "succeeded"}
    return told | {"recovery_seconds": 24.4, "loss": known} | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "orders east to west: failed over in 24 s, 200 to 1,775 stranded (estimate)"),
        (
            {"loss": {"records": {"low": 0, "high": 3}, "unknown_partitions": 2}},
            "orders east to west: failed over in 24 s, 0 to 3 stranded (estimate), 2 partitions unknown",
        ),
        (
            {"loss": {"records": None, "unknown_partitions": 12}},
            "orders east to west: failed over in 24 s, loss unknown",
        ),
        (
            {"loss": {"records": {"low": 0, "high": 0}, "unknown_partitions": 0}},
            "orders east to west: failed over in 24 s, none expected to be stranded (estimate)",
        ),
        (
            {"loss": {"records": {"low": 0, "high": 0}, "unknown_partitions": 2}},
            "orders east to west: failed over in 24 s, none expected to be stranded (estimate), 2 partitions unknown",
        ),
        ({"loss": None}, "orders east to west: failed over in 24 s, loss unknown"),
        (
            {"loss": {"label": "measured", "measured": {"records": 1234}, "records": {"low": 0, "high": 0}}},
            "orders east to west: failed over in 24 s, 1,234 stranded (measured)",
        ),
        ({"outcome": "stood-down"}, "orders east to west: stood down, nothing was changed"),
        ({"outcome": "failed"}, "orders east to west: FAILOVER STOPPED, a person is needed"),
    ],
)
def test_the_subject_says_what_happened_and_what_it_may_have_cost(changes: dict[str, Any], said: str) -> None:
    assert headline(report(**changes)) == said


def test_the_subject_fits_a_notification_even_of_a_long_plan() -> None:
    long = report(plan="p" * 40, loss={"records": {"low": 10**9, "high": 10**9}, "unknown_partitions": 0})
    assert headline(long)[:100].startswith("p" * 40 + " east to west: failed over")


@pytest.mark.parametrize(
    ("changes", "switchover", "subject"),
    [
        ({}, {"drained_partitions": 8, "put_back": []}, "switched over in 24 s, nothing left behind"),
        ({}, {"drained_partitions": None, "put_back": []}, "switched over in 24 s, what is left behind is not known"),
        ({"outcome": "stood-down"}, {"put_back": ["gateway-east"]}, "switchover given up, and put back"),
        ({"outcome": "stood-down"}, {"put_back": []}, "switchover stood down, nothing was changed"),
        ({"outcome": "failed"}, {"put_back": []}, "SWITCHOVER STOPPED, a person is needed"),
    ],
)
def test_the_subject_of_a_switchover_says_that_nothing_is_left_behind_only_if_that_is_known(
    changes: dict[str, Any], switchover: dict[str, Any], subject: str
) -> None:
    assert headline(report(loss=None, switchover=switchover, **changes)) == f"orders east to west: {subject}"


def test_a_dry_run_of_a_switchover_that_drained_nothing_has_its_account_too() -> None:
    account = account_of_switchover({"drain_mirrors": {"would_drain": 8}})
    assert (account["drained_partitions"], account["mirrors_back"], account["put_back"]) == (None, None, [])
    drained = {"partitions": 8, "behind": 0, "growing": [], "not_told": []}
    assert account_of_switchover({"drain_mirrors": drained})["drained_partitions"] == 8
    assert account_of_switchover({"drain_mirrors": drained | {"behind": 1}})["drained_partitions"] is None


@pytest.mark.parametrize(
    ("changes", "restore", "subject"),
    [
        (
            {},
            {"diverged": 1234, "saved": 1234},
            "east mirrors west again, 1,234 stranded (measured), 1,234 of them saved",
        ),
        ({}, {"diverged": 0, "saved": None}, "east mirrors west again, nothing was stranded there"),
        ({}, {"diverged": None, "saved": None}, "east mirrors west again, what was stranded there is not known"),
        (
            {},
            {"diverged": 7, "saved": None, "discarded": True},
            "east mirrors west again, 7 stranded (measured), truncated unsaved",
        ),
        (
            {},
            {"diverged": 7, "saved": 3, "discarded": True},
            "east mirrors west again, 7 stranded (measured), 3 of them saved",
        ),
        (
            {},
            {"diverged": 7, "saved": None},
            "east mirrors west again, 7 stranded (measured), what is saved of them is not known",
        ),
        ({"outcome": "stood-down"}, {}, "restore stood down, nothing more is truncated"),
        ({"outcome": "failed"}, {}, "RESTORE STOPPED, a person is needed"),
    ],
)
def test_the_subject_of_a_restore_says_what_was_stranded_and_what_became_of_it(
    changes: dict[str, Any], restore: dict[str, Any], subject: str
) -> None:
    told = report(loss=None, restore={"discarded": False} | restore, recovery_seconds=None, **changes)
    assert headline(told) == f"orders east to west: {subject}"


def test_a_divergence_that_still_grew_is_not_known() -> None:
    measured = {"diverged": 5, "unknown_count": 0, "growing": []}
    assert account_of_restore({"measure_divergence": measured})["diverged"] == 5
    assert account_of_restore({"measure_divergence": measured | {"growing": ["orders[0]"]}})["diverged"] is None
    assert account_of_restore({"measure_divergence": measured | {"unknown_count": 1}})["diverged"] is None
    assert account_of_restore({})["diverged"] is None


def test_an_offset_that_is_proven_to_hold_no_record_counts_as_saved_and_what_nobody_saved_is_not_known() -> None:
    rescued = {"saved": 5, "without_record": 2}
    assert account_of_restore({"rescue_records": rescued})["saved"] == 7
    assert account_of_restore({"rescue_records": {"would_rescue": 7}})["saved"] is None
