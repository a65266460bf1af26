"""rescue_records: read what is stranded on the returned site into S3, before anything of it is truncated.

Every call goes on from what S3 has; it reads for some seconds, writes whole segments, and keeps in the ledger how far
each partition is. It is done when every stranded offset is accounted for, as S3 tells it: read as a record, or proven
to hold none; and, if the plan has a recovery topic, when all of it is there, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from failover.documents.steps import RecordsRescued
from failover.errors import RescueIncomplete
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.plan.model import Plan
from failover.rescue.archive import Archive
from failover.rescue.record import load_progress, load_stranded, save_progress
from failover.rescue.recovery import Recovery, begin, load_recovery, recover, save_recovery, unrecovered
from failover.rescue.save import save_ranges
from failover.rescue.stranded import NAMED, Saved, Spot, Stranded, unsaved


def rescue(request: Request, plan: Plan) -> Report:
    """Save for some seconds; done when nothing is unsaved.

    Raises:
        RescueIncomplete: nothing was measured; the plan has no `rescue`; or records are not on the site any more, and
            the plan does not want to go on without them.
    """
    execution = request.execution
    stranded = load_stranded(ledger(), execution)
    if execution.dry_run:
        return done(would_rescue=None if stranded is None else sum(entry.offsets for entry in stranded.ranges))
    if stranded is None:
        raise RescueIncomplete("what is stranded was not measured: nothing is known to be saved, or to be truncated")
    if not stranded.ranges:
        return done(**_observed(stranded, load_progress(ledger(), execution), []))
    if plan.rescue is None:
        raise RescueIncomplete(
            f"{len(stranded.ranges)} partitions of {stranded.site} hold stranded records, and the plan has no rescue:"
            " nothing was truncated. Say in the plan where they are to be kept, and redrive"
        )
    without_gone = plan.rescue.on_gone == "go-on"
    archive, recorded = Archive(plan.rescue, plan.name, execution.name), load_progress(ledger(), execution)
    progress = as_controller(
        plan,
        stranded.site,
        lambda settings: save_ranges(settings, archive, stranded.ranges, recorded, without_gone=without_gone),
    )
    if progress != recorded:
        save_progress(ledger(), execution, progress)
    reasons = unsaved(stranded, progress, without_gone=without_gone)
    observed = _observed(stranded, progress, reasons)
    if reasons:
        return waiting(**observed)
    if plan.rescue.recovery_topic is None:
        return done(**observed)
    recovery = _recovered(request, plan, archive, stranded=stranded, topic=plan.rescue.recovery_topic)
    observed["recovered"] = sum(recovered.records for recovered in recovery.spots.values())
    behind = unrecovered(stranded.ranges, recovery)
    return waiting(**observed, unrecovered=len(behind)) if behind else done(**observed)


def _recovered(request: Request, plan: Plan, archive: Archive, *, stranded: Stranded, topic: str) -> Recovery:
    """How far records are in the recovery topic, once more of them were written to it."""
    execution, active = request.execution, plan.other(stranded.site)
    recovery = load_recovery(ledger(), execution)
    if recovery is None:
        recovery = as_controller(plan, active, lambda settings: begin(settings, topic))
        save_recovery(ledger(), execution, recovery)
    if not unrecovered(stranded.ranges, recovery):
        return recovery
    before = recovery
    recovery = as_controller(
        plan,
        active,
        lambda settings: recover(settings, archive, topic=topic, ranges=stranded.ranges, earlier=before),
    )
    save_recovery(ledger(), execution, recovery)
    return recovery


def _observed(stranded: Stranded, progress: Mapping[Spot, Saved], reasons: list[str]) -> RecordsRescued:
    """What this execution saved altogether: a redrive finds stranded no more what it truncated before it stopped."""
    saved = list(progress.values())
    spots = {entry.spot for entry in stranded.ranges}
    truncated = [entry.next_offset - entry.begin for spot, entry in progress.items() if spot not in spots]
    return {
        "site": stranded.site,
        "partitions": len(stranded.ranges) + len(truncated),
        "diverged": sum(entry.offsets for entry in stranded.ranges) + sum(truncated),
        "saved": sum(entry.records for entry in saved),
        "without_record": sum(entry.without_record for entry in saved),
        "gone": sum(entry.gone for entry in saved),
        "bytes": sum(entry.size for entry in saved),
        "objects": sum(entry.objects for entry in saved),
        "unsaved": reasons[:NAMED],
        "unsaved_count": len(reasons),
    }


handler = step("rescue_records", Request, rescue)
