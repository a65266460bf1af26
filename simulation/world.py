"""One life's world: the clock, the sites, AWS and every other way out, and the functions among them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from simulation import keys, process, scheduler
from simulation.aws import door
from simulation.aws.account import Account
from simulation.aws.dynamodb import Item, Table, plain
from simulation.calls import Calls, Door, Spell
from simulation.controllers import ControllerElsewhere
from simulation.deployment import STATE_MACHINE, Deployment
from simulation.functions import Controller, Functions, Handler
from simulation.keys import Keys
from simulation.machine.execution import Execution, Surroundings, Token
from simulation.regions import REGION, LostRegions, environments_in
from simulation.scheduler import Event, Process, Scheduler
from simulation.sites import SITES, Sites
from simulation.trace import Trace
from simulation.wire import kafka, network, records, rest

PLAN: Final = "orders"
STARTED: Final = 1_795_426_000.0
"""Seconds since 1970: a Monday morning."""
ATTENTIVE_S: Final = 90.0
"""For how long after something happened the sites are looked at all the time,"""
EVENTFUL_S: Final = 15.0
"""and for how long as often as they are in the field."""
_CONNECT_S: Final = 2.0
_OF_SITES: Final = ("ecs", "elbv2")
"""Services whose control plane is lost with its region."""
_CHANGES: Final = ("UpdateService", "ModifyListener", "ChangeResourceRecordSets")


class World:
    """Everything around the controller. It is what `Execution` calls, too."""

    def __init__(
        self,
        seed: str,
        deployed: Deployment,
        handlers: Mapping[str, Handler],
        plan: str,
        *,
        clocks_ahead: Mapping[str, float],
    ) -> None:
        """`clocks_ahead`: of each controller, by its region."""
        self.scheduler = Scheduler(seed, STARTED)
        scheduler.start(self.scheduler)
        process.seed(seed)
        self.trace = Trace(STARTED)
        self.tokens: dict[str, Token] = {}
        self.attentive_until = self.eventful_until = STARTED
        self.meddled_at = 0.0
        """When another writer last put the name or a fleet back."""
        self._woken, self._stirred = Event(self.scheduler), Event(self.scheduler)
        self.moved: list[Callable[[], None]] = []
        """Called when clients may be led elsewhere."""
        self.changed: list[Callable[[tuple[str, str], Item, Item], None]] = []
        """Called when an item of the ledger changes."""
        self.on_change: list[Callable[[str, float, str], None]] = []
        """Called as an execution changes something: which, when its step was called, and what it does."""
        self.on_hook: list[Callable[[Mapping[str, Any]], None]] = []
        """Called as a hook of the plan is called: with the event it is given."""
        self.sites = Sites(self.scheduler, self._moved)
        self.calls = Calls(self.scheduler, self.note, self.tell)
        self.table = Table(self._item_changed)
        self.account = Account(self.scheduler, self.sites, self.table, self.tell)
        self.account.around, self.account.machines = self._surroundings, deployed.machines
        self.account.tokens = self.tokens
        self.account.put_plan(PLAN, plan)
        self.keys = Keys()
        self.account.secrets |= {f"failover/{PLAN}/{name}": json.dumps(fields) for name, fields in keys.FIRST.items()}
        self.account.secrets["ApprovalKey"] = "approval-key"
        self.regions = tuple(clocks_ahead)
        """Where there is a controller."""
        self.lost_regions = LostRegions(self.scheduler)
        self.starts_elsewhere_first = False
        """Whether people take the stack of the other region for the one to start at, every other time."""
        self._starts = 0
        controllers = {
            region: Controller(environments_in(region, deployed.environments, self.regions), ahead)
            for region, ahead in clocks_ahead.items()
        }
        self.functions = Functions(
            self.scheduler,
            self.calls,
            handlers,
            controllers=controllers,
            note=self.note,
            timeouts=deployed.timeouts,
            retries=deployed.retries,
            lost_regions=self.lost_regions,
        )
        self.account.invoke_later = self.functions.invoke_later
        self.rest = rest.Rest(self.scheduler, self.sites, self.keys, self.make, self.tell)
        self.http: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        """Who answers HTTP at a host, beside the clusters' REST API."""
        self.put_back: dict[str, Callable[[], None]] = {}
        """What other writers' tools put back where it is not as in the example: the `name`, and each site's fleet."""
        self.network = network.Network(self.scheduler, self.sites, self.calls.make)
        self.kafka = kafka.Kafka(self.scheduler, self.sites, self.keys, self.calls.make)
        self.operator = Process("operator", dict(deployed.environments["judge"]))

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.scheduler.now

    @property
    def attentive(self) -> bool:
        """Whether the sites are looked at all the time."""
        return self.now < self.attentive_until

    @property
    def eventful(self) -> bool:
        """Whether something happened at the sites just now."""
        return self.now < self.eventful_until

    def await_attention(self) -> None:
        """Wait until the sites are looked at."""
        while not self.attentive:
            self.scheduler.wait((self._woken,))

    def await_event(self, seconds: float) -> None:
        """Wait until something happens at the sites, for so long at most."""
        self.scheduler.wait((self._stirred,), seconds)

    @property
    def active(self) -> str:
        """The active site, as the ledger has it."""
        state = self.table.items.get((f"plan#{PLAN}", "state"), {})
        return str(state.get("active", {"S": "east"})["S"])

    @property
    def executions(self) -> list[Execution]:
        """In the order they began."""
        return list(self.account.executions.values())

    def kept(self, sort: str) -> dict[str, Any]:
        """An item of the plan in the ledger; empty if there is none."""
        return plain(self.table.items.get((f"plan#{PLAN}", sort), {}))

    def watch(self, seconds: float = ATTENTIVE_S) -> None:
        """Something happened: look at the sites all the time."""
        if not self.attentive:
            woken, self._woken = self._woken, Event(self.scheduler)
            woken.set()
        self.attentive_until = max(self.attentive_until, self.now + seconds)

    def watch_closely(self, seconds: float = ATTENTIVE_S) -> None:
        """Something happened at the sites themselves."""
        self.watch(seconds)
        self.eventful_until = max(self.eventful_until, self.now + EVENTFUL_S)
        stirred, self._stirred = self._stirred, Event(self.scheduler)
        stirred.set()

    def note(self, *what: object) -> None:
        """Add to the trace."""
        self.trace.note(self.now, *what)

    def tell(self, sentence: str) -> None:
        """Add to the story."""
        self.watch()
        self.trace.tell(self.now, sentence)

    def invoke(self, function: str, payload: Any, timeout: float, execution: str) -> Any:
        """For a state machine: call a function."""
        return self.functions.invoke(function, payload, timeout, execution)

    def _surroundings(self, region: str) -> Surroundings:
        if region == REGION:
            return self
        return ControllerElsewhere(
            region=region, functions=self.functions, scheduler=self.scheduler, tokens=self.tokens, trace=self.note
        )

    def spell(self, service: str, seconds: float, trouble: Any) -> None:
        """From now on a service is in trouble."""
        self.tell(f"{service} is {trouble} for {seconds:.0f} s")
        self.calls.spells.append(Spell(service=service, begins=self.now, ends=self.now + seconds, trouble=trouble))
        self.watch(seconds + ATTENTIVE_S)

    def start(self, request: dict[str, Any], name: str, machine: str = STATE_MACHINE) -> str:
        """A person starts an execution, where the site is that takes over; its ARN, or "" if that region is lost."""
        region = SITES.get(request.get("to", ""), REGION)
        region = region if region in self.regions else REGION
        self._starts += 1
        if self.starts_elsewhere_first and self._starts % 2:
            region = next(other for other in self.regions if other != region)
        if region in self.lost_regions:
            self.tell(f"{name} can't be started: {region} does not answer")
            return ""
        return self.account.start(name, json.dumps(request), machine.replace(REGION, region))

    def lose_region(self, region: str) -> None:
        """The controller there ends with its region."""
        if region not in self.lost_regions:
            self.tell(f"the controller in {region} is lost with its region")
            self.lost_regions.lose(region)
            self.functions.end(region)

    def bring_back_region(self, region: str) -> None:
        """The controller there goes on where it was."""
        if region in self.lost_regions:
            self.tell(f"the controller in {region} is back")
            self.lost_regions.bring_back(region)

    def send(self, service: str, region: str, operation: str, asked: Mapping[str, Any], how: Door) -> dict[str, Any]:
        """A call to AWS; no region: in that of the controller that calls."""
        own = self.scheduler.process.environment.get("AWS_REGION", REGION)
        if (region or own) in self.lost_regions or (service in _OF_SITES and self._is_lost(region)):
            self.scheduler.sleep(_CONNECT_S)
            raise how.unreached()
        changes = operation in _CHANGES

        def effect() -> dict[str, Any]:
            return self.account.call(service, region or REGION, operation, dict(asked))

        answer: dict[str, Any] = self.make(service, operation, effect, how, changes=changes)
        return answer

    def _is_lost(self, region: str) -> bool:
        """Whether the control plane of a site's region is."""
        return any(of == region and not self.sites.sites[site].up["control"] for site, of in SITES.items())

    def make(self, service: str, operation: str, effect: Callable[[], Any], how: Door, *, changes: bool = False) -> Any:
        """A call that leaves a function; one that `changes` something is shown to who looks on."""
        if not changes:
            return self.calls.make(service, operation, effect, how)
        container = self.scheduler.process
        execution, begun = self.functions.begun.get(container, ("", self.now))

        def watched_effect() -> Any:
            for heard in self.on_change:
                heard(execution, begun, f"{service} {operation}")
            return effect()

        return self.calls.make(service, operation, watched_effect, how)

    def hook_called(self, event: Mapping[str, Any]) -> None:
        """The plan's hook is called."""
        for heard in self.on_hook:
            heard(event)

    def brokers(self, settings: Mapping[str, Any]) -> kafka.Kafka:
        """Those that a client of librdkafka's comes to."""
        return self.kafka

    def _moved(self) -> None:
        for heard in self.moved:
            heard()

    def _item_changed(self, key: tuple[str, str], before: Item, after: Item) -> None:
        for heard in self.changed:
            heard(key, before, after)


class _Life:
    """The world that the process lives in."""

    world: World | None = None


def enter(world: World) -> None:
    """From now on every way out of the process leads there."""
    _Life.world = world


def _world() -> World:
    if _Life.world is None:
        raise RuntimeError("no life runs in this process")
    return _Life.world


def install() -> None:
    """Have the world of now answer whatever the product asks."""

    def send(service: str, region: str, operation: str, asked: Mapping[str, Any], how: Door) -> dict[str, Any]:
        return _world().send(service, region, operation, asked, how)

    def request(of: httpx.Request) -> httpx.Response:
        around = _world()
        return around.http.get(of.url.host, around.rest.send)(of)

    door.install(send)
    rest.install(request)
    network.install(lambda: _world().network)
    kafka.install(lambda settings: _world().brokers(settings))
    records.install(lambda settings: _world().brokers(settings))
