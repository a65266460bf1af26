"""The people around the controller. They act on what they were told, and on nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from simulation import restores
from simulation.aws.account import Message
from simulation.deployment import SWITCHOVER
from simulation.machine.execution import Execution
from simulation.machine.expressions import StateError
from simulation.others import Others
from simulation.regions import REGION
from simulation.restores import Restores
from simulation.scheduler import Process
from simulation.sites import other
from simulation.story import Act, Story, Switchover
from simulation.world import PLAN, STARTED, World

REDRIVES: Final = 3
PAUSED_S: Final = 420.0
_READS_EVERY_S: Final = 10.0


class People:
    """Who answers, redrives, supersedes, pauses, stops and starts."""

    def __init__(self, world: World, story: Story, lose: Callable[[str], None]) -> None:
        """`lose(site)`: a site is lost from now on."""
        self._world = world
        self._story = story
        self._lose = lose
        self._chance = random.Random(f"people {story.seed}")
        self._read = 0
        self._redrives = 0
        self._hands = 0
        self._rehearsals = 0
        self._others = Others(world, story)
        self._restores = Restores(world, story)
        self.paused = False
        self.denied_at: float | None = None
        """When a person last denied, until a person resumed."""

    def begin(self) -> None:
        """From now on they read what they are told."""
        self._world.scheduler.spawn(self._go_on, Process("people"))
        for act in self._story.acts:
            self._at(act, self._deeds(act))
        for number, switchover in enumerate(self._story.switchovers, 1):
            self._world.scheduler.call_at(
                STARTED + switchover.begins, partial(self._switch_over, switchover, f"switchover-{number}")
            )

    def _deeds(self, act: Act) -> Callable[[], None]:
        deeds: dict[str, Callable[[], None]] = {
            "abort": self._abort,
            "supersede": self._abort_and_supersede,
            "supersede a running one": self._supersede_running,
            "pause": lambda: self._spawn(self._pause),
            "rehearse": self._rehearse,
            "want it put back": self._want_it_put_back,
            "lose the active site": lambda: self._lose(self._world.active),
            "lose the standby": lambda: self._lose(other(self._world.active)),
            "lead clients back": self._lead_back,
            **self._others.deeds,
        }
        return deeds[act.deed]

    def _at(self, act: Act, deed: Callable[[], None]) -> None:
        key = act.function, act.invocation
        before = self._world.functions.at_invocation.get(key)

        def both() -> None:
            if before is not None:
                before()
            self._world.scheduler.call_later(act.after, deed)

        self._world.functions.at_invocation[key] = both

    def _spawn(self, action: Callable[[], None]) -> None:
        self._world.scheduler.spawn(action, Process("a person"))

    def _go_on(self) -> None:
        while True:
            messages = self._world.account.messages[self._read :]
            self._read += len(messages)
            for message in messages:
                self._spawn(partial(self._act_on, message))
            self._world.scheduler.sleep(_READS_EVERY_S)
            self._world.await_attention()

    def _act_on(self, message: Message) -> None:
        told = json.loads(message.text)
        execution = self._named(str(told.get("execution", "")))
        if message.subject.startswith("Approve"):
            self._answer(told)
        elif execution is not None and ("STOPPED" in message.subject or ("ended_at" in told and "remedy" in told)):
            self._take_up(execution)
        elif self._restores.hear(told):
            return
        elif self._story.starts_by_hand and "nothing is done" in message.subject:
            self._start_by_hand(str(told.get("site", "east")))

    def _named(self, name: str) -> Execution | None:
        return next((each for each in self._world.executions if each.name == name), None)

    def _answer(self, told: dict[str, Any]) -> None:
        seconds = self._chance.uniform(5, 90)
        if self._story.approver == "is late":
            seconds += float(told.get("answer_within_seconds", 900))
        self._world.scheduler.sleep(seconds)
        answer = "deny" if self._story.approver == "denies" else "approve"
        asked = {"plan": PLAN, "execution": told["execution"], "answer": answer, "by": "alice"}
        execution = self._named(str(told["execution"]))
        region = REGION if execution is None else execution.region
        try:
            self._world.functions.invoke("answer_approval", asked, region=region)
        except StateError as error:
            self._world.tell(f"alice's answer, {answer}, is not taken: {error.error}")
            return
        self._world.tell(f"alice answers: {answer}")
        if answer == "deny":
            self.denied_at = self._world.now

    def _take_up(self, execution: Execution) -> None:
        if self._redrives >= REDRIVES:
            return
        self._redrives += 1
        self._world.scheduler.sleep(self._chance.uniform(60, 400))
        if execution.running or not self._holds(execution) or execution.region in self._world.lost_regions:
            return
        if self._story.redrives:
            self._world.tell(f"a person redrives {execution.name}")
            execution.redrive()
        else:
            self._supersede(execution)

    def _supersede(self, execution: Execution) -> None:
        to = json.loads(execution.input_text).get("to", "west")
        if execution.name.startswith(restores.NAME):
            self._restores.start(to, supersedes=execution.name)
            return
        self._start({"to": to, "supersedes": execution.name})

    def _supersede_running(self) -> None:
        execution = self._running()
        if execution is not None and self._holds(execution):
            self._supersede(execution)

    def _lead_back(self) -> None:
        """To the site that is up, from where what holds the lease was leading, or what stood down in its place."""
        (back,) = [name for name, site in self._world.sites.sites.items() if site.up["kafka"]]
        last = self._world.executions[-1]
        half_done = self._holds(last) or "supersedes" in last.input_text
        if back == self._world.active and half_done:
            self._start({"to": back, "supersedes": last.name, "force": True})
        elif back != self._world.active:
            self._start({"to": back})

    def _holds(self, execution: Execution) -> bool:
        """Whether it still has the lease: a person looks, as the message says."""
        state = self._world.table.items.get((f"plan#{PLAN}", "state"), {})
        return bool(state.get("holder") == {"S": execution.name})

    def _start_by_hand(self, lost: str) -> None:
        if self._hands == 2:
            return
        self._world.scheduler.sleep(self._chance.uniform(30, 300))
        self._start({"to": "west" if lost == "east" else "east"})

    def _start(self, request: dict[str, Any]) -> None:
        self._hands += 1
        wanted = {"plan": PLAN, "by": "alice", "reason": "the site looks lost"} | request
        self._world.tell(f"a person starts an execution: {json.dumps(request)}")
        self._world.start(wanted, f"by-hand-{self._hands}")

    def _running(self) -> Execution | None:
        lost = self._world.lost_regions
        running = (each for each in self._world.executions if each.running and each.region not in lost)
        return next((each for each in running if not each.name.startswith("dry-run")), None)

    def _abort(self) -> None:
        if (execution := self._running()) is not None:
            self._world.tell(f"a person stops {execution.name}")
            execution.stop()

    def _abort_and_supersede(self) -> None:
        execution = self._running()
        self._abort()
        if execution is None:
            return

        def supersede() -> None:
            if self._holds(execution):
                self._supersede(execution)

        self._world.scheduler.call_later(self._chance.uniform(0.05, 20), supersede)

    def _switch_over(self, switchover: Switchover, name: str) -> None:
        """To whichever site is the standby then."""
        sites, active = self._world.sites, self._world.active
        sites.link_mode = "DESTINATION" if switchover.hindrance == "a link of one way" else "BIDIRECTIONAL"
        sites.logs.behind = 7 if switchover.hindrance == "a mirror never catches up" else 0
        sites.logs.written_since = (
            self._world.now if switchover.hindrance == "somebody writes past the gateways" else None
        )
        self._world.watch_closely()
        self._world.tell(f"a person starts a switchover to {other(active)}")
        request = {"plan": PLAN, "to": other(active), "by": "alice", "reason": "a planned change of sites"}
        self._world.start(request, name, SWITCHOVER)

    def _want_it_put_back(self) -> None:
        """What `failover abort` does, of a switchover or a restore that is not past its point of no return."""
        key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": "state"}}
        state = self._world.table.call("GetItem", {"Key": key}).get("Item", {})
        holder = state.get("holder", {}).get("S", "")
        if holder.startswith(("switchover", restores.NAME)) and state.get("no_return", {}).get("S") != holder:
            wish = {"execution": holder, "by": "alice", "why": "not now", "at": self._world.now}
            self._item(lambda item: item | {"abort_wish": {"S": json.dumps(wish)}})
            self._world.tell(f"a person wants {holder} put back")

    def _rehearse(self) -> None:
        """A dry run: it changes nothing, whatever runs meanwhile."""
        self._rehearsals += 1
        self._world.tell("a person starts a dry run")
        request = {"plan": PLAN, "to": "standby", "dry_run": True, "by": "alice", "reason": "a rehearsal"}
        self._world.start(request, f"dry-run-{self._rehearsals}")

    def _pause(self) -> None:
        """What `failover pause` and `failover resume` do."""
        self._item(lambda state: state | {"paused": {"S": "alice: maintenance"}})
        self.paused = True
        self._world.tell("a person pauses the plan")
        self._world.scheduler.sleep(PAUSED_S)
        self._item(lambda state: {name: value for name, value in state.items() if name not in ("paused", "denial")})
        self.paused, self.denied_at = False, None
        self._world.tell("a person resumes the plan")

    def _item(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        key = {"pk": {"S": f"plan#{PLAN}"}, "sk": {"S": "state"}}
        state = self._world.table.call("GetItem", {"Key": key}).get("Item", key)
        self._world.table.call("PutItem", {"Item": change(state)})
