"""What counts of how a scenario ends: nothing in it depends on the time."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from simulation.aws.dynamodb import plain
from simulation.sites import SITES, TOPICS, Written, definition_of
from simulation.world import PLAN, World

End = dict[str, Any]
NOTHING_IS_DONE: Final = "nothing is done"
WITHHELD: Final = "told that nothing is done"
"""How often. It has to be told while what must be asked does not answer for a minute, and then only."""
STARTED_BY_ROUNDS: Final = ("judge", "watch_site", "sample_lag", "check_readiness", "claim")


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
        WITHHELD: sum(NOTHING_IS_DONE in message.subject for message in life.account.messages),
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
    fenced = any("routed to fenced" in line for line in life.trace.story)
    return failover_end(life) | {"offsets": is_carried or bool(reported), "heard": messages in (1, 2), "fenced": fenced}


def practice_end(life: World) -> End:
    """As of a failover; and what is kept as evidence, whenever it was. Both its switchovers are told by one subject."""
    evidence = json.loads(_item(life, "practice#practice-1").get("document", "{}"))
    ways = {way: (evidence.get(way) or {}).get("to") for way in ("there", "back")}
    practised = [kind for _, kind, _ in life.account.events if kind.startswith("Practice")]
    end = failover_end(life)
    return end | {
        "evidence": {name: evidence.get(name) for name in ("outcome", "why", "active")} | ways,
        "events": sorted(set(practised)),
        "told": _messages(life, most=4),
        "active": end["ledger"]["active"],
        "fleet at home": end["fleets"]["east"],
        "put back": "stood-down" in end["outcomes"].values(),
    }


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """What a scenario may come to as well: nothing was changed, or all is put back, and people are told."""

    why: str
    """In which case that is the right end."""
    functions: frozenset[str]
    """At whose calls alone; a minute that begins in the last look before the fence reaches behind it."""
    end: End


_PUT_BACK: Final[End] = {
    "executions": {"by-hand": "SUCCEEDED"},
    "ledger": {"active": "east", "epoch": 1.0, "holder": None, "denied": False},
    "outcomes": {"by-hand": "stood-down"},
    "mirrors": {"west": dict.fromkeys(TOPICS, "ACTIVE"), "east": {}},
    "name": ("gw-east.orders.example.com", "gw-east.orders.example.com"),
    "fleets": {site: (definition_of(site, site), 2) for site in SITES},
    "dead letters": [],
    "heard": True,
    "fenced": True,
}
BEHIND_THE_FENCE: Final = GivenUp(
    why="clients stand still behind a switchover's fence: what has no answer in the time that the plan gives it is put"
    " back, sooner than waited for",
    functions=frozenset({"precheck", "fence", "drain_mirrors", "reverse_mirrors"}),
    end=_PUT_BACK,
)


A_WAY_PUT_BACK: Final = GivenUp(
    why="what a minute of throttling asks of its switchover behind the fence is put back there: who was led nowhere is"
    " at home, and who was led away is led home once more",
    functions=frozenset({"run_practice"}),
    end={
        "name": _PUT_BACK["name"],
        "dead letters": [],
        "active": "east",
        "fleet at home": _PUT_BACK["fleets"]["east"],
        "put back": True,
    },
)


def _messages(life: World, *, most: int = 2) -> dict[str, str]:
    """What people were told, and how often: who dies between the telling and its record has it told again."""
    subjects = [re.sub(r"\d+", "N", message.subject) for message in life.account.messages]
    count = Counter(subject for subject in subjects if NOTHING_IS_DONE not in subject)
    return {subject: "once or twice" if times <= most else f"{times} times" for subject, times in count.items()}


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


def rescued_end(life: World) -> End:
    """As of a failover; and which records are saved, and are in the recovery topic: each once."""
    folder = f"rescue/{PLAN}/by-hand/"
    saved: dict[str, set[int]] = {}
    for (_, key), written in sorted(life.account.s3.objects.items()):
        if key.startswith(folder) and key.endswith(".ndjson"):
            offsets = {json.loads(line)["offset"] for line in written.body.splitlines()}
            saved.setdefault(key.removeprefix(folder).rpartition("/")[0], set()).update(offsets)
    indexes = sorted(key for _, key in life.account.s3.objects if key.endswith("/index.json"))
    recovered = sorted(_origin(row) for rows in life.sites.recovered for row in rows)
    return failover_end(life) | {"saved": saved, "indexes": indexes, "recovered": recovered}


def _origin(row: Written) -> tuple[str, str, str]:
    headers = dict(row.headers)
    topic, partition, offset = (
        (headers[f"failover-{name}"] or b"").decode() for name in ("topic", "partition", "offset")
    )
    return topic, partition, offset


def hooks_end(life: World) -> End:
    """As of a failover or a switchover; and what became of each hook."""
    rows = json.loads(_item(life, "execution#by-hand").get("document", "{}")).get("hooks", [])
    hooks = {f"{row['hook']} {row['moment']}": row["status"] for row in rows}
    return failover_end(life) | {"hooks": hooks}


def reported_end(life: World) -> End:
    """As of a failover; and the files that are written of it."""
    files = {key: written.body for (_, key), written in life.account.s3.objects.items()}
    whole = json.loads(files.get(f"{PLAN}/by-hand/report.json", b"{}"))
    return failover_end(life) | {"files": sorted(files), "written": whole.get("report", {}).get("outcome")}


def rounds_end(life: World) -> End:
    """Which functions were called, how the dry runs ended, and what is kept of which kind."""
    readiness = json.loads(_item(life, "readiness").get("document", '{"checks": []}'))
    return {
        "called": sorted(set(life.functions.invocations) & set(STARTED_BY_ROUNDS)),
        "dry runs": sorted({execution.status for execution in life.executions}),
        "kept": sorted({sort.partition("#")[0] for partition, sort in life.table.items if partition == f"plan#{PLAN}"}),
        "checks": {check["name"]: check["status"] for check in readiness["checks"]},
        "told": bool(life.account.messages),
        "dead letters": [name for _, name in life.functions.dead_letters],
    }


def operated_end(life: World) -> End:
    """The plan that is deployed, how often it was changed, and whether it is paused."""
    deployed = plain(life.table.items["plans", f"deployed#{PLAN}"])
    return {
        "is changed": "cooldown_seconds: 1800" in life.account.plan_text(PLAN),
        "revision": deployed["revision"],
        "by": deployed["by"],
        "paused": _item(life, "state").get("paused"),
    }


def _item(life: World, sort: str) -> dict[str, Any]:
    return plain(life.table.items.get((f"plan#{PLAN}", sort), {}))
