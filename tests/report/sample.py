"""A failover, made up, as the ledger has it: its whole report."""

from __future__ import annotations

from typing import Any, cast

from failover.documents.execution import PartitionLoss
from failover.documents.whole_report import WholeReport

LOST = 1_795_427_112.0
"""When east was lost."""
TOPICS = ("orders", "payments", "shipments")
STEPS: tuple[tuple[str, float, float, dict[str, Any]], ...] = (
    ("claim", 7.4, 7.5, {}),
    ("assess", 7.5, 8.6, {}),
    ("request_approval", 8.7, 8.9, {"asked": True}),
    ("fence", 31.0, 31.4, {"fleets": {"gateway-east": "out of reach: ecs of us-east-2 gave no answer within 4 s"}}),
    ("promote_mirrors", 31.5, 33.2, {"mirrors": 3, "by_status": {"STOPPED": 3}}),
    ("switch_routes:gateway-west", 31.5, 34.0, {"target": "west", "instances": 3, "unproven": [], "tier": "ecs"}),
    ("check_offsets", 33.3, 33.8, {"partitions": 12, "ahead_count": 2, "ahead": ["fulfilment orders[0]"]}),
    (
        "flip_dns",
        34.1,
        35.2,
        {"hostname": "kafka.orders.example.com", "answers": {"ns-1": "gw-west"}, "unreached": ["ns-4"]},
    ),
    ("switch_routes:gateway-east", 34.1, 34.3, {"out_of_reach": "ecs of us-east-2 gave no answer within 4 s"}),
    ("verify", 35.3, 37.9, {"proven": ["kafka.orders.example.com leads to lkc-west01"]}),
)


def whole(**changes: Any) -> WholeReport:
    """The whole report; `changes` of the report in it."""
    partitions = [_partition(topic, partition) for topic in TOPICS for partition in range(4)]
    known = [of["estimated"] for of in partitions if of["estimated"] is not None]
    report = {
        "version": 1,
        "plan": "orders",
        "execution": "orders-7-failover",
        "epoch": 7,
        "kind": "failover",
        "from": "east",
        "to": "west",
        "dry_run": False,
        "manual": True,
        "started_by": "arn:aws:sts::123456789012:assumed-role/on-call/dana@example.com",
        "reason": "us-east-2 answers nobody since the storm",
        "outcome": "succeeded",
        "why": "approved",
        "votes": ["alarm failover-orders-east-kafka", "probe/us-west-2"],
        "guard": "",
        "stands_until_resumed": False,
        "outage_started_at": LOST,
        "claimed_at": LOST + 7.4,
        "ended_at": LOST + 37.9,
        "recovery_seconds": 37.9,
        "objectives": {"rto_seconds": 120, "rpo_records": 10_000},
        "approval": {"answer": "approve", "by": "kim@example.com", "at": LOST + 30.8, "why": "seen on the status page"},
        "loss": {
            "label": "estimated",
            "partitions": len(partitions),
            "unknown_partitions": 1,
            "unknown": ["shipments[3]"],
            "records": {"low": sum(of["low"] for of in known), "high": sum(of["high"] for of in known)},
            "at_least": sum(of["low"] for of in known),
            "observed": {"records": 33, "from": LOST - 9.0, "to": LOST - 2.0},
            "lost_by": LOST + 1.0,
            "measured": None,
            "not_measured_because": "only east knows what it had acknowledged; it can be counted once it is back",
            "worst": partitions[:3],
            "basis": "low: the lag that froze; high: the last fresh sample and its peak rate",
            "table": "table#orders-7-failover#loss",
            "peak_rate": 510.0,
        },
        "consumers": {
            "groups": ["fulfilment"],
            "read_again": {"label": "bounded", "seconds": 5.0, "records": 2550},
            "ahead": {
                "label": "measured",
                "count": 2,
                "offsets": ["fulfilment orders[0]", "fulfilment orders[1]"],
                "clamped": ["fulfilment orders[0]", "fulfilment orders[1]"],
                "refused": [],
                "unknown": [],
            },
            "open_transactions": ["billing-7 in payments[2]"],
        },
        "left_behind": [],
        "switchover": None,
        "restore": None,
        "steps": [
            {
                "step": name,
                "status": "done",
                "calls": 1 + number % 3,
                "started_at": LOST + started,
                "reported_at": LOST + ended,
                "took_seconds": round(ended - started, 3),
            }
            for number, (name, started, ended, _) in enumerate(STEPS)
        ],
        "hooks": [],
        "predecessors": [],
        "clients_found_at": None,
        "stopped_at": None,
        "error": None,
        "redrives": 0,
    }
    observed = {name: seen for name, _, _, seen in STEPS} | {"assess": _assessed()}
    return cast(
        "WholeReport", {"version": 1, "report": report | changes, "observed": observed, "partitions": partitions}
    )


