"""A verb for thousands of mirrors: asked by name, batch by batch, side by side, for a few seconds a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from failover.errors import LinkUnavailable
from failover.link import MirrorLink, Rejection

BATCH: Final = 250
SIDE_BY_SIDE: Final = 4
ASKING_S: Final = 6.0
"""A REST API that crawls must not outlast the call of a step: what is not asked for by then is in the next one."""

Verb = Callable[[MirrorLink, Sequence[str]], list[Rejection]]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What became of a verb that was asked for of many mirrors; accepted is not done."""

    requested: int
    """How many mirrors it was asked for of, now or in a later call."""
    rejected: tuple[Rejection, ...]
    unanswered: tuple[str, ...]
    """Why a batch has no answer: it may have been carried out."""
    retry_after: float
    """Seconds that a server asked to be left alone for."""

    @property
    def all_refused(self) -> bool:
        """Whether it is known that nothing was accepted, and that asking again is of no use."""
        refused = [row for row in self.rejected if not row.may_pass]
        return bool(self.requested) and not self.unanswered and len(refused) == self.requested


def ask_in_batches(topics: Mapping[MirrorLink, Sequence[str]], verb: Verb, *, batch_of: int = BATCH) -> Answers:
    """Ask each link for its topics, so many in a call.

    Raises:
        LinkRejected, CredentialsMissing, ServiceUnavailable
    """
    batches = [
        (link, of_link[first : first + batch_of])
        for link, of_link in topics.items()
        for first in range(0, len(of_link), batch_of)
    ]
    deadline = time.monotonic() + ASKING_S

    requested_pauses: list[float] = []

    def ask(batch: tuple[MirrorLink, Sequence[str]]) -> list[Rejection] | str:
        if time.monotonic() > deadline:
            return "not asked in this call"
        try:
            return verb(*batch)
        except LinkUnavailable as error:
            requested_pauses.append(error.retry_after or 0.0)
            return str(error)

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        answers = list(pool.map(ask, batches))
    return Answers(
        requested=sum(len(of_link) for _, of_link in batches),
        rejected=tuple(row for answer in answers if not isinstance(answer, str) for row in answer),
        unanswered=tuple(answer for answer in answers if isinstance(answer, str)),
        retry_after=max(requested_pauses, default=0.0),
    )
