"""From what was seen of a drill to its report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from drill.loss import LossKind
from drill.pair_accounts import PairAccount
from drill.record_accounting import Account, PartitionAccount
from drill.report.clients import client_figures
from drill.report.model import (
    BySite,
    Comparison,
    Loss,
    Moment,
    Observed,
    PartitionLoss,
    Plans,
    Range,
    Rate,
    Report,
    Step,
)
from drill.report.rto import Milestones, split_rto

Settings = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class ControllerFigures:
    """What the controller itself says of the execution, from its report in the ledger. Times: seconds since 1970."""

    outcome: str = "unknown"
    recovery_s: float | None = None
    outage_started_at: float | None = None
    estimated_loss: Range | None = None
    unknown_partitions: int | None = None
    estimate_basis: str = ""
    read_again: int | None = None
    partitions: Mapping[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the drill saw of a run, besides the clients' logs. Times of steps and moments: seconds since 1970."""

    scenario: str
    description: str
    plan: str
    lost_site: str
    standby: str
    started_at: float
    milestones: Milestones
    steps: Sequence[Step]
    controller: ControllerFigures
    target_rate: float
    loss_kind: str = LossKind.LOUD
    timing: Literal["drill", "aws"] = "drill"
    moments: Sequence[Moment] = ()
    world: Mapping[str, str | float] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    unmeasured: Sequence[str] = ()
    plans: Plans | None = None


def controller_figures(
    document: Mapping[str, Any] | None, partitions: Mapping[tuple[str, int], Mapping[str, Any]] | None = None
) -> ControllerFigures:
    """The controller's account out of the report it keeps in the ledger, and its loss table; empty if there is none."""
    if not document:
        return ControllerFigures()
    loss = document.get("loss") or {}
    return ControllerFigures(
        outcome=str(document.get("outcome", "unknown")),
        recovery_s=document.get("recovery_seconds"),
        outage_started_at=document.get("outage_started_at"),
        estimated_loss=Range(**loss["records"]) if loss.get("records") else None,
        unknown_partitions=loss.get("unknown_partitions"),
        estimate_basis=str(loss.get("basis", "")),
        read_again=((document.get("consumers") or {}).get("read_again") or {}).get("records"),
        partitions=partitions or {},
    )


def report_of(run: Run, account: Account, pairs: Sequence[PairAccount]) -> Report:
    """The report of a run: the account of all its records, and of each pair of clients, first the one whose times are
    the report's own."""
    killed = account.killed_at
    headline = pairs[0].account
    milestones = replace(run.milestones, killed=killed, first_acknowledged=headline.first_acknowledged_by_standby)
    rto, missing = split_rto(milestones)
    rto = rto.model_copy(update={"readers": _since(headline.first_consumed_from_standby, killed)})
    alarm_to_dns = milestones.alarm_to_dns
    return Report(
        scenario=run.scenario,
        description=run.description,
        loss_kind=run.loss_kind,
        timing=run.timing,
        recovered=account.recovered,
        rto=rto,
        alarm_to_dns=alarm_to_dns,
        loss=_loss(run.controller, account),
        duplicates=account.duplicates,
        out_of_order=account.out_of_order,
        acknowledged=account.acknowledged,
        consumed=account.consumed,
        sent=account.sent,
        failed=account.failed,
        never_consumed=account.never_consumed,
        stored_twice=account.stored_twice,
        acknowledged_by=BySite(lost_site=account.acknowledged_by_lost_site, standby=account.acknowledged_by_standby),
        consumed_by=BySite(lost_site=account.consumed_from_lost_site, standby=account.consumed_from_standby),
        first_consumed_from_standby=_since(account.first_consumed_from_standby, killed),
        every_partition_resumed=_since(account.every_partition_resumed_at, killed),
        plan=run.plan,
        lost_site=run.lost_site,
        standby=run.standby,
        started_at=run.started_at,
        killed_at=killed,
        outcome=run.controller.outcome,
        timeline=[_step(step, killed) for step in sorted(run.steps, key=lambda step: step.started)],
        moments=_moments(run.moments, milestones),
        rates=[Rate(**{name: getattr(second, name) for name in Rate.model_fields}) for second in account.rates],
        target_rate=run.target_rate,
        comparisons=_comparisons(run.controller, account, rto.total),
        errors=dict(account.errors),
        clients=[figures for pair in pairs for figures in client_figures(pair)],
        world=dict(run.world),
        settings={client: dict(settings) for client, settings in run.settings.items()},
        unmeasured=list(dict.fromkeys((*account.unmeasured, *missing, *run.unmeasured))),
        plans=run.plans,
    )


