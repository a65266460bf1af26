"""The client hostname: where it points, what name servers really answer, and how long clients remember it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from failover.dns import NameState, canonical
from failover.readiness import Finding, fail, ok, unknown, warn


def leads_to(hostname: str, target: str, ttl: int | None, state: NameState) -> Iterator[Finding]:
    """Whether record and answers lead to the target, within the plan's TTL, if it names one."""
    expected = canonical(target)
    if state.record != expected:
        yield fail(
            f"{hostname} points at {state.record or 'nothing'}, not {expected}", "correct the record, or the ledger"
        )
    else:
        yield ok(f"{hostname} points at {expected}")
    yield from _answers(hostname, [expected], state)
    yield from _ttl(hostname, ttl, state)


def leads_everywhere(hostname: str, targets: Collection[str], ttl: int | None, state: NameState) -> Iterator[Finding]:
    """As `leads_to`, of a name that leads to every location at all times; its health checks are obstacles, or none."""
    yield ok(f"{hostname} leads to {', '.join(sorted(targets))}, whichever site is active")
    yield from _answers(hostname, sorted(targets), state)
    yield from _ttl(hostname, ttl, state)


def _answers(hostname: str, expected: Sequence[str], state: NameState) -> Iterator[Finding]:
    silent = [server for server, answer in state.answers.items() if answer.startswith("no answer")]
    other = {
        server: answer for server, answer in state.answers.items() if answer not in expected and server not in silent
    }
    for server, answer in sorted(other.items()):
        yield fail(
            f"name server {server} answers {answer} for {hostname}, not {' or '.join(expected)}",
            "look at the zone's delegation; if it is a private one, at the VPCs that it is associated with",
        )
    if silent or not state.answers:
        yield unknown(
            f"of {len(state.answers)} name servers {len(silent)} do not answer",
            "let the controller ask them: UDP port 53",
        )
    for what in state.unreached:
        yield warn(f"out of reach: {what}", "a flip would go without it")


def _ttl(hostname: str, ttl: int | None, state: NameState) -> Iterator[Finding]:
    if ttl is None:
        return
    if state.ttl is None:
        yield unknown(f"the TTL of {hostname} is not told", "look at the record")
    elif state.ttl > ttl:
        yield fail(
            f"{hostname} has a TTL of {state.ttl} s, the plan wants {ttl} s",
            "lower it: clients stay with the lost site for so long",
        )
    else:
        yield ok(f"{hostname} has a TTL of {state.ttl} s")
