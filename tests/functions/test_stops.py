"""A stop is kept with the step that failed and whose refusal it was, and with when it was gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import FailoverStopped, LinkRejected
from failover.execution.step import Report, Request, step
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan
from failover.plan.store import plan_named
from tests.conftest import Context

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def test_a_report_names_the_step_that_was_refused_and_by_which_site_and_keeps_the_stop_when_it_is_redriven(
    deployed: Any, call: Call
) -> None:
    state = call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-1-failover"})[
        "execution"
    ]
    execution, book = Execution.model_validate(state), Ledger(deployed("dynamodb"), "ledger")
    west = plan_named("orders").sites["west"].kafka

    def promote(request: Request, plan: Plan) -> Report:
        raise LinkRejected("mirrors:failover answered 403", cluster=west.cluster_id, status=403)

    with pytest.raises(LinkRejected):
        step("promote_mirrors", Request, promote)({"execution": state}, Context())
    error = {"Error": "LinkRejected", "Cause": json.dumps({"errorMessage": "mirrors:failover answered 403"})}
    failure = {"execution": state, "outcome": "failed", "stopped_at": "PromoteAndPrepare", "error": error}
    for _ in range(2):  # Step Functions may call again.
        with pytest.raises(FailoverStopped):
            call("conclude", failure)
    record = book.execution("orders", execution.name)
    assert record is not None
    (stop,) = record.document["stops"]
    assert (stop["step"], stop["site"], stop["redriven_at"]) == ("promote_mirrors", "west", None)
    assert f"secret {west.credentials} ALTER" in stop["remedy"]
    call("conclude", failure | {"redriven": True, "redrives": 1})
    report = call("conclude", {"execution": state, "outcome": "succeeded", "redrives": 1})["report"]
    assert [(of["step"], of["at"] <= of["redriven_at"]) for of in report["stops"]] == [("promote_mirrors", True)]
