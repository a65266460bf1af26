"""A run as a drill would see it, made up: its logs, and the report of it."""

from __future__ import annotations

from drill.clients.read_log import ClusterLog, StoredRecord
from drill.clients.record_log import Acknowledged, ConsumerLog, Notice, ProducerLog, Received, Sent
from drill.pair_accounts import PairAccount, PairLogs, accounts
from drill.record_accounting import Account
from drill.report import Milestones, Moment, Report, Run, Step, controller_figures, report_of

TOPICS = ("orders", "payments", "shipments")
KEYS = [(topic, p) for p in range(4) for topic in TOPICS]
STARTED = 1_795_427_112.0
KILLED = STARTED + 12.4
ALARM, PROMOTED, DNS, BACK = KILLED + 22.31, KILLED + 23.9, KILLED + 24.72, KILLED + 25.41
LAST = KILLED + 41.0
RATE = 500
LAG_S = 0.35


def logs() -> tuple[ProducerLog, ConsumerLog, ClusterLog, dict[str, dict[str, int]]]:
    """500 records/s from `STARTED` to `LAST`; the mirrors trail by `LAG_S`; the consumer goes on two seconds back."""
    sent, acknowledged, received = [], [], []
    source: dict[tuple[str, int], int] = dict.fromkeys(KEYS, 0)
    standby: dict[tuple[str, int], list[int]] = {key: [] for key in KEYS}
    backlog = []
    for n in range(int((LAST - STARTED) * RATE)):
        at, key = STARTED + n / RATE, KEYS[n % len(KEYS)]
        sent.append(Sent(n=n, topic=key[0], partition=key[1], at=at))
        if at >= KILLED - 0.006:
            backlog.append((n, key, max(at, BACK)))
            continue
        acknowledged.append(Acknowledged(n=n, topic=key[0], partition=key[1], offset=source[key], at=at + 0.006))
        received.append(Received(n=n, topic=key[0], partition=key[1], offset=source[key], at=at + 0.1))
        source[key] += 1
        if at < KILLED - LAG_S:
            standby[key].append(n)
    promoted = {topic: {str(p): len(standby[topic, p]) for t, p in KEYS if t == topic} for topic in TOPICS}
    read_from = {key: max(0, len(standby[key]) - 2 * RATE // len(KEYS)) for key in KEYS}
    for n, key, at in backlog:
        acknowledged.append(Acknowledged(n=n, topic=key[0], partition=key[1], offset=len(standby[key]), at=at + 0.006))
        standby[key].append(n)
    times = {a.n: a.at for a in acknowledged}
    received += [
        Received(n=n, topic=key[0], partition=key[1], offset=offset, at=max(BACK + 0.9, times[n] + 0.1))
        for key in KEYS
        for offset, n in enumerate(standby[key])
        if offset >= read_from[key]
    ]
    stored = tuple(
        StoredRecord(topic=key[0], partition=key[1], offset=offset, n=n, timestamp=0.0)
        for key in KEYS
        for offset, n in enumerate(standby[key])
    )
    notices = (Notice(KILLED + 0.2, "error", "_TRANSPORT Disconnected"),)
    return (
        ProducerLog(sent=tuple(sent), acknowledged=tuple(acknowledged), failed=(), notices=notices),
        ConsumerLog(tuple(received)),
        ClusterLog(records=stored, starts=dict.fromkeys(KEYS, 0), ends={key: len(standby[key]) for key in KEYS}),
        promoted,
    )


def measured() -> Account:
    """The account of the sample's logs."""
    return _accounts()[0]


def pairs() -> list[PairAccount]:
    """The account of the sample's one pair."""
    return _accounts()[1]


def _accounts() -> tuple[Account, list[PairAccount]]:
    producer, consumer, standby, promoted = logs()
    pair = PairLogs(
        family="librdkafka", version="2.16.0", settings="recommended", topics=TOPICS, written=producer, read=consumer
    )
    return accounts([pair], standby, killed_at=KILLED, promoted=promoted, writable_at=PROMOTED)


def steps() -> list[Step]:
    """The steps of the execution."""
    spans = [
        ("judge_alarm", 22.35, 22.61, "done", "2 votes against east"),
        ("claim", 22.66, 22.81, "done", "epoch 1"),
        ("assess", 22.84, 23.12, "done", "proceed: east answers nobody"),
        ("fence", 23.14, 23.33, "done", "no gateway of east can be reached"),
        ("promote_mirrors", 23.36, 23.90, "done", "3 of 3 STOPPED"),
        ("switch_routes west", 23.36, 23.81, "done", "2 instances on west"),
        ("flip_dns", 23.94, 24.72, "done", "in sync, answers gw-west"),
        ("switch_routes east", 23.95, 24.20, "done", "unreachable"),
        ("verify", 24.75, 25.66, "done", "canary read back"),
        ("conclude", 25.70, 25.91, "done", "west is active"),
    ]
    return [
        Step(name=name, started=KILLED + started, ended=KILLED + ended, status=status, detail=detail)
        for name, started, ended, status, detail in spans
    ]


def run() -> Run:
    """What the drill saw besides the logs."""
    controller = controller_figures(
        {
            "outcome": "succeeded",
            "recovery_seconds": 23.4,
            "outage_started_at": KILLED + 2.1,
            "loss": {
                "records": {"low": 120, "high": 260},
                "unknown_partitions": 0,
                "basis": "lag of the mirrors at their last fetch; records acknowledged after it are not in it",
            },
            "consumers": {"read_again": {"label": "bounded", "seconds": 3.0, "records": 1500}},
        },
        {
            ("orders", 0): {
                "observed": {"records": 3, "at": KILLED - 4.2, "proof": "a fetch advanced"},
                "estimated": {"low": 10, "high": 22},
            }
        },
    )
    return Run(
        scenario="region-loss",
        description="Every process of east was killed at once: Kafka, REST and gateways.",
        plan="orders",
        lost_site="east",
        standby="west",
        started_at=STARTED,
        milestones=Milestones(
            killed=KILLED,
            alarm=ALARM,
            decided=KILLED + 23.12,
            promoted=PROMOTED,
            routes=KILLED + 23.81,
            dns=DNS,
        ),
        steps=steps(),
        controller=controller,
        target_rate=RATE,
        moments=[Moment(at=KILLED + 26.2, name="consumer: assigned", detail="12 partitions")],
        world={"Python": "3.11", "confluent-kafka": "2.16.1", "librdkafka": "2.16.0", "moto": "5.2.5"},
        settings={
            "producer": {"bootstrap.servers": "127.0.0.1:31200", "enable.idempotence": True, "linger.ms": 5},
            "consumer": {"group.id": "fulfilment", "auto.offset.reset": "earliest", "auto.commit.interval.ms": 1000},
        },
    )


def report() -> Report:
    """The report of the sample."""
    return report_of(run(), measured(), pairs())
