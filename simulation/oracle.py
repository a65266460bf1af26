"""Whether the controller kept its promises: judged on raw items, messages and the world alone. It shares no code with
the product, and imports nothing of it. The promises are those of docs/simulation.md, by their numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from simulation.aws.dynamodb import plain
from simulation.changes import MEDDLED_S, Changes
from simulation.keys import SECRET_WORDS
from simulation.machine.execution import Execution
from simulation.observers import ALARMS, Observers
from simulation.people import People
from simulation.scheduler import Process
from simulation.sites import other
from simulation.story import POLICIES, Story
from simulation.world import PLAN, STARTED, World

LOOKS_EVERY_S: Final = 3.0
NOTIFIED_WITHIN_S: Final = 60.0
STARTED_WITHIN_S: Final = 30.0
SLACK_S: Final = 12.0
"""Of looks, judgements and the oracle's own steps."""
HOUR_S: Final = 3600.0 + NOTIFIED_WITHIN_S
"""For which a reason that was told need not be told again."""
NOTHING_DONE: Final = ("nothing is done", "nothing was changed", "a person is needed")
"""What a message says that tells why nothing is being done."""
SETTLES_S: Final = 900.0
"""In which an end must be told and recorded: AWS may throttle for ten minutes."""
HISTORY_LIMIT: Final = 20_000
ITEM_LIFE_S: Final = 200 * 86_400.0
LASTING_ITEMS: Final = 40
"""That never expire: of the plan itself, and of each execution."""
COOLDOWN_S: Final = 3600.0
FAILOVERS_A_DAY: Final = 2
_TELLING: Final = ("dynamodb", "events", "sns")
_STARTING: Final = (*_TELLING, "stepfunctions", "secretsmanager")


@dataclass(frozen=True)
class Broken:
    """A promise that was not kept; `at`: seconds from the life's beginning."""

    promise: int
    at: float
    why: str

    def __str__(self) -> str:
        return f"promise {self.promise} is broken at {self.at:.0f} s: {self.why}"


