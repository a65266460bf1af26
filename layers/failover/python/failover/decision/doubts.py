"""What is in doubt before a person's execution changes anything: sites that do not answer, gateways and a name that
lead elsewhere. Each doubt is a line for people; none is good news, and what could not be looked at is one, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor

from failover.detection.evidence import View
from failover.dns import client_name_of, targets_of
from failover.errors import DnsRejected, DnsUnavailable, FleetRejected, FleetUnavailable
from failover.fleets import Fleet, FleetState, at_once_again, fleets_of
from failover.plan.model import Plan


class Unanswered(str):
    """A doubt only because what was asked did not answer: it is no news of any site, and can be waited for as long as
    nothing is changed."""

    __slots__ = ()


def only_unanswered(doubts: Sequence[str]) -> bool:
    """Whether each of them is such a doubt."""
    return all(isinstance(doubt, Unanswered) for doubt in doubts)


def doubts_of_sites(view: View) -> Iterator[str]:
    """Of services of the sites that do not answer; of the controller that can't tell."""
    if view.isolated_because:
        yield f"the controller is {view.isolated_because}"
    for probe in view.probes:
        if not probe.answers:
            doubt = f"{probe.site} {probe.service} does not answer: {probe.why}"
            yield Unanswered(doubt) if probe.healthy is None else doubt


def doubts_of_fleets(plan: Plan, expected: Mapping[str, Set[str]]) -> list[str]:
    """Of gateways that lead elsewhere than `expected`, by their location; also of one that is fenced, since this
    execution did not fence it."""
    fleets = [(where, *named) for where in expected for named in fleets_of(plan.location(where))]
    with ThreadPoolExecutor(max_workers=max(1, len(fleets))) as pool:
        states = pool.map(lambda entry: _state(entry[2]), fleets)
        doubts = [
            _doubt_of_fleet(name, state, expected[where])
            for (where, name, _), state in zip(fleets, states, strict=True)
        ]
    return [doubt for doubt in doubts if doubt]


def _state(fleet: Fleet) -> FleetState | str:
    try:
        return at_once_again(fleet.look)
    except FleetUnavailable as error:
        return Unanswered(error)
    except FleetRejected as error:
        return str(error)


def _doubt_of_fleet(name: str, state: FleetState | str, expected: Set[str]) -> str:
    if isinstance(state, str):
        return type(state)(f"fleet {name} is out of reach: {state}")
    if state.target not in expected:
        return f"fleet {name} leads to {state.target or 'what the plan does not name'}: {state.detail}"
    return "" if state.accepts_clients else f"fleet {name} is not settled: {state.detail}"


def doubts_of_name(plan: Plan, site: str) -> list[str]:
    """Of a client hostname that does not lead to the site, or, if it leads to every location, that leads elsewhere."""
    name, targets = client_name_of(plan), targets_of(plan)
    if name is None:
        return []
    try:
        state = name.look(None)
    except DnsUnavailable as error:
        return [Unanswered(f"the client hostname can't be looked at: {error}")]
    except DnsRejected as error:
        return [f"the client hostname can't be looked at: {error}"]
    if plan.dns.answers_every_location:
        other = sorted(set(state.answers.values()) - set(targets.values()))
        return [f"name servers lead the client hostname to {answer}" for answer in other]
    if state.record == targets[site] and state.in_sync:
        return []
    return [f"the client hostname leads to {state.record or 'no site of the plan'}, not to {targets[site]}"]
