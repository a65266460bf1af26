"""Name servers and resolvers are asked wherever they are, and one that can't be asked ends nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.resolver
import dns.rrset
import pytest
import yaml

from failover.dns import answers
from failover.errors import DnsUnavailable
from failover.plan.model import Plan, parse
from failover.validation import host_and_port

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
ADDRESSES = {EAST: ("192.0.2.1", "192.0.2.2"), WEST: ("198.51.100.1",), "ns1.example.com": ("203.0.113.53",)}
HOSTNAME, SERVER = "kafka.orders.example.com", "192.0.2.53"
RESERVED = ["ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org.", "ns-1536.awsdns-00.co.uk."]
"""The name servers that every private zone of Route 53 names."""
Record = tuple[str, str, str]
Answering = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Sets what every name server answers; gives where each question goes. Hosts have `ADDRESSES`."""

    def set_answers(*records: Record) -> list[tuple[str, int]]:
        asked: list[tuple[str, int]] = []

        def udp(question: dns.message.Message, where: str, **more: Any) -> dns.message.Message:
            asked.append((where, more["port"]))
            answer = dns.message.make_response(question)
            for name, kind, value in records:
                answer.answer.append(dns.rrset.from_text(f"{name}.", 5, "IN", kind, *value.split()))
            return answer

        def resolve(host: str, kind: str, **_: Any) -> tuple[str, ...]:
            if kind != "A" or host not in ADDRESSES:
                raise dns.resolver.NXDOMAIN
            return ADDRESSES[host]

        monkeypatch.setattr(dns.query, "udp", udp)
        monkeypatch.setattr(dns.resolver, "resolve", resolve)
        return asked

    return set_answers


@pytest.mark.parametrize(
    ("server", "where"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("fd00:ec2::253", ("fd00:ec2::253", 53)),
        ("ns1.example.com", ("203.0.113.53", 53)),
        ("ns1.example.com:5353", ("203.0.113.53", 5353)),
    ],
)
def test_a_name_server_is_asked_at_its_address_and_at_53_if_it_says_no_port(
    answering: Answering, server: str, where: tuple[str, int]
) -> None:
    asked = answering((HOSTNAME, "CNAME", f"{WEST}."))
    assert answers.ask([server], HOSTNAME, "CNAME", {}) == {server: WEST}
    assert asked == [where]


@pytest.mark.parametrize(
    ("kind", "records", "said"),
    [
        ("CNAME", [(HOSTNAME, "CNAME", f"{WEST.upper()}.")], WEST),
        ("CNAME", [(HOSTNAME, "CNAME", f"{WEST}."), (WEST, "CNAME", "nlb.example.com.")], WEST),
        ("CNAME", [], "no such record"),
        ("CNAME", [(HOSTNAME, "A", "192.0.2.1")], "no such record"),
        ("A", [(HOSTNAME, "A", "192.0.2.1 192.0.2.2")], EAST),
        ("A", [(HOSTNAME, "A", "192.0.2.2")], EAST),
        ("A", [(HOSTNAME, "A", "198.51.100.1")], WEST),
        ("A", [(HOSTNAME, "A", "198.51.100.1 192.0.2.1")], "192.0.2.1, 198.51.100.1"),
        ("A", [(HOSTNAME, "A", "203.0.113.9")], "203.0.113.9"),
        ("A", [(HOSTNAME, "CNAME", f"{WEST}."), (WEST, "A", "203.0.113.9")], WEST),
        ("A", [], "no such record"),
    ],
)
def test_what_a_name_server_answers_is_the_target_it_leads_to_or_what_it_says(
    answering: Answering, kind: answers.Kind, records: list[Record], said: str
) -> None:
    answering(*records)
    targets = {"east": EAST, "west": WEST, "lab": "gw-lab.orders.example.com"}
    assert answers.ask([SERVER], HOSTNAME, kind, targets) == {SERVER: said}


def test_an_address_that_two_targets_share_is_nobodys(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    answering((HOSTNAME, "A", "192.0.2.1"))
    monkeypatch.setitem(ADDRESSES, WEST, ADDRESSES[EAST])
    assert answers.ask([SERVER], HOSTNAME, "A", {"east": EAST, "west": WEST}) == {SERVER: "192.0.2.1"}


def plan_with(**dns_of_plan: Any) -> Plan:
    document = yaml.safe_load(PLAN.read_text())
    return parse(yaml.safe_dump(document | {"dns": document["dns"] | dns_of_plan}))


def test_resolvers_say_where_they_lead_a_client_by_name_or_by_address(answering: Answering) -> None:
    alias = {"type": "alias", "alias_zones": {"east": "ZEAST1", "west": "ZWEST1"}}
    answering((HOSTNAME, "A", "198.51.100.1"))
    assert answers.ask_resolvers(plan_with(**alias, resolvers=[SERVER])) == {SERVER: WEST}
    assert answers.ask_resolvers(plan_with(resolvers=[SERVER])) == {SERVER: "198.51.100.1"}
    answering((HOSTNAME, "CNAME", f"{WEST}."), (WEST, "A", "198.51.100.1"))
    assert answers.ask_resolvers(plan_with(resolvers=[SERVER])) == {SERVER: WEST}
    assert answers.ask_resolvers(plan_with()) == {}


@pytest.mark.parametrize(
    ("named", "servers"),
    [
        (RESERVED, ("10.0.0.2:53",)),
        (RESERVED[:1], ("10.0.0.2:53",)),
        (["ns2.example.com.", "NS1.example.com."], ("ns1.example.com", "ns2.example.com")),
        ([RESERVED[0], "ns1.example.com."], ("ns-0.awsdns-00.com", "ns1.example.com")),
        (
            [*RESERVED, "ns1.example.com."],
            (
                "ns-0.awsdns-00.com",
                "ns-1024.awsdns-00.org",
                "ns-1536.awsdns-00.co.uk",
                "ns-512.awsdns-00.net",
                "ns1.example.com",
            ),
        ),
    ],
)
def test_the_name_servers_of_a_zone_are_those_it_names_and_of_a_private_one_this_hosts_resolvers(
    monkeypatch: pytest.MonkeyPatch, named: list[str], servers: tuple[str, ...]
) -> None:
    here = dns.resolver.Resolver(configure=False)
    here.nameservers = ["10.0.0.2"]
    monkeypatch.setattr(dns.resolver, "default_resolver", here)
    monkeypatch.setattr(dns.resolver, "zone_for_name", lambda *_, **__: "orders.example.com")
    monkeypatch.setattr(dns.resolver, "resolve", lambda *_, **__: named)
    assert answers.servers_of(HOSTNAME) == servers


def test_name_servers_that_nobody_tells_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def timeout(*_: Any, **__: Any) -> None:
        raise dns.exception.Timeout

    monkeypatch.setattr(dns.resolver, "zone_for_name", timeout)
    with pytest.raises(DnsUnavailable, match=f"the name servers of {HOSTNAME} can't be found: Timeout"):
        answers.servers_of(HOSTNAME)


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
