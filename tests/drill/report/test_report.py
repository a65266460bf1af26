"""The report says what the account and the controller say, on paper and on the page."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from drill.clients.record_log import ConsumerLog, ProducerLog
from drill.pair_accounts import PairLogs, accounts
from drill.report import Report, Run, controller_figures, report_of, write_report
from drill.report.html import page
from drill.report.model import Range
from drill.report.rto import Milestones
from tests.browser import browser, look
from tests.markup import mistakes

PROMISED = {
    "scenario",
    "recovered",
    "rto",
    "alarm_to_dns",
    "loss",
    "duplicates",
    "out_of_order",
    "acknowledged",
    "consumed",
}
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """What of a page a browser would fetch, run or find broken."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.referred: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "data", "action"} and tag != "data":
                (self.referred if (value or "").startswith("#") else self.fetched).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def written(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the sample's report."""
    directory = tmp_path_factory.mktemp("drill-reports") / "made" / "here"
    write_report(directory, report)
    return directory


def html(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


def test_the_json_has_what_is_promised(written: Path, report: Report) -> None:
    document = json.loads((written / "report.json").read_text())
    assert document.keys() >= PROMISED
    assert document["rto"].keys() == {
        "total",
        "detection",
        "decision",
        "promotion",
        "routes",
        "dns",
        "clients",
        "readers",
    }
    assert (document["loss_kind"], document["timing"]) == ("loud", "drill")
    writer, reader = document["clients"]
    assert (writer["role"], writer["recovered_s"]) == ("writer", document["rto"]["total"])
    assert (reader["role"], reader["recovered_s"]) == ("reader", document["rto"]["readers"])
    assert (writer["lost"], reader["duplicates"]) == (document["loss"]["measured"], document["duplicates"])
    assert Report.model_validate(document) == report
    assert document["loss"]["measured"] == sum(p["stranded"] for p in document["loss"]["partitions"])


def test_figures_are_those_of_the_account(report: Report, sample: ModuleType) -> None:
    measured = sample.measured()
    assert report.loss.measured == measured.lost > 0
    assert (report.duplicates, report.out_of_order) == (measured.duplicates, measured.out_of_order)
    assert report.rto.total == round(measured.rto_s, 3)
    assert report.complete


def test_the_controllers_account_stands_beside_the_measured_with_the_difference(report: Report) -> None:
    by_name = {comparison.what: comparison for comparison in report.comparisons}
    stranded = by_name["stranded records"]
    assert (stranded.controller, stranded.measured) == (report.loss.estimated, report.loss.measured)
    assert report.loss.estimated is not None and report.loss.estimate_holds is True
    twice = by_name["consumed twice, at most"]
    assert (twice.label, twice.controller, twice.measured) == ("bounded", 1500, report.duplicates)
    first = report.loss.partitions[0]
    assert first.observed is not None and (first.observed.records, first.observed.at) == (3, -4.2)
    assert report.loss.partitions[1].estimated is None
    assert by_name["start of the outage, after the loss"].difference == 2.1


def test_a_controller_that_knows_nothing_estimates_nothing(sample: ModuleType) -> None:
    run = dataclasses.replace(sample.run(), controller=controller_figures(None))
    report = report_of(run, sample.measured(), sample.pairs())
    assert (report.loss.estimated, report.loss.estimate_holds) == (None, None)
    assert report.loss.measured is not None


def test_events_and_steps_are_in_order_and_relative_to_the_kill(report: Report) -> None:
    assert [step.started for step in report.timeline] == sorted(step.started for step in report.timeline)
    assert [moment.name for moment in report.moments][:3] == ["loss", "alarm", "DNS flipped"]
    assert report.moments[0].at == 0


def test_the_page_fetches_and_runs_nothing(written: Path) -> None:
    page = Page(html(written))
    assert page.fetched == []
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert "@import" not in html(written)
    assert not re.search(r"url\((?!#)", html(written))


def test_the_page_is_well_formed_and_its_charts_refer_to_themselves(written: Path) -> None:
    page = Page(html(written))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {reference.removeprefix("#") for reference in page.referred} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html(written))) <= set(page.ids)


def test_the_page_is_for_keyboard_and_ear_and_says_under_its_headline_what_it_ran_on(written: Path) -> None:
    assert mistakes(html(written)) == []
    assert re.search(r"</h1>\s*<p[^>]*>One machine, stand-ins", html(written))


def _crowded(report: Report) -> Report:
    """All marks within two seconds, and a backlog that drains in the seconds around them and in the last."""
    moments = [
        moment.model_copy(update={"at": float(number)}) if number < 3 else moment
        for number, moment in enumerate(report.moments)
    ]
    high = round(report.target_rate * 9)
    rates = [
        rate.model_copy(update={"consumed_from_standby": high, "acknowledged_by_standby": high + number})
        if 0 < rate.second < 6 or number == len(report.rates) - 1
        else rate
        for number, rate in enumerate(report.rates)
    ]
    return report.model_copy(update={"moments": moments, "rates": rates})


