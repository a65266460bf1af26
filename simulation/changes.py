"""The promises that are judged at the moment of a change: where clients are led, who changes something, what is
reversed or truncated, when a hook is called. It shares no code with the product, and imports nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulation.aws.dynamodb import Item, plain
from simulation.sites import LOG_END, STRANDED, TOPICS, other
from simulation.world import PLAN, STARTED, World

MEDDLED_S: Final = 30.0
"""What other writers put back so shortly before an execution's end it can't have seen."""
_TRUNCATING: Final = "mirrors:truncate-and-restore"
_REVERSING: Final = ("mirrors:reverse-and-start-mirror", "mirrors:promote")
_STATE: Final = (f"plan#{PLAN}", "state")


class Changes:
    """Looks at each change as it happens. `broken(promise, why)` is called for each promise that one breaks."""

    def __init__(self, world: World, broken: Callable[[int, str], None]) -> None:
        self._world = world
        self._break = broken
        self._leases: list[tuple[float, str]] = []
        """Since when, and the holder."""
        self._changed: set[str] = set()
        """The executions that changed a fleet, a name or a mirror."""
        self._changed_at = 0.0
        """When one of them last did."""
        world.moved.append(self._clients_moved)
        world.changed.append(self._item_changed)
        world.on_change.append(self._changes)
        world.on_hook.append(self._hook_called)

    def _clients_moved(self) -> None:
        if self._world.meddled_at > self._changed_at:
            return  # Another tool led them there, after whatever was ours.
        for at in self._world.sites.clients_at():
            if not self._world.sites.is_writable(at):
                self._break(1, f"clients are led to {at}, and its mirrors are {self._world.sites.mirrors[at]}")

    def _item_changed(self, key: tuple[str, str], before: Item, after: Item) -> None:
        if key == _STATE:
            self._leases.append((self._world.now, str(plain(after).get("holder", ""))))

    def _changes(self, execution: str, begun: float, what: str) -> None:
        self._changed.add(execution)
        self._changed_at = self._world.now
        holders = [holder for since, holder in self._leases if since <= begun]
        if not holders or holders[-1] != execution:
            self._break(2, f"{execution}, called at {begun - STARTED:.1f} s, does {what} without the lease")
        if what.endswith(_REVERSING):
            self._reversing(self._world.active)
        if what.endswith(_TRUNCATING):
            self._truncating(execution)

    def _truncating(self, name: str) -> None:
        """What the topics hold beyond the active site's is saved, every record of it, or was said to be discarded."""
        execution = next(run for run in self._world.executions if run.name == name)
        if json.loads(execution.input_text).get("discard"):
            return
        returned, folder = other(self._world.active), f"rescue/{PLAN}/{name}/"
        for topic in TOPICS:
            gone = topic not in self._world.sites.topics[returned]
            if gone or self._world.sites.mirrors[returned].get(topic, "STOPPED") != "STOPPED":
                continue
            offsets = {
                json.loads(line)["offset"]
                for (_, key), stored in self._world.account.s3.objects.items()
                if f"{folder}{topic}/" in key and key.endswith(".ndjson")
                for line in stored.body.splitlines()
            }
            if lost := set(range(LOG_END - STRANDED, LOG_END)) - offsets:
                self._break(11, f"{topic} of {returned} is truncated, and its offsets {sorted(lost)} are saved nowhere")

    def _hook_called(self, event: Mapping[str, Any]) -> None:
        """At its turn: before anything is changed, when the standby is writable, when the name leads there."""
        to, sites, moment = event["to"], self._world.sites, event["moment"]
        if moment == "after-promotion" and not sites.is_writable(to):
            self._break(12, f"a hook is called {moment}, and mirrors of {to} are {sites.mirrors[to]}")
        meddled = self._world.meddled_at > self._world.now - MEDDLED_S
        if moment == "after-name" and not sites.serving and sites.record.split(".")[0] != f"gw-{to}" and not meddled:
            self._break(12, f"a hook is called {moment}, and the name leads to {sites.record}")
        if moment == "before-fence" and event["execution"] in self._changed:
            self._break(12, f"a hook is called {moment}, and {event['execution']} has changed something already")

    def _reversing(self, source: str) -> None:
        """Nobody can write any more to the site that is left, and the other one has all of it."""
        sites = self._world.sites
        if leading := [where for where in sites.standing if sites.leads_to(where) == source]:
            self._break(1, f"mirrors are reversed while the gateways of {', '.join(leading)} lead clients to {source}")
        if sites.logs.end(is_mirror=True) != sites.logs.end(is_mirror=False) or sites.logs.written_since is not None:
            self._break(7, f"mirrors are reversed that have not all of {source}")
