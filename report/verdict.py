"""How an execution went, in a sentence, and against the plan's objectives. Pure.

What is not known is said not to be known: no figure stands for it, and no objective counts as met by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from failover.documents.execution import ExecutionReport, MeasuredLoss, Objectives, Restore
from report.stops import stopped_step
from report.wording import UNKNOWN, between, count, counted, records, seconds, span

Status = Literal["good", "bad", "none", ""]
"""Whether an objective is met, missed, or that is not known; empty: there is none."""

_MET: Final[dict[Status, str]] = {
    "good": ": met",
    "bad": ": missed",
    "none": ": whether it is met is not known",
    "": "",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The first that is read."""

    badge: str
    status: Status
    sentence: str
    more: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of the head of a page."""

    name: str
    text: str
    note: str
    status: Status


def verdict_of(report: ExecutionReport) -> Verdict:
    """The verdict on an execution."""
    if report["dry_run"]:
        return _dry_run(report)
    plan, to, lost = report["plan"], report["to"], report["from"]
    if report["outcome"] == "failed":
        return Verdict(
            badge="stopped",
            status="bad",
            sentence=f"The {report['kind']} of {plan} stopped: a person is needed",
            more=f"It stopped at {stopped_step(report)}. The lease is kept, and nothing else is started.",
        )
    if report["outcome"] == "stood-down":
        return Verdict(badge="stood down", status="none", sentence=_stood_down(report), more=report["why"])
    if (restore := report.get("restore")) is not None:
        sentence = f"{lost} mirrors {to} again: {plan} has a standby"
        return Verdict(badge="succeeded", status="good", sentence=sentence, more=_diverged(lost, restore))
    if report["switchover"] is not None:
        drained = report["switchover"]["drained_partitions"]
        proof = (
            f"Nothing was left behind: both logs of {counted(drained, 'partition')} ended alike."
            if drained is not None
            else "Whether anything was left behind is not known."
        )
        return Verdict(
            badge="succeeded",
            status="good",
            sentence=f"Clients of {plan} work on {to}: switched over in {span(report['recovery_seconds'] or 0.0)}",
            more=proof,
        )
    since = f"after {lost} was lost" if report["outage_started_at"] else "after it was started"
    return Verdict(
        badge="succeeded",
        status="good",
        sentence=f"Clients of {plan} work on {to}, {span(report['recovery_seconds'] or 0.0)} {since}",
        more=f"{_stranded_sentence(report)} A record went the clients' way, and was read back.",
    )


def figures_of(report: ExecutionReport) -> list[Figure]:
    """RTO and RPO against the objectives, and what readers get twice; of a restore what only the returned site had."""
    if (restore := report.get("restore")) is not None:
        return _restored(report["from"], restore)
    return [_recovery(report), _loss(report), _read_again(report)]


def _diverged(site: str, restore: Restore) -> str:
    if restore["diverged"] is None:
        return f"How many records only {site} had is not known."
    if not restore["diverged"]:
        return f"{site} held no record that was not active elsewhere (measured)."
    saved = "how many of them are saved is not known" if restore["saved"] is None else f"{restore['saved']:,} are saved"
    return f"{records(restore['diverged'])} that only {site} had are truncated there; {saved}."


def _restored(site: str, restore: Restore) -> list[Figure]:
    diverged, saved = restore["diverged"], restore["saved"]
    status: Status = "none" if diverged is None else "bad" if diverged and (saved or 0) < diverged else "good"
    lost = "the rest was given up by whoever started it" if restore["discarded"] else "before they were truncated"
    return [
        Figure(name=f"Only on {site}", text=count(diverged), note="measured, by offsets", status=""),
        Figure(name="Of these saved", text=count(saved), note=lost, status=status),
    ]


def _dry_run(report: ExecutionReport) -> Verdict:
    good = report["outcome"] == "succeeded"
    goes = {
        "succeeded": f"a {report['kind']} of {report['plan']} to {report['to']} would have gone through",
        "stood-down": f"a {report['kind']} of {report['plan']} to {report['to']} would have stood down",
        "failed": f"a {report['kind']} of {report['plan']} to {report['to']} would have stopped",
    }[report["outcome"]]
    where = f" It stopped at {stopped_step(report)}." if report["stopped_at"] else ""
    return Verdict(
        badge="dry run",
        status="good" if good else "bad",
        sentence=f"Dry run: {goes}",
        more=f"Nothing was changed.{where} {report['why']}".strip(),
    )


def _stood_down(report: ExecutionReport) -> str:
    switchover = report["switchover"]
    if switchover is not None and switchover["put_back"]:
        return f"The switchover of {report['plan']} was given up, and put back: {report['from']} is active still"
    before = [predecessor["execution"] for predecessor in report["predecessors"] if predecessor["reached"]]
    if not before:
        return f"The {report['kind']} of {report['plan']} stood down: nothing was changed"
    where = report["clients_found_at"]
    clients = f"the name leads to {where}" if where else "where the name leads is not known"
    return f"The {report['kind']} of {report['plan']} stood down. {', '.join(before)} had changed something: {clients}"


def _recovery(report: ExecutionReport) -> Figure:
    name, taken, aim = "Recovery time (RTO)", report["recovery_seconds"], _objectives(report)["rto_seconds"]
    start = (
        "from the first sign of the outage" if report["outage_started_at"] else "from its claim: no sign was earlier"
    )
    if taken is None:
        why = "a dry run moves no client" if report["dry_run"] else "nothing was recovered"
        return Figure(name=name, text=UNKNOWN, note=f"{why}; {_aim(aim, 's')}", status="none" if aim else "")
    if aim is None:
        return Figure(name=name, text=seconds(taken), note=f"{start}; {_aim(aim, 's')}", status="")
    met = "met" if taken <= aim else f"missed by {seconds(taken - aim)}"
    note = f"{start} to the proof; objective {aim:,} s: {met}"
    return Figure(name=name, text=seconds(taken), note=note, status="good" if taken <= aim else "bad")


def _loss(report: ExecutionReport) -> Figure:
    name, aim, loss = "Stranded (RPO)", _objectives(report)["rpo_records"], report["loss"]
    if report["switchover"] is not None:
        if (drained := report["switchover"]["drained_partitions"]) is not None:
            note = f"measured: both logs of {counted(drained, 'partition')} ended alike"
            return Figure(name=name, text="none", note=note, status="good")
        return Figure(name=name, text=UNKNOWN, note="the logs were not compared to their ends", status="none")
    if loss is None:
        note = f"nothing was promoted; {_aim(aim, 'records')}"
        return Figure(name=name, text="none by this", note=note, status="")
    if (measured := loss["measured"]) is not None:
        return _measured(name, aim, measured)
    unknown = loss["unknown_partitions"]
    rest = f"; {counted(unknown, 'partition')} of {loss['partitions']:,} not known, and in no total" if unknown else ""
    span_of = loss["records"]
    if span_of is None:
        note = f"at least {records(loss['at_least'])}{rest}; {_aim(aim, 'records')}"
        return Figure(name=name, text=UNKNOWN, note=note, status="none" if aim is not None else "")
    text, status = between(span_of["low"], span_of["high"]), _against(aim, span_of["high"], loss["at_least"], unknown)
    return Figure(name=name, text=text, note=f"estimated{rest}; {_aim(aim, 'records')}{_MET[status]}", status=status)


def _measured(name: str, aim: int | None, measured: MeasuredLoss) -> Figure:
    unknown, most = measured["unmeasured_partitions"], measured["records"]
    rest = f"; {counted(unknown, 'partition')} could not be measured, and are in no total" if unknown else ""
    status = _against(aim, most, least=most, unknown=unknown)
    note = f"measured by {measured['execution']}{rest}; {_aim(aim, 'records')}{_MET[status]}"
    return Figure(name=name, text=count(most), note=note, status=status)


def _against(aim: int | None, most: int, least: int, unknown: int) -> Status:
    if aim is None:
        return ""
    if least > aim:
        return "bad"
    return "none" if unknown or most > aim else "good"


def _read_again(report: ExecutionReport) -> Figure:
    again = report["consumers"]["read_again"]
    name = "Read again, at most"
    if again["label"] == "unknown":
        return Figure(name=name, text=UNKNOWN, note="by protected groups: their offsets were not looked at", status="")
    text = records(again["records"]) if again["records"] is not None else seconds(again["seconds"])
    note = f"bounded: protected groups' offsets are synced every {seconds(again['seconds'])}"
    return Figure(name=name, text=text, note=note, status="")


def _stranded_sentence(report: ExecutionReport) -> str:
    loss = report["loss"]
    measured = loss["measured"] if loss else None
    if measured is not None and not measured["unmeasured_partitions"]:
        return f"{records(measured['records'])} were stranded on {report['from']} (measured)."
    span_of = loss["records"] if loss else None
    if loss is None or span_of is None:
        return f"How many records are stranded on {report['from']} is not known."
    unknown = f", {counted(loss['unknown_partitions'], 'partition')} not known" if loss["unknown_partitions"] else ""
    if not span_of["high"]:
        return f"No record is expected to be stranded on {report['from']} (estimated{unknown})."
    return f"{between(span_of['low'], span_of['high'])} records are stranded on {report['from']} (estimated{unknown})."


def _aim(aim: int | None, unit: str) -> str:
    return "the plan sets no objective" if aim is None else f"objective {aim:,} {unit}"


def _objectives(report: ExecutionReport) -> Objectives:
    """Reports of before objectives were kept have none."""
    return report.get("objectives") or {"rto_seconds": None, "rpo_records": None}
