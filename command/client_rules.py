"""What of a client's settings hurts in a failover, with what was measured. Pure.

Figures: Apache Kafka 4.1 and 4.4 behind a gateway, and the drill, on one machine; docs/clients.md has the whole tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, Literal

from command.client_settings import ClientSettings

Severity = Literal["ends", "loses", "slow", "note"]
"""`ends`: it never works again by itself; `loses`: records are lost, skipped, doubled or out of order; `slow`: it comes
back later than it could; `note`: what the file does not show, and has to be known."""
REQUEST_MS: Final = 8_000
SETUP_MS: Final = 3_000
BACKOFF_MS: Final = 1_000
DELIVERY_MS: Final = 120_000


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing that will hurt."""

    severity: Severity
    setting: str
    value: str
    """As it is set; what holds by default, in brackets."""
    why: str
    measured: str = ""
    better: str = ""
    """What to write instead."""


_NAME: Final = re.compile(r"[a-z.]+(?==)")
"""A setting's, where a value is given to it."""
Rule = Callable[[ClientSettings], Iterator[Advice]]


def advice(client: ClientSettings) -> list[Advice]:
    """All that will hurt, the worst first."""
    order: tuple[Severity, ...] = ("ends", "loses", "slow", "note")
    advices = [advice for rule in RULES for advice in rule(client)]
    if client.library == "kafka-python":
        advices = [replace(advice, better=_NAME.sub(_with_underscores, advice.better)) for advice in advices]
    return sorted(advices, key=lambda advice: order.index(advice.severity))


def _with_underscores(name: re.Match[str]) -> str:
    return name[0].replace(".", "_")


def _bootstrap(client: ClientSettings) -> Iterator[Advice]:
    servers = client.values.get("bootstrap.servers", "")
    hosts = {server.strip().rpartition(":")[0].strip("[]") for server in servers.split(",") if server.strip()}
    if not hosts:
        yield Advice(
            severity="note",
            setting="bootstrap.servers",
            value="(not set here)",
            why="it must be the one name that the plan flips",
            better="bootstrap.servers=<the plan's hostname>:<port>",
        )
    if len(hosts) > 1:
        yield Advice(
            severity="loses",
            setting="bootstrap.servers",
            value=servers,
            why="of several names a client takes any: with both sites' gateways in the list it comes to a cluster that"
            " is not writable, or stays at the lost one; a failover moves one name",
            better="bootstrap.servers=<the plan's hostname>:<port>",
        )
    for host in sorted(hosts):
        if _is_address(host):
            yield Advice(
                severity="ends",
                setting="bootstrap.servers",
                value=host,
                why="an address follows no flip of a name",
                better="bootstrap.servers=<the plan's hostname>:<port>",
            )


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _waits_for_dead_connections(client: ClientSettings) -> Iterator[Advice]:
    silent = (
        "silent loss: 61 s to the first record on the standby by default; with these 13.9 s (writers), 15.7 s (readers)"
    )
    java = client.library != "librdkafka"
    request, default = ("request.timeout.ms", 30_000) if java else ("socket.timeout.ms", 60_000)
    if client.number(request, default) > 10_000:
        yield Advice(
            severity="slow",
            setting=request,
            value=_shown(client, request, default),
            why="a site that is lost without a word leaves requests on dead connections: so long they are waited for",
            measured=silent if not java else "",
            better=f"{request}={REQUEST_MS}",
        )
    if not java and client.writes and client.number("request.timeout.ms", 30_000) > 10_000:
        yield Advice(
            severity="slow",
            setting="request.timeout.ms",
            value=_shown(client, "request.timeout.ms", 30_000),
            why="the same for a batch that was sent",
            measured=silent,
            better="request.timeout.ms=6000",
        )
    setup, by_default = "socket.connection.setup.timeout.ms", 10_000 if java else 30_000
    if client.library != "kafka-python" and client.number(setup, by_default) > 5_000:
        yield Advice(
            severity="slow",
            setting=setup,
            value=_shown(client, setup, by_default),
            why="a new connection to a silent gateway is waited for so long, and the name looked up again only then",
            measured=silent if not java else "",
            better=f"{setup}={SETUP_MS}",
        )


