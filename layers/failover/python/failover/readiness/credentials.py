"""The credentials: that they work where they will be used on the day. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from failover.link import Rejection
from failover.readiness import Finding, fail, listed, ok, unknown


def promotion(link: str, mirrors: int, rejected: Sequence[Rejection]) -> Iterator[Finding]:
    """Whether the standby would take the very call that promotes (`validate_only`), for every mirror by name."""
    if not mirrors:
        yield unknown(f"link {link} has no mirror to ask for", "create the mirrors")
    passing = [row for row in rejected if row.may_pass]
    refused = [row for row in rejected if not row.may_pass]
    if refused:
        yield fail(
            f"the failover of {len(refused):,} of {mirrors:,} mirrors of link {link} would be refused:"
            f" {listed(map(_described, refused))}",
            "look at those mirrors, and at the rights of the secret's principal: it needs ALTER on the cluster",
        )
    if passing:
        yield unknown(
            f"the failover of {len(passing):,} mirrors of link {link} could not be validated:"
            f" {listed(map(_described, passing))}",
            "look again in a minute",
        )
    if mirrors and not rejected:
        yield ok(f"the failover of {mirrors:,} mirrors of link {link} would be accepted")


def _described(row: Rejection) -> str:
    return f"{row.topic} {row.code} {row.message}"


def reached(where: str, actual: str, expected: str) -> Iterator[Finding]:
    """Whether a client that logs in there meets the cluster it should."""
    if actual == expected:
        yield ok(f"a client logs in through {where}, and meets {actual}")
    else:
        yield fail(
            f"a client that logs in through {where} meets {actual}, not {expected}", "look at where it is routed"
        )
