"""What each step reports: the answer of its function, whose `observed` the ledger keeps, too."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, Required, TypeVar

from typing_extensions import TypedDict

from failover.documents.decision import Evidence, Verdict
from failover.documents.execution import ExecutionReport, HookCall, Loss

Observed = TypeVar("Observed")


class Unanswered(TypedDict):
    """Whom a step asked is asked too much, and told nothing. It changes nothing of what was observed before."""

    why: str
    """The error's name and words."""


class StepReport(TypedDict, Generic[Observed]):
    """The answer of a step's function."""

    version: Literal[1]
    status: Literal["done", "waiting", "unanswered"]
    observed: Observed | Unanswered
    retry_after: int
    """Seconds until it wants to be called again."""


class FleetAt(TypedDict):
    """A fleet, and where it stands."""

    site: str
    """The site, or the place near the clients."""
    fleet: str


class Claimed(TypedDict):
    """The answer of claim: what the later states of the execution go by."""

    version: Literal[1]
    execution: dict[str, Any]
    """Carried to every later step, unchanged."""
    fleets_joining: list[FleetAt]
    """Those of the site that becomes active: no client comes through them before."""
    fleets_staying: list[FleetAt]
    """Those that clients come through before and afterwards, wherever they stand."""
    fleets_leaving: list[FleetAt]
    """Those of the site that is left: no client comes through them afterwards."""
    superseding: bool
    """The lease was taken over from another execution."""
    predecessor_wait_seconds: int
    """For how long a call of that one may still be in flight."""
    approval_timeout_seconds: int
    on_approval_timeout: str
    promotion_timeout_seconds: int
    drain_timeout_seconds: int
    discard: bool
    """Of a restore: what is stranded is truncated, though nothing saves it."""
    delete_topics: bool
    """Of a restore: topics whose link can't be reversed are deleted, and mirrored anew."""
    hooks: list[str]
    """The turns at which the plan has hooks."""


class Concluded(TypedDict, total=False):
    """The answer of conclude, and so the output of an execution; or the step that a redrive goes on with."""

    version: Required[Literal[1]]
    outcome: Literal["succeeded", "stood-down", "failed"]
    why: str
    report: ExecutionReport
    resume: str | None


class Assessed(TypedDict):
    """assess: the decision, and what it stands on."""

    verdict: Verdict
    why: str
    votes: list[str]
    guard: str
    stands_until_resumed: bool
    evidence: Evidence
    expected_loss: Loss
    known_unready: list[str]
    would: NotRequired[Verdict]
    """Of a dry run, which goes on whatever the verdict."""


class ApprovalRequested(TypedDict):
    """request_approval: a person is asked."""

    asked: Literal[True]
    untold: NotRequired[str]
    """Why no message was sent; the question stands all the same."""


class Fenced(TypedDict):
    """fence: what became of each fleet that carries clients."""

    fleets: dict[str, str]


class Promotion(TypedDict, total=False):
    """promote_mirrors: how many mirrors there are, and those that are not STOPPED."""

    mirrors: int
    by_status: dict[str, int]
    left: list[str]
    """Not STOPPED yet, the first of them."""
    left_behind: list[str]
    left_behind_count: int
    rejected: list[str]
    unreachable: list[str]
    """What gave no answer."""
    would_promote: int


class Prechecked(TypedDict, total=False):
    """precheck: what is in doubt before a switchover changes anything."""

    verdict: Verdict
    why: str
    doubts: list[str]
    """The first of them."""
    doubts_count: int
    by_status: dict[str, int]
    lag: int | None
    """Records by which the mirrors trail, as the standby last saw it; None: it is not known of every partition."""


class Drained(TypedDict, total=False):
    """drain_mirrors: where both logs of each partition end."""

    partitions: int
    behind: int
    """Partitions whose mirror ends elsewhere than its source."""
    behind_by: int
    """Records, of all of them; of those in `not_told` nothing is known."""
    not_drained: list[str]
    growing: list[str]
    """Those whose source moved between the two looks of a call."""
    not_told: list[str]
    would_drain: int


class Reversal(TypedDict, total=False):
    """reverse_mirrors: how many mirrors change places, and those that have not yet; or whether they lead back."""

    mirrors: int
    by_status: dict[str, int]
    left: list[str]
    left_count: int
    rejected: list[str]
    unreachable: list[str]
    would_reverse: int
    mirrors_back: int
    not_back: list[str]
    not_back_count: int
    would_look_at: int


class RestorePrechecked(TypedDict, total=False):
    """precheck of a restore: what is in doubt before anything is changed."""

    verdict: Verdict
    why: str
    doubts: list[str]
    """The first of them."""
    doubts_count: int
    by_status: dict[str, int]
    """The mirrors that the returned site has already."""
    topics: int
    """To be mirrors again."""
    to_be_deleted: int
    """Of those, what is on the returned site and its link can't reverse: deleted, and mirrored anew."""
    deleted: list[str]
    """What was a mirror, and one of the sites has no more: it is left alone."""
    deleted_count: int


