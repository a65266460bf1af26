"""`failover doctor`: what of a client's configuration hurts in a failover is told, in whatever form it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from command.__main__ import app

NAME = "kafka.orders.example.com:9092"
GOOD = {
    "bootstrap.servers": NAME,
    "enable.idempotence": True,
    "acks": "all",
    "socket.timeout.ms": 8000,
    "request.timeout.ms": 6000,
    "socket.connection.setup.timeout.ms": 3000,
    "reconnect.backoff.max.ms": 1000,
}


def doctor(file: Path, *more: str) -> tuple[int, dict[str, dict[str, dict[str, Any]]]]:
    """The exit code, and by client and setting what is said."""
    result = CliRunner().invoke(app, ["doctor", str(file), "--json", *more])
    if result.exit_code == 2:
        return 2, {}
    clients = json.loads(result.stdout)["clients"]
    return result.exit_code, {
        client["where"]: {each["setting"]: each for each in client["advice"]} for client in clients
    }


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_recommended_settings_of_a_writer_leave_nothing_to_say(tmp_path: Path) -> None:
    assert doctor(written(tmp_path, "writer.json", json.dumps(GOOD))) == (0, {"writer.json": {}})


@pytest.mark.parametrize(
    ("more", "setting", "severity"),
    [
        ({"bootstrap.servers": "gw-east.example.com:9092,gw-west.example.com:9092"}, "bootstrap.servers", "loses"),
        ({"bootstrap.servers": "10.1.2.3:9092"}, "bootstrap.servers", "ends"),
        ({"acks": "1"}, "acks", "loses"),
        ({"acks": None, "request.required.acks": 0}, "acks", "loses"),
        ({"enable.idempotence": False}, "enable.idempotence", "loses"),
        ({"enable.idempotence": None}, "enable.idempotence", "loses"),
        ({"message.timeout.ms": 5000}, "message.timeout.ms", "loses"),
        ({"delivery.timeout.ms": 5000}, "message.timeout.ms", "loses"),
        ({"retries": 0}, "retries", "loses"),
        ({"socket.timeout.ms": None}, "socket.timeout.ms", "slow"),
        ({"request.timeout.ms": 30000}, "request.timeout.ms", "slow"),
        ({"socket.connection.setup.timeout.ms": None}, "socket.connection.setup.timeout.ms", "slow"),
        ({"reconnect.backoff.max.ms": None}, "reconnect.backoff.max.ms", "slow"),
        ({"broker.address.ttl": 60000}, "broker.address.ttl", "slow"),
        ({"metadata.recovery.strategy": "none"}, "metadata.recovery.strategy", "ends"),
        ({"transactional.id": "orders"}, "transactional.id", "note"),
    ],
)
def test_each_setting_that_hurts_is_told_with_what_to_write(
    tmp_path: Path, more: dict[str, Any], setting: str, severity: str
) -> None:
    values = {name: value for name, value in (GOOD | more).items() if value is not None}
    code, clients = doctor(written(tmp_path, "writer.json", json.dumps(values)))
    (advice,) = clients["writer.json"].values()
    assert (advice["setting"], advice["severity"]) == (setting, severity)
    assert advice["why"] and advice["better"]
    assert code == (1 if severity in ("ends", "loses") else 0)


@pytest.mark.parametrize(
    ("line", "setting", "severity"),
    [
        ("group.protocol=consumer", "group.protocol", "ends"),
        ("auto.offset.reset = latest", "auto.offset.reset", "loses"),
        ("client.id: reader", "auto.offset.reset", "loses"),
        ("isolation.level=read_committed", "isolation.level", "note"),
        ("application.id=totals", "application.id", "ends"),
        ("transactional.id=orders", "transactional.id", "ends"),
        ("request.timeout.ms=\\\n  60000", "request.timeout.ms", "slow"),
    ],
)
def test_a_java_client_is_read_from_its_properties(tmp_path: Path, line: str, setting: str, severity: str) -> None:
    text = f"# a reader\n! of orders\nbootstrap.servers={NAME}\ngroup.id=fulfilment\n{line}\n"
    _, clients = doctor(written(tmp_path, "client.properties", text))
    advice = clients["client.properties"]
    assert advice[setting]["severity"] == severity
    assert "22.9 s" in advice["networkaddress.cache.ttl"]["measured"]


def test_spring_has_a_producer_and_a_consumer_in_yaml_and_in_properties(tmp_path: Path) -> None:
    yaml = f"""
spring:
  kafka:
    bootstrap-servers: [{NAME}]
    producer: {{acks: 1}}
    consumer: {{group-id: fulfilment, auto-offset-reset: latest, properties: {{group.protocol: consumer}}}}
"""
    properties = f"""
