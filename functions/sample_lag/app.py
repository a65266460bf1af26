"""sample_lag: look at every mirror's lag while all is well, and keep what is proven fresh, for the day it is needed.

Runs every few seconds, for many plans at a time, each looked at beside the others and answered by itself: what one
waits for is its own. The samples are written every half minute, and at once when their source stops answering. On the
day of a failover the lag that mirrors still show is frozen; what was lost can only be estimated from the last sample,
and from how fast records came in.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.clients import client
from failover.container import remembered
from failover.detection.network import Network
from failover.detection.probes import kafka_answers
from failover.detection.rounds import Minutes, Round
from failover.errors import FailoverError
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from failover.link import Mirror
from failover.link.factory import links_at
from failover.loss.lag_record import LagRecord, Look, add_look, load_lag
from failover.plan.model import Plan
from failover.plan.store import deployed_plans
from failover.validation import read

SOURCE_S: Final = 3.0
"""A source that is silent for so long does not answer."""
CALL_S: Final = 14.0
"""Who calls may wait for less, and call again beside this one: what is slow goes on to here."""

logger = Logger(service="failover")


@dataclass(kw_only=True)
class Sampler:
    """What this container keeps from one call to the next."""

    network: Network = field(default_factory=Network)
    minutes: Minutes = field(default_factory=Minutes)
    records: dict[str, LagRecord] = field(default_factory=dict)
    """By plan."""


@remembered
def _sampler() -> Sampler:
    return Sampler()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sample; answers how far the mirrors of each plan trail, or why they were not looked at: an execution holds the
    plan, or something does not answer.

    Raises:
        MalformedEvent, LedgerUnavailable
    """
    sampler = _sampler()
    due = sampler.minutes.due(read(Round, event), deployed_plans())
    if due.undeployed:
        logger.warning("not sampled: they are not deployed, or bad", plans=due.undeployed)
    answers = sampler.network.run(_sample_all(sampler, due.plans))
    for error in answers.values():
        if isinstance(error, Exception):
            raise error
    return {"plans": list(answers.values()), "not_sampled": due.undeployed, "superseded": list(due.superseded)}


async def _sample_all(sampler: Sampler, plans: dict[str, Plan]) -> dict[str, dict[str, Any] | Exception]:
    ends = time.monotonic() + CALL_S
    jobs = {name: (partial(_answer, sampler, plan), ends) for name, plan in plans.items()}
    answers = await sampler.network.together(jobs)
    return {name: answer or _unsampled(name, f"no end within {CALL_S:g} s") for name, answer in answers.items()}


async def _answer(sampler: Sampler, plan: Plan) -> dict[str, Any] | Exception:
    """An error that nobody foresaw is answered, too: the others' looks go on to their end."""
    try:
        return await _sample(sampler, plan)
    except FailoverError as error:
        return _unsampled(plan.name, f"{type(error).__name__}: {error}")
    except Exception as error:
        return error


async def _sample(sampler: Sampler, plan: Plan) -> dict[str, Any]:
    network, book = sampler.network, Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
    state = await network.in_thread(partial(book.state, plan.name, plan.home))
    if state.holder is not None:
        sampler.records.pop(plan.name, None)
        return {"plan": plan.name, "sampled": False, "why": f"{state.holder} is at it"}
    look = await _look(network, plan, state)
    sampler.records[plan.name] = await network.in_thread(partial(_record, sampler, book, plan, state.active, look))
    return {"plan": plan.name, "sampled": True, "source_answers": look.source_answers, "lag": asdict(look.lag)}


async def _look(network: Network, plan: Plan, state: PlanState) -> Look:
    """The source is asked over the Kafka protocol, as the link asks it: its REST API may well live on alone."""
    began, mirrors = time.time(), partial(_mirrors, plan, plan.other(state.active))
    looks: dict[str, Any] = await network.together(
        {
            "source": (partial(kafka_answers, network, plan, state.active, SOURCE_S), None),
            "mirrors": (partial(network.in_thread, mirrors), None),
        }
    )
    return Look(began=began, ended=time.time(), mirrors=looks["mirrors"], source_answers=looks["source"])


def _mirrors(plan: Plan, site: str) -> list[Mirror]:
    return [mirror for link in links_at(plan, site) for mirror in link.mirrors()]


def _record(sampler: Sampler, book: Ledger, plan: Plan, source: str, look: Look) -> LagRecord:
    record = sampler.records.get(plan.name)
    if record is None or not record.is_remembered(source, look.began):
        record = load_lag(book, plan, source)
    return add_look(book, plan, record, look)


def _unsampled(plan: str, why: str) -> dict[str, Any]:
    logger.warning("not sampled", plan=plan, why=why)
    return {"plan": plan, "sampled": False, "why": why}
