"""measure_divergence: count exactly what the returned site holds beyond the one that took over, before any of it goes.

A partition is cut where the link says that it would truncate it, or, where the link does not tell, where the failover
recorded that its mirror ended at STOPPED; so it is for every topic that is to be deleted and mirrored anew. What it
holds from there on, up to where its log ends now, is stranded. What is a mirror again by now, or deleted, was measured
before, and keeps its figure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from failover.documents.steps import Divergence
from failover.errors import DivergenceUnknown
from failover.execution.inventory import inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Offsets, Spot, in_words, log_ends
from failover.link import STOPPED, MirrorLink, Rejection, Truncation, is_bidirectional
from failover.link.batches import ask_in_batches
from failover.link.factory import cluster_at, links_at
from failover.loss.divergence import divergence, log_ends_at_promotion, save_divergence
from failover.plan.model import Plan
from failover.rescue.record import save_stranded
from failover.rescue.stranded import Stranded, StrandedRange

NAMED: Final = 20
QUIET_S: Final = 0.5
"""Between the two looks of a call."""


class MeasureRequest(Request):
    """`last_chance`: waiting longer is no option, so what is not known by now can't be restored. `delete_topics`: those
    whose link is not bidirectional are not truncated."""

    last_chance: bool = False
    delete_topics: bool = False


def measure(request: MeasureRequest, plan: Plan) -> Report:
    """Look; done when every partition's range is known, and nothing grows.

    Raises:
        DivergenceUnknown: a range is not known, or grows, and this is the last chance.
    """
    execution, returned = request.execution, request.execution.from_site
    expected = inventory(ledger(), execution)
    links = {link.name: link for link in links_at(plan, returned)}
    mirrored = {mirror.topic for link in links.values() for mirror in link.mirrors() if mirror.status != STOPPED}
    anew = {name for name, link in links.items() if request.delete_topics and not is_bidirectional(link)}
    here = {topic.name for topic in cluster_at(plan, returned).topics()} if anew else expected.keys()
    over = mirrored | {name for name, entry in expected.items() if entry.link in anew and name not in here}
    before = [stranded for stranded in divergence(ledger(), execution) if stranded.topic in over]
    topics = {name: entry for name, entry in expected.items() if name not in over}
    spots = [(topic, partition) for topic, entry in topics.items() for partition in entry.lags]
    cuts: dict[Spot, int] = {}

    def ask(link: MirrorLink, of_batch: Sequence[str]) -> list[Rejection]:
        answers = link.truncate_and_restore(of_batch, validate_only=True)
        cuts.update(_cuts(answers))
        return [answer.rejection for answer in answers if answer.rejection]

    of_links = {
        link: [topic for topic, entry in topics.items() if entry.link == name]
        for name, link in links.items()
        if name not in anew
    }
    answers = ask_in_batches(of_links, ask)
    recorded = {spot: end for spot, end in log_ends_at_promotion(ledger(), execution).items() if spot not in cuts}
    earlier = _ends(plan, returned, spots)
    time.sleep(QUIET_S)
    later = _ends(plan, returned, spots)
    ranges, unknown = _ranges(spots, cuts | recorded, later)
    unknown += [*map(str, answers.rejected), *answers.unanswered]
    growing = sorted(spot for spot, end in later.by_partition.items() if end != earlier.by_partition.get(spot))
    every = [*before, *ranges]
    worst = sorted((entry for entry in every if entry.offsets), key=lambda entry: (-entry.offsets, entry.spot))
    observed: Divergence = {
        "partitions": len(every),
        "diverged_partitions": len(worst),
        "diverged": sum(entry.offsets for entry in every),
        "worst": [f"{in_words(entry.spot)} {entry.offsets:,}" for entry in worst[:NAMED]],
        "growing": [in_words(spot) for spot in growing[:NAMED]],
        "unknown": unknown[:NAMED],
        "unknown_count": len(unknown),
        "by_recorded_ends": sum(spot in recorded for spot in spots),
    }
    if unknown or growing:
        if request.last_chance:
            raise DivergenceUnknown(
                f"what {returned} holds beyond {execution.to_site} is not known exactly, so nothing is truncated:"
                f" {'; '.join([*unknown, *(f'{in_words(spot)} grows' for spot in growing)][:NAMED])}"
            )
        return waiting(**observed)
    save_divergence(ledger(), execution, every)
    save_stranded(ledger(), execution, Stranded(returned, tuple(entry for entry in ranges if entry.offsets)))
    return done(**observed)


def _cuts(answers: Sequence[Truncation]) -> dict[Spot, int]:
    """Where the link would cut entry partition; those that it does not tell of are left out."""
    return {
        (answer.topic, partition): offset
        for answer in answers
        if answer.rejection is None
        for partition, offset, _ in answer.partitions
        if offset >= 0
    }


def _ranges(spots: Sequence[Spot], cuts: Mapping[Spot, int], ends: Offsets) -> tuple[list[StrandedRange], list[str]]:
    """Each partition's range; and, in words, those that are not known."""
    ranges: list[StrandedRange] = []
    unknown: list[str] = []
    reasons = ends.unknown | ends.refused
    for spot in spots:
        cut, end = cuts.get(spot), ends.by_partition.get(spot)
        if cut is None:
            unknown.append(f"{in_words(spot)}: neither the link nor the failover's record tells where it is cut")
        elif end is None:
            unknown.append(f"{in_words(spot)}: {reasons.get(spot, 'its end is not told')}")
        else:
            ranges.append(StrandedRange(topic=spot[0], partition=spot[1], begin=min(cut, end), end=end))
    return ranges, unknown


def _ends(plan: Plan, site: str, spots: Sequence[Spot]) -> Offsets:
    return as_controller(plan, site, lambda settings: log_ends(settings, spots))


handler = step("measure_divergence", MeasureRequest, measure)
