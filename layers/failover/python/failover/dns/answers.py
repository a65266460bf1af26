"""What name servers really answer: asked themselves, since a resolver may remember what was true before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from failover.dns import canonical, targets_of
from failover.errors import DnsUnavailable
from failover.plan.model import Plan
from failover.validation import endpoint, host_and_port, is_address

QUERY_TIMEOUT_S: Final = 1.0
DNS_PORT: Final = 53
CNAME: Final = dns.rdatatype.CNAME
Kind = Literal["CNAME", "A"]
_OF_PRIVATE_ZONES: Final = {
    "ns-0.awsdns-00.com",
    "ns-512.awsdns-00.net",
    "ns-1024.awsdns-00.org",
    "ns-1536.awsdns-00.co.uk",
}
"""The name servers that every private zone of Route 53 names, and that answer nobody."""


def servers_of(hostname: str) -> tuple[str, ...]:
    """The name servers of the zone that a name is in, by DNS itself: no provider's control plane is needed. Of a
    private zone of Route 53 `own_resolvers`.

    Raises:
        DnsUnavailable
    """
    try:
        zone = dns.resolver.zone_for_name(hostname, lifetime=2 * QUERY_TIMEOUT_S)
        servers = {canonical(str(server)) for server in dns.resolver.resolve(zone, "NS", lifetime=QUERY_TIMEOUT_S)}
    except (dns.exception.DNSException, OSError) as error:
        raise DnsUnavailable(f"the name servers of {hostname} can't be found: {type(error).__name__}") from error
    return own_resolvers() if servers <= _OF_PRIVATE_ZONES else tuple(sorted(servers))


def own_resolvers() -> tuple[str, ...]:
    """The resolvers of this host: of a function in a VPC, the VPC's. They alone know the private zones that are
    associated with it (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html), and may
    answer what was true before for as long as its TTL was.

    Raises:
        DnsUnavailable: if it has none.
    """
    try:
        resolver = dns.resolver.get_default_resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise DnsUnavailable("this host has no resolver, and a private zone is answered by no other") from error
    return tuple(endpoint(str(server), resolver.port) for server in resolver.nameservers)


def ask(servers: Sequence[str], hostname: str, kind: Kind, targets: Mapping[str, str]) -> dict[str, str]:
    """What each server (host, host:port, address or [IPv6 address]:port) answers: a CNAME's target; of addresses, whose
    of `targets` they are."""
    of_targets = _addresses_of(targets) if kind == "A" else {}
    with ThreadPoolExecutor(max_workers=max(1, len(servers))) as pool:
        answers = pool.map(lambda server: _ask(server, hostname, kind, of_targets), servers)
        return dict(zip(servers, answers, strict=True))


def ask_resolvers(plan: Plan) -> dict[str, str]:
    """Which target each of the plan's resolvers leads a client to now, or what it says instead. It may remember what
    was true before, for as long as the TTL was."""
    if not plan.dns.resolvers:
        return {}
    targets, hostname = targets_of(plan), canonical(plan.hostname)
    alias = getattr(plan.dns, "type", "CNAME") == "alias"
    of_targets = _addresses_of(targets) if alias else dict.fromkeys(targets.values(), frozenset[str]())
    with ThreadPoolExecutor(max_workers=len(plan.dns.resolvers)) as pool:
        answers = pool.map(lambda resolver: _ask(resolver, hostname, "A", of_targets), plan.dns.resolvers)
        return dict(zip(plan.dns.resolvers, answers, strict=True))


def _ask(server: str, hostname: str, kind: Kind, of_targets: Mapping[str, frozenset[str]]) -> str:
    question = dns.message.make_query(hostname, kind)
    try:
        host, port = host_and_port(server, DNS_PORT)
        address = host if is_address(host) else next(iter(_addresses(host)))
        answer = dns.query.udp(question, address, timeout=QUERY_TIMEOUT_S, port=port)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return f"no answer ({type(error).__name__})"
    on_the_way = {canonical(str(record)) for rrset in answer.answer if rrset.rdtype == CNAME for record in rrset}
    if passed := on_the_way & of_targets.keys():
        return passed.pop()
    rdtype = dns.rdatatype.from_text(kind)
    values = [canonical(str(record)) for rrset in answer.answer if rrset.rdtype == rdtype for record in rrset]
    if not values:
        return "no such record"
    if kind == "CNAME":
        return values[0]
    whose = [target for target, addresses in of_targets.items() if addresses.issuperset(values)]
    return whose[0] if len(whose) == 1 else ", ".join(sorted(values))


def _addresses_of(targets: Mapping[str, str]) -> dict[str, frozenset[str]]:
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        return dict(zip(targets.values(), pool.map(_addresses_or_none, targets.values()), strict=True))


def _addresses_or_none(host: str) -> frozenset[str]:
    try:
        return _addresses(host)
    except (dns.exception.DNSException, OSError):
        return frozenset()


def _addresses(host: str) -> frozenset[str]:
    return frozenset(str(address) for address in dns.resolver.resolve(host, "A", lifetime=QUERY_TIMEOUT_S))
