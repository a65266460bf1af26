"""The world that the controller acts on: two sites with a Kafka cluster, a gateway fleet and an ECS region each, the
mirrors between them, and the name that clients know."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from simulation.scheduler import Scheduler

SITES: Final = {"east": "us-east-2", "west": "us-west-2"}
"""The sites of the plan, and their regions."""
PLACES: Final = {"frankfurt": "eu-central-1", "dublin": "eu-west-1"}
"""Places near the clients, of no site, where gateways may stand; and their regions."""
REGIONS: Final = SITES | PLACES
SERVICES: Final = ("kafka", "gateway", "rest")
HOSTNAME: Final = "kafka.orders.example.com"
NAME_SERVERS: Final = ["192.0.2.53", "192.0.2.54"]
TOPICS: Final = ("orders", "payments", "audit")
LOG_END: Final = 100
STRANDED: Final = 4
"""Records of each topic that a lost site holds, and the other one never had."""
RECOVERY_TOPIC: Final = "orders-rescued"
RECOVERY_PARTITIONS: Final = 2
WRITES_A_SECOND: Final = 10
"""Of who writes past the gateways. A writer so slow that no record comes between two looks half a second apart is not
found by them; a link that reverses its mirrors carries what came, all the same."""
_ROUTE: Final = re.compile(r"/gateway-\w+?-(?:to-)?(\w+):\d+$")
_TASK_STARTS_S: Final = (5.0, 40.0)
_IN_SYNC_S: Final = (2.0, 30.0)
_APART_S: Final = 0.001
"""Between two changes that would be in sync at one moment."""
_DEPLOYED_BEFORE_S: Final = 86_400.0
_STOPS_S: Final = (0.3, 6.0)


Spot = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A record."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def other(site: str) -> str:
    """The site across."""
    return "west" if site == "east" else "east"


@dataclass
class Instance:
    """A container of a fleet; `ready_at`: when it takes connections, seconds since 1970."""

    name: str
    definition: str
    ready_at: float


@dataclass
class Fleet:
    """The gateways of a site: an ECS service."""

    site: str
    definition: str
    desired: int = 2
    colour: str = ""
    """The site that it leads to for good, of a fleet in two colours."""
    deployments: int = 0
    deployed_at: float = 0.0
    """When the last of them began, seconds since 1970."""
    instances: list[Instance] = field(default_factory=list)

    def route_to(self, site: str) -> None:
        """Lead there, and have led there all along."""
        self.definition = definition_of(self.site, site)
        for instance in self.instances:
            instance.definition = self.definition


@dataclass
class Site:
    """One side of the plan, and what of it answers."""

    name: str
    fleet: Fleet
    up: dict[str, bool] = field(default_factory=lambda: dict.fromkeys((*SERVICES, "control"), True))
    """`control`: the region's control plane, which ECS is asked at."""
    silent: bool = True
    """Whether what does not answer refuses nothing either."""


def route_of(definition: str) -> str:
    """Where a task definition leads: a site, or `fenced`."""
    match = _ROUTE.search(definition)
    return match[1] if match else "nowhere"


def definition_of(fleet: str, route: str) -> str:
    """The task definition of a site's or a place's fleet that leads to a site."""
    return f"arn:aws:ecs:{REGIONS[fleet]}:123456789012:task-definition/gateway-{fleet}-to-{route}:1"


class Logs:
    """Where the topics' logs end, and what keeps a mirror's from ending where its source's does."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._clock = scheduler
        self.behind = 0
        """Records of each topic that never come to the mirror."""
        self.written_since: float | None = None
        """Since when somebody writes to the source itself, past every gateway; seconds since 1970."""

    def end(self, *, is_mirror: bool) -> int:
        """Where a topic's log ends now."""
        written = 0 if self.written_since is None else int(WRITES_A_SECOND * (self._clock.now - self.written_since))
        return LOG_END + written - (self.behind if is_mirror else 0)


