"""Whoever works beside the two pairs of every drill has topics, numbers and logs of their own, and is accounted for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from drill.clients.families import KAFKA_PYTHON, LIBRDKAFKA_OF_2024, Family, FamilyMissing
from drill.clients.more_pairs import MORE, ON_REAL_BROKERS, more_pairs
from drill.clients.pairs import SPECS
from drill.clients.record_log import consumer_log, producer_log
from drill.clients.stop import finish
from drill.engines.jars import EngineMissing
from drill.options import GatewayEngine, KafkaEngine, MoreClients
from drill.preparation import prepare
from drill.process import spawn
from tests.patience import eventually


def test_all_pairs_of_a_drill_have_their_own_topics_groups_numbers_and_logs() -> None:
    specs = (*SPECS, *more_pairs(["all", *ON_REAL_BROKERS]))
    assert len(specs) == len(SPECS) + sum(map(len, (*MORE.values(), *ON_REAL_BROKERS.values())))
    topics = [topic for spec in specs if not spec.newcomer for topic in spec.topics]
    for apart in (topics, [spec.group for spec in specs], [spec.first_number for spec in specs]):
        assert len(set(apart)) == len(apart)
    assert len({spec.suffix for spec in specs}) == len(specs)


def test_each_can_be_asked_for_by_itself_or_all_at_once() -> None:
    assert {choice.value for choice in MoreClients} == {*MORE, *ON_REAL_BROKERS, "all"}
    assert more_pairs([]) == ()
    assert {spec.family.name for spec in more_pairs(["kafka-python"])} == {"kafka-python"}
    assert {spec.settings for spec in more_pairs(["librdkafka-2024"])} == {"recommended", "default"}


def test_clients_of_java_are_asked_for_by_name_and_need_real_brokers_and_a_java(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not any(spec.family.of_java for spec in more_pairs(["all"]))
    pairs = more_pairs(["java"])
    assert {spec.family.name for spec in pairs} == {"Java", "Java, new group protocol", "Java, transactional"}
    with pytest.raises(FamilyMissing, match="--kafka apache"):
        prepare(KafkaEngine.MOCK, GatewayEngine.STAND_IN, pairs, in_containers=False)
    monkeypatch.setattr("drill.engines.jars.shutil.which", lambda _: None)
    with pytest.raises(EngineMissing, match="no java on the PATH"):
        prepare(KafkaEngine.APACHE, GatewayEngine.STAND_IN, pairs, in_containers=False)


def test_a_newcomer_writes_where_one_writes_that_moved_over_with_the_same_settings() -> None:
    specs = more_pairs(["newcomer"])
    for newcomer in [spec for spec in specs if spec.newcomer]:
        (mover,) = [spec for spec in specs if spec.topics == newcomer.topics and not spec.newcomer]
        assert (mover.settings, mover.writer, mover.reader) == (newcomer.settings, newcomer.writer, newcomer.reader)
        assert mover.family.name != newcomer.family.name
    assert [spec.settings for spec in specs if spec.newcomer] == ["recommended", "default"]


def test_a_library_that_the_drill_has_is_run_by_its_own_python() -> None:
    assert {spec.family.interpreter() for spec in SPECS} == {sys.executable}


def test_a_library_that_cannot_be_installed_is_named_with_what_pip_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    family = Family(name="nobody's", writer="w", reader="r", package="nobodys-library==1.0.0")
    real = subprocess.run
    calls: list[tuple[str, ...]] = []

    def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        calls.append(tuple(command))
        if "pip" in command:
            return subprocess.CompletedProcess(command, 1, "", "no such library")
        return real(command, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):  # what is half made is made anew
        with pytest.raises(FamilyMissing, match=r"(?s)nobodys-library==1\.0\.0.*no such library"):
            family.interpreter()
    assert sum("pip" in command for command in calls) == 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", [LIBRDKAFKA_OF_2024, KAFKA_PYTHON], ids=["librdkafka-2024", "kafka-python"])
def test_clients_of_another_library_account_for_every_record(tmp_path: Path, family: Family) -> None:
    try:
        python = family.interpreter()
    except FamilyMissing as missing:
        pytest.skip(str(missing))
    cluster = spawn("drill.kafka.cluster", {"site": "east"}, log=tmp_path / "east.err")
    common = {"bootstrap": cluster.ready["bootstrap"], "topics": ["orders"]}
    logs = tmp_path / "writer.rec", tmp_path / "reader.rec"
    writing = common | {"rate": 50, "log": str(logs[0]), "first_number": 7_000}
    writer = spawn(family.writer, writing, log=tmp_path / "writer.err", python=python)
    try:
        eventually(lambda: bool(producer_log(logs[0]).acknowledged))
        reading = common | {"group": "desk", "log": str(logs[1])}
        reader = spawn(family.reader, reading, log=tmp_path / "reader.err", python=python)
        try:
            eventually(lambda: len(consumer_log(logs[1]).received) > 50)
            assert finish(writer)
            written = producer_log(logs[0])
            eventually(lambda: len(consumer_log(logs[1]).received) >= len(written.sent))
            assert finish(reader)
        finally:
            reader.kill()
    finally:
        writer.kill()
        cluster.kill()
    places = {a.n: (a.topic, a.partition, a.offset) for a in written.acknowledged}
    assert sorted(places) == [sent.n for sent in written.sent]
    assert {r.n: (r.topic, r.partition, r.offset) for r in consumer_log(logs[1]).received} == places
    assert family.package is not None
    assert writer.ready["version"].split(".")[:2] == family.package.partition("==")[2].split(".")[:2]
    assert writer.ready["version"] == reader.ready["version"]
