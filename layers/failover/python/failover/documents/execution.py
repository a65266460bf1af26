"""The report of an execution, as the ledger keeps it, people are sent it and the bus has it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Direction = TypedDict("Direction", {"from": str, "to": str})
"""The site that is left, and the one that becomes active."""
Period = TypedDict("Period", {"records": int, "from": float, "to": float})
"""Records by which fresh samples trailed, and when the first and the last of them was taken."""


class RecordRange(TypedDict):
    """A number of records, from at least to at most."""

    low: int
    high: int


class FreshSample(TypedDict):
    """The last sample of a partition that is proven fresh."""

    records: int
    at: float
    proof: str


class MeasuredLoss(TypedDict):
    """What was really stranded, counted on the returned site by a restore."""

    records: int
    """By their offsets: control records, and offsets that compaction left empty, are among them."""
    partitions: int
    """Of which it was measured."""
    unmeasured_partitions: int
    """Those that the failover knew of, and that could not be measured any more: they are in no total."""
    at: float
    execution: str
    """The restore."""


class PartitionLoss(TypedDict):
    """What is known of one partition."""

    topic: str
    partition: int
    observed: FreshSample | None
    estimated: RecordRange | None
    measured: None
    log_end_at_promotion: int | None


class Loss(TypedDict):
    """What was stranded, as far as it is known; a partition of which nothing is known is in no total."""

    label: Literal["measured", "estimated", "unknown"]
    partitions: int
    unknown_partitions: int
    unknown: list[str]
    """The first of them."""
    records: RecordRange | None
    """None: nothing is known of any partition."""
    at_least: int
    observed: Period | None
    lost_by: float
    """When the lost site is first known not to have answered."""
    measured: MeasuredLoss | None
    """None until the lost site is restored."""
    not_measured_because: str
    """Empty: it was."""
    worst: list[PartitionLoss]
    basis: str
    table: NotRequired[str]
    """The key of the whole table in the ledger."""
    peak_rate: NotRequired[float | None]
    """Records a second."""


class ReadAgain(TypedDict):
    """How much a protected group may read a second time."""

    label: Literal["bounded", "unknown"]
    seconds: float | None
    records: int | None


class OffsetsAhead(TypedDict):
    """Committed offsets beyond the end of their partition."""

    label: Literal["measured", "unknown"]
    count: int | None
    offsets: list[str]
    clamped: list[str]
    refused: list[str]
    unknown: list[str]


class Consumers(TypedDict):
    """What protected groups go through."""

    groups: list[str]
    read_again: ReadAgain
    ahead: OffsetsAhead
    open_transactions: list[str]


class OffsetsCarried(TypedDict):
    """What became of the protected groups' offsets in a switchover."""

    label: Literal["measured", "unknown"]
    compared: int | None
    """Partitions that a group has an offset for."""
    committed: int | None
    """Those that the standby had another offset for, or none."""
    refused: list[str]
    unknown: list[str]


class Switchover(TypedDict):
    """What makes it a switchover."""

    drained_partitions: int | None
    """Partitions whose logs ended alike on both clusters before a mirror was reversed; None: that is not known."""
    offsets: OffsetsCarried
    mirrors_back: int | None
    """Topics that the site that was left mirrors by now; None: nobody looked."""
    put_back: list[str]
    """The fleets that were led back, since it was given up."""


class Restore(TypedDict):
    """What makes it a restore."""

    diverged: int | None
    """Records, by their offsets, that the returned site held beyond the active one; None: that is not known."""
    saved: int | None
    """Of those, how many are saved, or proven to hold no record; None: nothing tells."""
    discarded: bool
    """The rest was truncated all the same, since the start said so."""
    topics: int | None
    """To be mirrors again."""
    by_status: dict[str, int]
    """The returned site's mirrors, when it was last looked."""
    deleted: list[str]
    """What was a mirror, and one of the sites has no more: it is left alone."""


