"""Fleets that can't be reached, and through which all the same no client writes to the site that is left."""

from __future__ import annotations

from failover.dns.route53_latency import leads_nobody_to
from failover.execution.fenced_fleets import fenced_fleets
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan


def out_of_service(book: Ledger, execution: Execution, plan: Plan, *, location: str, fleet: str) -> str:
    """Why no client can come to harm by a fleet that was not led over; empty where one may.

    Raises:
        LedgerUnavailable, DnsUnavailable, DnsRejected
    """
    if fleet in fenced_fleets(book, execution.plan, execution.name):
        return "it was proven to be fenced"
    if leads_nobody_to(plan, location):
        return "the client hostname leads nobody to it"
    return ""