@pytest.mark.slow
def test_nothing_of_the_page_overlaps_is_cut_or_hidden_at_any_width(
    written: Path, report: Report, tmp_path: Path
) -> None:
    executable = browser()
    if executable is None:
        pytest.skip("no headless browser is here: overlap and clipping are not looked at")
    found = look(executable, {"drill": html(written), "close": page(_crowded(report))}, tmp_path)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_charts_take_every_colour_from_the_page(written: Path) -> None:
    text = html(written)
    charts = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"#0102", charts)
    used = set(re.findall(r"var\((--[a-z]+)\)", charts))
    assert {"--lost", "--standby", "--ink", "--step"} <= used
    defined = set(re.findall(r"^\s*(--[a-z-]+):|; (--[a-z-]+):", text, re.MULTILINE))
    assert used <= {name for pair in defined for name in pair}
    assert text.count("<svg") == 2


def test_the_page_gives_the_verdict_and_every_partition(written: Path, report: Report) -> None:
    text = html(written)
    assert "<h1>Recovered in 25.4 s</h1>" in text
    assert f"{report.loss.measured} records stranded of {report.acknowledged:,} acknowledged" in text
    for partition in report.loss.partitions:
        first, last = partition.ranges[0]
        assert f'<th scope="row">{partition.topic}:{partition.partition}</th>' in text
        assert f"{first}\u2013{last}" in text


def test_records_that_the_consumer_skipped_are_in_the_verdict(report: Report, tmp_path: Path) -> None:
    write_report(tmp_path, report.model_copy(update={"never_consumed": 258}))
    assert "0 out of order, 258 never consumed." in html(tmp_path)
    assert "258 records on west never reached the consumer" in html(tmp_path)


def test_names_are_escaped(sample: ModuleType, tmp_path: Path) -> None:
    run = dataclasses.replace(sample.run(), description="<b>a & b</b>", world={"<i>": "</code>"})
    steps = [run.steps[0].model_copy(update={"name": "<x>&"})]
    write_report(tmp_path, report_of(dataclasses.replace(run, steps=steps), sample.measured(), sample.pairs()))
    text = html(tmp_path)
    assert "&lt;b&gt;a &amp; b" in text
    assert "<x>" not in text
    assert Page(text).open == []


def test_a_drill_in_which_nothing_was_seen_is_reported_as_such(tmp_path: Path, sample: ModuleType) -> None:
    silent = PairLogs(
        family="librdkafka",
        version="2.16.0",
        settings="recommended",
        topics=("orders",),
        written=ProducerLog(),
        read=ConsumerLog(),
    )
    nothing, pairs = accounts([silent], None, killed_at=1000.0, promoted=None, writable_at=None)
    run: Run = dataclasses.replace(
        sample.run(), steps=[], moments=[], milestones=Milestones(killed=1000.0), controller=controller_figures(None)
    )
    report = report_of(run, nothing, pairs)
    write_report(tmp_path, report)
    assert not report.recovered
    assert not report.complete
    text = html(tmp_path)
    assert "<h1>Not recovered</h1>" in text
    for reason in report.unmeasured:
        assert reason.replace("'", "&#39;") in text
    assert "not measured" in text
    assert [client.recovered_s for client in report.clients] == [None, None]
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["loss"]["measured"] is None
    assert document["acknowledged"] is None


def test_clients_beside_the_two_pairs_have_rows_of_their_own(tmp_path: Path, sample: ModuleType) -> None:
    own = sample.pairs()
    others = [
        dataclasses.replace(own[0], family="kafka-python", version="3.0.12"),
        dataclasses.replace(own[0], version="2.6.1"),
    ]
    report = report_of(sample.run(), sample.measured(), [*own, *others])
    write_report(tmp_path, report)
    assert report.rto == report_of(sample.run(), sample.measured(), own).rto
    document = json.loads((tmp_path / "report.json").read_text())
    rows = [(row["family"], row["version"], row["role"]) for row in document["clients"]]
    assert rows[2:] == [
        ("kafka-python", "3.0.12", "writer"),
        ("kafka-python", "3.0.12", "reader"),
        ("librdkafka", "2.6.1", "writer"),
        ("librdkafka", "2.6.1", "reader"),
    ]
    text = html(tmp_path)
    assert "kafka-python 3.0.12" in text
    assert "librdkafka 2.6.1" in text
    assert "no part in any other figure" in text


def test_a_step_that_never_ended_is_shown(tmp_path: Path, sample: ModuleType) -> None:
    run = sample.run()
    steps = [*run.steps[:4], run.steps[4].model_copy(update={"ended": None, "status": "waiting"})]
    write_report(tmp_path, report_of(dataclasses.replace(run, steps=steps), sample.measured(), sample.pairs()))
    assert "never ended" in html(tmp_path)


def test_an_estimate_holds_if_records_that_were_on_their_way_may_make_it_so() -> None:
    estimate = Range(low=10, high=20)
    assert estimate.holds(10) is estimate.holds(20) is estimate.holds(8, 2) is True
    assert estimate.holds(8, 1) is estimate.holds(21, 5) is False
    assert estimate.holds(None) is None