class Objectives(TypedDict):
    """What the plan aims at; None: it sets no such aim."""

    rto_seconds: int | None
    rpo_records: int | None


class Approval(TypedDict):
    """What a person answered to the question of an execution."""

    answer: Literal["approve", "deny"]
    by: str
    """In their own words, or as IAM knows them."""
    at: float
    why: str


class StepTiming(TypedDict):
    """A step, and how long it took."""

    step: str
    status: str
    calls: int
    started_at: float
    reported_at: float
    took_seconds: float
    """Without the time for which the execution was stopped."""
    observed: NotRequired[dict[str, Any]]
    """Of a dry run: what the step saw, and would have done."""


class Stop(TypedDict):
    """That an execution stopped, and was gone on with, if it was."""

    at: float
    """When it was recorded."""
    step: str | None
    """The step that could not go on; None: nothing tells which."""
    error: str
    """Its name."""
    why: str
    site: str | None
    """The site whose cluster refused the step; None: none did, or nothing tells."""
    remedy: str
    """What to do before a redrive."""
    redriven_at: float | None
    """None: it was not redriven since."""


class Predecessor(TypedDict):
    """An execution whose lease was taken over."""

    execution: str
    status: str
    reached: dict[str, str]
    """What each of its steps that changes something last reported."""


class HookCall(TypedDict):
    """What became of one hook at one turn."""

    moment: str
    hook: str
    status: Literal["done", "waiting", "failed", "went-on"]
    """`went-on`: it failed, and the plan goes on without it."""
    why: str
    calls: int
    first_called_at: float
    took_seconds: float


class FleetCapacity(TypedDict):
    """How large a fleet was when clients were let in to it."""

    fleet: str
    needed: int | None
    """Instances that those had that clients came from; None: nobody knows."""
    before: int | None
    """Instances that it was asked for, before the execution."""
    raised_to: int | None
    """None: it was not raised."""
    short_because: str
    """Why clients were let in to fewer; empty: they were not."""


class ExecutionReport(Direction):
    """How an execution ended."""

    version: Literal[1]
    plan: str
    execution: str
    arn: NotRequired[str]
    """Of its run in Step Functions; not in reports of before."""
    epoch: int
    kind: Literal["failover", "switchover", "restore"]
    dry_run: bool
    manual: bool
    started_by: str
    reason: str
    outcome: Literal["succeeded", "stood-down", "failed"]
    why: str
    votes: list[str]
    guard: str
    stands_until_resumed: bool
    outage_started_at: float | None
    claimed_at: float
    ended_at: float
    recovery_seconds: float | None
    """None: nothing was recovered."""
    objectives: Objectives
    approval: Approval | None
    """None: nobody was asked, or nobody answered in time."""
    loss: Loss | None
    """None: nothing was promoted."""
    consumers: Consumers
    left_behind: list[str]
    """Mirrors that are not STOPPED."""
    capacity: NotRequired[list[FleetCapacity]]
    """Of the fleets that clients came to; not in reports of before."""
    switchover: Switchover | None
    """None: it was none."""
    restore: Restore | None
    """None: it was none."""
    hooks: list[HookCall]
    """What became of the plan's hooks; those of a dry run were not called."""
    steps: list[StepTiming]
    predecessors: list[Predecessor]
    clients_found_at: str | None
    """Where an execution that stood down saw the client hostname lead, if it took over from another."""
    stopped_at: str | None
    """The step that failed."""
    error: dict[str, Any] | None
    """As Step Functions gives it."""
    redrives: int
    stops: NotRequired[list[Stop]]
    """Every time that it stopped, the first one first; not in reports of before."""


class ExecutionEnded(ExecutionReport):
    """The event `Failover succeeded`, `Failover stood-down` or `Failover failed`; or `Switchover …`, `Restore …`."""

    key: str
    """The same for an event that is put again."""
