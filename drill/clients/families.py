"""The libraries that clients of the drill are written with. What the drill itself does not need is installed when it is
first asked for, into an environment of its own, in the user's cache."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drill.cache import cache

INSTALL_S: Final = 300


class FamilyMissing(RuntimeError):
    """A library could not be installed; the drill's own clients need none."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A library, in one version. `writer`, `reader`: the modules that are run. `of_java`: they become a JVM, which was
    tried with real brokers only."""

    name: str
    writer: str
    reader: str
    package: str | None = None
    """What pip installs for it; None: the drill has it."""
    of_java: bool = False

    def interpreter(self) -> str:
        """The Python that runs its clients. Installs what is missing.

        Raises:
            FamilyMissing: with what pip says.
        """
        return sys.executable if self.package is None else str(_environment(self.package) / "bin" / "python")


LIBRDKAFKA: Final = Family(name="librdkafka", writer="drill.clients.producer", reader="drill.clients.consumer")
# The last one of that year has no wheels for Python 3.14: there it is the oldest that has.
_OF_2024: Final = "confluent-kafka==2.6.1" if sys.version_info < (3, 14) else "confluent-kafka==2.12.1"
LIBRDKAFKA_OF_2024: Final = Family(
    name="librdkafka", writer=LIBRDKAFKA.writer, reader=LIBRDKAFKA.reader, package=_OF_2024
)
LIBRDKAFKA_NEW_PROTOCOL: Final = Family(
    name="librdkafka, new group protocol", writer=LIBRDKAFKA.writer, reader=LIBRDKAFKA.reader
)
LIBRDKAFKA_TRANSACTIONAL: Final = Family(
    name="librdkafka, transactional", writer="drill.clients.transactional_producer", reader=LIBRDKAFKA.reader
)
LIBRDKAFKA_NEWCOMER: Final = Family(name="librdkafka, newcomer", writer=LIBRDKAFKA.writer, reader=LIBRDKAFKA.reader)
LIBRDKAFKA_BESIDE_NEWCOMER: Final = Family(
    name="librdkafka, beside a newcomer", writer=LIBRDKAFKA.writer, reader=LIBRDKAFKA.reader
)
KAFKA_PYTHON: Final = Family(
    name="kafka-python",
    writer="drill.clients.kafka_python_producer",
    reader="drill.clients.kafka_python_consumer",
    package="kafka-python==3.0.12",
)


def _of_java(name: str) -> Family:
    return Family(name=name, writer="drill.clients.java_client", reader="drill.clients.java_client", of_java=True)


JAVA: Final = _of_java("Java")
JAVA_NEW_PROTOCOL: Final = _of_java("Java, new group protocol")
JAVA_TRANSACTIONAL: Final = _of_java("Java, transactional")


def _environment(package: str) -> Path:
    """A virtual environment with this package, and behind it all that the drill's own has."""
    of_python = f"{package.replace('==', '-')}-{sys.implementation.cache_tag}"
    folder = cache() / of_python
    ready = folder / "ready"
    if not ready.exists():
        sys.stderr.write(f"installing {package} into {folder}\n")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        _run([*pip, "install", "--quiet", "--no-deps", package])
    # The drill's environment may have moved since.
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    own = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    Path(paths["purelib"], "behind.pth").write_text("".join(f"{path}\n" for path in own))
    ready.touch()
    return folder


def _run(command: Sequence[str]) -> None:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise FamilyMissing(f"not within {INSTALL_S} s: {' '.join(command)}") from None
    if ran.returncode != 0:
        raise FamilyMissing(f"{' '.join(command)}:\n{(ran.stdout + ran.stderr).strip()[-1500:]}")
