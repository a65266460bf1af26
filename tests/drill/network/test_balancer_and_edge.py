"""The load balancer and the edge before servers that say who they are and then echo."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dnslib import CNAME, QTYPE, RR, A
from dnslib.server import BaseResolver, DNSServer

from drill.network.listeners import listen_on, port_of
from drill.ports import NoPortsFree
from drill.process import Child, spawn

HOSTNAME = "kafka.orders.example.com"


class Echo:
    """Says its name to whom connects, then echoes. `close` ends it and its connections."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.sendall(self._name)
            while data := client.recv(65_536):
                client.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Names(BaseResolver):  # type: ignore[misc]
    """Answers every question with a chain of CNAMEs to `target`, and an address."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.ttl = 0
        self.asked = 0

    def resolve(self, request: Any, handler: Any) -> Any:
        self.asked += 1
        reply = request.reply()
        reply.add_answer(RR(HOSTNAME, QTYPE.CNAME, rdata=CNAME("alias.example.com"), ttl=self.ttl))
        reply.add_answer(RR("alias.example.com", QTYPE.CNAME, rdata=CNAME(self.target), ttl=self.ttl))
        reply.add_answer(RR(self.target, QTYPE.A, rdata=A("127.0.0.1"), ttl=self.ttl))
        return reply


@pytest.fixture
def echo() -> Iterator[Any]:
    with contextlib.ExitStack() as started:

        def start(name: bytes) -> Echo:
            server = Echo(name)
            started.callback(server.close)
            return server

        yield start


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as started:

        def start(module: str, config: dict[str, Any]) -> Child:
            child = spawn(module, config, log=tmp_path / f"{module}.log")
            started.callback(child.stop)
            return child

        yield start


@pytest.fixture
def balancer(process: Any) -> Child:
    child: Child = process("drill.network.balancer", {"site": "east", "listen_ports": 2})
    return child


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def who(port: int) -> bytes:
    """Who answers at a port; nobody: the connection is closed."""
    with connect(port) as client, contextlib.suppress(ConnectionResetError):
        return client.recv(100)
    return b""


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def put(balancer: Child, body: Any) -> Any:
    request = urllib.request.Request(
        f"{balancer.ready['admin']}/targets",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_each_listener_leads_to_its_port_of_the_targets_in_turn(balancer: Child, echo: Any) -> None:
    servers = {name: echo(name) for name in (b"a0", b"a1", b"b0", b"b1")}
    put(balancer, {"targets": [[servers[a].port, servers[b].port] for a, b in ((b"a0", b"a1"), (b"b0", b"b1"))]})
    first = balancer.ready["port"]
    assert sorted(who(first) for _ in range(4)) == [b"a0", b"a0", b"b0", b"b0"]
    assert sorted(who(first + 1) for _ in range(4)) == [b"a1", b"a1", b"b1", b"b1"]


def test_no_target_closes_and_a_dead_one_is_passed_over(balancer: Child, echo: Any) -> None:
    first = balancer.ready["port"]
    assert who(first) == b""
    living, dead = echo(b"living"), echo(b"dead")
    dead.close()
    put(balancer, {"targets": [[living.port, living.port], [dead.port, dead.port]]})
    assert {who(first) for _ in range(4)} == {b"living"}
    put(balancer, {"targets": [[dead.port, dead.port]]})
    assert who(first) == b""


def test_a_removed_targets_connections_are_closed_and_no_others(balancer: Child, echo: Any) -> None:
    kept, removed = echo(b"kept"), echo(b"gone")
    put(balancer, {"targets": [[kept.port, kept.port], [removed.port, removed.port]]})
    clients = {}
    for _ in range(2):
        client = connect(balancer.ready["port"])
        clients[client.recv(100)] = client
    put(balancer, {"targets": [[kept.port, kept.port]]})
    assert is_closed(clients[b"gone"])
    clients[b"kept"].sendall(b"still here")
    assert clients[b"kept"].recv(100) == b"still here"


def test_a_wrong_set_of_targets_is_refused_and_the_old_one_stands(balancer: Child, echo: Any) -> None:
    server = echo(b"a")
    put(balancer, {"targets": [[server.port, server.port]]})
    for wrong in ({}, {"targets": [["x"]]}, {"targets": 3}):
        with pytest.raises(urllib.error.HTTPError):
            put(balancer, wrong)
    assert who(balancer.ready["port"]) == b"a"


def test_megabytes_go_both_ways_unchanged_past_a_slow_reader(balancer: Child, echo: Any) -> None:
    server = echo(b"")
    put(balancer, {"targets": [[server.port, server.port]]})
    sent = bytes(range(256)) * 64 * 1024  # 16 MB: more than all buffers on the way hold
    with connect(balancer.ready["port"]) as client:
        threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
        time.sleep(0.5)
        got = bytearray()
        while len(got) < len(sent) and (data := client.recv(1 << 20)):
            got += data
    assert got == sent


def test_an_upstream_that_dies_closes_the_client(balancer: Child, echo: Any) -> None:
    server = echo(b"a")
    put(balancer, {"targets": [[server.port, server.port]]})
    with connect(balancer.ready["port"]) as client:
        assert client.recv(100) == b"a"
        server.close()
        assert is_closed(client)


@pytest.fixture
def names() -> Iterator[tuple[Names, int]]:
    names = Names("gw-east.example.com")
    server = DNSServer(names, address="127.0.0.1", port=0)
    server.start_thread()
    yield names, server.server.server_address[1]
    server.stop()
    server.server.server_close()


def test_new_connections_follow_the_name_and_old_ones_stay(process: Any, echo: Any, names: Any) -> None:
    resolver, dns_port = names
    east, west, dead = echo(b"east"), echo(b"west"), echo(b"dead")
    dead.close()
    config = {
        "hostname": HOSTNAME,
        "dns": f"127.0.0.1:{dns_port}",
        "listen_ports": 1,
        "targets": {
            "gw-east.example.com.": east.port,
            "GW-West.example.com": west.port,
            "gw-dead.example.com.": dead.port,
        },
    }
    port = process("drill.network.edge", config).ready["port"]
    with connect(port) as client:
        assert client.recv(100) == b"east"
        resolver.target = "gw-west.example.com"
        time.sleep(0.1)  # longer than connections share an answer
        assert who(port) == b"west"
        client.sendall(b"stays")
        assert client.recv(100) == b"stays"
        for elsewhere in ("gw-dead.example.com", "gw-unknown.example.com"):
            resolver.target = elsewhere
            time.sleep(0.1)
            assert who(port) == b""
        asked = resolver.asked
        time.sleep(0.1)
        who(port)
        assert resolver.asked == asked + 1  # its answers may not be kept


@pytest.mark.parametrize(("kind", "ttl", "follows"), [("host", 60, False), ("jvm", 0, False), ("host", 0, True)])
def test_an_answer_is_kept_for_its_ttl_or_as_a_jvm_keeps_it(
    process: Any, echo: Any, names: Any, kind: str, ttl: int, follows: bool
) -> None:
    resolver, dns_port = names
    resolver.ttl = ttl
    config = {
        "hostname": HOSTNAME,
        "dns": f"127.0.0.1:{dns_port}",
        "listen_ports": 1,
        "targets": {"gw-east.example.com": echo(b"east").port, "gw-west.example.com": echo(b"west").port},
        "resolver": kind,
    }
    port = process("drill.network.edge", config).ready["port"]
    assert who(port) == b"east"
    resolver.target = "gw-west.example.com"
    time.sleep(0.1)
    assert who(port) == (b"west" if follows else b"east")


@pytest.mark.slow
def test_while_dns_does_not_answer_there_is_no_way(process: Any, echo: Any) -> None:
    east = echo(b"east")
    config = {"hostname": HOSTNAME, "listen_ports": 1, "targets": {"gw-east.example.com": east.port}}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = process("drill.network.edge", {**config, "dns": f"127.0.0.1:{silent.getsockname()[1]}"}).ready["port"]
        assert who(port) == b""


def test_the_edge_listens_where_it_is_told(process: Any) -> None:
    listeners = listen_on(2)
    first = port_of(listeners[0])
    for each in listeners:
        each.close()
    config = {"hostname": HOSTNAME, "dns": "127.0.0.1:1", "listen_ports": 2, "targets": {}, "fixed_port": first}
    assert process("drill.network.edge", config).ready == {"port": first}


def test_ports_are_contiguous_and_taken_ones_refused() -> None:
    listeners = listen_on(4)
    try:
        first = port_of(listeners[0])
        assert [port_of(each) for each in listeners] == [first, first + 1, first + 2, first + 3]
        with pytest.raises(NoPortsFree, match=str(first + 3)):
            listen_on(2, first=first + 3)
    finally:
        for each in listeners:
            each.close()