class Sites:
    """The world of a plan at one moment. `moved()` is called after clients may have been led elsewhere; `addresses`:
    how those of the gateways' instances begin."""

    def __init__(
        self, scheduler: Scheduler, moved: Callable[[], None], *, plan: str = "orders", addresses: str = "10.0"
    ) -> None:
        self._clock = scheduler
        self.hostname = f"kafka.{plan}.example.com"
        self.addresses = f"{addresses}."
        self._moved = moved
        self.launches_after: Callable[[], float] = lambda: 0.0
        """Seconds until the next task is launched: an account may launch so many at once."""
        self.sites = {site: Site(site, Fleet(site, definition_of(site, site))) for site in SITES}
        for site in self.sites.values():
            self.deploy(site.fleet, 0.0)
            site.fleet.deployed_at -= _DEPLOYED_BEFORE_S
        self.places: dict[str, Fleet] = {}
        """The gateways near the clients, by place, if those of the sites are not there."""
        self.mirrors: dict[str, dict[str, str]] = {"west": dict.fromkeys(TOPICS, "ACTIVE"), "east": {}}
        """The status of each mirror, by the site that has it."""
        self.topics: dict[str, list[str]] = {site: list(TOPICS) for site in SITES}
        """What each site has, mirrors among them."""
        self.lag_known = True
        self.link_mode = "BIDIRECTIONAL"
        self.logs = Logs(scheduler)
        self.group_states = dict.fromkeys(SITES, "EMPTY")
        """By site, of the one group."""
        self.committed: dict[str, dict[str, int]] = {site: {} for site in SITES}
        """By site and topic, the offsets of the one group."""
        self.record = self.answer = f"gw-east.{plan}.example.com"
        """What the name's record leads to; what name servers answer."""
        self.changes: dict[str, float] = {}
        """When each change of the record is in sync."""
        self.serving: tuple[str, ...] = ()
        """The sites or places that clients are led to at all times, each to one of them; none: the answer's."""
        self.canaries: list[bytes] = []
        self.recovered: list[list[Written]] = [[] for _ in range(RECOVERY_PARTITIONS)]
        """What the recovery topic holds, by partition."""
        self._task_starts_s, self._in_sync_s, self._stops_s = _TASK_STARTS_S, _IN_SYNC_S, _STOPS_S

    def hasten(self) -> None:
        """What takes its time is done within a second."""
        self._task_starts_s = self._in_sync_s = self._stops_s = (0.2, 0.9)

    def is_writable(self, site: str) -> bool:
        """Whether clients can write there, whatever they write."""
        return all(status == "STOPPED" for status in self.mirrors[site].values())

    def log_end(self, site: str, spot: Spot) -> int:
        """Where a partition's log ends there."""
        topic, partition = spot
        if topic == RECOVERY_TOPIC:
            return len(self.recovered[partition])
        return self.logs.end(is_mirror=self.mirrors[site].get(topic) == "ACTIVE")

    def deploy(self, fleet: Fleet, starts_in: float | None = None) -> None:
        """Replace every instance of a fleet by one of its definition of now."""
        fleet.deployments += 1
        fleet.deployed_at = self._clock.now
        fleet.instances = []
        self.scale(fleet, starts_in)

    def scale(self, fleet: Fleet, starts_in: float | None = None) -> None:
        """Have a fleet as many instances as it shall have: those that are there stay, or the last ones go."""
        del fleet.instances[fleet.desired :]
        for number in range(len(fleet.instances), fleet.desired):
            ready_at = self._clock.now + (self._starts_in() if starts_in is None else starts_in)
            name = f"{fleet.site}{fleet.colour}-{fleet.deployments}-{number}"
            fleet.instances.append(Instance(name, fleet.definition, ready_at))
            self._clock.call_at(ready_at, self._moved)

    def _starts_in(self) -> float:
        return self.launches_after() + self._clock.random.uniform(*self._task_starts_s)

    @property
    def standing(self) -> tuple[str, ...]:
        """Where gateways stand: in the sites, or in places near the clients."""
        return tuple(self.places or self.sites)

    def fleet(self, where: str) -> Fleet:
        """The gateways of a site, or of a place."""
        return self.places[where] if where in self.places else self.sites[where].fleet

    def leads_to(self, where: str) -> str | None:
        """The cluster that the gateways of a site or of a place lead to now; None where there is no gateway, or a
        fence."""
        ready = [each for each in self.fleet(where).instances if each.ready_at <= self._clock.now]
        route = route_of(ready[0].definition) if ready else None
        return route if route in SITES else None

    def point_name_at(self, target: str) -> str:
        """Change the record; the id of the change. Name servers follow, of one change after the other."""
        self.record = target
        change, at = f"C{len(self.changes)}", self._clock.now + self._clock.random.uniform(*self._in_sync_s)
        at = max([at, *(earlier + _APART_S for earlier in self.changes.values())])
        self.changes[change] = at

        def answer() -> None:
            self.answer = target
            self._moved()

        self._clock.call_at(at, answer)
        return change

    def stop_mirrors(self, site: str, topics: list[str], *, reverse: bool = False) -> None:
        """Have mirrors of a site be topics of their own; each is writable in its own time. With `reverse` the other
        site's topic follows it from then on, if both are up then; else it is on its way until it is failed over."""
        for topic in topics:
            status = self.mirrors[site][topic]
            if status == "ACTIVE" or (status == "PENDING_STOPPED" and not reverse):
                self.mirrors[site][topic] = "PENDING_STOPPED"
                seconds = self._clock.random.uniform(*self._stops_s)
                self._clock.call_later(seconds, partial(self._stopped, site, topic, reverse=reverse))

    def restore_mirrors(self, site: str, topics: list[str]) -> None:
        """Have topics of a site be mirrors again, each in its own time; what they hold beyond is gone."""
        for topic in topics:
            if self.mirrors[site].get(topic, "STOPPED") == "STOPPED":
                self.mirrors[site][topic] = "PENDING_RESTORE"
                seconds = self._clock.random.uniform(*self._stops_s)
                self._clock.call_later(seconds, partial(self.mirrors[site].__setitem__, topic, "ACTIVE"))

    def delete_topic(self, site: str, topic: str) -> None:
        """Have a topic go, in its own time."""

        def go() -> None:
            if topic in self.topics[site] and topic not in self.mirrors[site]:
                self.topics[site].remove(topic)

        self._clock.call_later(self._clock.random.uniform(*self._stops_s), go)

    def create_mirror(self, site: str, topic: str) -> None:
        """Have a topic of the other site mirrored, from its first record on."""
        self.topics[site].append(topic)
        self.mirrors[site][topic] = "PENDING_MIRROR"
        seconds = self._clock.random.uniform(*self._stops_s)
        self._clock.call_later(seconds, partial(self.mirrors[site].__setitem__, topic, "ACTIVE"))

    def _stopped(self, site: str, topic: str, *, reverse: bool) -> None:
        if reverse and not all(each.up["kafka"] for each in self.sites.values()):
            return
        if reverse:
            self.mirrors[other(site)][topic] = "ACTIVE"
        self.mirrors[site][topic] = "STOPPED"

    def door(self, host: str) -> str | None:
        """The site or the place that an address is at; None for one that is outside of all."""
        if host == self.hostname:
            host = self.answer
        if host.startswith(self.addresses):
            return list(REGIONS)[int(host.removeprefix(self.addresses).partition(".")[0])]
        return next((where for where in (*self.places, *SITES) if where in host), None)

    def takes_connections(self, host: str) -> bool:
        """Whether somebody is there."""
        if (site := self.door(host)) is None:
            return True
        if host.startswith("pkc-"):
            return self.sites[site].up["kafka"]
        is_up = site in self.places or self.sites[site].up["gateway"]
        return is_up and any(each.ready_at <= self._clock.now for each in self.fleet(site).instances)

    def cluster_behind(self, host: str) -> str | None:
        """The site whose cluster answers at an address; None where none does."""
        site = self.door(host)
        if site is None or not self.takes_connections(host):
            return None
        cluster = site if host.startswith("pkc-") else self.leads_to(site)
        return cluster if cluster is not None and self.sites[cluster].up["kafka"] else None

    def clients_at(self) -> set[str]:
        """The clusters that clients are led to, who ask for the name now; whether they are up or not."""
        sites = self.serving or (self.door(self.hostname),)
        return {cluster for site in sites if site is not None and (cluster := self.leads_to(site))}
