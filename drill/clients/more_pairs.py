"""Pairs of other libraries, and of other ways to use one, that work beside those of every drill where they are asked
for. Each has a topic and a group of its own; newcomers, which begin when the failover is over, have the topic of a pair
that moved over, since what a newcomer meets there is what that one left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import count
from typing import Final

from drill.clients.families import (
    JAVA,
    JAVA_NEW_PROTOCOL,
    JAVA_TRANSACTIONAL,
    KAFKA_PYTHON,
    LIBRDKAFKA_BESIDE_NEWCOMER,
    LIBRDKAFKA_NEW_PROTOCOL,
    LIBRDKAFKA_NEWCOMER,
    LIBRDKAFKA_OF_2024,
    LIBRDKAFKA_TRANSACTIONAL,
    Family,
)
from drill.clients.pairs import DEFAULT, RECOMMENDED, PairSpec, SettingsName
from drill.clients.producer import Settings

RATE: Final = 20.0
_numbers = count(2_000_000_000, 1_000_000_000)


def _pair(name: str, family: Family, settings: SettingsName, *, writer: Settings, reader: Settings) -> PairSpec:
    return PairSpec(
        family=family,
        settings=settings,
        topics=(f"{name}-{settings}",),
        group=f"{name}-{settings}-desk",
        rate=RATE,
        first_number=next(_numbers),
        suffix=f"-{name}-{settings}",
        writer=writer,
        reader=reader,
    )


def _transactional(
    name: str, family: Family, settings: SettingsName, *, writer: Settings, reader: Settings
) -> PairSpec:
    return replace(_pair(name, family, settings, writer=writer, reader=reader), mirrored=False)


def _with_newcomer(like: PairSpec) -> tuple[PairSpec, PairSpec]:
    """A pair with the settings of this one, and one that begins on the standby on the same topic."""
    mover = _pair("newcomer", LIBRDKAFKA_BESIDE_NEWCOMER, like.settings, writer=like.writer, reader=like.reader)
    newcomer = _pair("newcomer-itself", LIBRDKAFKA_NEWCOMER, like.settings, writer=like.writer, reader=like.reader)
    return mover, replace(newcomer, topics=mover.topics, newcomer=True)


_NEW: Final[Settings] = {"group.protocol": "consumer"}
_GIVE_UP_EARLY: Final[Settings] = {"request_timeout_ms": 6000, "reconnect_backoff_max_ms": 1000}

MORE: Final[Mapping[str, tuple[PairSpec, ...]]] = {
    "librdkafka-2024": (
        _pair(
            "librdkafka-2024",
            LIBRDKAFKA_OF_2024,
            "recommended",
            writer=RECOMMENDED.writer,
            reader=RECOMMENDED.reader,
        ),
        _pair("librdkafka-2024", LIBRDKAFKA_OF_2024, "default", writer=DEFAULT.writer, reader=DEFAULT.reader),
    ),
    "kafka-python": (
        _pair(
            "kafka-python",
            KAFKA_PYTHON,
            "recommended",
            writer=_GIVE_UP_EARLY,
            reader={**_GIVE_UP_EARLY, "auto_commit_interval_ms": 1000},
        ),
        _pair("kafka-python", KAFKA_PYTHON, "default", writer={}, reader={}),
    ),
    "new-protocol": (
        _pair(
            "new-protocol",
            LIBRDKAFKA_NEW_PROTOCOL,
            "recommended",
            writer=RECOMMENDED.writer,
            reader={**RECOMMENDED.reader, **_NEW},
        ),
        _pair(
            "new-protocol",
            LIBRDKAFKA_NEW_PROTOCOL,
            "default",
            writer=DEFAULT.writer,
            reader={**DEFAULT.reader, **_NEW},
        ),
    ),
    "transactional": (
        _transactional(
            "transactional",
            LIBRDKAFKA_TRANSACTIONAL,
            "recommended",
            writer=RECOMMENDED.writer,
            reader=RECOMMENDED.reader,
        ),
        _transactional("transactional", LIBRDKAFKA_TRANSACTIONAL, "default", writer={}, reader=DEFAULT.reader),
    ),
    "newcomer": (*_with_newcomer(RECOMMENDED), *_with_newcomer(DEFAULT)),
}
"""By what they are asked for."""

_JAVA_EARLY: Final[Settings] = {"request.timeout.ms": 8000, "socket.connection.setup.timeout.ms": 3000}
_JAVA_READER: Final[Settings] = {**_JAVA_EARLY, "auto.commit.interval.ms": 1000}
ON_REAL_BROKERS: Final[Mapping[str, tuple[PairSpec, ...]]] = {
    "java": (
        _pair("java", JAVA, "recommended", writer=_JAVA_EARLY, reader=_JAVA_READER),
        _pair("java", JAVA, "default", writer={}, reader={}),
        _pair(
            "java-new-protocol",
            JAVA_NEW_PROTOCOL,
            "recommended",
            writer=_JAVA_EARLY,
            reader={**_JAVA_READER, **_NEW},
        ),
        _pair("java-new-protocol", JAVA_NEW_PROTOCOL, "default", writer={}, reader=_NEW),
        _transactional(
            "java-transactional",
            JAVA_TRANSACTIONAL,
            "recommended",
            writer={**_JAVA_EARLY, "transactional.id": "orders"},
            reader=_JAVA_READER,
        ),
        _transactional(
            "java-transactional",
            JAVA_TRANSACTIONAL,
            "default",
            writer={"transactional.id": "orders-default"},
            reader={},
        ),
    ),
}
"""Those that were tried with real brokers only: by name, and not with `all`."""


def more_pairs(names: Collection[str]) -> tuple[PairSpec, ...]:
    """Those that are asked for; `all`: every one that stand-ins serve."""
    everywhere = (spec for name, specs in MORE.items() if name in names or "all" in names for spec in specs)
    return (*everywhere, *(spec for name, specs in ON_REAL_BROKERS.items() if name in names for spec in specs))
