"""How an execution ended, for people: what happened, what clients feel, and what is wanted of whom is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from failover.aws.console import execution_links
from failover.documents.stops import error_message, last_stop, on_lost_site, stop_in_words
from failover.execution.report import capacity_in_words, headline, leftovers
from failover.execution.report_files import page_link
from failover.message import Message


def message_of(report: dict[str, Any]) -> Message:
    """How an execution ended, for people, with where its page and its run are."""
    page = page_link(report["plan"], report["execution"])
    links = (("Report", page),) if page else ()
    return replace(_message_of(report), links=(*links, *execution_links(report.get("arn", ""))))


def _message_of(report: dict[str, Any]) -> Message:
    plan, to, lost = report["plan"], report["to"], report["from"]
    way = f"{report['kind']} of {plan} from {lost} to {to}"
    evidence = [f"started by {report['started_by'] or '(not said)'}: {report['reason'] or 'no reason given'}"]
    evidence += [
        f"went on without the hook {row['hook']}, {row['moment']}: {row['why']}"
        for row in report.get("hooks", ())
        if row["status"] == "went-on"
    ]
    evidence += capacity_in_words(report)
    details = f"report {report['execution']} --plan {plan}"
    words = headline(report).partition(": ")[2]
    match report["outcome"]:
        case "succeeded" | "stood-down" if report["kind"] == "switchover":
            moved = report["outcome"] == "succeeded"
            return Message(
                subject=f"{plan}: {words}",
                what_happened=f"The {way} has ended: {words}; {report['why']}",
                clients=f"they work on {to}: a record went their way, and was read back" if moved else "as before",
                done=f"{to} is active, and {lost} stands by" if moved else f"{lost} is active still",
                commands=(details, f"status {plan}"),
                evidence=evidence,
            )
        case "succeeded" | "stood-down" if report["kind"] == "restore":
            mirrors = report["outcome"] == "succeeded"
            return Message(
                subject=f"{plan}: {words}",
                what_happened=f"The restore of {lost}, as a mirror of {to}, has ended: {words}; {report['why']}",
                clients=f"they work on {to}, as before",
                done=f"{lost} stands by, and mirrors {to}" if mirrors else f"{lost} is no mirror of {to}, or not whole",
                to_do="nothing" if mirrors else f"mend what it says of {lost}, and start again; keep writers off it",
                commands=(details, f"status {plan}"),
                evidence=evidence,
            )
        case "succeeded":
            return Message(
                subject=f"{plan}: failed over in {report['recovery_seconds']:.0f} s, to {to}",
                what_happened=f"{headline(report)}.",
                clients=f"they work on {to}: a record went their way, and was read back",
                done=f"the mirrors at {to} are writable for good; {lost} is no mirror of it",
                to_do=f"keep writers off {lost} when it comes back, and look what was stranded",
                commands=(details, f"status {plan}"),
                evidence=evidence,
            )
        case "stood-down" if report.get("stands_until_resumed"):
            return Message(
                subject=f"{plan}: stood down, {leftovers(report)}",
                what_happened=f"The {way} stood down: {report['why']}",
                clients=f"if {lost} is lost, they can't work until somebody acts",
                done=leftovers(report),
                to_do=f"if {lost} is lost, start it, or resume the plan: nothing starts by itself until you do, or"
                f" {lost} was seen well",
                commands=(f"resume {plan}", f'start failover {plan} --why "{lost} is lost"', details),
                evidence=evidence,
            )
        case "stood-down":
            return Message(
                subject=f"{plan}: stood down, {leftovers(report)}",
                what_happened=f"The {way} stood down: {report['why']}",
                clients="as before",
                done=leftovers(report),
                to_do=f"if clients can't work on {lost}, look why it stood down",
                commands=(*_way_back_of_predecessors(report), details, f"status {plan}"),
                evidence=evidence,
            )
    stop = last_stop(report)
    mend = stop["remedy"] if stop else "mend the cause"
    return Message(
        subject=f"{plan}: {report['kind']} STOPPED, a person is needed",
        what_happened=f"The {way} stopped{cause_in_words(report)}",
        clients=_clients_after_stop(report),
        done=", ".join(f"{step['step']} {step['status']}" for step in report["steps"]) or "nothing",
        to_do=f"{mend}, then redrive it; until then nothing else is started for {plan}{_take_over(report)}",
        commands=(f"redrive {plan}", _superseding(report), *_way_back(report), details),
        evidence=evidence,
    )


def cause_in_words(report: dict[str, Any]) -> str:
    """At which step it stopped, and why; goes on from "stopped"."""
    if stop := last_stop(report):
        return f": {stop_in_words(stop)}: {stop['error']} {stop['why']}"
    error = report.get("error") or {}
    words = f"{error.get('Error', '')} {error_message(str(error.get('Cause', '')))}"
    return f" at {report.get('stopped_at') or 'its end'}: {words}".rstrip()


def _superseding(report: dict[str, Any]) -> str:
    plan = report["plan"]
    return f"supersede {plan}" if report["kind"] == "failover" else f"start failover {plan} --supersede"


def _take_over(report: dict[str, Any]) -> str:
    """What to do where the site that clients work on died under what people started while both sites were up."""
    active = {"switchover": report["from"], "restore": report["to"]}.get(report["kind"])
    back = f", if {report['to']} is, have one lead back" if report["kind"] == "switchover" else ""
    return f"; if {active} is lost, have a failover take over{back}" if active else ""


def _way_back(report: dict[str, Any]) -> tuple[str, ...]:
    return (f"supersede {report['plan']} --back",) if report["kind"] == "switchover" else ()


def _way_back_of_predecessors(report: dict[str, Any]) -> tuple[str, ...]:
    """Of what an execution took over from that had changed something: clients may stand still between two sites."""
    half_done = any(predecessor["reached"] for predecessor in report.get("predecessors", ()))
    return (f"supersede {report['plan']} --back",) if half_done else ()


def _clients_after_stop(report: dict[str, Any]) -> str:
    """Where they are led, as far as the steps tell."""
    if report["kind"] == "restore":
        return f"they work on {report['to']}, as before"
    statuses = {step["step"].partition(":")[0]: step["status"] for step in report["steps"]}
    if statuses.get("flip_dns") == "done":
        return f"they are led to {report['to']}; it is not proven that all of them can work"
    if "flip_dns" in statuses:
        return f"they are on their way to {report['to']}: the name was about to be led there"
    if report["kind"] == "failover":
        return f"{on_lost_site(report, who='they')}; {_promoted(report, statuses)}"
    return f"they are led to {report['from']} still, where nothing was changed but for a fence, if any"


def _promoted(report: dict[str, Any], statuses: dict[str, str]) -> str:
    if "promote_mirrors" in statuses:
        return f"{report['to']} is becoming writable, or is"
    # A call that failed, or was cut short beside another, may have been heard: it reported nothing.
    beside = report.get("stopped_at") == "PromoteAndPrepare"
    return "nothing is known to be promoted" if beside else "nothing was promoted"