spring.kafka.bootstrap-servers={NAME}
spring.kafka.producer.acks=1
spring.kafka.consumer.group-id=fulfilment
spring.kafka.consumer.auto-offset-reset=latest
spring.kafka.consumer.properties.group.protocol=consumer
"""
    for name, text in (("application.yaml", yaml), ("application.properties", properties)):
        code, clients = doctor(written(tmp_path, name, text))
        producer, consumer = clients[f"{name}: producer"], clients[f"{name}: consumer"]
        assert code == 1 and producer["acks"]["severity"] == "loses" and "group.protocol" not in producer
        assert {"group.protocol", "auto.offset.reset"} <= consumer.keys() and "acks" not in consumer


def test_spring_names_in_brackets_are_whole_names_and_each_profile_is_told_apart(tmp_path: Path) -> None:
    text = f"""
spring:
  kafka:
    bootstrap-servers: {NAME}
    producer: {{properties: {{"[delivery.timeout.ms]": 30000}}}}
    consumer: {{group-id: fulfilment, auto-offset-reset: latest}}
---
spring:
  config.activate.on-profile: prod
  kafka.consumer.auto-offset-reset: earliest
---
spring.config.activate.on-profile: local
server.port: 8080
"""
    code, clients = doctor(written(tmp_path, "application.yaml", text))
    assert code == 1 and clients["application.yaml: producer"]["delivery.timeout.ms"]["severity"] == "loses"
    assert "auto.offset.reset" in clients["application.yaml: consumer"], "whoever names no profile has this"
    prod = clients["application.yaml: prod: consumer"]
    assert "auto.offset.reset" not in prod and "request.timeout.ms" in prod
    assert not any("local" in where for where in clients), "it says nothing of Kafka"


def test_kafka_python_is_told_only_of_settings_that_it_takes_by_its_own_names(tmp_path: Path) -> None:
    text = 'KafkaProducer(bootstrap_servers=["10.1.2.3:9092"], acks="all", request_timeout_ms=30000)'
    code, clients = doctor(written(tmp_path, "writer.py", text))
    advice = clients["writer.py:1"]
    assert code == 1 and advice["bootstrap.servers"]["value"] == "10.1.2.3"
    assert advice["request.timeout.ms"]["better"] == "request_timeout_ms=8000"
    assert advice["bootstrap.servers"]["better"] == "bootstrap_servers=<the plan's hostname>:<port>"
    assert "socket.connection.setup.timeout.ms" not in advice, "it ends with an error where that is set"


def test_python_dicts_and_keywords_are_read_without_being_run(tmp_path: Path) -> None:
    text = f"""
from confluent_kafka import Consumer
raise SystemExit("never run")
reader = Consumer({{"bootstrap.servers": "{NAME}", "group.id": GROUP, "socket.timeout.ms": 8000}})
reader.assign([partition])
other = KafkaConsumer("orders", bootstrap_servers=["{NAME}"], group_id="g", auto_offset_reset="earliest")
"""
    code, clients = doctor(written(tmp_path, "service.py", text))
    mine, other = clients["service.py:4"], clients["service.py:6"]
    assert code == 1 and {"assign()", "auto.offset.reset"} <= mine.keys() and "socket.timeout.ms" not in mine
    assert "auto.offset.reset" not in other and other["reconnect.backoff.max.ms"]["value"] == "(30000)"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.json", "[1, 2]"),
        ("half.json", '{"bootstrap.servers": '),
        ("empty.properties", "# nothing\n"),
        ("other.yaml", "a: [1, {b: 2}]"),
        ("broken.yaml", "a: [1"),
        ("broken.py", "def ("),
        ("no.py", "x = {1: 2}"),
    ],
)
def test_a_file_without_a_clients_settings_is_refused_in_words(tmp_path: Path, name: str, text: str) -> None:
    result = CliRunner().invoke(app, ["doctor", str(written(tmp_path, name, text))])
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_files_that_are_not_there_or_no_text_are_refused_and_the_others_told(tmp_path: Path) -> None:
    (tmp_path / "binary.properties").write_bytes(b"\xff\xfe\x00")
    good = written(tmp_path, "writer.json", json.dumps(GOOD))
    for bad in ("nowhere.json", "binary.properties"):
        result = CliRunner().invoke(app, ["doctor", str(tmp_path / bad), str(good)])
        assert result.exit_code == 2 and "writer.json (librdkafka): nothing to say" in result.output


def test_the_library_may_be_named(tmp_path: Path) -> None:
    file = written(tmp_path, "client.properties", f"bootstrap.servers={NAME}\nacks=all\n")
    _, as_java = doctor(file)
    _, as_librdkafka = doctor(file, "--library", "librdkafka")
    assert "networkaddress.cache.ttl" in as_java["client.properties"]
    assert as_librdkafka["client.properties"]["socket.timeout.ms"]["value"] == "(60000)"
    assert CliRunner().invoke(app, ["doctor", str(file), "--library", "rust"]).exit_code == 2
