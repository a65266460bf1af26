"""The page of an execution, from its whole report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from failover.documents.execution import ExecutionReport, PartitionLoss
from failover.documents.whole_report import WholeReport
from report import evidence
from report.page import bar, render
from report.stops import gaps, stop_facts, stopped
from report.verdict import figures_of, verdict_of
from report.wording import UNKNOWN, between, count, counted, listed, records, seconds, span, utc

MOST_PARTITIONS: Final = 300
"""Rows of a table of partitions or topics: who needs them all reads the JSON."""
Row = tuple[Any, ...]


def execution_page(whole: WholeReport, *, on_stand_ins: bool = False) -> str:
    """The page. `on_stand_ins`: of a drill, whose figures are those of one machine."""
    report, decision = whole["report"], evidence.decided(whole)
    origin = report["outage_started_at"] or report["claimed_at"]
    partitions = sorted(whole["partitions"], key=_worst_first)
    topics = _by_topic(partitions)
    return render(
        "execution.html.j2",
        report=report,
        on_stand_ins=on_stand_ins,
        verdict=verdict_of(report),
        figures=figures_of(report),
        people=people(whole),
        clients=clients(whole, origin),
        steps=steps(whole, origin),
        origin="the first sign of the outage" if report["outage_started_at"] else "the claim",
        decided=decision,
        mirrors=evidence.mirrors(decision),
        signals=evidence.signals(decision, origin),
        probes=evidence.probes(decision),
        topics=topics[:MOST_PARTITIONS],
        more_topics=max(0, len(topics) - MOST_PARTITIONS),
        partitions=[_partition(of, origin) for of in partitions[:MOST_PARTITIONS]],
        more_partitions=max(0, len(partitions) - MOST_PARTITIONS),
        trouble=evidence.trouble(whole),
        details=evidence.trouble_in_full(whole),
        stopped=stopped(report) if report["outcome"] == "failed" else None,
        next_steps=next_steps(report),
        utc_origin=utc(origin),
    )


def people(whole: WholeReport) -> list[tuple[str, str]]:
    """Who started it, who was asked, and what else came before."""
    report = whole["report"]
    facts = [
        ("Started by", f"{report['started_by'] or 'the controller itself'}, at {utc(report['claimed_at'])}"),
        ("Reason", report["reason"] or "none given"),
        ("Approval", _approval(whole)),
        ("Epoch", count(report["epoch"])),
    ]
    if report["redrives"]:
        facts.append(("Redriven", counted(report["redrives"], "time")))
    facts += stop_facts(report)
    facts += [
        (
            "Took over from",
            f"{before['execution']} ({before['status']}), which had reached {_reached(before['reached'])}",
        )
        for before in report["predecessors"]
    ]
    return facts


def _approval(whole: WholeReport) -> str:
    answer = whole["report"].get("approval")
    if answer is not None:
        word = "approved" if answer["answer"] == "approve" else "denied"
        return f"{word} by {answer['by']}, at {utc(answer['at'])}: {answer['why'] or 'no reason given'}"
    if "request_approval" in whole["observed"]:
        return "a person was asked, and nobody answered in time"
    return "nobody was asked"


def _reached(steps: dict[str, str]) -> str:
    return listed(f"{step} {status}" for step, status in steps.items()) or "nothing that changes anything"


def clients(whole: WholeReport, origin: float) -> list[Row]:
    """Who, what is known of them, and how it is known."""
    report = whole["report"]
    to, consumers = report["to"], report["consumers"]
    done = {step["step"]: step for step in report["steps"] if step["status"] == "done" and not report["dry_run"]}
    rows: list[Row] = []
    if flip := done.get("flip_dns"):
        rows.append(
            ("writers", f"led to {to} by the client hostname after {_after(flip['reported_at'], origin)}", "measured")
        )
    if proof := done.get("verify"):
        rows.append(
            (
                "writers",
                f"a record went their way and was read back after {_after(proof['reported_at'], origin)}",
                "measured",
            )
        )
    rows.append(
        ("writers", "records that they had not got acknowledged they send again, or report themselves", "not counted")
    )
    again = consumers["read_again"]
    if again["label"] != "unknown":
        most = (
            f"{records(again['records'])} at most"
            if again["records"] is not None
            else f"{seconds(again['seconds'])} of them"
        )
        rows.append(("readers", f"groups {listed(consumers['groups']) or 'of no name'} read again: {most}", "bounded"))
    ahead = consumers["ahead"]
    if ahead["label"] == "measured":
        rows.append(("readers", f"{_ahead(ahead['count'] or 0, ahead['clamped'], ahead['refused'])}", "measured"))
    if consumers["open_transactions"]:
        rows.append(
            (
                "readers",
                "of read_committed stop at transactions that were open at the loss, until these end: "
                + listed(consumers["open_transactions"]),
                "measured",
            )
        )
    if report["switchover"] is not None:
        offsets = report["switchover"]["offsets"]
        carried = f"{_of(offsets['compared'])} compared, {_of(offsets['committed'])} committed anew"
        rows.append(("readers", f"offsets of protected groups: {carried}", offsets["label"]))
    return rows


def _after(at: float, origin: float) -> str:
    return span(max(0.0, at - origin))


def _of(figure: int | None) -> str:
    return UNKNOWN if figure is None else f"{figure:,}"


def _ahead(number: int, clamped: Sequence[str], refused: Sequence[str]) -> str:
    if not number:
        return "no committed offset is beyond the data that arrived"
    rest = f", {len(refused):,} refused: those readers skip records" if refused else ""
    return f"{counted(number, 'committed offset')} beyond the data that arrived; {len(clamped):,} set back{rest}"


def steps(whole: WholeReport, origin: float) -> list[Row]:
    """Step, its bar, when it began, how long it took, its status, and what it saw; a person's answer stands between."""
    report = whole["report"]
    spans = [
        (
            step["step"],
            step["started_at"],
            step["reported_at"],
            step["status"] if step["calls"] == 1 else f"{step['status']}, {step['calls']} calls",
            evidence.summary(whole["observed"].get(step["step"], {})),
            step["took_seconds"],
        )
        for step in report["steps"]
    ]
    spans += [("stopped", at, again, "waited for a redrive", why, again - at) for at, again, why in gaps(report)]
    answer, asked = report.get("approval"), {step["step"]: step for step in report["steps"]}.get("request_approval")
    if answer and asked:
        took = answer["at"] - asked["reported_at"]
        spans.append(("a person's answer", asked["reported_at"], answer["at"], answer["answer"], answer["by"], took))
    axis = (min([origin, *(span[1] for span in spans)]), max([origin, *(span[2] for span in spans)]))
    return [
        (name, bar(began, ended, axis), f"{began - origin:.1f} s", seconds(took), status, saw)
        for name, began, ended, status, saw, took in sorted(spans, key=lambda span: span[1])
    ]


