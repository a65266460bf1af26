"""A world that is kept up for people to try things in: where all is, what people are sent, and outages on demand."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from drill import fixture_plan
from drill.clients.pairs import RECOMMENDED, Pair
from drill.fixture_plan import HOME, STANDBY
from drill.ledger_reader import ControllerAccount
from drill.network.admin_http import Reply, as_json, serve
from drill.network.plain_http import plain
from drill.world import SITES, World
from drill.world_settings import Settings

CLIENTS: Final = replace(RECOMMENDED, rate=50.0)
"""Those that the world has: slow, for their logs grow as long as it is up."""
LOOK_EVERY_S: Final = 0.5
STANDSTILL_S: Final = 3.0
"""For how long nothing is acknowledged before that is told."""
FAILBACK_AFTER_S: Final = 5
COOLDOWN_S: Final = 5
FAILOVERS_A_DAY: Final = 100
CONSOLE: Final = ".console.aws.amazon.com/"
CONTROL_FILE: Final = "control.json"
WITHOUT_RIGHT: Final = {
    "match": "updateKafkaMirrorTopics",
    "kind": "status",
    "times": None,
    "status": 403,
    "error_code": 40301,
    "message": "Request is not authorized: Describe, Alter on the cluster link",
}


class Outage(StrEnum):
    """What can be made to fail."""

    SITE = "site"
    KEY = "key"


class NoWorld(RuntimeError):
    """No world is up here."""


class RunningWorld:
    """A world that is up, its clients, and what is told of it."""

    def __init__(self, world: World, console: Console) -> None:
        self.world = world
        self.controller = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        self._console = console
        self._pair: Pair | None = None
        self._frozen: str | None = None
        self._printed: set[str] = set()
        self._acknowledged_at: float | None = None
        self._stands_still = False

    def start_clients(self) -> None:
        """A writer and a reader, as long as the world is up."""
        self._pair = Pair(CLIENTS, self.world.logs)
        self._pair.start(self.world)

    def begin(self, what: Outage) -> str:
        """Have it fail; what that means, in a sentence."""
        if what is Outage.KEY:
            plain.post(f"{self.world.rest_control(STANDBY)}/faults", json=WITHOUT_RIGHT).raise_for_status()
            return f"the controller's key of {STANDBY} has lost its right to make mirrors writable"
        if self._frozen is not None:
            return f"{self._frozen} is lost already"
        self._frozen = self.controller.active_site() or HOME
        self.world.freeze(self._frozen)
        stopped = f"{self._frozen} stops in its tracks: Kafka, REST, gateways, load balancer, and its region's AWS"
        if self._frozen == STANDBY:
            return f"{stopped}, where the controller is: it does nothing until `python -m drill outage --over`"
        return stopped

    def end(self, what: Outage) -> str:
        """Have it work again; what that means, in a sentence."""
        if what is Outage.KEY:
            plain.delete(f"{self.world.rest_control(STANDBY)}/faults").raise_for_status()
            return f"the controller's key of {STANDBY} may do all again"
        if self._frozen is None:
            return "no site is lost"
        back, self._frozen = self._frozen, None
        self.world.thaw(back)
        return f"{back} is back, as it was when it stopped"

    def tell(self) -> None:
        """Print what people were sent, and what became of the clients, since the last call."""
        for message in plain.get(f"{self.world.endpoint}/drill/messages", timeout=10.0).json():
            if message["id"] not in self._printed:
                self._printed.add(message["id"])
                self._print_message(message)
        for part in self.world.ended_parts():
            if part not in self._printed:
                self._printed.add(part)
                self._print(f"{_now()}  {part} has ended by itself, and this world lacks it: bring up another", "red")
        if self._pair is not None:
            self._tell_of_clients(self._pair)

    def _print_message(self, message: dict[str, Any]) -> None:
        text = message["text"].replace(f" --region {fixture_plan.REGIONS[STANDBY]}", " --drill")
        # This world has no console that links could lead to.
        lines = [f"  | {line}" for line in text.rstrip("\n").splitlines() if CONSOLE not in line]
        self._print(f"{_now()}  a message to people: {message['subject']}", "bold yellow")
        for line in lines:
            self._print(line)

    def _tell_of_clients(self, pair: Pair) -> None:
        now = time.time()
        pair.traffic.read()
        if pair.traffic.acknowledged(now).now:
            if self._stands_still and self._acknowledged_at is not None:
                self._print(f"{_now()}  clients work again, after {now - self._acknowledged_at:.0f} s", "green")
            self._acknowledged_at, self._stands_still = now, False
        elif self._acknowledged_at is not None and now - self._acknowledged_at > STANDSTILL_S:
            if not self._stands_still:
                self._print(f"{_now()}  clients stand still: nothing they write is acknowledged", "red")
            self._stands_still = True

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def settings(directory: Path, mode: str, **more: Any) -> Settings:
    """Of a world that has clients, and whose lost site can be restored. `mode`: the policy's."""
    # On AWS mirrors have to trail by little for minutes before clients are led home, and a failover is followed by an
    # hour in which none begins by itself.
    policy = {
        "mode": mode,
        "failback_after_seconds": FAILBACK_AFTER_S,
        "cooldown_seconds": COOLDOWN_S,
        "max_failovers_a_day": FAILOVERS_A_DAY,
    }
    chosen: dict[str, Any] = {"topics": CLIENTS.topics, "groups": (CLIENTS.group,), "policy": policy}
    return Settings(directory=directory, truncation=True, **chosen, **more)


