"""Clients on Kafka's own Java library: the jars are those of Apache Kafka, and the client of ours is compiled once."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from drill.cache import cache
from drill.engines.jars import HERE, EngineMissing, jar_folder, jars, java

CLIENT: Final = "DrillClient"
COMPILE_S: Final = 120.0
SMALL: Final = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")


def version() -> str:
    """The library's."""
    (number,) = re.findall(r"kafka-clients-([\d.]+)\.jar", (HERE / "kafka.sha256").read_text())
    return str(number)


def prepare() -> None:
    """Have all on this machine that it takes. The first time the jars are fetched, and the client is compiled.

    Raises:
        EngineMissing: with what is missing, and what to do.
    """
    jars("kafka")
    if not _classes().is_dir():
        _compile()


def command(role: str, config: str) -> list[str]:
    """What runs a client with its configuration, JSON: as `writer`, `transactional` or `reader`.

    Raises:
        EngineMissing: as `prepare` does.
    """
    prepare()
    path = f"{_classes()}:{jar_folder('kafka')}/*"
    return [java(), *SMALL, "-Dlog4j2.level=OFF", "-cp", path, CLIENT, role, config, version()]


def _classes() -> Path:
    """The folder of the compiled client, of its source and the jars of now."""
    made_of = (HERE / f"{CLIENT}.java").read_bytes() + jar_folder("kafka").name.encode()
    return cache() / f"java-client-{hashlib.sha256(made_of).hexdigest()[:12]}"


def _compile() -> None:
    compiler = shutil.which("javac")
    if compiler is None:
        raise EngineMissing("no javac on the PATH: the drill's Java client is compiled (Debian: default-jdk-headless)")
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        classes = Path(directory) / "classes"
        compiled = [compiler, "-cp", f"{jar_folder('kafka')}/*", "-d", str(classes), str(HERE / f"{CLIENT}.java")]
        ran = subprocess.run(compiled, capture_output=True, text=True, timeout=COMPILE_S, check=False)
        if ran.returncode != 0:
            raise EngineMissing(f"the drill's Java client could not be compiled:\n{(ran.stdout + ran.stderr)[-1500:]}")
        with suppress(OSError):  # somebody else was quicker
            classes.rename(_classes())
