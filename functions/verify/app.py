"""verify: prove that clients can work. Through the client hostname and through each fleet that carries them now: the
right cluster, and a canary record written and read back. Of each instance, asked itself: that it runs the wanted route,
that it is on the right cluster, and that meanwhile no swap of credentials failed on it. What is left of the lost site's
fleets is told, and holds nothing up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from failover.errors import FailoverError, FleetRejected, FleetUnavailable, KafkaUnavailable
from failover.execution.out_of_service import out_of_service
from failover.execution.step import Report, Request, done, ledger, pause_after, step, waiting
from failover.fleets import Fleet, FleetState, Instance, fleets_of
from failover.fleets.metrics import with_metrics
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import Settings
from failover.kafka.cluster import cluster_id
from failover.kafka.factory import as_client
from failover.ledger.execution import Execution
from failover.plan.location import Location
from failover.plan.model import Plan

LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class Finding:
    """Something that was looked at: in words, and whether it is as it has to be."""

    what: str
    holds: bool = True


def verify(request: Request, plan: Plan) -> Report:
    """Done when everything is proven; what is not yet is said in `unproven`."""
    execution = request.execution
    carrying, before = plan.carrying(execution.to_site), plan.carrying(execution.from_site)
    leaving = [before[name] for name in before if name not in carrying]
    client = Client(plan, plan.site(execution.to_site).kafka.cluster_id, writes=not execution.dry_run)
    with ThreadPoolExecutor(max_workers=LOOKS_AT_ONCE) as pool:
        behind = pool.submit(_state_of_leaving, leaving, execution.to_site)
        by_name = None if execution.dry_run else pool.submit(client.passes, "the client hostname", plan.bootstrap)
        described = [fleet for location in carrying.values() for fleet in location.fleets]
        through = {it.name: pool.submit(client.passes, f"fleet {it.name}", it.bootstrap) for it in described}
        fleets = dict(named for location in carrying.values() for named in fleets_of(location))
        states = dict(zip(fleets, pool.map(lambda fleet: _look(fleet, plan.name), fleets.values()), strict=True))
        instance_checks = {
            name: [pool.submit(client.asks, one) for one in _instances(state)] for name, state in states.items()
        }
        findings = {
            name: [
                *_routed(name, state, execution.to_site),
                *through[name].result(),
                *(one.result() for one in instance_checks[name]),
            ]
            for name, state in states.items()
        }
        swapping = {name: fleet for name, fleet in fleets.items() if _auth_failures(states[name])}
        again = pool.map(lambda fleet: _look(fleet, plan.name), swapping.values())
        for name, state in zip(swapping, again, strict=True):
            findings[name] += _swaps(name, states[name], state)
    for where in before.keys() & carrying.keys():
        for fleet in carrying[where].fleets:
            if not all(one.holds for one in findings[fleet.name]):
                state = states[fleet.name]
                if why := _out_of_service(execution, plan, where, fleet=fleet.name, state=state):
                    findings[fleet.name] = [Finding(f"nobody works through fleet {fleet.name}: {why}")]
    every = [*(by_name.result() if by_name else ()), *(one for of_fleet in findings.values() for one in of_fleet)]
    proven, unproven = ([one.what for one in every if one.holds is holds] for holds in (True, False))
    if execution.dry_run:
        return done(proven=proven, would_still_have_to_prove=unproven, left_behind=behind.result())
    if unproven:
        pauses = [pause_after(state) for state in states.values() if isinstance(state, FleetUnavailable)]
        return waiting(max(pauses, default=1), proven=proven, unproven=unproven, left_behind=behind.result())
    return done(proven=proven, left_behind=behind.result())


@dataclass(frozen=True)
class Client:
    """What a client of the plan can do, who should be led to the cluster `expected`. `writes`: canary records, too."""

    plan: Plan
    expected: str
    writes: bool

    def passes(self, where: str, bootstrap: str) -> list[Finding]:
        """Through a route: which cluster answers, and if a canary record can be written and read back."""
        topic = self.plan.clients.canary_topic

        def ask(settings: Settings) -> list[Finding]:
            if (cluster := cluster_id(settings)) != self.expected:
                return [Finding(f"through {where} cluster {cluster} answers, not {self.expected}", False)]
            led = Finding(f"{where} leads to {self.expected}")
            if not self.writes:
                return [led]
            partition, offset = write_and_read_back(settings, topic)
            return [led, Finding(f"canary written and read back through {where} at {topic}[{partition}]@{offset}")]

        try:
            return as_client(self.plan, bootstrap, ask)
        except KafkaUnavailable as error:
            return [Finding(f"through {where}: {error}", False)]

    def asks(self, instance: Instance) -> Finding:
        """An instance itself, not through the load balancer: which cluster it is on, and if it is one of before."""
        bootstrap, name = instance.bootstrap, f"instance {instance.name}"
        if instance.proof is None:
            return Finding(f"{name} is not proven to run the wanted route", False)
        if bootstrap is None:
            return Finding(f"{name} could not be asked: its address is not known", False)
        try:
            cluster = as_client(self.plan, bootstrap, cluster_id)
        except FailoverError as error:
            return Finding(f"{name} is on no cluster that answers ({error})", False)
        return Finding(f"{name} is on {cluster}", cluster == self.expected)


def _look(fleet: Fleet, route: str) -> FleetState | FleetUnavailable:
    try:
        return with_metrics(fleet.look(), route)
    except FleetUnavailable as error:
        return error


def _instances(state: FleetState | FleetUnavailable) -> tuple[Instance, ...]:
    return state.instances if isinstance(state, FleetState) else ()


def _routed(name: str, state: FleetState | FleetUnavailable, expected: str) -> Iterator[Finding]:
    """Whether a fleet is routed to where it has to be, and has an instance at all."""
    if isinstance(state, FleetUnavailable):
        yield Finding(f"fleet {name} is out of reach, and its instances with it: {state}", False)
    elif state.target != expected:
        yield Finding(f"fleet {name} is routed to {state.target or 'what the plan does not name'}", False)
    elif not state.instances:
        yield Finding(f"fleet {name} has no instance: {state.detail}", False)


def _auth_failures(state: FleetState | FleetUnavailable) -> Mapping[str, int]:
    """How many swaps of credentials have failed, by instance, where the instance tells."""
    return {
        instance.name: instance.auth_failures for instance in _instances(state) if instance.auth_failures is not None
    }


def _swaps(name: str, before: FleetState | FleetUnavailable, after: FleetState | FleetUnavailable) -> Iterator[Finding]:
    """Whether swaps of credentials failed while the fleet was asked; a count that can't be compared proves nothing."""
    if isinstance(after, FleetUnavailable):
        yield Finding(f"fleet {name} could not be asked again whether swaps of credentials failed: {after}", False)
        return
    now = _auth_failures(after)
    for instance, then in _auth_failures(before).items():
        count = now.get(instance)
        if count is None:
            yield Finding(f"instance {instance} did not tell again how many swaps of credentials have failed", False)
        elif count < then:
            yield Finding(f"instance {instance} was started anew while its swaps of credentials were counted", False)
        elif count > then:
            yield Finding(f"instance {instance}: {count - then} swaps of credentials failed meanwhile", False)
        else:
            yield Finding(f"instance {instance}: no swap of credentials failed meanwhile")


def _out_of_service(
    execution: Execution, plan: Plan, location: str, *, fleet: str, state: FleetState | FleetUnavailable
) -> str:
    """Why a fleet need not be proven that clients came through before, too; one that leads elsewhere always has to."""
    if isinstance(state, FleetState) and state.target != execution.to_site:
        return ""
    return out_of_service(ledger(), execution, plan, location=location, fleet=fleet)


def _state_of_leaving(locations: Iterable[Location], expected: str) -> dict[str, str]:
    """What is left of the fleets that no client comes through any more, by name."""
    states = {}
    for name, fleet in (named for location in locations for named in fleets_of(location)):
        try:
            state = fleet.look()
        except (FleetUnavailable, FleetRejected) as error:
            states[name] = f"out of reach: {error}"
        else:
            where = f"routed to {state.target or 'what the plan does not name'}"
            old = f", not proven: {', '.join(state.unproven)}" if state.unproven else ""
            states[name] = f"{where}, {len(state.instances)} instances{old if state.target == expected else ''}"
    return states


handler = step("verify", Request, verify)