def dry_run(**changes: Any) -> WholeReport:
    """That of a dry run."""
    nothing = {"loss": None, "recovery_seconds": None, "approval": None, "outage_started_at": None}
    rehearsed = whole(dry_run=True, **nothing | changes)
    return cast("WholeReport", dict(rehearsed) | {"partitions": []})


def stopped(**changes: Any) -> WholeReport:
    """That of a failover which stopped, with the error of a Lambda function."""
    cause = (
        '{"errorMessage": "link orders-link: 3 of 12 mirrors are FAILED: orders <b>", "errorType": "MirrorsStuck",'
        ' "stackTrace": ["  File app.py, line 7"]}'
    )
    error = {"Error": "MirrorsStuck", "Cause": cause}
    return whole(outcome="failed", recovery_seconds=None, stopped_at="BeginPromote", error=error, **changes)


def redriven() -> WholeReport:
    """That of a failover which stopped, was mended and gone on with."""
    return whole(stops=[stop(redriven_at=LOST + 33.0)], redrives=1)


def stop(redriven_at: float | None = None) -> dict[str, Any]:
    """A promotion that was refused."""
    return {
        "at": LOST + 32.0,
        "step": "promote_mirrors",
        "error": "LinkRejected",
        "why": "mirrors:failover answered 403 not authorized",
        "site": "west",
        "remedy": "give the key in secret failover/orders/west ALTER on the cluster and its topics",
        "redriven_at": redriven_at,
    }


def _partition(topic: str, partition: int) -> PartitionLoss:
    if (topic, partition) == ("shipments", 3):
        return {
            "topic": topic,
            "partition": partition,
            "observed": None,
            "estimated": None,
            "measured": None,
            "log_end_at_promotion": None,
        }
    return {
        "topic": topic,
        "partition": partition,
        "observed": {"records": 3, "at": LOST - 4.2, "proof": "a fetch advanced"},
        "estimated": {"low": 10 + partition, "high": 22 + 5 * partition},
        "measured": None,
        "log_end_at_promotion": 120_431 + partition,
    }


def _assessed() -> dict[str, Any]:
    def probe(service: str, *, site: str, healthy: bool | None, why: str) -> dict[str, Any]:
        return {"site": site, "service": service, "healthy": healthy, "took_seconds": 2.0, "why": why, "refused": False}

    return {
        "verdict": "ask",
        "why": "3 votes against east from 2 vantage points; policy asks a person",
        "votes": ["alarm failover-orders-east-kafka", "probe/us-west-2"],
        "guard": "approval_required",
        "evidence": {
            "lost_site": "east",
            "standby_site": "west",
            "signals": [
                {
                    "site": "east",
                    "source": "alarm failover-orders-east-kafka",
                    "says_lost": True,
                    "at": LOST + 6.0,
                    "since": LOST + 2.0,
                    "why": "Threshold Crossed: 3 datapoints [0.0, 0.0, 0.0] were less than the threshold (1.0)",
                }
            ],
            "probes": [
                probe(
                    "kafka", site="east", healthy=False, why="pkc-east01.us-east-2.aws.confluent.cloud:9092: timed out"
                ),
                probe("kafka", site="west", healthy=True, why=""),
                probe("rest", site="east", healthy=None, why="not asked: the name has no address"),
            ],
            "lag": {"mirrors": 3, "partitions": 12, "unknown_partitions": 1, "records": 154, "largest": 13},
            "mirrors_by_status": {"SOURCE_UNAVAILABLE": 3},
            "isolated_because": None,
        },
        "known_unready": ["acls: 2 ACLs of east are not on west"],
    }


def switchover() -> WholeReport:
    """That of a switchover."""
    carried = {"label": "measured", "compared": 12, "committed": 2, "refused": [], "unknown": []}
    account = {"drained_partitions": 12, "offsets": carried, "mirrors_back": 3, "put_back": []}
    moved = whole(kind="switchover", loss=None, outage_started_at=None, switchover=account, recovery_seconds=12.0)
    return cast("WholeReport", dict(moved) | {"partitions": []})


def restore(**changes: Any) -> WholeReport:
    """That of a restore."""
    account = {
        "diverged": 180,
        "saved": 180,
        "discarded": False,
        "topics": 3,
        "by_status": {"ACTIVE": 3},
        "deleted": [],
    }
    back = whole(kind="restore", loss=None, outage_started_at=None, restore=account | changes, recovery_seconds=None)
    return cast("WholeReport", dict(back) | {"partitions": []})


def large(topics: int) -> WholeReport:
    """That of a plan with many topics."""
    names = [f"topic-{number}" for number in range(topics)]
    return cast("WholeReport", dict(whole()) | {"partitions": [_partition(name, 0) for name in names]})
