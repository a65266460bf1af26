"""What is decided of, and what comes of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass

from failover.detection.evidence import Evidence
from failover.documents.decision import Verdict
from failover.ledger.records import PlanState
from failover.plan.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done, and why."""

    verdict: Verdict
    why: str
    votes: tuple[str, ...] = ()
    """The sources whose word counts."""
    guard: str = ""
    """The name of the guard that gave the reason; empty to proceed."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to decide."""

    evidence: Evidence
    policy: Policy
    state: PlanState
    manual: bool
    """A person started it, so votes are not asked, the standby is."""
    forced: bool = False
    """That person wants to leave the site although it answers."""
    dry_run: bool = False
    """It is walked through, and nothing is changed."""
    leads_back: bool = False
    """To the active site, which those were leaving that it takes over from."""
    gateways_fenced: bool = False
    """Those it takes over from have fenced the standby's gateways, which may answer nobody for that reason alone."""
    now: float
    """Seconds since 1970."""
    deferred_to: str | None = None
    """Why another controller is to act for this site, if one is."""
    ended_holder: str | None = None
    """How the holder of the lease ended without releasing it, if it did."""
    holder_silent_s: float = 0.0
    """For how many seconds nobody can tell whether the holder of the lease runs."""
    holder_kind: str = ""
    """What the holder of the lease does; empty: nothing that is known of."""

    @property
    def lost_site(self) -> str:
        """The site that is said to be lost."""
        return self.evidence.lost_site
