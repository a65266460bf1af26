"""The sum of findings: the worst decides, and what is not known is never taken for good."""

from __future__ import annotations

from itertools import permutations

import pytest

from failover.errors import CredentialsMissing, LedgerUnavailable, LinkRejected, LinkUncertain
from failover.readiness import FACTS_AT_MOST, Finding, check, fail, ok, unknown, unreadable, warn

FINDINGS = [ok("o"), warn("w", "mend w"), unknown("u", "mend u"), fail("f", "mend f")]


@pytest.mark.parametrize("found", list(permutations(FINDINGS)))
def test_the_worst_finding_decides_and_is_said_first(found: tuple[Finding, ...]) -> None:
    made = check("it", found)
    assert (made.status, made.evidence) == ("fail", ("f", "u", "w", "o"))
    assert made.remedy == "mend f; mend u; mend w"


@pytest.mark.parametrize(("worst", "ready"), [("pass", True), ("warn", True), ("unknown", False), ("fail", False)])
def test_only_what_is_known_to_work_is_ready(worst: str, ready: bool) -> None:
    assert check("it", [each for each in FINDINGS if each.status in (worst, "pass")]).ready is ready


def test_nothing_found_is_unknown() -> None:
    assert check("it", []).status == "unknown"


def test_a_check_says_so_much_and_how_much_more_there_is() -> None:
    made = check("it", [ok(str(number)) for number in range(FACTS_AT_MOST + 3)])
    assert len(made.evidence) == FACTS_AT_MOST + 1 and made.evidence[-1] == "and 3 more"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LedgerUnavailable("no answer"), "unknown"),
        (LinkUncertain("no answer"), "unknown"),
        (LinkRejected("403"), "fail"),
        (CredentialsMissing("none"), "fail"),
        (ZeroDivisionError("a bug"), "unknown"),
    ],
)
def test_no_answer_is_unknown_and_a_refusal_a_failure(error: Exception, status: str) -> None:
    assert unreadable(error).status == status
