"""The report, as `report.json` has it.

Times are seconds from the loss, but for `started_at` and `killed_at` (seconds since 1970); counts are records. A figure
that could not be measured is null, and `unmeasured` says why.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rto(_Part):
    """From the loss to the first record of the recommended writer that the standby acknowledged, and its parts, in
    seconds."""

    total: float | None
    detection: float | None
    decision: float | None
    promotion: float | None
    routes: float | None
    dns: float | None
    clients: float | None
    readers: float | None = None
    """From the loss to the first record that the recommended reader got from the standby."""


class Step(_Part):
    """One step of the execution. `ended` is None if it never ended."""

    name: str
    started: float
    ended: float | None
    status: str
    detail: str = ""


class Moment(_Part):
    """Something that happened at one time: the loss, an alarm, a rebalance, the flipped name."""

    at: float
    name: str
    detail: str = ""


class Range(_Part):
    """How many records, at least and at most."""

    low: int
    high: int

    def holds(self, least: int | None, more: int = 0) -> bool | None:
        """Whether a figure that is `least`, or up to so many `more`, may be within; None if there is no figure."""
        return None if least is None else self.low <= least + more and least <= self.high


class Observed(_Part):
    """The lag that the controller last knew to be fresh. `at`: seconds from the loss; `proof`: why it was fresh."""

    records: int
    at: float
    proof: str


class PartitionLoss(_Part):
    """One partition. `stranded` is measured; `observed` and `estimated` are the controller's, None: unknown.
    `ranges`: first and last offset, on the lost site, of each run of stranded records."""

    topic: str
    partition: int
    acknowledged: int
    acknowledged_by_lost_site: int | None
    mirrored_to: int | None
    stranded: int | None
    observed: Observed | None
    estimated: Range | None
    ranges: list[tuple[int, int]]
    consumed_before: int | None
    duplicates: int
    out_of_order: int
    resumed: bool | None


class Loss(_Part):
    """Stranded records: counted by matching logs (`measured`), and as the controller estimated them.

    `in_flight`: records that were on their way at the loss; the lost site's log may hold them, unacknowledged.
    `consumed_before`: stranded records that the consumer had read before the site was lost. `estimate_holds`: whether
    the measured figure, with as many of those in flight as may be, is within the estimated range.
    """

    measured: int | None
    in_flight: int | None
    estimated: Range | None
    estimate_holds: bool | None
    estimate_basis: str
    unknown_partitions: int | None
    consumed_before: int | None
    partitions: list[PartitionLoss]


class BySite(_Part):
    """Records by the cluster they touched."""

    lost_site: int | None
    standby: int | None


class Comparison(_Part):
    """A figure as the controller gives it, labelled (estimated, bounded, measured), and as the clients' logs do."""

    what: str
    label: str
    unit: str
    controller: float | Range | None
    measured: float | None
    difference: float | None


class Rate(_Part):
    """Records in the second that starts `second` seconds after the loss."""

    second: int
    sent: int
    acknowledged_by_lost_site: int
    acknowledged_by_standby: int
    consumed_from_lost_site: int
    consumed_from_standby: int


class ClientFigures(_Part):
    """One client. A figure that is none of its role's is null; so is one that could not be measured."""

    family: str
    version: str
    settings: Literal["recommended", "default"]
    role: Literal["writer", "reader"]
    recovered_s: float | None
    """Seconds from the loss, or from its own start where that was on the standby, to its first record there; null:
    never."""
    duplicates: int | None
    """Of a writer: records that the standby's log holds more than once. Of a reader: receptions beyond a record's
    first."""
    lost: int | None
    """Of a writer: records that the lost site had acknowledged, and that are not on the standby."""
    skipped: int | None
    """Of a reader: records on the standby that it never received, though it received later ones of their partition."""
    out_of_order: int | None
    """In the standby's log, or as received."""
    errors: dict[str, int]
    """What the library told the application, by name."""


class Plans(_Part):
    """Every plan of the lost region. `stopped`: those that did not fail over, and why; the rest are seconds from the
    loss until the last of them was judged, its record changed and that in sync, None: not every one got so far."""

    count: int
    failed_over: int
    stopped: dict[str, str]
    last_judged: float | None
    last_changed: float | None
    last_in_sync: float | None


class Report(_Part):
    """One drill. Counts are of the two pairs together that every drill has, but in `clients`."""

    scenario: str
    description: str
    loss_kind: str
    timing: Literal["drill", "aws"]
    """Whose delays it ran with: this machine's own, or also those that things take on AWS."""
    recovered: bool
    rto: Rto
    alarm_to_dns: float | None
    loss: Loss
    duplicates: int | None
    out_of_order: int | None
    acknowledged: int | None
    consumed: int | None
    sent: int | None
    failed: int | None
    never_consumed: int | None
    stored_twice: int | None
    acknowledged_by: BySite
    consumed_by: BySite
    first_consumed_from_standby: float | None
    every_partition_resumed: float | None
    plan: str
    lost_site: str
    standby: str
    started_at: float
    killed_at: float
    outcome: str
    timeline: list[Step]
    moments: list[Moment]
    rates: list[Rate]
    target_rate: float
    comparisons: list[Comparison]
    errors: dict[str, int]
    clients: list[ClientFigures]
    world: dict[str, str | float]
    settings: dict[str, dict[str, str | int | float | bool]]
    unmeasured: list[str]
    plans: Plans | None = None
    """Where there was more than the one whose clients these are."""

    @property
    def complete(self) -> bool:
        """Whether the drill succeeded: the clients recovered, every figure was measured, and no plan stopped."""
        return self.recovered and not self.unmeasured and not (self.plans and self.plans.stopped)
