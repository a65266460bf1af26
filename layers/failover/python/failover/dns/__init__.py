"""The port to the DNS provider: where the client hostname points, and pointing it elsewhere.

A new provider is one file with a class that fits `ClientName`, its part of the plan, and one line in `_KINDS`.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Final, Protocol, cast

from failover.plan import Plan


@dataclass(frozen=True)
class NameState:
    """What the provider holds (`record`, with its `ttl` in seconds) and what each name server that was asked really
    answers."""

    record: str | None
    answers: dict[str, str]
    in_sync: bool
    ttl: int | None = None

    def leads_to(self, target: str) -> bool:
        """Whether the record and every answer are this target."""
        wanted = canonical(target)
        return self.record == wanted and bool(self.answers) and set(self.answers.values()) == {wanted}


class ClientName(Protocol):
    """The client hostname. Methods raise `DnsUnavailable` if repeating may help, and `DnsRejected` if not."""

    def look(self, change: str | None) -> NameState:
        """Where it points. `change`: the id that `point_at` gave, to ask whether it is in sync everywhere."""

    def point_at(self, target: str) -> str:
        """Point it at a target; returns the id of the change before it is in sync."""


def canonical(name: str) -> str:
    """A domain name as names are compared: lower case, without the last dot."""
    return name.rstrip(".").lower()


_KINDS: Final = {"route53-record": "failover.dns.route53_record:Route53ClientName"}


@functools.lru_cache(maxsize=128)
def client_name_of(plan: Plan) -> ClientName:
    """The client hostname of a plan, at its DNS provider."""
    module, _, name = _KINDS[plan.dns.kind].partition(":")
    return cast("ClientName", getattr(importlib.import_module(module), name)(plan.hostname, plan.dns))
