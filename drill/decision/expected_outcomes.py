"""The table: every scenario of the decision, and how it must end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What there is to see once a scenario is over.

    `executions`: the outcome of each that was started in it, by whichever controller; one that was not let to claim the
    plan is a duplicate. `active`: the site that is active
    by the ledger, and that the client hostname leads to; `mirrors`: of the standby; `judged`: the judge's last word
    about the site that was active at its beginning, as verdict and guard. The lease is free.
    """

    executions: tuple[str, ...]
    active: str
    mirrors: str
    judged: str


@dataclass(frozen=True)
class Row:
    """One scenario: its name, what happens in it, and its ending."""

    scenario: str
    happens: str
    ending: Ending


NOTHING: Final = ()
TABLE: Final = (
    Row(
        "false-alarm",
        "two alarms say that east is lost; both vantage points see it well",
        Ending(executions=NOTHING, active="east", mirrors="ACTIVE", judged="wait: too_few_vantage_points"),
    ),
    Row(
        "flapping-alarm",
        "an alarm comes and goes, and comes while east is gone for a moment",
        Ending(executions=NOTHING, active="east", mirrors="ACTIVE", judged="wait: quorum_not_met"),
    ),
    Row(
        "observer-cut-off",
        "one vantage point does not reach east, the other does; then it reaches nothing at all",
        Ending(executions=NOTHING, active="east", mirrors="ACTIVE", judged="wait: quorum_not_met"),
    ),
    Row(
        "approval-denied",
        "east's region is lost, policy asks a person, who says no; it is seen lost again, and nobody is asked",
        Ending(executions=("stood-down",), active="east", mirrors="ACTIVE", judged="stand-down: denied"),
    ),
    Row(
        "approval-expired",
        "a person resumes the plan, and nobody answers in time",
        Ending(executions=("stood-down",), active="east", mirrors="ACTIVE", judged="proceed"),
    ),
    Row(
        "approval-given",
        "a person resumes the plan again, and the person who is asked says yes",
        Ending(executions=("succeeded",), active="west", mirrors="STOPPED", judged="proceed"),
    ),
    Row(
        "second-outage",
        "east is back; west's cluster is lost a moment after the failover to it, during the cooldown",
        Ending(executions=NOTHING, active="west", mirrors="gone with the cluster", judged="stand-down: cooling_down"),
    ),
    Row(
        "cluster-lost",
        "east's cluster is lost, its region and its gateways are up",
        Ending(executions=("succeeded",), active="west", mirrors="STOPPED", judged="proceed"),
    ),
    Row(
        "region-lost",
        "the whole of east is lost: cluster, gateways, load balancer, its region's AWS",
        Ending(executions=("succeeded",), active="west", mirrors="STOPPED", judged="proceed"),
    ),
    Row(
        "route53-control-plane-down",
        "the same while Route 53's API answers nobody; beacons hold the name",
        Ending(executions=("succeeded",), active="west", mirrors="STOPPED", judged="proceed"),
    ),
    Row(
        "two-controllers",
        "east's cluster is lost; a controller in each site's region, on one ledger, hears and judges the same at once",
        Ending(
            executions=("succeeded",),
            active="west",
            mirrors="STOPPED",
            judged="proceed; the other: stand-down: another_controller_acts",
        ),
    ),
    Row(
        "second-start",
        "then the other controller is made to start the same execution, too, and both look at west",
        Ending(
            executions=("duplicate",),
            active="west",
            mirrors="STOPPED",
            judged="wait: quorum_not_met; the other: wait: quorum_not_met",
        ),
    ),
)


def as_markdown(rows: Iterable[Row] = TABLE) -> str:
    """The table as the documentation shows it."""
    lines = [
        "| scenario | what happens | executions | active site, name | mirrors | the judge's last word |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        end = row.ending
        started = ", ".join(end.executions) or "none"
        lines.append(f"| `{row.scenario}` | {row.happens} | {started} | {end.active} | {end.mirrors} | {end.judged} |")
    return "\n".join(lines) + "\n"
