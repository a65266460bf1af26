"""Apache Kafka as a site's cluster: one broker in KRaft mode, with an authorizer of its own.

Clients come through the drill's proxy, which logs in for them as `clients`; the link comes to a listener of its own,
where it may do anything. A mirror topic is read-only by the broker's own means: an ACL denies `clients` to write to it.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from drill.engines.jars import HERE, EngineMissing, jars
from drill.kafka.login import log_in
from drill.network.splice import Address, connect
from drill.ports import LOOPBACK, reserved_ports

UP_S: Final = 90.0
ANSWER_S: Final = 10.0
CLIENTS: Final = "clients"
PASSWORD: Final = "drill"
PROPERTIES_FILE: Final = "server.properties"
HEAP: Final = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
UNFENCED_MS: Final = 3_600_000
"""For how long the controller waits for a broker that was frozen, so that it goes on as if nothing had been."""
REGISTERED_MS: Final = 9_000
"""For how long the controller lets nobody take the place of a broker that was killed: Kafka's default."""
# The broker reads no stdin: whoever watches it ends it with the process that started both.
WATCHED: Final = '"$@" </dev/null >>"$LOG" 2>&1 & echo $!; cat >/dev/null; kill -9 $!'

PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=CLIENTS://{host}:{clients},LINK://{host}:{link},CONTROLLER://{host}:{controller}
advertised.listeners=CLIENTS://{host}:{clients},LINK://{host}:{link}
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,LINK:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=LINK
sasl.enabled.mechanisms=PLAIN
listener.name.clients.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs={directory}/data
num.partitions=4
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16000000
num.network.threads=2
num.io.threads=4
controlled.shutdown.enable=false
broker.session.timeout.ms={session}
"""
LOGGING: Final = """\
Configuration:
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: [{ref: STDOUT}]}
"""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A broker that runs; it ends with this process."""

    cluster_id: str
    bootstrap: str
    pid: int
    admin: AdminClient
    watcher: subprocess.Popen[bytes]

    def close(self) -> None:
        """End it, at once."""
        self.watcher.communicate()


@dataclass(frozen=True, kw_only=True)
class ApacheKafka:
    """A site's cluster. The link reaches its broker at the broker's own bootstrap."""

    broker: Broker
    nodes: dict[int, Address]
    """Where clients reach it, once they are logged in."""

    async def reach(self, broker: Address) -> socket.socket:
        """A connection as `clients`.

        Raises:
            OSError: as `connect` and `log_in` do.
        """
        return await log_in(await connect(broker), CLIENTS, PASSWORD)

    def deny_writes(self, topics: Collection[str], *, allow: Collection[str] = ()) -> None:
        """From now on `clients` may write to none of these topics, and to those of `allow` again.

        Raises:
            KafkaException
        """
        answers: list[Any] = []
        if topics:
            answers += self.broker.admin.create_acls([_write_denied(topic) for topic in topics]).values()
        if allow:
            answers += self.broker.admin.delete_acls([_any_denial(topic) for topic in allow]).values()
        for answer in answers:
            answer.result(ANSWER_S)


def version() -> str:
    """What runs, as a report names it."""
    (jar,) = re.findall(r"kafka_[\d.]+-([\d.]+)\.jar", (HERE / "kafka.sha256").read_text())
    return f"Apache Kafka {jar}, one broker a site"


def start(directory: Path) -> ApacheKafka:
    """The cluster whose files are in `directory`, at the ports that it had; a new one if there are none. Waits until it
    answers.

    Raises:
        EngineMissing: as `start_broker` does.
    """
    file = directory / PROPERTIES_FILE
    properties = _of_a_killed_one(file.read_text()) if file.exists() else _new_properties(directory)
    clients, link = (int(port) for port in re.findall(r"(?:CLIENTS|LINK)://[^:]+:(\d+)", properties)[:2])
    broker = start_broker(directory, properties, f"{LOOPBACK}:{link}")
    for answer in broker.admin.create_acls([_all_allowed(kind) for kind in _ALLOWED]).values():
        answer.result(ANSWER_S)
    _have_a_coordinator(broker.admin)
    return ApacheKafka(broker=broker, nodes={1: (LOOPBACK, clients)})


