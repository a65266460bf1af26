"""The plan that an execution goes by: the one it claimed, kept in the ledger, whatever is deployed meanwhile.

An execution that began with one plan must not end with another, and no step of it reads another. Who mends the
plan of an execution that stopped, and redrives it, wants the mended one.
"""

from __future__ import annotations

from aws_lambda_powertools import Logger

from failover.errors import FailoverError
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger, expiry
from failover.plan.model import Plan, parse_cached
from failover.plan.store import plan_document, plan_named

logger = Logger(service="failover")


def save_plan(book: Ledger, execution: Execution, document: str) -> Plan:
    """Keep the plan's document for the later steps of an execution; answers the plan it goes by: what was kept first.

    Raises:
        LedgerUnavailable
    """
    if book.put_once(execution.plan, _sort(execution), {"document": document, "expires": expiry(execution)}):
        return parse_cached(document, execution.plan)
    return claimed_plan(book, execution)


def renew_plan(book: Ledger, execution: Execution) -> None:
    """Go by the plan that is deployed now, if it is a good one of the same sites.

    Raises:
        LedgerUnavailable
    """
    try:
        document = plan_document(execution.plan)
        plan = parse_cached(document, execution.plan)
    except FailoverError as error:
        logger.warning("goes on with the plan it claimed", why=str(error))
        return
    if {execution.from_site, execution.to_site} == set(plan.sites):
        book.put_fenced(execution, _sort(execution), {"document": document})


def claimed_plan(book: Ledger, execution: Execution) -> Plan:
    """The plan of an execution; the deployed one if it claimed before plans were kept.

    Raises:
        LedgerUnavailable, and what `plan_named` raises.
    """
    item = book.item(execution.plan, _sort(execution))
    return parse_cached(item["document"], execution.plan) if item else plan_named(execution.plan)


def _sort(execution: Execution) -> str:
    return f"plan#{execution.name}"
