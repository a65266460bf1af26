"""What a report says of the plans beside the one whose clients it is of; without any it is as ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from drill.report import Report, write_report
from drill.report.html import page
from drill.report.model import Plans
from drill.report.wording import plans
from drill.terminal import summary
from tests.markup import mistakes

ALL = Plans(count=40, failed_over=40, stopped={}, last_judged=6.1, last_changed=12.25, last_in_sync=55.0)
BUT_ONE = Plans(
    count=40,
    failed_over=39,
    stopped={"neighbour-07": "failed: 3 mirrors are not STOPPED"},
    last_judged=6.1,
    last_changed=None,
    last_in_sync=None,
)


def with_plans(report: Report, plans: Plans) -> Report:
    return report.model_copy(update={"plans": plans, "recovered": True, "unmeasured": []})


def shown(report: Report) -> str:
    console = Console(width=100, record=True, force_terminal=False)
    console.print(summary(report, Path("reports"), 100))
    return " ".join(console.export_text().replace("│", " ").split())


def test_a_sentence_says_how_many_and_when_the_last() -> None:
    assert plans(ALL) == (
        "40 of 40 failed over, none stopped; the last judged after 6.10 s, its record changed after 12.2 s,"
        " in sync after 55.0 s"
    )
    assert plans(BUT_ONE) == "39 of 40 failed over, 1 stopped; the last judged after 6.10 s"


@pytest.mark.parametrize("of", [ALL, BUT_ONE])
def test_terminal_page_and_json_say_the_same(report: Report, of: Plans, tmp_path: Path) -> None:
    whole = with_plans(report, of)
    write_report(tmp_path, whole)
    written = (tmp_path / "report.html").read_text()
    assert plans(of) in written and f"plans: {plans(of)}" in shown(whole)
    assert not mistakes(written)
    for name, why in of.stopped.items():
        assert name in written and why in written and f"- {name} {why}" in shown(whole)
    assert Report.model_validate_json((tmp_path / "report.json").read_text()).plans == of


def test_a_drill_in_which_a_plan_stopped_has_not_succeeded(report: Report) -> None:
    assert with_plans(report, ALL).complete and not with_plans(report, BUT_ONE).complete


def test_a_report_of_one_plan_says_nothing_of_others(report: Report) -> None:
    assert report.plans is None
    assert "other plans" not in page(report) and "plans:" not in shown(report)