def _new_properties(directory: Path) -> str:
    clients, link, controller = _ports()
    ports = {"clients": clients, "link": link, "controller": controller}
    return PROPERTIES.format_map(
        {
            **ports,
            "host": LOOPBACK,
            "directory": directory,
            "user": CLIENTS,
            "password": PASSWORD,
            "session": UNFENCED_MS,
        }
    )


def _of_a_killed_one(properties: str) -> str:
    return properties.replace(f"session.timeout.ms={UNFENCED_MS}", f"session.timeout.ms={REGISTERED_MS}")


def start_broker(directory: Path, properties: str, bootstrap: str) -> Broker:
    """A broker with these properties, whose log is in `directory`/data, and wait until it answers at `bootstrap`. One
    that has a log goes on with it.

    Raises:
        EngineMissing: if the machine has no Java or no Maven, or the broker does not come up.
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = ["java", *HEAP, f"-Dlog4j2.configurationFile={directory}/log4j2.yaml", "-cp", f"{jars('kafka')}/*"]
    file, log = directory / PROPERTIES_FILE, directory / "broker.log"
    file.write_text(properties)
    (directory / "log4j2.yaml").write_text(LOGGING)
    cluster_id = _cluster_id(directory) or _format(command, file)
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", WATCHED, "sh", *command, "kafka.Kafka", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "LOG": str(log)},
        start_new_session=True,
    )
    if watcher.stdout is None:
        raise RuntimeError("the broker was started without this pipe")
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
    broker = Broker(
        cluster_id=cluster_id,
        bootstrap=bootstrap,
        pid=int(watcher.stdout.readline()),
        admin=admin,
        watcher=watcher,
    )
    try:
        _wait_until_up(admin, log)
    except BaseException:
        broker.close()
        raise
    return broker


def _cluster_id(directory: Path) -> str | None:
    """Of the cluster whose log is there; None if there is none."""
    meta = directory / "data" / "meta.properties"
    line = re.search(r"^cluster\.id=(.+)$", meta.read_text(), re.MULTILINE) if meta.exists() else None
    return line[1] if line else None


def _format(command: Sequence[str], file: Path) -> str:
    """Make an empty log; the cluster's id."""
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = subprocess.run(
        [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(file)],
        capture_output=True,
        text=True,
        timeout=UP_S,
        check=False,
    )
    if formatted.returncode != 0:
        raise EngineMissing(f"Kafka's storage could not be formatted:\n{(formatted.stdout + formatted.stderr)[-1500:]}")
    return cluster_id


def _ports() -> Sequence[int]:
    """A broker listens seconds after they were chosen."""
    first = reserved_ports(3)
    return range(first, first + 3)


def _wait_until_up(admin: AdminClient, log: Path) -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        try:
            if admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            time.sleep(0.1)
    end_of_log = log.read_text(errors="replace")[-1500:] if log.exists() else ""
    raise EngineMissing(f"Kafka did not answer within {UP_S:.0f} s:\n{end_of_log}")


def _have_a_coordinator(admin: AdminClient) -> None:
    """Wait until the topic of committed offsets is there, so that no group's coordinator is nowhere from now on."""
    deadline, group = time.monotonic() + UP_S, "anyone"
    while True:
        try:
            admin.describe_consumer_groups([group], request_timeout=ANSWER_S)[group].result()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


_ALLOWED: Final = {
    ResourceType.TOPIC: "*",
    ResourceType.GROUP: "*",
    ResourceType.TRANSACTIONAL_ID: "*",
    ResourceType.BROKER: "kafka-cluster",
}


def _all_allowed(kind: ResourceType) -> AclBinding:
    return _acl(kind, _ALLOWED[kind], AclOperation.ALL, AclPermissionType.ALLOW)


def _write_denied(topic: str) -> AclBinding:
    return _acl(ResourceType.TOPIC, topic, AclOperation.WRITE, AclPermissionType.DENY)


def _any_denial(topic: str) -> AclBindingFilter:
    fields: dict[str, Any] = {"principal": f"User:{CLIENTS}", "host": "*", "operation": AclOperation.WRITE}
    return AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, permission_type=AclPermissionType.DENY, **fields
    )


def _acl(kind: ResourceType, name: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
    fields: dict[str, Any] = {"principal": f"User:{CLIENTS}", "host": "*", "operation": operation}
    return AclBinding(kind, name, ResourcePatternType.LITERAL, permission_type=permission, **fields)
