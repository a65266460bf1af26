"""A real engine that can't be had is refused in one sentence, and no jar is used that is not as its checksum says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from drill.engines import jars as of_engines
from drill.engines.jars import EngineMissing, jars

JAVA = "#!/bin/sh\necho 'openjdk version \"{}\" 2025-04-15' >&2\n"
MAVEN = "#!/bin/sh\nfor last; do :; done\nmkdir -p ${last#-DoutputDirectory=}\n"
JAR = b"a jar"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and an engine of one jar."""
    folder, engines = tmp_path / "bin", tmp_path / "engines"
    folder.mkdir()
    engines.mkdir()
    (engines / "kafka.sha256").write_text(f"{hashlib.sha256(JAR).hexdigest()}  engine.jar\n")
    monkeypatch.setattr(of_engines, "HERE", engines)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def test_without_java_the_engine_is_refused_by_name(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(EngineMissing, match="no java on the PATH: a real engine needs Java 17"):
        jars("kafka")


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_292"])
def test_an_old_java_is_refused_with_its_version(programs: Path, version: str) -> None:
    program(programs, "java", JAVA.format(version))
    with pytest.raises(EngineMissing, match=f"{version}.*needs Java 17"):
        jars("kafka")


def test_without_maven_nothing_is_fetched(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "java", JAVA.format("21.0.1"))
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(EngineMissing, match="no mvn on the PATH"):
        jars("kafka")


def test_what_maven_could_not_fetch_is_said_and_leaves_nothing(programs: Path, tmp_path: Path) -> None:
    program(programs, "java", JAVA.format("21.0.1"))
    program(programs, "mvn", "#!/bin/sh\necho 'Could not transfer artifact' >&2\nexit 1\n")
    with pytest.raises(EngineMissing, match="Could not transfer artifact"):
        jars("kafka")
    assert not list((tmp_path / "cache").glob("*/*"))


@pytest.mark.parametrize("content", ["another jar", None], ids=["changed", "missing"])
def test_a_jar_that_is_not_as_its_checksum_says_is_not_used(
    programs: Path, tmp_path: Path, content: str | None
) -> None:
    program(programs, "java", JAVA.format("21.0.1"))
    fetch = f"printf '{content}' > ${{last#-DoutputDirectory=}}/engine.jar\n" if content else ""
    program(programs, "mvn", MAVEN + fetch)
    with pytest.raises(EngineMissing, match=r"not as their checksums say, and not used: engine\.jar"):
        jars("kafka")
    assert not list((tmp_path / "cache").glob("*/*"))


def test_jars_are_fetched_once_and_kept(programs: Path) -> None:
    program(programs, "java", JAVA.format("17.0.15"))
    program(programs, "mvn", MAVEN + f"printf '{JAR.decode()}' > ${{last#-DoutputDirectory=}}/engine.jar\n")
    folder = jars("kafka")
    assert (folder / "engine.jar").read_bytes() == JAR
    program(programs, "mvn", "#!/bin/sh\nexit 1\n")
    assert jars("kafka") == folder
