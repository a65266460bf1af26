"""The jars of a real engine: from Maven Central by version, held to the committed checksums, kept in a cache."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from drill.cache import cache

HERE: Final = Path(__file__).parent
JAVA: Final = 17
FETCH_S: Final = 600


class EngineMissing(RuntimeError):
    """A real engine can't be had on this machine; the stand-in needs neither Java nor Maven."""


def jars(engine: str) -> Path:
    """The folder with the jars of an engine, by its name in this folder. The first time they are fetched by Maven, from
    wherever its settings have Maven Central.

    Raises:
        EngineMissing: with what is missing, and what to do.
    """
    java()
    folder = jar_folder(engine)
    if not folder.is_dir():
        _fetch(engine, folder, _checksums(engine))
    return folder


def jar_folder(engine: str) -> Path:
    """Where the jars of an engine are, once they were fetched."""
    return cache() / f"{engine}-{hashlib.sha256(_checksums(engine).encode()).hexdigest()[:12]}"


def java() -> str:
    """The path of a Java that is new enough.

    Raises:
        EngineMissing
    """
    path = shutil.which("java")
    if path is None:
        raise EngineMissing(f"no java on the PATH: a real engine needs Java {JAVA} or later (Debian: default-jre)")
    version = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    major = re.search(r'version "(\d+)', version)
    if major is None or int(major[1]) < JAVA:
        first_line = version.splitlines()[0] if version else "no Java"
        raise EngineMissing(f"{path} is {first_line}: a real engine needs Java {JAVA} or later")
    return path


def _fetch(engine: str, folder: Path, checksums: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise EngineMissing("no mvn on the PATH: Maven fetches the engine the first time (Debian: maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not there: a fetch that is broken off leaves no folder of that name.
    with tempfile.TemporaryDirectory(dir=folder.parent) as directory:
        fetched = Path(directory) / "jars"
        sys.stderr.write(f"fetching the jars of {engine} into {folder}\n")
        command = [maven, "-q", "-B", "-f", str(HERE / f"{engine}.xml"), "dependency:copy-dependencies"]
        command.append(f"-DoutputDirectory={fetched}")
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            raise EngineMissing(f"Maven fetched nothing of {engine} within {FETCH_S} s") from None
        if ran.returncode != 0:
            raise EngineMissing(f"Maven could not fetch {engine}:\n{(ran.stdout + ran.stderr).strip()[-1500:]}")
        _hold(fetched, checksums)
        if not folder.is_dir():
            fetched.rename(folder)


def _hold(fetched: Path, checksums: str) -> None:
    pairs = (line.split(maxsplit=1) for line in checksums.splitlines())
    committed = {name: checksum for checksum, name in pairs}
    fresh = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in fetched.glob("*.jar")}
    if wrong := sorted(name for name in committed.keys() | fresh.keys() if committed.get(name) != fresh.get(name)):
        raise EngineMissing(f"not as their checksums say, and not used: {', '.join(wrong)}")


def _checksums(engine: str) -> str:
    return (HERE / f"{engine}.sha256").read_text()