class Divergence(TypedDict, total=False):
    """measure_divergence: what the returned site holds beyond the one that took over, exactly."""

    partitions: int
    diverged_partitions: int
    diverged: int
    """Records, by their offsets: control records, and offsets that compaction left empty, are among them."""
    worst: list[str]
    """The first of the partitions that diverged most."""
    growing: list[str]
    """Those that somebody wrote to between two looks."""
    unknown: list[str]
    unknown_count: int
    by_recorded_ends: int
    """Partitions that the link does not tell of: their end at STOPPED, as the failover recorded it, is the measure."""


class Restored(TypedDict, total=False):
    """restore_mirrors: the returned site's topics, on their way to be mirrors of the active site's."""

    topics: int
    by_status: dict[str, int]
    unready: list[str]
    """Not ACTIVE yet, or of unknown lag; the first of them."""
    unready_count: int
    rejected: list[str]
    unreachable: list[str]
    """What gave no answer."""
    lag: int | None
    """Records by which the new mirrors trail; None: it is not known of every partition."""
    discarded: bool
    """What was stranded was truncated, though nothing saved it."""
    deleted: int
    """Topics that were asked in this call to be deleted, since their link can't reverse them."""
    would_restore: int
    would_delete: int


class OffsetsSynced(TypedDict):
    """sync_offsets: the protected groups' offsets on both sites."""

    groups: int
    compared: int
    differing: list[str]
    committed: int
    refused: list[str]
    unknown: list[str]


class GroupsCreated(TypedDict, total=False):
    """create_groups: protected groups of the new protocol on the standby."""

    groups: int
    protocol_unknown: list[str]
    """Groups of which nobody has told their protocol."""
    created: list[str]
    failed: list[str]
    failed_count: int
    would_create: list[str]


class OffsetsChecked(TypedDict):
    """check_offsets: committed offsets against the ends of the promoted topics."""

    partitions: int
    unknown: list[str]
    unknown_count: int
    groups: list[str]
    offset_sync_seconds: float | None
    open_transactions: list[str]
    ahead: list[str]
    ahead_count: int
    clamped: list[str]
    refused: list[str]
    retried: list[str]


class Capacity(TypedDict, total=False):
    """How many instances a fleet needs that clients come to next, and what was done about it."""

    needed: Required[int | None]
    """None: nobody knows how many those had that clients come from."""
    basis: str
    """How many each of those had, and has."""
    before: int | None
    """Instances that it was asked for when that was decided."""
    ready_before: int
    """Instances that were proven to be routed there then; 0 where it was on its way."""
    raised_to: int
    would_raise_to: int
    """By a dry run."""
    short_because: str
    """Why clients were let in to fewer."""


class RouteSwitch(TypedDict, total=False):
    """switch_routes: how one fleet is routed, and how far it is with it."""

    target: str
    routed_from: str | None
    instances: int
    unproven: list[str]
    missing: int
    """Instances that are wanted and not there yet."""
    detail: str
    tier: str
    capacity: Capacity
    """Of a fleet that clients come to next."""
    out_of_reach: str
    out_of_service: str
    """Why no client writes through it; empty where one may."""
    would_route_to: str
    routed_to: str | None


class NameFlip(TypedDict, total=False):
    """flip_dns: where the client hostname leads."""

    hostname: str
    why: str
    """Why there is nothing to flip."""
    record: str | None
    answers: dict[str, str]
    """By name server."""
    change: str | None
    unreached: list[str]
    failed: list[str]
    would_point_at: str
    resolvers: dict[str, str]


class Verified(TypedDict, total=False):
    """verify: what is proven of the way of a client, and what is not yet."""

    proven: list[str]
    unproven: list[str]
    would_still_have_to_prove: list[str]
    left_behind: dict[str, str]
    """The fleets of the lost site."""


class RecordsRescued(TypedDict, total=False):
    """rescue_records: what was stranded on the returned site, and what of it is in S3."""

    site: str
    partitions: int
    diverged: int
    """Offsets that were stranded."""
    saved: int
    """Records in S3."""
    without_record: int
    """Offsets that hold none: a transaction's marker, or compacted away."""
    gone: int
    """Offsets that the site did not have any more."""
    bytes: int
    objects: int
    unsaved: list[str]
    """The first partitions that are not saved, and why."""
    unsaved_count: int
    recovered: int
    """Records in the recovery topic."""
    unrecovered: int
    """Partitions whose records are not all there yet."""
    would_rescue: int | None
    """By a dry run: stranded offsets; None where nothing was measured."""


class HooksCalled(TypedDict):
    """call_hooks: the hooks of one turn; by a dry run, whether they could be called."""

    moment: str
    hooks: list[HookCall]
    redrives: int
    """How often the execution was redriven by then: each time, who has not answered has all of its time again."""


class PracticeProgress(TypedDict, total=False):
    """run_practice: how far it is, or how it ended."""

    outcome: Literal["succeeded", "stood-down", "failed"]
    why: Required[str]
