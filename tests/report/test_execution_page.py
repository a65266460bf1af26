"""The page of an execution: what it says, that it never says more than is known, and that everybody can read it."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from failover.documents.whole_report import WholeReport
from report import execution_page
from report.execution import MOST_PARTITIONS
from report.verdict import figures_of, verdict_of
from tests.browser import browser, look
from tests.markup import mistakes, palettes, unreadable
from tests.report import sample

INKS = [
    ("--ink", "--card"),
    ("--ink", "--page"),
    ("--quiet", "--card"),
    ("--quiet", "--page"),
    ("--warn", "--warn-wash"),
]
INKS += [
    ("--good", "--good-wash"),
    ("--bad", "--bad-wash"),
    ("--good", "--card"),
    ("--bad", "--card"),
    ("--warn", "--card"),
]


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def test_the_sample_is_a_whole_report() -> None:
    TypeAdapter(WholeReport).validate_python(sample.whole())


def test_it_says_who_started_and_who_approved_what_was_decided_lost_and_not_reached(pages: dict[str, str]) -> None:
    text = text_of(pages["failover"])
    for words in (
        "Clients of orders work on west, 38 s after east was lost",
        "125 to 317 records are stranded on east (estimated, 1 partition not known)",
        "dana@example.com",
        "us-east-2 answers nobody since the storm",
        "approved by kim@example.com, at 2026-11-23 09:45:42 UTC: seen on the status page",
        "a person's answer",
        "3 votes against east from 2 vantage points",
        "alarm failover-orders-east-kafka",
        "pkc-east01.us-east-2.aws.confluent.cloud:9092: timed out",
        "gateway-east: out of reach: ecs of us-east-2 gave no answer within 4 s",
        "2,550 records",
        "billing-7 in payments[2]",
        "Keep writers off east",
        "acls: 2 ACLs of east are not on west",
    ):
        assert words in text, words
    assert "shipments:3 not known unknown" in text
    assert "orders:1 11 to 27 estimated 3 at -4.2 s a fetch advanced 120,432" in text


@pytest.mark.parametrize(
    ("objectives", "seconds", "unknown", "statuses"),
    [
        ({"rto_seconds": 120, "rpo_records": 400}, 37.9, 0, ("good", "good")),
        ({"rto_seconds": 120, "rpo_records": 400}, 37.9, 1, ("good", "none")),
        ({"rto_seconds": 30, "rpo_records": 200}, 37.9, 0, ("bad", "none")),
        ({"rto_seconds": 30, "rpo_records": 100}, None, 1, ("none", "bad")),
        ({"rto_seconds": None, "rpo_records": None}, 37.9, 0, ("", "")),
    ],
)
def test_an_objective_is_met_only_if_that_is_known(
    objectives: dict[str, Any], seconds: float | None, unknown: int, statuses: tuple[str, str]
) -> None:
    report = sample.whole()["report"]
    loss = dict(report["loss"] or {}) | {"unknown_partitions": unknown}
    changed = sample.whole(objectives=objectives, recovery_seconds=seconds, loss=loss)["report"]
    recovery, stranded, _ = figures_of(changed)
    assert (recovery.status, stranded.status) == statuses


def test_a_loss_of_which_nothing_is_known_is_no_figure() -> None:
    loss = dict(sample.whole()["report"]["loss"] or {}) | {"records": None, "label": "unknown", "at_least": 0}
    report = sample.whole(loss=loss)["report"]
    assert figures_of(report)[1].text == "not known"
    assert "is not known" in verdict_of(report).more


def test_none_expected_is_an_estimate_and_no_zero() -> None:
    loss = dict(sample.whole()["report"]["loss"] or {}) | {"records": {"low": 0, "high": 0}, "unknown_partitions": 0}
    assert (
        "No record is expected to be stranded on east (estimated)" in verdict_of(sample.whole(loss=loss)["report"]).more
    )


def test_a_restore_says_what_only_the_returned_site_had_and_what_is_saved(pages: dict[str, str]) -> None:
    text = text_of(pages["restore"])
    assert "failover start failback orders" in text and "failover start restore orders" in text_of(pages["failover"])
    assert "east mirrors west again: orders has a standby" in text
    assert "180 records that only east had are truncated there; 180 are saved" in text
    assert [figure.status for figure in figures_of(sample.restore(saved=100)["report"])] == ["", "bad"]
    assert [figure.text for figure in figures_of(sample.restore(diverged=None)["report"])] == ["not known", "180"]


def test_a_loss_that_was_measured_later_is_a_figure_and_held_to_the_objective() -> None:
    measured = {
        "records": 180,
        "partitions": 12,
        "unmeasured_partitions": 0,
        "at": 0.0,
        "execution": "orders-8-restore",
    }
    loss = dict(sample.whole()["report"]["loss"] or {}) | {"measured": measured, "label": "measured"}
    stranded = figures_of(sample.whole(loss=loss)["report"])[1]
    assert (stranded.text, stranded.status) == ("180", "good") and "measured by orders-8-restore" in stranded.note
    partly = loss | {"measured": measured | {"unmeasured_partitions": 2}}
    assert figures_of(sample.whole(loss=partly)["report"])[1].status == "none"
    assert "180 records were stranded on east (measured)" in verdict_of(sample.whole(loss=loss)["report"]).more
    assert "180 records, measured by orders-8-restore" in text_of(execution_page(sample.whole(loss=loss)))


def test_a_stop_is_told_in_the_words_of_its_error_and_with_the_commands(pages: dict[str, str]) -> None:
    text = text_of(pages["stopped"])
    assert "3 of 12 mirrors are FAILED: orders <b>" in text
    assert "stackTrace" not in text
    assert "failover redrive orders" in text and "failover supersede orders" in text


def test_a_dry_run_says_that_nothing_was_changed_and_claims_no_recovery(pages: dict[str, str]) -> None:
    text = text_of(pages["dry run"])
    assert "would have gone through" in text and "Nothing was changed" in text
    assert "led to west" not in text and "work on west" not in text


def test_a_question_that_nobody_answered_is_told_as_such() -> None:
    assert "nobody answered in time" in text_of(execution_page(sample.whole(approval=None)))


def test_the_page_of_a_drill_says_under_its_headline_that_it_is_one() -> None:
    stand_ins = "A drill on one machine"
    assert stand_ins in text_of(execution_page(sample.whole(), on_stand_ins=True))
    assert stand_ins not in text_of(execution_page(sample.whole()))


def test_a_report_of_before_there_were_objectives_has_a_page() -> None:
    whole = sample.whole()
    for field in ("objectives", "approval"):
        del whole["report"][field]  # type: ignore[misc]
    assert "the plan sets no objective" in text_of(execution_page(whole))


def test_a_plan_of_many_topics_has_a_page_that_can_be_opened() -> None:
    page = execution_page(sample.large(10_000))
    assert len(page) < 400_000
    assert f"{10_000 - MOST_PARTITIONS:,} partitions more" in page


def test_what_is_written_by_others_is_text_and_nothing_else() -> None:
    nasty = "<script>alert(1)</script>"
    page = execution_page(sample.stopped(reason=nasty, votes=[nasty], started_by=nasty, plan=nasty))
    assert "<script" not in page
    assert mistakes(page) == []


def test_every_page_is_for_keyboard_and_ear_and_runs_nothing(pages: dict[str, str]) -> None:
    assert {name: found for name, page in pages.items() if (found := mistakes(page))} == {}


def test_every_colour_can_be_read_on_its_ground_light_dark_and_on_paper(pages: dict[str, str]) -> None:
    assert len(palettes(pages["failover"])) == 3
    assert unreadable(pages["failover"], INKS) == []


def test_the_checks_of_markup_find_what_is_wrong() -> None:
    table, image = "<table><tr><th>a</th></tr></table>", '<img src="a.png">'
    found = mistakes(f'<html><body><h2>x</h2>{image}{table}<script></script><input name="b"></html>')
    for words in ("<script>", "<img> without words", "scope None", "1 tables without a head", "0 landmarks <main>"):
        assert any(words in mistake for mistake in found), words
    assert "a field b without a label" in found and "src of <img>" in found
    assert unreadable(":root { --ink: #777; --card: #999999; }", [("--ink", "--card")])


@pytest.mark.slow
def test_nothing_overlaps_is_cut_or_hidden_on_a_phone_on_paper_or_on_a_screen(
    pages: dict[str, str], tmp_path: Path
) -> None:
    executable = browser()
    if executable is None:
        pytest.skip("no headless browser is here: overlap and clipping are not looked at")
    broken = '<!doctype html><html><body><p style="width:900px">too broad</p></body></html>'
    found = look(executable, {**pages, "broken": broken}, tmp_path)
    assert found.pop("broken at 390") and not found.pop("broken at 1280")
    found.pop("broken at 718")
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