def keep(running: RunningWorld, directory: Path) -> None:
    """Tell what happens, and do what `drill outage` asks, until it is interrupted."""
    asyncio.run(_keep(running, directory))


async def _keep(running: RunningWorld, directory: Path) -> None:
    def begin(body: Any) -> Reply:
        return as_json({"what": running.begin(Outage(body["what"]))})

    def end(body: Any) -> Reply:
        return as_json({"what": running.end(Outage(body["what"]))})

    port = await serve({("POST", "/outage"): begin, ("POST", "/over"): end})
    with _control_file(directory, f"http://127.0.0.1:{port}"):
        while True:
            await asyncio.to_thread(running.tell)
            await asyncio.sleep(LOOK_EVERY_S)


@contextmanager
def _control_file(directory: Path, url: str) -> Iterator[None]:
    file = directory / CONTROL_FILE
    file.write_text(json.dumps({"pid": os.getpid(), "url": url}) + "\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def ask(reports: Path, what: Outage, *, over: bool) -> str:
    """Have something fail, or work again, in the world that is up; what that means.

    Raises:
        NoWorld: there is none.
    """
    named = os.environ.get("DRILL_DIRECTORY")
    files = [Path(named) / CONTROL_FILE] if named else reports.glob(f"*/{CONTROL_FILE}")
    for file in sorted((file for file in files if file.exists()), key=lambda file: file.stat().st_mtime, reverse=True):
        control = json.loads(file.read_text())
        try:
            answer = plain.post(f"{control['url']}/{'over' if over else 'outage'}", json={"what": what}, timeout=60.0)
        except httpx.ConnectError:
            continue
        return str(answer.raise_for_status().json()["what"])
    raise NoWorld("no world is up here: bring one up with `python -m drill up`, and stand in the same directory")


def where(world: World, *, another_is_up: bool) -> Iterator[str]:
    """Where all of it is, and what to say first; each line whole, so that it can be pasted."""
    rows = [
        ("clients bootstrap to", world.client_bootstrap),
        ("DNS server", world.nameserver),
    ]
    for site in SITES:
        addresses = world.addresses(site)
        key = ":".join(fixture_plan.API_KEYS[site])
        rows += [
            (f"Kafka of {site}", f"{addresses.bootstrap}; its load balancer {addresses.balancer}"),
            (f"REST of {site}", f"{addresses.rest} (key {key})"),
        ]
    rows += [
        ("ledger", f"{world.ledger_table} (a table of DynamoDB)"),
        ("failover", world.resource("FailoverStateMachine")),
        ("switchover", world.resource("SwitchoverStateMachine")),
        ("functions", ", ".join(sorted(world.functions().values()))),
        ("plan", f"{fixture_plan.PLAN}: `failover plans show {fixture_plan.PLAN} --drill`"),
        ("logs", str(world.logs)),
    ]
    width = max(len(name) for name, _ in rows)
    yield from (f"  {name:<{width}}  {value}" for name, value in rows)
    yield ""
    yield "AWS, for an SDK or the aws command line:"
    region = fixture_plan.REGIONS[STANDBY]
    yield f"  export AWS_ENDPOINT_URL={world.endpoint} AWS_REGION={region} AWS_DEFAULT_REGION={region}"
    yield f"  export AWS_ACCESS_KEY_ID={fixture_plan.ACCOUNT} AWS_SECRET_ACCESS_KEY=drill"
    yield ""
    yield "In another terminal, in this directory:"
    yield f"  . {os.path.relpath(sys.prefix)}/bin/activate    # for failover and python"
    if another_is_up:
        yield f"  export DRILL_DIRECTORY={world.settings.directory}    # another drill runs here, too"
    yield from (f"  {command:<59}# {meaning}" for command, meaning in _FIRST_COMMANDS)


_FIRST_COMMANDS: Final = (
    ("failover status --drill", "where the plan stands, and what to say next"),
    ("failover check --now --drill", "whether a failover would work"),
    (f"failover start failover {fixture_plan.PLAN} --dry-run --watch --drill", "what it would do"),
    ("python -m drill outage", "the active site is lost"),
    ('failover deny --why "we look first" --drill', "once you are asked: no; failover resume has it ask again"),
    ("failover approve --watch --drill", "or yes"),
    ("python -m drill outage --over", "the site is back"),
    ("failover start restore --discard --watch --drill", "it is a mirror again"),
    ("failover start failback --watch --drill", "and clients go home"),
    ("python -m drill outage key", "the next failover stops: outage key --over, then failover redrive"),
)


def others(reports: Path) -> bool:
    """Whether another drill runs here."""
    for file in reports.glob("*/controller.json"):
        try:
            os.kill(int(json.loads(file.read_text())["pid"]), 0)
        except (OSError, ValueError, KeyError):
            continue
        return True
    return False


def _now() -> str:
    return f"{time.strftime('%H:%M:%S')}"
