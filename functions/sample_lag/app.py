"""sample_lag: look at every mirror's lag while all is well, and keep what is proven fresh, for the day it is needed.

Runs every few seconds; the samples are written when they changed, and of a thousand mirrors or more every half minute,
while whether the source answers is kept each time. On the day of a failover the lag that mirrors still show is frozen;
what was lost can only be estimated from the last sample, and from how fast records came in.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict

from failover.aws.clients import client
from failover.errors import FailoverError, KafkaUnauthorized, KafkaUnavailable
from failover.kafka.cluster import cluster_id
from failover.kafka.factory import as_controller
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table
from failover.link import ACTIVE, Mirror, trailing
from failover.link.factory import links_at
from failover.loss.samples import SourceLiveness, from_rows, to_rows, update_samples
from failover.plan.model import Plan
from failover.plan.store import plan_named
from failover.validation import read

logger = Logger(service="failover")


class SampleRequest(BaseModel):
    """The plan whose mirrors to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sample; answers how far the mirrors trail. While an execution holds the plan nothing is sampled.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan, LinkUnavailable, LinkRejected, LedgerUnavailable, ServiceUnavailable
    """
    plan = plan_named(read(SampleRequest, event).plan)
    book = Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
    state = book.state(plan.name, plan.home)
    if state.holder is not None:
        return {"plan": plan.name, "sampled": False, "why": f"{state.holder} is at it"}
    began = time.time()
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = pool.submit(_answers, plan, state.active)
        mirrors = _mirrors(plan, plan.other(state.active))
        source_answers = answers.result()
    watch = SourceLiveness(**load_plan_table(book, plan.name, "watch").get(state.active, {}))
    due = watch.is_due(len(mirrors), began)
    if due:
        table = f"lag-{plan.other(state.active)}"
        before = load_plan_table(book, plan.name, table)
        after = to_rows(
            update_samples(from_rows(before), mirrors, watch=watch, now=began, source_answers=source_answers)
        )
        if after != before:
            save_plan_table(book, plan.name, table, after)
    active = trailing(mirror for mirror in mirrors if mirror.status == ACTIVE)
    looked = watch.updated(source_answers, began, over=time.time(), sampled=due)
    watch = looked.with_lag(watch, active, plan.policy.failback_lag_records)
    save_plan_table(book, plan.name, "watch", {state.active: asdict(watch)})
    return {"plan": plan.name, "sampled": True, "source_answers": source_answers, "lag": asdict(trailing(mirrors))}


def _answers(plan: Plan, site: str) -> bool | None:
    """Whether the source answers as the link asks it: over the Kafka protocol; its REST API may well live on alone.
    None: not known, since it refused us, or another cluster answers, or we could not ask."""
    try:
        return True if as_controller(plan, site, cluster_id) == plan.site(site).kafka.cluster_id else None
    except KafkaUnauthorized:
        return None
    except KafkaUnavailable:
        return False
    except FailoverError:
        return None


def _mirrors(plan: Plan, site: str) -> list[Mirror]:
    return [mirror for link in links_at(plan, site) for mirror in link.mirrors()]