def _loss(controller: ControllerFigures, account: Account) -> Loss:
    estimated = controller.estimated_loss
    return Loss(
        measured=account.lost,
        estimated=estimated,
        estimate_holds=None if estimated is None else estimated.holds(account.lost, account.in_flight or 0),
        in_flight=account.in_flight,
        estimate_basis=controller.estimate_basis,
        unknown_partitions=controller.unknown_partitions,
        consumed_before=account.lost_but_consumed,
        partitions=[
            _partition(of, controller.partitions.get((of.topic, of.partition), {}), account.killed_at)
            for of in account.partitions
        ],
    )


def _partition(of: PartitionAccount, loss: Mapping[str, Any], killed: float) -> PartitionLoss:
    observed = loss.get("observed")
    return PartitionLoss(
        topic=of.topic,
        partition=of.partition,
        acknowledged=of.acknowledged,
        acknowledged_by_lost_site=of.acknowledged_by_lost_site,
        mirrored_to=of.mirrored_to,
        stranded=of.lost,
        observed=Observed(**observed | {"at": round(observed["at"] - killed, 3)}) if observed else None,
        estimated=Range(**loss["estimated"]) if loss.get("estimated") else None,
        ranges=list(of.lost_ranges),
        consumed_before=of.lost_but_consumed,
        duplicates=of.duplicates,
        out_of_order=of.out_of_order,
        resumed=of.resumed,
    )


def _comparisons(controller: ControllerFigures, account: Account, total: float | None) -> list[Comparison]:
    return [
        Comparison(
            what="stranded records",
            label="estimated",
            unit="records",
            controller=controller.estimated_loss,
            measured=account.lost,
            difference=None,
        ),
        _comparison(
            "consumed twice, at most",
            "bounded",
            unit="records",
            controller=controller.read_again,
            measured=account.duplicates,
        ),
        _comparison("outage to recovery", "measured", unit="s", controller=controller.recovery_s, measured=total),
        _comparison(
            "start of the outage, after the loss",
            "observed",
            unit="s",
            controller=_since(controller.outage_started_at, account.killed_at),
            measured=0.0,
        ),
    ]


def _comparison(what: str, label: str, unit: str, controller: float | None, measured: float | None) -> Comparison:
    difference = None if controller is None or measured is None else round(controller - measured, 3)
    return Comparison(
        what=what, label=label, unit=unit, controller=controller, measured=measured, difference=difference
    )


def _step(step: Step, killed: float) -> Step:
    return step.model_copy(
        update={"started": round(step.started - killed, 3), "ended": _since(step.ended, killed)},
    )


def _moments(moments: Sequence[Moment], milestones: Milestones) -> list[Moment]:
    """The milestones and whatever else happened, in order, in seconds from the loss."""
    marks = {
        "loss": milestones.killed,
        "alarm": milestones.alarm,
        "DNS flipped": milestones.dns,
        "first acknowledged by the standby": milestones.first_acknowledged,
    }
    of_clients = [Moment(at=at, name=name) for name, at in marks.items() if at is not None]
    every = sorted([*of_clients, *moments], key=lambda moment: moment.at)
    return [moment.model_copy(update={"at": round(moment.at - milestones.killed, 3)}) for moment in every]


def _since(at: float | None, killed: float) -> float | None:
    return None if at is None else round(at - killed, 3)
