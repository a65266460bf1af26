"""Kroxylicious, the engine of Confluent Gateway: its jars, and a launcher of ours that is compiled once.

The launcher listens on other ports than it advertises, as if a container engine published them, so that several run on
one machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from drill.cache import cache
from drill.engines.jars import HERE, EngineMissing, jar_folder, jars
from drill.ports import LOOPBACK, reserved_ports

ENGINE: Final = "kroxylicious"
LAUNCHER: Final = "PublishedGateway"
PUBLISHED_PORTS: Final = "PublishedPorts"
"""The launcher's plug-in for the addresses of a virtual cluster."""
SERVICES: Final = "META-INF/services/io.kroxylicious.proxy.service.ClusterNetworkAddressConfigProviderService"
ARCHIVE: Final = "classes.jsa"
BUILD_S: Final = 120.0
SMALL: Final = ("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# What the JVM itself has to say: on stdout only the launcher's line is looked for.
ON_STDERR: Final = ("-Xlog:disable", "-Xlog:all=warning:stderr", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")

Config = dict[str, Any]


def version() -> str:
    """What runs, as a report names it."""
    (jar,) = re.findall(r"kroxylicious-runtime-([\d.]+)\.jar", (HERE / f"{ENGINE}.sha256").read_text())
    return f"Kroxylicious {jar}"


def prepare() -> None:
    """Have all on this machine that it takes. The first time its jars are fetched, and its launcher is compiled.

    Raises:
        EngineMissing: with what is missing, and what to do.
    """
    jars(ENGINE)
    if not _built().is_dir():
        _compile()
    if not (_built() / ARCHIVE).is_file():
        _archive_classes()


def virtual_cluster(
    name: str, *, bootstrap_servers: str, port_identifies_node: Config, host: str, first_port: int
) -> Config:
    """One that advertises as `portIdentifiesNode` says, and listens on a host's ports from `first_port` on."""
    published = {"bindAddress": host, "firstPort": first_port, "portIdentifiesNode": port_identifies_node}
    return {
        "name": name,
        "targetCluster": {"bootstrapServers": bootstrap_servers},
        "clusterNetworkAddressConfigProvider": {"type": PUBLISHED_PORTS, "config": published},
    }


def command(config: Config, ready: Mapping[str, Any], options: Sequence[str] = ()) -> list[str]:
    """What runs Kroxylicious with a configuration of its own, says `ready` as JSON once it serves, and ends it with its
    stdin.

    Raises:
        EngineMissing: as `prepare` does, if that was not called before.
    """
    if not (_built() / f"{LAUNCHER}.jar").is_file():
        prepare()
    java = shutil.which("java")
    if java is None:
        raise EngineMissing("no java on the PATH")
    # One by one: an archive of classes holds for the very path that it was made with.
    path = ":".join(map(str, (_built() / f"{LAUNCHER}.jar", *sorted(jar_folder(ENGINE).glob("*.jar")))))
    archive = options or [f"-XX:SharedArchiveFile={_built() / ARCHIVE}"]
    return [java, *SMALL, *ON_STDERR, *archive, "-cp", path, LAUNCHER, json.dumps(config), json.dumps(ready)]


def _built() -> Path:
    """The folder of the launcher, of its source and the jars of now."""
    made_of = (HERE / f"{LAUNCHER}.java").read_bytes() + jar_folder(ENGINE).name.encode()
    return cache() / f"{ENGINE}-launcher-{hashlib.sha256(made_of).hexdigest()[:12]}"


def _compile() -> None:
    compiler = shutil.which("javac")
    if compiler is None:
        raise EngineMissing("no javac on the PATH: the gateway's launcher is compiled (Debian: default-jdk-headless)")
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        classes, built = Path(directory) / "classes", Path(directory) / "built"
        compiled = [compiler, "-Xlint:-removal", "-cp", f"{jar_folder(ENGINE)}/*", "-d", str(classes)]
        ran = subprocess.run(
            [*compiled, str(HERE / f"{LAUNCHER}.java")], capture_output=True, text=True, timeout=BUILD_S, check=False
        )
        if ran.returncode != 0:
            raise EngineMissing(f"the gateway's launcher could not be compiled:\n{(ran.stdout + ran.stderr)[-1500:]}")
        built.mkdir()
        with zipfile.ZipFile(built / f"{LAUNCHER}.jar", "w") as jar:
            for path in sorted(classes.rglob("*.class")):
                jar.write(path, path.relative_to(classes))
            jar.writestr(SERVICES, f"{LAUNCHER}${PUBLISHED_PORTS}\n")
        with suppress(OSError):  # somebody else was quicker
            built.rename(_built())


def _archive_classes() -> None:
    """Have the JVM keep its classes as they are once loaded, which halves what a start takes."""
    port = reserved_ports(3)
    nodes = {"bootstrapAddress": "localhost:9092", "nodeIdRanges": [{"name": "none", "start": 0, "end": 0}]}
    cluster = virtual_cluster(
        "none", bootstrap_servers="localhost:9092", port_identifies_node=nodes, host=LOOPBACK, first_port=port
    )
    management = {"bindAddress": LOOPBACK, "port": port + 2, "endpoints": {"prometheus": {}}}
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        archive = Path(directory) / ARCHIVE
        subprocess.run(
            command(
                {"management": management, "virtualClusters": [cluster]}, {}, [f"-XX:ArchiveClassesAtExit={archive}"]
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=BUILD_S,
            check=False,
        )
        if archive.is_file():
            archive.replace(_built() / ARCHIVE)