def _backoff(client: ClientSettings) -> Iterator[Advice]:
    default = {"librdkafka": 10_000, "kafka-python": 30_000, "java": 1_000}[client.library]
    if client.number("reconnect.backoff.max.ms", default) > 2_000:
        yield Advice(
            severity="slow",
            setting="reconnect.backoff.max.ms",
            value=_shown(client, "reconnect.backoff.max.ms", default),
            why="after failed attempts it pauses so long before the next, also when the standby is there",
            better=f"reconnect.backoff.max.ms={BACKOFF_MS}",
        )


def _name_cache(client: ClientSettings) -> Iterator[Advice]:
    if client.library == "java":
        yield Advice(
            severity="note",
            setting="networkaddress.cache.ttl",
            value="(of the JVM, not in this file)",
            why="the JVM keeps a name for 30 s by default, longer than the record's TTL",
            measured="from the flip to work on the standby: 22.9 s (producer) and 22.6 s (consumer) by default, 1.6 s"
            " and 2.0 s with 5",
            better="networkaddress.cache.ttl=5 in java.security, or -Dsun.net.inetaddr.ttl=5",
        )
    if client.number("broker.address.ttl", 1_000) > 5_000:
        yield Advice(
            severity="slow",
            setting="broker.address.ttl",
            value=client.values["broker.address.ttl"],
            why="so long it keeps the address of a name that has been flipped",
            better="broker.address.ttl=1000",
        )


def _rebootstrap(client: ClientSettings) -> Iterator[Advice]:
    if client.get("metadata.recovery.strategy") == "none":
        yield Advice(
            severity="ends",
            setting="metadata.recovery.strategy",
            value="none",
            why="brokers it once knew are all gone; it does not go back to bootstrap.servers",
            better="metadata.recovery.strategy=rebootstrap",
        )
    elif client.library == "java" and client.number("metadata.recovery.rebootstrap.trigger.ms", 300_000) > 60_000:
        yield Advice(
            severity="note",
            setting="metadata.recovery.rebootstrap.trigger.ms",
            value=_shown(client, "metadata.recovery.rebootstrap.trigger.ms", 300_000),
            why="where the gateways of the lost site have names of their own for each broker, a client goes back to"
            " bootstrap.servers only after this time; before Kafka 4.0 never, unless told to",
            better="metadata.recovery.strategy=rebootstrap, metadata.recovery.rebootstrap.trigger.ms=10000",
        )


def _acks(client: ClientSettings) -> Iterator[Advice]:
    if client.writes and client.get("acks") in ("0", "1"):
        yield Advice(
            severity="loses",
            setting="acks",
            value=client.values["acks"],
            why="a record is acknowledged that only one broker has, or none: the mirror may never see it",
            better="acks=all",
        )


def _idempotence(client: ClientSettings) -> Iterator[Advice]:
    value = client.get("enable.idempotence")
    if client.writes and (value == "false" or (value is None and client.library == "librdkafka" and not client.reads)):
        yield Advice(
            severity="loses",
            setting="enable.idempotence",
            value=value or "(false)",
            why="what was sent and not acknowledged is sent again: records may be stored twice, and out of order",
            measured="with it: 0 twice and 0 out of order, everywhere; 0.6 s from the flip to work (librdkafka 2.16; 5"
            " to 7.6 s with 2.3 to 2.11)",
            better="enable.idempotence=true",
        )


def _delivery(client: ClientSettings) -> Iterator[Advice]:
    name, default = (
        ("message.timeout.ms", 300_000) if client.library == "librdkafka" else ("delivery.timeout.ms", 120_000)
    )
    if client.writes and client.number(name, default) < DELIVERY_MS:
        yield Advice(
            severity="loses",
            setting=name,
            value=client.values[name],
            why="records that wait longer are given back to the application as failed, and most applications drop them;"
            " a failover that asks a person takes minutes",
            better=f"{name}={DELIVERY_MS} or more",
        )
    for retries in ("retries", "message.send.max.retries"):
        if client.writes and client.get(retries) == "0":
            yield Advice(
                severity="loses",
                setting=retries,
                value="0",
                why="the first failed attempt gives the record back to the application",
                better=f"leave {retries} out; the time to deliver bounds it",
            )


