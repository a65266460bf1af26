"""What the link client's tests stand on: the drill's stand-in where it can behave so, else a server with a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.aws.secrets import ApiKey, Credentials
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink

CLUSTER, LINK = "lkc-west01", "orders-link"


@dataclass(frozen=True)
class Reply:
    """One line of a scripted server. `cut`: the connection ends after so many bytes of the body; `seconds`: it waits
    before it answers; `drip`: seconds between two bytes."""

    status: int = 200
    body: Any = field(default_factory=dict)
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    seconds: float = 0.0
    drip: float = 0.0

    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


class Scripted:
    """A server that says its lines one after another, the last one for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._lines: list[Reply | Callable[[Asked], Reply]] = [Reply()]
        self._lock = threading.Lock()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                scripted._answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def says(self, *lines: Reply | Callable[[Asked], Reply]) -> None:
        with self._lock:
            self._lines = list(lines)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        port = handler.client_address[1]
        asked = Asked(handler.command, parts.path, query, headers, body, time.monotonic(), port)
        with self._lock:
            self.asked.append(asked)
            line = self._lines[0] if len(self._lines) == 1 else self._lines.pop(0)
        reply = line if isinstance(line, Reply) else line(asked)
        time.sleep(reply.seconds)
        payload = b"" if reply.status == 204 else reply.bytes()
        handler.send_response(reply.status)
        if payload:
            handler.send_header("content-type", reply.kind)
        for name, value in reply.headers:
            handler.send_header(name, value)
        if reply.status != 204:
            handler.send_header("content-length", str(len(payload)))
        try:
            handler.end_headers()
            if reply.drip:
                for byte in payload:
                    handler.wfile.write(bytes([byte]))
                    time.sleep(reply.drip)
            else:
                handler.wfile.write(payload if reply.cut is None else payload[: reply.cut])
        except OSError:
            handler.close_connection = True
        if reply.cut is not None:
            handler.close_connection = True


@dataclass
class HeldSecret:
    """A secret without Secrets Manager: what was read once, and what is there now."""

    held: Credentials
    now: Credentials | None = None
    read_anew_times: int = 0

    def read(self) -> Credentials:
        return self.held

    def cached(self) -> Credentials:
        return self.held

    def read_anew(self) -> Credentials:
        self.read_anew_times += 1
        self.held = self.now or self.held
        return self.held


class Clock:
    """What the client takes for the module `time`: real, but that its pauses are counted, not waited for."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.ahead = 0.0
        self.before_going_on: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.before_going_on()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("failover.link.http.time", clock)
    return clock


@pytest.fixture
def scripted() -> Iterator[Callable[[], Scripted]]:
    servers: list[Scripted] = []

    def start() -> Scripted:
        servers.append(Scripted())
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def rest(scripted: Callable[[], Scripted]) -> Scripted:
    """A REST API that says its lines."""
    return scripted()


@pytest.fixture
def secret() -> HeldSecret:
    return HeldSecret(ApiKey("KEY", "s3cr3t-of-the-key"))


@pytest.fixture
def cluster(rest: Scripted, secret: HeldSecret) -> KafkaRestCluster:
    return KafkaRestCluster(rest.url, CLUSTER, secret)  # type: ignore[arg-type]


@pytest.fixture
def link(cluster: KafkaRestCluster) -> KafkaRestLink:
    return KafkaRestLink(cluster, LINK)


@dataclass(frozen=True)
class StandIn:
    """The drill's stand-in of the standby's REST API, the clients of it, and its own door for faults."""

    rest: Child
    cluster: KafkaRestCluster
    link: KafkaRestLink

    def fault(self, **fault: Any) -> None:
        plain.post(f"{self.rest.ready['control']}/faults", json=fault).raise_for_status()

    def break_link(self, **faults: Any) -> None:
        plain.put(f"{self.rest.ready['control']}/link", json=faults).raise_for_status()

    def asked(self, operation: str) -> int:
        counts = plain.get(f"{self.rest.ready['control']}/requests").json()
        return int(counts.get(operation, {}).get("count", 0))

    def until(self, topic: str, *statuses: str) -> None:
        deadline = time.monotonic() + 90
        while (found := self.link.mirror(topic).status) not in statuses:
            assert time.monotonic() < deadline, f"{topic} is {found}, not one of {statuses}"
            time.sleep(0.05)

    def know(self, other: StandIn) -> None:
        """Let it reach another cluster."""
        peers = {other.cluster.calls.cluster_id: other.rest.ready["control"]}
        plain.put(f"{self.rest.ready['control']}/peers", json=peers).raise_for_status()


@pytest.fixture
def wire() -> str:
    """The shape of the stand-in's bodies: "recorded", or "spec"."""
    return "recorded"


@pytest.fixture
def start(tmp_path: Path, wire: str) -> Iterator[Callable[..., StandIn]]:
    """Starts a stand-in without Kafka brokers; keywords change its configuration."""
    started: list[Child] = []

    def start(secret: HeldSecret | None = None, **changes: Any) -> StandIn:
        config = {
            "site": "west",
            "cluster_id": CLUSTER,
            "api_key": "KEY",
            "api_secret": "s3cr3t-of-the-key",
            "link": {"name": LINK, "remote_cluster_id": "lkc-east01", "interval_s": 0.1},
            "stop_delay_s": 0.3,
            "wire": wire,
            **changes,
        }
        child = spawn("drill.confluent.cluster_rest", config, log=tmp_path / f"rest-{len(started)}.log")
        started.append(child)
        held = secret or HeldSecret(ApiKey("KEY", "s3cr3t-of-the-key"))
        cluster = KafkaRestCluster(child.ready["url"], config["cluster_id"], held)  # type: ignore[arg-type]
        return StandIn(child, cluster, KafkaRestLink(cluster, LINK))

    yield start
    for child in started:
        child.stop()


@pytest.fixture
def stand_in(start: Callable[..., StandIn]) -> StandIn:
    """A link with the mirrors topic-0 (never fetched), topic-1 and topic-2 of three partitions each."""
    mirrors = {"count": 3, "pattern": "topic-{n}", "partitions": 3, "lag": 50, "unknown": 1}
    return start(rest_only_mirrors=mirrors, unmanaged_row=True)
