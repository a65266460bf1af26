"""What a report holds, and what people are told of an end: each figure from where it was observed, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from failover.documents.execution import Loss
from failover.documents.stops import error_message, last_stop
from failover.execution.ending import message_of
from failover.execution.predecessors import LOOK_AT_NAME, predecessors, where_the_name_leads
from failover.execution.report import Ending, consumers, execution_report, headline, leftovers, restore, switchover
from failover.execution.stops import stop_of
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord, StepRecord
from failover.ledger.succession import AT_MOST
from failover.plan.model import Plan, parse

UNTOLD = "they are still led to east; whether they can work there is not known"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return parse((ROOT / "plans" / "orders.yaml").read_text())


def execution(**changes: Any) -> Execution:
    known = {"plan": "orders", "epoch": 3, "name": "orders-3-failover", "kind": "failover", "from": "east"}
    return Execution.model_validate(known | {"to": "west", "claimed_at": 1000.0} | changes)


def step(name: str, at: float = 1010.0, status: str = "done", **observed: Any) -> StepRecord:
    return StepRecord(step=name, status=status, calls=2, started_at=at - 4, reported_at=at, observed=observed)


def report(
    plan: Plan, *steps: StepRecord, of: Execution | None = None, loss: Any = None, **ending: Any
) -> dict[str, Any]:
    ended = Ending(**{"outcome": "succeeded"} | ending)
    return dict(execution_report(plan, of or execution(), ended, list(steps), loss=loss))


@pytest.mark.parametrize(
    ("of", "outcome", "seconds"),
    [
        ({"outage_started_at": 990.0}, "succeeded", 30.0),
        ({}, "succeeded", 20.0),
        ({}, "stood-down", None),
        ({}, "failed", None),
        ({"dry_run": True}, "succeeded", None),
        ({"kind": "restore"}, "succeeded", None),
        ({"kind": "switchover"}, "succeeded", 20.0),
    ],
)
def test_what_recovered_took_from_the_outage_or_the_claim_to_the_last_step(
    plan: Plan, of: dict[str, Any], outcome: Any, seconds: float | None
) -> None:
    steps = [step("assess", 1020.0), step("verify", 1015.0)]
    told = report(plan, *steps, of=execution(**of), outcome=outcome)
    assert (told["recovery_seconds"], told["ended_at"]) == (seconds, 1020.0)
    assert report(plan)["ended_at"] == 1000.0, "without a step it ended where it began"


def test_a_report_says_why_as_the_end_says_or_else_as_it_was_assessed(plan: Plan) -> None:
    assessed = step("assess", why="two votes", votes=["a", "b"], guard="", stands_until_resumed=True)
    told = report(plan, assessed, step("promote_mirrors", left_behind=["t1 FAILED"]))
    assert (told["why"], told["votes"], told["stands_until_resumed"]) == ("two votes", ["a", "b"], True)
    assert told["left_behind"] == ["t1 FAILED"]
    assert report(plan, assessed, why="a person denied it")["why"] == "a person denied it"
    assert report(plan, step("precheck", why="both are up"))["why"] == "both are up"
    empty = report(plan)
    assert (empty["why"], empty["votes"], empty["guard"], empty["stands_until_resumed"]) == ("", [], "", False)
    assert (empty["switchover"], empty["restore"], empty["left_behind"], empty["redrives"]) == (None, None, [], 0)


def test_a_report_tells_how_large_each_fleet_was_that_clients_came_to(plan: Plan) -> None:
    short = {"needed": 4, "before": 2, "ready_before": 2, "raised_to": 4, "short_because": "2 of 4 instances"}
    unknown = {"needed": None, "basis": "gateway-east was never seen well", "before": 2}
    told = report(plan, step("switch_routes:b", capacity=short), step("switch_routes:a", capacity=unknown))
    rows = [(row["fleet"], row["needed"], row["raised_to"], row["short_because"]) for row in told["capacity"]]
    assert rows == [("a", None, None, ""), ("b", 4, 4, "2 of 4 instances")]
    evidence = "\n".join(message_of(told | {"loss": None}).evidence)
    assert "b is too small for all clients: 2 of 4 instances" in evidence
    assert "how many instances a needs is not known" in evidence
    assert report(plan)["capacity"] == []


@pytest.mark.parametrize("kind", ["failover", "switchover", "restore"])
def test_each_kind_has_its_own_account_and_no_other(plan: Plan, kind: str) -> None:
    told = report(plan, of=execution(kind=kind))
    assert [name for name in ("switchover", "restore") if told[name] is not None] == [kind] * (kind != "failover")


def test_a_dry_run_tells_what_each_step_found_but_for_the_evidence(plan: Plan) -> None:
    found = step("assess", why="x", evidence={"much": 1})
    (timing,) = report(plan, found, of=execution(dry_run=True))["steps"]
    assert timing["observed"] == {"why": "x"}
    assert (timing["took_seconds"], timing["calls"], timing["status"]) == (4.0, 2, "done")
    assert "observed" not in report(plan, found)["steps"][0]


@pytest.mark.parametrize(
    ("seconds", "rate", "label", "records"),
    [(5.0, 10.1, "bounded", 51), (None, 10.0, "unknown", None), (5.0, None, "bounded", None), (0.0, 3.0, "bounded", 0)],
)
def test_how_much_groups_may_read_again_is_bounded_by_the_syncs_interval_at_the_peak(
    seconds: float | None, rate: float | None, label: str, records: int | None
) -> None:
    told = consumers({"offset_sync_seconds": seconds, "ahead_count": 0}, cast("Loss", {"peak_rate": rate}))
    assert told["read_again"] == {"label": label, "seconds": seconds, "records": records}
    assert told["ahead"]["label"] == "measured"


def test_offsets_that_were_not_looked_at_are_unknown() -> None:
    told = consumers({}, None)
    assert (told["ahead"]["label"], told["ahead"]["count"], told["read_again"]["records"]) == ("unknown", None, None)
    assert consumers({"offset_sync_seconds": 5.0}, None)["read_again"]["records"] is None


@pytest.mark.parametrize("left", [{"behind": 1}, {"growing": ["t[0]"]}, {"not_told": ["t[0]"]}])
def test_a_switchover_has_drained_only_if_nothing_is_behind_growing_or_not_told(left: dict[str, Any]) -> None:
    drained = {"partitions": 8, "behind": 0, "growing": [], "not_told": []}
    assert switchover({"drain_mirrors": drained})["drained_partitions"] == 8
    assert switchover({"drain_mirrors": drained | left})["drained_partitions"] is None


def test_a_switchover_says_what_became_of_offsets_and_which_fleets_were_put_back() -> None:
    unknown = switchover({})
    assert (unknown["offsets"]["label"], unknown["put_back"], unknown["mirrors_back"]) == ("unknown", [], None)
    steps = {
        "sync_offsets": {"compared": 4, "committed": 1},
        "put_back:gw-b": {},
        "put_back:gw-a": {},
        "look_back": {"mirrors_back": 8},
    }
    told = switchover(steps)
    assert (told["offsets"]["label"], told["offsets"]["compared"], told["mirrors_back"]) == ("measured", 4, 8)
    assert told["put_back"] == ["gw-a", "gw-b"]


def test_a_restore_says_what_was_cut_off_as_it_was_measured() -> None:
    mirrors = {"discarded": 1, "topics": 3, "by_status": {"ACTIVE": 3}}
    measured = {"diverged": 5, "unknown_count": 0, "growing": []}
    told = restore(
        {
            "measure_divergence": measured,
            "rescue_records": {"saved": 3, "without_record": 1},
            "restore_mirrors": mirrors,
        }
    )
    assert (told["diverged"], told["saved"], told["discarded"], told["topics"]) == (5, 4, True, 3)
    assert restore({})["discarded"] is False


def test_who_changed_nothing_says_what_those_before_it_changed() -> None:
    assert leftovers({}) == "nothing was changed"
    idle, busy = {"execution": "idle", "reached": {}}, {"execution": "busy", "reached": {"fence": "done"}}
    assert leftovers({"predecessors": [idle]}) == "nothing was changed"
    told = {"predecessors": [busy, idle]}
    assert leftovers(told) == "nothing was changed but by busy before; where the name leads is not known"
    assert leftovers(told | {"clients_found_at": "east"}).endswith("busy before; the name leads to east")


def stopped(*steps: tuple[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "plan": "orders",
        "kind": "failover",
        "from": "east",
        "to": "west",
        "outcome": "failed",
        "dry_run": False,
        "execution": "orders-3-failover",
        "started_by": "",
        "reason": "",
        "steps": [{"step": name, "status": status} for name, status in steps],
    } | changes


@pytest.mark.parametrize(
    ("steps", "clients"),
    [
        ((("flip_dns", "done"),), "they are led to west; it is not proven"),
        ((("flip_dns", "waiting"), ("promote_mirrors", "done")), "they are on their way to west"),
        (
            (("promote_mirrors", "waiting"),),
            "they are still led to east; whether they can work there is not known; west",
        ),
        (
            (("fence:gateway-east", "done"),),
            "they are still led to east; whether they can work there is not known; nothing",
        ),
        ((), f"{UNTOLD}; nothing"),
    ],
)
def test_of_a_failover_that_stopped_people_hear_where_clients_are_led(
    steps: tuple[tuple[str, str], ...], clients: str
) -> None:
    assert message_of(stopped(*steps)).clients.startswith(clients)


def test_of_a_failover_that_stopped_people_hear_where_and_why() -> None:
    cause = json.dumps({"errorMessage": "the zone is gone", "stackTrace": ["x"]})
    told = message_of(
        stopped(("assess", "done"), stopped_at="BeginFlip", error={"Error": "DnsRejected", "Cause": cause})
    )
    assert told.what_happened == (
        "The failover of orders from east to west stopped at BeginFlip: DnsRejected the zone is gone"
    )
    assert told.done == "assess done" and message_of(stopped()).done == "nothing"
    assert told.evidence == ["started by (not said): no reason given"]
    assert message_of(stopped(started_by="Ada", reason="a test")).evidence == ["started by Ada: a test"]
    assert "stopped at its end" in message_of(stopped()).what_happened


def test_people_hear_of_the_hooks_that_were_gone_on_without_and_of_no_other() -> None:
    rows = [
        {"hook": name, "moment": "before-promotion", "status": status, "why": "it timed out"}
        for name, status in (("scale", "went-on"), ("tell", "done"))
    ]
    assert message_of(stopped(hooks=rows)).evidence == [
        "started by (not said): no reason given",
        "went on without the hook scale, before-promotion: it timed out",
    ]


@pytest.mark.parametrize("cause", ["no JSON", "[]", "{}", "3", '"text"'])
def test_a_cause_that_is_no_functions_error_is_told_as_it_is(cause: str) -> None:
    assert error_message(cause) == cause


def seen(*records: str | None) -> list[StepRecord]:
    return [step("assess"), *(step(LOOK_AT_NAME, record=record) for record in records)]


def test_where_the_name_leads_is_a_site_or_not_known(plan: Plan) -> None:
    targets = {name: site.dns_target for name, site in plan.sites.items()}
    assert where_the_name_leads(plan, seen(f"{targets['west'].upper()}.")) == "west"
    assert where_the_name_leads(plan, seen(targets["east"])) == "east"
    assert [where_the_name_leads(plan, seen(record)) for record in ("elsewhere.example.com", None)] == [None, None]
    assert where_the_name_leads(plan, seen()) is None


class Book:
    """A ledger in which each execution took over from the one with the number before; 1 is not kept any more."""

    def execution(self, _: str, name: str) -> ExecutionRecord | None:
        number = int(name)
        if number == 1:
            return None
        return ExecutionRecord(
            name=name,
            epoch=number,
            kind="failover",
            status="superseded",
            from_site="east",
            to_site="west",
            started_at=1.0,
            document={},
            supersedes=str(number - 1),
        )

    def steps_of(self, _: str, name: str) -> list[StepRecord]:
        return [step("assess"), step("fence:gateway-east"), step("flip_dns", status="waiting")] if name == "2" else []


def test_those_whose_lease_was_taken_over_are_told_the_last_first_with_what_they_changed() -> None:
    book = cast("Ledger", Book())
    last, first = predecessors(book, execution(name="3"))
    assert (last.execution, last.status) == ("2", "superseded")
    assert last.reached == {"fence:gateway-east": "done", "flip_dns": "waiting"}
    assert (first.execution, first.status, first.reached) == ("1", "not known", {})
    assert len(predecessors(book, execution(name="60"))) == AT_MOST
    assert last.as_document() == {"execution": "2", "status": "superseded", "reached": last.reached}


def stop(at: float, again: float | None, name: str | None = "promote_mirrors") -> Any:
    why = {"error": "LinkRejected", "why": "403", "site": "west", "remedy": "mend the cause"}
    return {"at": at, "step": name, "redriven_at": again} | why


def test_the_time_for_which_it_was_stopped_is_no_steps(plan: Plan) -> None:
    steps = (step("fence", 1040.0), step("verify", 1050.0))
    told = report(plan, *steps, stops=[stop(1037.0, 1039.5)], loss=None)
    assert [of["took_seconds"] for of in told["steps"]] == [1.5, 4.0]
    assert "failed over in 50 s (2 s of them stopped at promote_mirrors), loss unknown" in headline(told)


@pytest.mark.parametrize(
    ("stopped_at", "cause", "name"),
    [
        ("BeginVerify", "", "verify"),
        ("PromoteAndPrepare", "switch_routes was not done in time: {}", "switch_routes:gateway-west"),
        ("PromoteAndPrepare", "promote_mirrors was not done in time: {}", "promote_mirrors"),
        ("PromoteAndPrepare", "the function ended", None),
    ],
)
def test_the_step_of_a_stop_is_named_only_where_something_tells_it(
    plan: Plan, stopped_at: str, cause: str, name: str | None
) -> None:
    steps = [step("verify", status="waiting"), step("switch_routes:gateway-west", status="waiting")]
    error = {"Error": "DeadlineExceeded", "Cause": cause}
    of = stop_of(plan, stopped_at=stopped_at, error=error, steps=steps, failures=(), at=1.0)
    assert (of["step"], of["site"]) == (name, None)


def test_one_that_ended_otherwise_stands_at_no_stop_though_its_redrive_was_not_noted(plan: Plan) -> None:
    stops = [stop(1037.0, None)]
    assert last_stop(report(plan, outcome="failed", stops=stops)) == stops[0]
    assert last_stop(report(plan, step("verify"), stops=stops)) is None
