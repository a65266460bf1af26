"""What counts of how a scenario ends: nothing in it depends on the time."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final

from simulation.aws.dynamodb import plain
from simulation.sites import SITES, TOPICS, definition_of
from simulation.world import PLAN, World

End = dict[str, Any]


def failover_end(life: World) -> End:
    """How executions ended, what the ledger keeps of them, where clients are led, and what people were told."""
    state = _item(life, "state")
    records = {
        sort.removeprefix("execution#"): item
        for (_, sort), item in life.table.items.items()
        if sort.startswith("execution#") and sort.count("#") == 1
    }
    documents = {name: json.loads(plain(item).get("document", "{}")) for name, item in records.items()}
    return {
        "executions": {execution.name: execution.status for execution in life.executions},
        "ledger": {key: state.get(key) for key in ("active", "epoch", "holder")} | {"denied": "denial" in state},
        "outcomes": {name: document.get("outcome") for name, document in documents.items()},
        "mirrors": {site: dict(mirrors) for site, mirrors in life.sites.mirrors.items()},
        "name": (life.sites.record, life.sites.answer),
        "fleets": {name: (site.fleet.definition, site.fleet.desired) for name, site in life.sites.sites.items()},
        "told": _messages(life),
        "dead letters": [name for _, name in life.functions.dead_letters],
    }


def switchover_end(life: World) -> End:
    """As of a failover; and that the group's offsets are the same on both sites, or people can read that they may not
    be."""
    offsets = (
        json.loads(_item(life, "execution#by-hand").get("document", "{}")).get("switchover", {}).get("offsets", {})
    )
    reported = offsets.get("label") == "unknown" or offsets.get("unknown") or offsets.get("refused")
    is_carried = life.sites.committed["west"] == life.sites.committed["east"]
    messages = len(life.account.messages)
    return failover_end(life) | {"offsets": is_carried or bool(reported), "heard": messages in (1, 2)}


GIVEN_UP: Final[End] = {
    "executions": {"by-hand": "SUCCEEDED"},
    "ledger": {"active": "east", "epoch": 1.0, "holder": None, "denied": False},
    "outcomes": {"by-hand": "stood-down"},
    "mirrors": {"west": dict.fromkeys(TOPICS, "ACTIVE"), "east": {}},
    "name": ("gw-east.orders.example.com", "gw-east.orders.example.com"),
    "fleets": {site: (definition_of(site, site), 2) for site in SITES},
    "dead letters": [],
    "heard": True,
}
"""A switchover in doubt before the point of no return."""
NOT_RESTORED: Final[End] = {
    "executions": {"by-hand": "SUCCEEDED"},
    "ledger": {"active": "west", "epoch": 1.0, "holder": None, "denied": False},
    "outcomes": {"by-hand": "stood-down"},
    "mirrors": {"west": dict.fromkeys(TOPICS, "STOPPED"), "east": {}},
    "name": ("gw-west.orders.example.com", "gw-west.orders.example.com"),
    "dead letters": [],
    "promotions": 0,
}
"""A restore in doubt before anything is truncated; that the returned site's gateways lead to the active one is well."""


def _messages(life: World) -> dict[str, str]:
    """What people were told, and how often: who dies between the telling and its record has it told again. That nothing
    is done yet, while a service does not answer for a minute, is told, too, and is no other end."""
    subjects = [re.sub(r"\d+", "N", message.subject) for message in life.account.messages]
    count = Counter(subject for subject in subjects if "nothing is done" not in subject)
    return {subject: "once or twice" if times <= 2 else f"{times} times" for subject, times in count.items()}


def scheduled_end(life: World) -> End:
    """What is kept in the ledger, whether each look ahead is well, and what the bus and people were told of."""
    passing = ("notification", "readiness-change", "plan-table#offsets")
    sorts = [sort for partition, sort in life.table.items if not f"{partition}{sort}".startswith(passing)]
    readiness = json.loads(_item(life, "readiness").get("document", '{"checks": []}'))
    return {
        "kept": sorted(sort for sort in sorts if not sort.startswith(passing)),
        "checks": {check["name"]: check["status"] for check in readiness["checks"]},
        "events": sorted({kind for _, kind, _ in life.account.events}),
        "told": bool(life.account.messages),
        "dead letters": [name for _, name in life.functions.dead_letters],
    }


def _item(life: World, sort: str) -> dict[str, Any]:
    return plain(life.table.items.get((f"plan#{PLAN}", sort), {}))