def next_steps(report: ExecutionReport) -> list[tuple[str, str]]:
    """What is asked of people, and the command for it."""
    plan, lost = report["plan"], report["from"]
    if report["outcome"] == "failed" and not report["dry_run"]:
        return [
            ("Mend what it stopped at, then go on from there.", f"failover redrive {plan}"),
            ("Or have another execution take over.", f"failover supersede {plan}"),
        ]
    if report["dry_run"] and report["outcome"] != "succeeded":
        return [("Mend what kept it from going on, and rehearse again.", f"failover check {plan} --now")]
    if report["outcome"] == "stood-down":
        resume = [("Nothing starts by itself until a person resumes the plan.", f"failover resume {plan}")]
        look = [(f"If clients can't work on {lost}, see why.", f"failover decisions {plan}")]
        return (resume if report["stands_until_resumed"] else []) + look
    if report["dry_run"]:
        return [("Nothing. This is what a failover would do now.", f"failover check {plan}")]
    after = [("See that the next failover would work, too.", f"failover check {plan} --now")]
    if report["kind"] == "restore":
        return [("Lead clients home when you like; nothing is lost.", f"failover start failback {plan}"), *after]
    if report["kind"] != "failover":
        return after
    ahead = [f"Keep writers off {lost} when it comes back: what they write there is mirrored to nowhere."]
    if report["left_behind"]:
        ahead.append(f"See to mirrors that are not STOPPED: {listed(report['left_behind'])}.")
    if report["consumers"]["ahead"]["refused"]:
        ahead.append(f"Set back offsets that were refused: {listed(report['consumers']['ahead']['refused'])}.")
    back = (f"Once {lost} is back for good, restore it: it becomes a mirror again.", f"failover start restore {plan}")
    return [*((line, "") for line in ahead), back, *after]


def _worst_first(of: PartitionLoss) -> tuple[bool, int, str, int]:
    estimated = of["estimated"]
    return estimated is not None, -(estimated["high"] if estimated else 0), of["topic"], of["partition"]


def _by_topic(partitions: Sequence[PartitionLoss]) -> list[Row]:
    topics: dict[str, list[PartitionLoss]] = {}
    for of in partitions:
        topics.setdefault(of["topic"], []).append(of)
    rows = []
    for topic, parts in topics.items():
        ranges = [of["estimated"] for of in parts if of["estimated"] is not None]
        unknown = len(parts) - len(ranges)
        total = between(sum(r["low"] for r in ranges), sum(r["high"] for r in ranges)) if ranges else UNKNOWN
        rows.append((topic, count(len(parts)), total, count(unknown), "estimated" if ranges else "unknown"))
    return rows


def _partition(of: PartitionLoss, origin: float) -> Row:
    seen, estimated, end = of["observed"], of["estimated"], of["log_end_at_promotion"]
    return (
        f"{of['topic']}:{of['partition']}",
        UNKNOWN if estimated is None else between(estimated["low"], estimated["high"]),
        "unknown" if estimated is None else "estimated",
        UNKNOWN if seen is None else f"{seen['records']:,} at {seen['at'] - origin:+.1f} s",
        "" if seen is None else seen["proof"],
        UNKNOWN if end is None else f"{end:,}",
    )
