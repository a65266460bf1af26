"""Name servers and resolvers are asked wherever they are, and one that can't be asked ends nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.message
import dns.resolver
import dns.rrset
import pytest

from failover.dns import answers
from failover.errors import DnsUnavailable
from failover.validation import host_and_port

WEST = "gw-west.orders.example.com"


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name server that answers every question with a CNAME; its address and port."""
    address: str = request.param
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        listener.bind((address, 0))

        def serve() -> None:
            while True:
                try:
                    data, asker = listener.recvfrom(4096)
                except OSError:
                    return
                question = dns.message.from_wire(data)
                answer = dns.message.make_response(question)
                answer.answer.append(dns.rrset.from_text(question.question[0].name, 5, "IN", "CNAME", f"{WEST}."))
                listener.sendto(answer.to_wire(), asker)

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        yield f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def test_a_name_server_is_asked_by_either_kind_of_address(server: str) -> None:
    assert answers.ask([server], "kafka.orders.example.com", "CNAME", {}) == {server: WEST}


@pytest.mark.parametrize("server", ["::1", "2001:db8::1", "[::1", "[::1]x", "a:b", "fd00:ec2::253"])
def test_one_that_can_not_be_asked_is_said_and_ends_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "QUERY_TIMEOUT_S", 0.2)
    found = answers.ask([server], "kafka.orders.example.com", "CNAME", {})
    assert found[server].startswith("no answer (")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ns1.example.com", ("ns1.example.com", 53)),
        ("ns1.example.com:5353", ("ns1.example.com", 5353)),
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("fd00:ec2::253", ("fd00:ec2::253", 53)),
        ("[fd00:ec2::253]", ("fd00:ec2::253", 53)),
        ("[fd00:ec2::253]:5353", ("fd00:ec2::253", 5353)),
    ],
)
def test_a_host_and_port_are_read(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text, 53) == parts


@pytest.mark.parametrize("text", ["", ":53", "a:0", "a:65536", "a:b", "[::1", "[a]:53", "[::1]53"])
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        host_and_port(text, 53)


def test_a_host_without_a_resolver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "get_default_resolver", none)
    with pytest.raises(DnsUnavailable, match="no resolver"):
        answers.own_resolvers()