def _offset_reset(client: ClientSettings) -> Iterator[Advice]:
    value = client.get("auto.offset.reset") or "latest"
    if client.reads and value in ("latest", "largest", "end", "none", "error"):
        yield Advice(
            severity="loses",
            setting="auto.offset.reset",
            value=client.values.get("auto.offset.reset", "(latest)"),
            why="where a position is not on the standby, or its leader epochs are lower, it begins at the end and skips"
            " what is between; members of a group come back to committed offsets, assign() does not",
            measured="a client with assign() and latest skipped 46 records, and a log line was all it said",
            better="auto.offset.reset=earliest",
        )


def _assigns(client: ClientSettings) -> Iterator[Advice]:
    if client.assigns and client.reads:
        yield Advice(
            severity="loses",
            setting="assign()",
            value="called",
            why="it goes on from positions it holds itself, which may be beyond the standby's log; nobody clamps those",
            measured="46 records skipped with auto.offset.reset=latest",
            better="subscribe() in a group that the plan protects, or seek to committed offsets after an error",
        )


def _group_protocol(client: ClientSettings) -> Iterator[Advice]:
    if client.reads and client.get("group.protocol") == "consumer":
        yield Advice(
            severity="ends",
            setting="group.protocol",
            value="consumer",
            why="a standby that does not know the group answers GROUP_ID_NOT_FOUND, which is fatal; the controller"
            " makes the groups under protect.groups of the plan before clients come: the group must be there, and"
            " readiness must have seen its protocol",
            measured="without: never; with the group made before: 0.3 s (librdkafka 2.16), 5.2 s (Java 4.4)",
            better="name the group under protect.groups, or group.protocol=classic (0.3 to 0.5 s)",
        )


def _old_members(client: ClientSettings) -> Iterator[Advice]:
    if client.reads and client.library == "librdkafka" and client.get("group.protocol") != "consumer":
        yield Advice(
            severity="note",
            setting="librdkafka's version",
            value="(not in this file)",
            why="where the standby's leader epochs are lower, consumers of librdkafka 2.3 to 2.11 are assigned again,"
            " read nothing, and tell the application nothing",
            measured="2.3 to 2.11: never; 2.16: 0.3 to 0.5 s; what lies between was not measured",
            better="librdkafka 2.16 or later",
        )


def _transactions(client: ClientSettings) -> Iterator[Advice]:
    if client.get("transactional.id") is None:
        return
    java = client.library == "java"
    yield Advice(
        severity="ends" if java else "note",
        setting="transactional.id",
        value=client.values["transactional.id"],
        why="the standby knows no such producer: "
        + (
            "InvalidPidMappingException is fatal to Java's, the application must make a new one"
            if java
            else "the transaction that was open is aborted, and the application must begin it again"
        )
        + "; what was open at the loss holds readers of committed records back until it is aborted",
        measured="Java 4.4: never; librdkafka: 1.6 s",
        better="on a fatal error close the producer, make another, begin the transaction again",
    )


def _isolation(client: ClientSettings) -> Iterator[Advice]:
    if client.reads and client.get("isolation.level") == "read_committed":
        yield Advice(
            severity="note",
            setting="isolation.level",
            value="read_committed",
            why="a transaction that was open at the loss holds it at the last stable offset; the report of an execution"
            " names such partitions under open_transactions",
            better="kafka-transactions.sh abort, for each partition that is named",
        )


def _streams(client: ClientSettings) -> Iterator[Advice]:
    if client.get("application.id") is not None:
        yield Advice(
            severity="ends",
            setting="application.id",
            value=client.values["application.id"],
            why="Kafka Streams needs changelog topics, internal offsets and transactions that agree; Confluent"
            " excludes it from switching clients over",
            better="plan its restart on the standby, with state rebuilt",
        )


RULES: Final[tuple[Rule, ...]] = (
    _bootstrap,
    _rebootstrap,
    _group_protocol,
    _transactions,
    _streams,
    _acks,
    _idempotence,
    _delivery,
    _offset_reset,
    _assigns,
    _waits_for_dead_connections,
    _backoff,
    _name_cache,
    _old_members,
    _isolation,
)


def _shown(client: ClientSettings, name: str, default: float) -> str:
    return client.values.get(name) or f"({default:.0f})"
