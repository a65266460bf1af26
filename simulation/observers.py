"""Who looks at the sites and tells the judge: two vantage points, and alarms. What becomes of the sites is here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from simulation.aws.cloudwatch import REASON, Alarm
from simulation.regions import OTHER_REGION
from simulation.scheduler import Process
from simulation.sites import SERVICES, SITES
from simulation.story import ACTIVE, VANTAGE_POINTS, Outage, Story
from simulation.world import PLAN, STARTED, World

LOOK_S: Final = 3.0
SLOW_LOOK_S: Final = 11.0
"""Between two looks where nothing has happened just now: below the age at which a vote is too old;"""
CALM_LOOK_S: Final = 33.0
"""and where nothing is lost either: who sees that all is well has no vote. Whatever happens is looked at at once."""
ROUND_S: Final = 2.0
CONFIRMED_S: Final = 0.5
"""Between two looks as deployed: at sites that are well, and at one that looks lost."""
BURST_S: Final = 18.0
"""Where nothing happens, the sites are looked at slowly for so long,"""
QUIET_S: Final = 1200.0
"""and then not for so long: a life jumps over quiet time."""
LONGEST_QUIET_S: Final = 86_400.0
"""As it becomes, little by little, where nothing happens at all."""
ALARMS: Final = {
    "east": {
        "failover-orders-east-kafka": ("us-west-2", 24.0),
        "kafka-orders-east-health-check": ("us-east-1", 38.0),
    },
    "west": {
        "failover-orders-west-kafka": ("us-west-2", 24.0),
        "failover-orders-west-gateway": ("us-east-1", 38.0),
    },
}
"""Region of each alarm on a site, and seconds until it stands."""
_TWICE, _LATE = 0.1, 0.05
"""How likely an event comes twice, and late, on an untidy bus;"""
_LATE_S: Final = (1.0, 90.0)
"""by so much."""


def _nothing() -> None:
    """What comes of most events that arrive."""


class Observers:
    """The vantage points and alarms of a life."""

    def __init__(self, world: World, story: Story) -> None:
        self._world = world
        self._story = story
        self._current: list[Outage] = []
        self.past: list[Outage] = []
        """Those that began, by their sites."""
        self._points = points_of(story)
        self._active: list[tuple[str, float]] = []
        """The active site as each of them began, and since when it was that."""
        self.delivered_alarms: set[str] = set()
        """Alarms that stand, and whose event has come to a judge: an untidy bus may keep it for a minute and more."""
        self._chance = random.Random(f"bus {story.seed}")

    def begin(self) -> None:
        """From now on they look."""
        around = self._world
        for number, vantage in enumerate(self._points):
            around.scheduler.spawn(partial(self._look, vantage), Process(f"vantage {vantage}"), 0.3 + 1.1 * number)
        around.scheduler.spawn(self._wake, Process("attention"), QUIET_S)
        for outage in self._story.outages:
            around.scheduler.call_at(STARTED + outage.begins, partial(self._lose, outage))

    def active_at(self, outage: Outage) -> str:
        """The active site as an outage began."""
        return self._as_it_began(outage)[0]

    def changed_before(self, outage: Outage) -> float:
        """When the active site had changed the last time, as an outage began; 0.0 if it never had."""
        return self._as_it_began(outage)[1]

    def _as_it_began(self, outage: Outage) -> tuple[str, float]:
        return next(then for past, then in zip(self.past, self._active, strict=True) if past is outage)

    def any_lost_since(self, at: float) -> bool:
        """Whether anything of a site was lost at that moment, or later."""
        return any(STARTED + outage.ends > at for outage in self.past)

    @property
    def vantages(self) -> tuple[str, ...]:
        """The vantage points that look: those whose region is not lost."""
        return tuple(point for point in self._points if point not in self._world.lost_regions)

    def seen_lost(self, vantage: str, site: str) -> bool:
        """Whether a vantage point sees that clients can't use a site."""
        return any(
            outage.site == site and outage.part != "rest" and outage.is_seen_by(vantage) for outage in self._current
        )

    def lose(self, site: str) -> None:
        """It is lost from now on, for good."""
        begins = self._world.now - STARTED
        self._lose(
            Outage(site=site, part="site", begins=begins, ends=begins + 86_400.0, silent=True, seen_by=VANTAGE_POINTS)
        )

    def _lose(self, planned: Outage) -> None:
        around = self._world
        outage = planned if planned.site != ACTIVE else replace(planned, site=around.active)
        around.scheduler.call_at(STARTED + outage.ends, partial(self._heal, outage))
        if outage.part != "rest" and len(outage.seen_by) == len(VANTAGE_POINTS):
            around.scheduler.spawn(partial(self._alarms, outage), Process("alarms"))
        self._world.watch_closely()
        self._current.append(outage)
        self.past.append(outage)
        self._active.append((around.active, float(around.kept("state").get("changed_at", 0.0))))
        self._world.tell(str(outage))
        self._show(outage.site)

    def _heal(self, outage: Outage) -> None:
        self._world.watch_closely()
        self._current.remove(outage)
        self._world.tell(f"{outage.part if outage.part != 'site' else 'all'} of {outage.site} answers again")
        self._show(outage.site)

    def _show(self, name: str) -> None:
        """What of a site answers now."""
        lost = [each for each in self._current if each.site == name and len(each.seen_by) == len(VANTAGE_POINTS)]
        site = self._world.sites.sites[name]
        for service in site.up:
            site.up[service] = not any(each.part in ("site", service) for each in lost)
        site.silent = any(each.silent for each in lost)
        if self._story.controller_lost_with_site and SITES[name] in self._world.regions:
            if any(each.part == "site" for each in lost):
                self._world.lose_region(SITES[name])
            else:
                self._world.bring_back_region(SITES[name])
        self._world.note("up", name, sorted(service for service, up in site.up.items() if up))

    def _wake(self) -> None:
        pause = QUIET_S
        while True:
            if self._world.attentive:
                pause = QUIET_S
            self._world.watch(BURST_S)
            self._world.scheduler.sleep(pause)
            pause = min(2 * pause, LONGEST_QUIET_S)

    def _look(self, vantage: str) -> None:
        while True:
            if not self._story.watched_as_deployed:
                self._world.await_attention()
            if vantage in self.vantages:
                self._deliver(self._sighting(vantage))
            self._pause(vantage)

    def _pause(self, vantage: str) -> None:
        """Until a vantage point looks again."""
        around = self._world
        lost, eventful = bool(self._current), around.eventful
        if self._story.watched_as_deployed:
            looks_lost = any(self.seen_lost(vantage, site) for site in SITES)
            around.scheduler.sleep(CONFIRMED_S if looks_lost else ROUND_S)
        elif lost and eventful and not any(execution.running for execution in around.executions):
            around.scheduler.sleep(LOOK_S)
        else:
            around.await_event(SLOW_LOOK_S if lost or eventful else CALM_LOOK_S)

    def _deliver(self, event: dict[str, Any], *, durable: bool = False, arrive: Callable[[], None] = _nothing) -> None:
        """Over the bus: at least once, and in no order that could be counted on. To a region that is lost EventBridge
        delivers what is `durable` once it is back; a sighting is put on the bus there, and lost."""
        for region in self._world.regions:
            self._deliver_to(region, event, durable=durable, arrive=arrive)

    def _deliver_to(self, region: str, event: dict[str, Any], *, durable: bool, arrive: Callable[[], None]) -> None:
        def judge() -> None:
            if region not in self._world.lost_regions:
                arrive()
            self._world.functions.invoke_later("judge", event, region, durable=durable)

        if not self._story.untidy_bus:
            judge()
            return
        for _ in range(2 if self._chance.random() < _TWICE else 1):
            seconds = self._chance.uniform(*_LATE_S) if self._chance.random() < _LATE else self._chance.uniform(0, 1)
            self._world.scheduler.call_later(seconds, judge)

    def _sighting(self, vantage: str) -> dict[str, Any]:
        lost = {
            (each.site, service)
            for each in self._current
            if each.is_seen_by(vantage)
            for service in SERVICES
            if each.part in ("site", service)
        }
        services = [name for name in SERVICES if name != "gateway" or not self._world.sites.places]
        return sighting(vantage, self._world.now, lost, services)

    def _alarms(self, outage: Outage) -> None:
        clock, begun = self._world.scheduler, self._world.now
        alarms = ALARMS[outage.site]
        for name, (region, seconds) in alarms.items():
            clock.sleep(max(0.0, begun + seconds - clock.now))
            if region in self._world.lost_regions:
                clock.spawn(partial(self._stand_late, outage, name, region), Process("alarms"))
            elif outage in self._current:
                self._change(name, region, "ALARM")
        clock.sleep(max(0.0, STARTED + outage.ends + 20.0 - clock.now))
        if not any(each.site == outage.site for each in self._current):
            for name, (region, _) in alarms.items():
                alarm = self._world.account.cloudwatch.alarm(region, name)
                if alarm is not None and alarm.stands:
                    self._change(name, region, "OK")

    def _stand_late(self, outage: Outage, name: str, region: str) -> None:
        """Once its region is back."""
        self._world.lost_regions.await_return(region)
        if outage in self._current:
            self._change(name, region, "ALARM")

    def _change(self, name: str, region: str, value: str) -> None:
        cloudwatch, alarm = self._world.account.cloudwatch, Alarm(value, self._world.now)
        cloudwatch.change(region, name, alarm)
        self.delivered_alarms.discard(name)

        def arrive() -> None:
            if alarm.stands and cloudwatch.alarm(region, name) is alarm:
                self.delivered_alarms.add(name)

        self._world.watch_closely()
        self._world.tell(f"the alarm {name} is {value}")
        moment = datetime.fromtimestamp(self._world.now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        detail = {"alarmName": name, "state": {"value": value, "timestamp": f"{moment}+0000", "reason": REASON}}
        self._deliver(
            _event("CloudWatch Alarm State Change", "aws.cloudwatch", region, detail), durable=True, arrive=arrive
        )


def points_of(story: Story) -> list[str]:
    """The vantage points that look; where a region may be lost with the one in it, a third one."""
    return [*VANTAGE_POINTS, *([OTHER_REGION] if story.controller_lost_with_site else [])]


def sighting(
    vantage: str, now: float, lost: Set[tuple[str, str]], services: Iterable[str] = SERVICES
) -> dict[str, Any]:
    """The event of what a vantage point saw: which services of which sites do not answer."""
    probes = [
        {
            "site": site,
            "service": service,
            "healthy": (site, service) not in lost,
            "took_seconds": 0.2,
            "why": "no answer within 3 s" if (site, service) in lost else "",
        }
        for site in SITES
        for service in services
    ]
    view = {"vantage": vantage, "at": round(now, 3), "probes": probes, "isolated_because": None}
    return _event(
        "Site Sighting", "kafka.failover", "us-west-2", {"version": 2, "observations": [{"plan": PLAN, "view": view}]}
    )


def _event(kind: str, source: str, region: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "0d4e8f0a-6c2f-4a86-8a43-6f2a5c5c1d52",
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": "2026-11-23T09:31:05Z",
        "region": region,
        "resources": [],
        "detail": detail,
    }