class Oracle:
    """Looks on, and notes each promise that is broken, once."""

    def __init__(self, world: World, story: Story, observers: Observers, people: People) -> None:
        self._world = world
        self._story = story
        self._observers = observers
        self._people = people
        self.broken: list[Broken] = []
        self._silent = 0.0
        """For how many attentive seconds the active site looks lost, nothing runs, and nobody was told."""
        self._idle = 0.0
        """For how many the votes suffice and nothing runs."""
        self._lost_since: float | None = None
        self._unheard: float | None = None
        """Since when the active site looks lost and nothing came of it: no start, no message."""
        self._answered = False
        self.longest_s = 0.0
        """The longest such time, while ledger, bus and SNS answered."""
        self._ended: dict[str, float] = {}
        Changes(world, self._break)

    def begin(self) -> None:
        """From now on it looks."""
        self._world.scheduler.spawn(self._look, Process("the oracle"))

    def _break(self, promise: int, why: str) -> None:
        if not any(each.promise == promise for each in self.broken):
            self.broken.append(Broken(promise, self._world.now - STARTED, why))
            self._world.tell(f"BROKEN {self.broken[-1]}")

    # 3, 4 and 5: as time passes

    def _look(self) -> None:
        while True:
            self._world.await_attention()
            self._world.scheduler.sleep(LOOKS_EVERY_S)
            self._once()

    def _once(self) -> None:
        now, state = self._world.now, self._state()
        active = str(state.get("active", "east"))
        seeing = [vantage for vantage in self._observers.vantages if self._observers.seen_lost(vantage, active)]
        running = [each for each in self._world.executions if self._goes_on(each) and _takes_over(each)]
        self._heard(now, bool(seeing))
        if not seeing:
            self._lost_since = None
            if self._people.denied_at is not None:
                self._people.denied_at = None
        elif self._lost_since is None:
            self._lost_since = now
        if not seeing or running:
            self._silent = self._idle = 0.0
        else:
            self._time_passes(now, state, active, seeing)
        if self._people.denied_at is not None:
            self._denied(self._people.denied_at)
        for execution in self._world.executions:
            self._end_of(execution, now)

    def _heard(self, now: float, lost: bool) -> None:
        """How long it takes until something comes of a loss: the oracle looks from where it begins."""
        if not lost:
            self._unheard, self._answered = None, False
        elif self._unheard is None and not self._answered:
            self._unheard = now
        if self._unheard is None:
            return
        began = self._unheard - LOOKS_EVERY_S
        answers = [each.started for each in self._world.executions] + [
            message.at for message in self._world.account.messages if not message.subject.startswith("Readiness")
        ]
        if any(at >= began for at in answers) or any(map(self._goes_on, self._world.executions)):
            first = min((at for at in answers if at >= began), default=now)
            self.longest_s = max(self.longest_s, first - began)
            self._unheard, self._answered = None, True
        elif self._troubled(_TELLING, now):
            self._unheard = now

    def _time_passes(self, now: float, state: dict[str, Any], active: str, seeing: list[str]) -> None:
        since = self._lost_since or now
        last_end = max((each.stopped or 0.0 for each in self._world.executions), default=0.0)
        told = any(
            not message.subject.startswith("Readiness")
            and message.at >= now - HOUR_S
            and (message.at >= since or any(each in message.subject for each in NOTHING_DONE))
            for message in self._world.account.messages
        )
        if told or self._troubled(_TELLING, now):
            self._silent = 0.0
        else:
            self._silent += LOOKS_EVERY_S
        if self._silent > NOTIFIED_WITHIN_S + SLACK_S:
            ends = [(each.name, each.status, each.error) for each in self._world.executions]
            self._break(3, f"{active} looks lost for {now - since:.0f} s, nothing runs, nobody is told; {ends}")
        stands = len(self._observers.vantages) == len(seeing) > 1 and self._story.mode != "observe"
        rules = POLICIES[self._story.policy]
        alarms = sum(name in self._observers.delivered_alarms for name in ALARMS[active])
        stands = stands and len(seeing) + alarms >= rules.quorum and (rules.fast_path or alarms > 0)
        cooling = now - float(state.get("changed_at", 0.0)) < COOLDOWN_S + NOTIFIED_WITHIN_S
        standby = other(active)
        standby_lost = any(self._observers.seen_lost(vantage, standby) for vantage in self._observers.vantages)
        kept = any(
            (
                self._maintained(now),
                len(_recent(state, now)) >= FAILOVERS_A_DAY,
                self._people.paused,
                self._people.denied_at is not None,
                state.get("denial"),
                state.get("holder"),
            )
        )
        if not stands or cooling or standby_lost or kept or self._troubled(_STARTING, now) or now - last_end < 5.0:
            self._idle = 0.0
        else:
            self._idle += LOOKS_EVERY_S
        if self._idle > STARTED_WITHIN_S + rules.hold_seconds + SLACK_S:
            ends = [(each.name, each.status, each.error) for each in self._world.executions]
            self._break(4, f"the votes against {active} suffice, the lease is free, and nothing runs; {ends}")

    def _maintained(self, now: float) -> bool:
        window = self._story.maintenance
        return window is not None and window[0] - SLACK_S <= now - STARTED < window[1] + SLACK_S

    def _denied(self, at: float) -> None:
        by_itself = [each.name for each in self._world.executions if each.started > at and "-failover" in each.name]
        if by_itself:
            self._break(5, f"denied at {at - STARTED:.0f} s, and {by_itself[0]} starts all the same")

    def _end_of(self, execution: Execution, now: float) -> None:
        """Every end is in the ledger, and told."""
        stopped = execution.stopped
        if stopped is None or execution.name in self._ended:
            return
        if now - stopped < SETTLES_S or not self._world.attentive:
            return
        if self._troubled(_TELLING, now - SETTLES_S, now):
            return
        self._ended[execution.name] = stopped
        record = self._item(f"execution#{execution.name}")
        if not record:
            return
        if record.get("status") == "running" and execution.status != "ABORTED":
            self._break(3, f"{execution.name} ended {execution.status} ({execution.error}); its record says running")
        if record.get("status") == "succeeded" and execution.status == "FAILED":
            self._break(3, f"{execution.name} succeeded by its record, and ended {execution.status} {execution.error}")
        told_by_another = record.get("status") == "superseded"
        if told_by_another or _is_rehearsal(execution):
            return
        if not self._told_of(execution.name, json.loads(record.get("document", "{}")).get("guard"), stopped - HOUR_S):
            self._break(3, f"{execution.name} ended {execution.status} ({execution.error}), and nobody was told")

    def _told_of(self, execution: str, guard: str | None, since: float) -> bool:
        """Whether people were told of the execution, or lately of another that ended for the same reason."""
        for message in self._world.account.messages:
            told = json.loads(message.text)
            if told.get("execution") == execution or (message.at >= since and guard and told.get("guard") == guard):
                return True
        return False

    # At the end of the life

    def conclude(self) -> None:
        """What only the whole life tells."""
        self._one_truth()
        self._redriven()
        self._known_loss()
        self._bounds()
        self._secrets()
        for why in self._world.functions.unexpected:
            self._break(9, f"an error that nobody raised on purpose: {why}")

    def _one_truth(self) -> None:
        """Where nothing is under way, the ledger, the name and the fleets say the same."""
        world, state = self._world, self._state()
        if state.get("holder") or any(each.running for each in world.executions):
            return
        if world.meddled_at > float(state.get("changed_at", 0.0)) - MEDDLED_S:
            return
        led, active = world.sites.record.split(".")[0].removeprefix("gw-"), str(state.get("active", "east"))
        if led != active and not world.sites.serving:
            self._break(1, f"the ledger says {active}, and the name leads to {led}")
        clients = world.sites.clients_at()
        astray = {where for where in world.sites.serving if world.sites.leads_to(where) not in (active, None)}
        excused = astray and all(self._was_out_of_reach(where, float(state.get("changed_at", 0.0))) for where in astray)
        if clients != {active} and not excused:
            self._break(1, f"{active} is active, and fleets lead clients to {clients}")

    def _was_out_of_reach(self, where: str, changed_at: float) -> bool:
        """Where all sites serve: whether a fleet's control plane was lost while the active site changed. It leads to
        the cluster beside it, once it is back, until people, whom readiness tells, lead it over."""
        changed = [run for run in self._world.executions if run.started <= changed_at and _takes_over(run)]
        return self._world.sites.leads_to(where) == where and any(
            outage.site == where
            and outage.part == "site"
            and outage.is_of_clients
            and STARTED + outage.ends > run.started
            and STARTED + outage.begins < (run.stopped or changed_at)
            for outage in self._observers.past
            for run in changed[-1:]
        )

    def _redriven(self) -> None:
        """A redrive goes on: with nothing in its way any more it ends well."""
        if any(outage.site == "west" for outage in self._observers.past):
            return
        last_trouble = max((spell.ends for spell in self._world.calls.spells), default=0.0)
        for execution in self._world.executions:
            redriven_at = execution.redriven_at or 0.0
            in_peace = redriven_at > last_trouble + NOTIFIED_WITHIN_S and not (
                execution.name.startswith(("switchover", "restore")) and self._observers.any_lost_since(redriven_at)
            )
            superseded = execution.error == "LeaseLost"
            if in_peace and execution.status == "FAILED" and not superseded and not self._people.paused:
                end = f"{execution.error} {execution.cause[:200]}"
                self._break(6, f"{execution.name} was redriven {execution.redrives} times: {end}")

    def _known_loss(self) -> None:
        """What nobody knows is not said to be nothing."""
        for message in self._world.account.messages:
            sent = message.subject + message.text
            if " 0 stranded" in sent or " 0 lost" in sent:
                self._break(7, f"people are told {message.subject!r}")
        if self._story.lag_known:
            return
        for (_, sort), item in self._world.table.items.items():
            if not sort.startswith("execution#") or "dry-run" in sort:
                continue
            document = json.loads(plain(item).get("document", "{}"))
            if document.get("switchover") or document.get("kind") == "restore":
                continue
            loss = document.get("loss") or {}
            if document.get("outcome") == "succeeded" and not loss.get("unknown_partitions"):
                self._break(7, f"no lag was told, and the report of {sort} knows the loss: {loss}")

    def _bounds(self) -> None:
        """Nothing grows without bound."""
        for execution in self._world.executions:
            if execution.events > HISTORY_LIMIT:
                self._break(8, f"{execution.name} has {execution.events} events")
        for why in self._world.functions.too_long:
            self._break(8, why)
        lasting = 0
        for (_, sort), item in self._world.table.items.items():
            expires = plain(item).get("expires")
            lasting += expires is None
            if expires is not None and expires > self._world.now + ITEM_LIFE_S:
                self._break(8, f"{sort} is kept for {(expires - self._world.now) / 86_400.0:.0f} days")
        if lasting > LASTING_ITEMS * (len(self._world.executions) + 1):
            self._break(8, f"{lasting} items are there for ever, of {len(self._world.executions)} executions")

    def _secrets(self) -> None:
        """No secret is where it does not belong."""
        world = self._world
        places = {
            "a message": " ".join(message.text + message.subject for message in world.account.messages),
            "an event": " ".join(detail for _, _, detail in world.account.events),
            "the ledger": " ".join(map(str, world.table.items.values())),
            "an execution": " ".join(each.cause + each.input_text for each in world.executions),
        }
        for place, text in places.items():
            for word in SECRET_WORDS:
                if word in text:
                    self._break(10, f"{place} holds the secret {word}")

    def _goes_on(self, execution: Execution) -> bool:
        """Whether it runs, and its region is there."""
        return execution.running and execution.region not in self._world.lost_regions

    def _state(self) -> dict[str, Any]:
        return self._item("state")

    def _item(self, sort: str) -> dict[str, Any]:
        return plain(self._world.table.items.get((f"plan#{PLAN}", sort), {}))

    def _troubled(self, services: tuple[str, ...], since: float, until: float | None = None) -> bool:
        """Whether one of them was in trouble lately, or there is no controller to call them."""
        until = since if until is None else until
        return all(region in self._world.lost_regions for region in self._world.regions) or any(
            spell.service in services and spell.begins <= until and since < spell.ends + NOTIFIED_WITHIN_S
            for spell in self._world.calls.spells
        )


def _takes_over(execution: Execution) -> bool:
    """Whether it leads clients from a site that is lost: a switchover that waits for its site does not, nor does a
    rehearsal."""
    return not _is_rehearsal(execution) and "switchover" not in execution.name


def _is_rehearsal(execution: Execution) -> bool:
    return execution.name.startswith("dry-run")


def _recent(state: dict[str, Any], now: float) -> list[float]:
    """The failovers of the last day."""
    return [at for at in json.loads(str(state.get("failovers", "[]"))) if now - at < 86_400.0]
