"""Who takes a plan's lease, from whom, and how it is given back: each refusal, and what an end leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from failover.errors import AbortRefused, DuplicateExecution, LeaseLost
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import AbortWish, Denial, PlanState
from failover.ledger.succession import AT_MOST, succession
from tests.failover.test_ledger import execution
from tests.ledger_in_memory import DynamoDB, ledger_of

NOW = 1_900_000_000.0
DAY_S = 86_400


@pytest.fixture
def book(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger whose clock stands still."""
    monkeypatch.setattr("time.time", lambda: NOW)
    return ledger_of(dynamodb)


def state(book: Ledger) -> PlanState:
    return book.state("orders", "east")


def denial(site: str = "east") -> Denial:
    return Denial(site=site, why="it comes back", execution="a", at=NOW)


def test_a_plan_is_claimed_at_its_home_with_who_holds_it_and_where(book: Ledger) -> None:
    first = execution().model_copy(update={"controller": "us-west-2", "arn": "arn:1"})
    book.claim(first, "east")
    assert state(book) == PlanState(
        active="east",
        epoch=1,
        holder=first.name,
        controller="us-west-2",
        holder_arn="arn:1",
        last_execution=first.name,
    )
    assert (state(book).holder_in_words, PlanState(active="a", epoch=1, holder="h").holder_in_words) == (
        f"{first.name} in us-west-2",
        "h",
    )
    with pytest.raises(DuplicateExecution, match="in us-west-2 holds the lease"):
        book.claim(first.model_copy(update={"controller": "us-east-1"}), "east")


def test_of_two_who_saw_the_plan_free_the_second_is_refused(dynamodb: DynamoDB, book: Ledger) -> None:
    def be_first(operation: str) -> None:
        if operation == "UpdateItem":
            dynamodb.before = lambda _: None
            book.claim(execution(name="first"), "east")

    dynamodb.before = be_first
    with pytest.raises(DuplicateExecution, match="another execution claimed plan 'orders' first"):
        book.claim(execution(name="second"), "east")
    assert state(book).holder == "first" and book.execution("orders", "second") is None


def test_a_claim_whose_answer_was_lost_is_a_claim(
    dynamodb: DynamoDB, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK writes again, and the condition does not hold any more."""
    update = dynamodb.update_item

    def twice(**request: Any) -> Any:
        monkeypatch.delattr(dynamodb, "update_item")
        update(**request)
        return update(**request)

    monkeypatch.setattr(dynamodb, "update_item", twice, raising=False)
    book.claim(execution(), "east")
    record = book.execution("orders", execution().name)
    assert state(book).holder == execution().name and record is not None and record.status == "running"


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_epoch_that_is_not_the_next_is_refused(book: Ledger, epoch: int) -> None:
    book.claim(execution(), "east")
    book.conclude(execution(), "stood-down", {})
    with pytest.raises(DuplicateExecution, match=rf"epoch {epoch} .* the ledger is at 1"):
        book.claim(execution(epoch, "another"), "east")


@pytest.mark.parametrize("leads_back", [True, False])
def test_who_would_supersede_one_that_gave_the_lease_back_takes_over_from_it_only_to_lead_back(
    book: Ledger, leads_back: bool
) -> None:
    book.claim(execution(), "east")
    book.conclude(execution(), "stood-down", {})
    now = execution(2).model_copy(update={"leads_back": leads_back})
    book.claim(now, "east", supersedes=execution().name)
    earlier, record = book.execution("orders", execution().name), book.execution("orders", now.name)
    assert earlier is not None and record is not None
    before = execution().name if leads_back else None
    assert (state(book).superseded, record.supersedes) == (before, before)
    assert (earlier.status, earlier.superseded_by) == (("superseded", now.name) if leads_back else ("stood-down", None))


def test_a_claim_forgets_whom_the_one_before_superseded_and_every_wish_of_it(book: Ledger) -> None:
    by_hand = execution(1, "over").model_copy(update={"kind": "switchover"})
    book.claim(by_hand, "east")
    book.request_abort("orders", "over", "ada", "the wrong plan")
    assert state(book).abort_wish == AbortWish(execution="over", by="ada", why="the wrong plan", at=NOW)
    book.claim(execution(2), "east", supersedes="over")
    assert (state(book).superseded, state(book).abort_wish) == ("over", None)
    book.pass_no_return(execution(2))
    assert state(book).no_return == execution(2).name
    book.conclude(execution(2), "stood-down", {})
    book.claim(execution(3), "east")
    assert (state(book).superseded, state(book).no_return) == (None, None)
    record = book.execution("orders", execution(3).name)
    assert record is not None and record.supersedes is None


def test_who_lost_the_lease_is_told_who_holds_it(book: Ledger) -> None:
    book.claim(execution(), "east")
    book.claim(execution(2), "east", supersedes=execution().name)
    with pytest.raises(LeaseLost, match=r"orders-2-failover holds it under epoch 2: it changes nothing any more"):
        book.hold(execution())
    book.conclude(execution(2), "stood-down", {})
    with pytest.raises(LeaseLost, match=r"under epoch 2: it changes nothing any more"):
        book.hold(execution(2))
    for give_up in (book.pass_no_return, book.take_back_no_return):
        with pytest.raises(LeaseLost):
            give_up(execution(2))


def test_what_was_never_claimed_is_not_aborted(book: Ledger) -> None:
    with pytest.raises(AbortRefused, match="a failover goes forward only"):
        book.request_abort("orders", "over", "ada", "no")
    book.claim(execution(1, "over").model_copy(update={"kind": "switchover"}), "east")
    book.claim(execution(2), "east", supersedes="over")
    with pytest.raises(AbortRefused, match="does not hold the lease"):
        book.request_abort("orders", "over", "ada", "too late")


def test_success_makes_a_site_active_and_ends_a_denial(book: Ledger) -> None:
    book.claim(execution(), "east")
    book.conclude(execution(), "stood-down", {}, denial())
    assert (state(book).active, state(book).denial, state(book).changed_at) == ("east", denial(), None)
    book.claim(execution(2), "east")
    book.conclude(execution(2), "succeeded", {})
    after = state(book)
    assert (after.active, after.holder, after.denial, after.changed_at) == ("west", None, None, NOW)
    assert after.failovers == (NOW,)
    assert after.unannounced == {execution(1).name, execution(2).name}
    book.keep_announced("orders", execution(1).name)
    assert state(book).unannounced == {execution(2).name}


def test_a_stand_down_that_saw_which_site_is_active_says_so_and_is_no_failover(book: Ledger) -> None:
    book.claim(execution(), "east")
    book.conclude(execution(), "stood-down", {}, denial(), active="west")
    after = state(book)
    assert (after.active, after.holder, after.changed_at, after.denial) == ("west", None, NOW, None)
    assert after.failovers == ()


def test_a_failure_keeps_the_lease_and_is_not_to_be_announced_and_the_last_one_is_kept(book: Ledger) -> None:
    book.claim(execution(), "east")
    for n in (1, 2):
        book.conclude(execution(), "failed", {"n": n})
    record = book.execution("orders", execution().name)
    assert record is not None and (record.status, record.document, record.ended_at) == ("failed", {"n": 2}, NOW)
    assert (state(book).holder, state(book).unannounced) == (execution().name, frozenset())


def released_already(dynamodb: DynamoDB, book: Ledger, then: Execution | None, supersedes: str | None = None) -> None:
    """The release is carried out, its answer is lost, and somebody claims the plan before it is sent again."""
    update = dynamodb.update_item

    def lose(**request: Any) -> Any:
        if "ADD unannounced" not in request["UpdateExpression"]:
            return update(**request)
        del dynamodb.__dict__["update_item"]
        if supersedes is None:
            update(**request)
        if then is not None:
            book.claim(then, "east", supersedes)
        return update(**request)

    dynamodb.__dict__["update_item"] = lose


@pytest.mark.parametrize("then", [None, execution(2)], ids=["nobody", "the next one"])
def test_a_release_whose_answer_is_lost_is_one_whoever_claims_the_plan_next(
    dynamodb: DynamoDB, book: Ledger, then: Execution | None
) -> None:
    book.claim(execution(), "east")
    released_already(dynamodb, book, then)
    book.conclude(execution(), "succeeded", {"n": 1})
    record = book.execution("orders", execution().name)
    assert record is not None and (record.status, record.document) == ("succeeded", {"n": 1})
    assert (state(book).active, state(book).holder) == ("west", then and then.name)


def test_who_was_superseded_as_it_ended_has_not_ended_so(dynamodb: DynamoDB, book: Ledger) -> None:
    book.claim(execution(), "east")
    released_already(dynamodb, book, execution(2), execution().name)
    with pytest.raises(LeaseLost):
        book.conclude(execution(), "succeeded", {"n": 1})
    record = book.execution("orders", execution().name)
    assert record is not None and record.status == "superseded"
    assert (state(book).active, state(book).holder) == ("east", execution(2).name)


def test_who_ended_two_epochs_ago_without_giving_back_did_not_give_back(dynamodb: DynamoDB, book: Ledger) -> None:
    """Nobody knows any more who took it."""
    book.claim(execution(), "east")
    hold = book.hold

    def held_until_two_others_came(held: Execution) -> None:
        hold(held)
        book.__dict__.pop("hold")
        book.claim(execution(2), "east", supersedes=execution().name)
        book.conclude(execution(2), "stood-down", {})
        book.claim(execution(3), "east")

    book.__dict__["hold"] = held_until_two_others_came
    with pytest.raises(LeaseLost):
        book.conclude(execution(), "succeeded", {})
    assert (state(book).active, state(book).holder) == ("east", execution(3).name)


def test_a_dry_run_ends_without_touching_the_lease_of_another(book: Ledger) -> None:
    book.claim(execution(), "east")
    before, dry = state(book), execution(1, "dry", dry_run=True)
    book.begin_dry_run(dry)
    book.conclude(dry, "succeeded", {"n": 1})
    record = book.execution("orders", "dry")
    assert record is not None and record.status == "succeeded" and state(book) == before


def test_a_report_is_amended_once_there_is_one_and_its_end_stays(book: Ledger) -> None:
    book.claim(execution(), "east")
    book.amend_report("orders", execution().name, {"n": 1})
    record = book.execution("orders", execution().name)
    assert record is not None and (record.document, record.ended_at) == ({}, None)
    book.conclude(execution(), "stood-down", {"n": 2})
    book.amend_report("orders", execution().name, {"n": 3})
    record = book.execution("orders", execution().name)
    assert record is not None and (record.status, record.document, record.ended_at) == ("stood-down", {"n": 3}, NOW)


def test_a_denial_is_forgotten_by_who_read_it_alone_and_with_every_pause(book: Ledger) -> None:
    book.claim(execution(), "east")
    book.conclude(execution(), "stood-down", {}, denial())
    book.forget_denial("orders", denial("west"))
    assert state(book).denial == denial()
    book.forget_denial("orders", denial())
    assert state(book).denial is None
    book.claim(execution(2), "east")
    book.conclude(execution(2), "stood-down", {}, denial())
    book.pause("orders", "ada: we look first")
    book.resume("orders")
    assert (state(book).denial, state(book).paused) == (None, None)


@pytest.mark.parametrize(("dry_run", "days"), [(False, 180), (True, 30)])
def test_what_is_kept_of_an_execution_expires(book: Ledger, dry_run: bool, days: int) -> None:
    one = execution(dry_run=dry_run)
    if dry_run:
        book.begin_dry_run(one)
    else:
        book.claim(one, "east")
    book.record_step(one, "fence", "done", {}, NOW)
    book.save_approval_token(one, "token")
    kept = [f"execution#{one.name}", f"step#{one.name}#fence", f"approval#{one.name}"]
    assert [(book.item("orders", sort) or {})["expires"] for sort in kept] == [NOW + days * DAY_S] * 3


@pytest.mark.parametrize(("manual", "starter"), [(True, "ada"), (False, "")])
def test_who_started_an_execution_by_hand_is_kept_beside_the_token(book: Ledger, manual: bool, starter: str) -> None:
    one = execution().model_copy(update={"manual": manual, "started_by": "ada"})
    book.claim(one, "east")
    book.save_approval_token(one, "token")
    item = book.item("orders", f"approval#{one.name}") or {}
    assert (item["token"], item["started_by"]) == ("token", starter)


def test_an_attempt_is_followed_by_one_whoever_saw_it_end_and_is_kept_for_longer_than_its_name_is_blocked(
    book: Ledger,
) -> None:
    assert book.attempt("orders", 1, "failover") == 1
    assert [book.next_attempt("orders", 1, "failover", ended) for ended in (1, 1, 2, 1)] == [2, 2, 3, 3]
    assert book.attempt("orders", 1, "failover") == 3 and book.attempt("orders", 1, "switchover") == 1
    assert (book.item("orders", "attempt#1#failover") or {})["expires"] == NOW + 120 * DAY_S


def test_a_step_is_read_by_its_name_and_steps_in_the_order_they_began(book: Ledger) -> None:
    book.claim(execution(), "east")
    assert book.step("orders", execution().name, "fence") is None
    for step, began in (("verify", 30.0), ("assess", 10.0), ("fence", 20.0), ("fence", 25.0)):
        book.record_step(execution(), step, "done", {"began": began}, began)
    fence = book.step("orders", execution().name, "fence")
    assert fence is not None
    assert (fence.status, fence.calls, fence.started_at, fence.reported_at) == ("done", 2, 20.0, NOW)
    assert fence.observed == {"began": 25.0}
    assert [record.step for record in book.steps(execution())] == ["assess", "fence", "verify"]


def test_executions_are_listed_the_last_that_began_first(book: Ledger) -> None:
    for epoch, began in ((1, 10.0), (2, 30.0)):
        one = execution(epoch).model_copy(update={"claimed_at": began})
        book.claim(one, "east")
        book.conclude(one, "stood-down", {})
    book.begin_dry_run(execution(3, "dry", dry_run=True).model_copy(update={"claimed_at": 20.0}))
    assert [record.name for record in book.executions("orders")] == [execution(2).name, "dry", execution(1).name]


def test_a_succession_is_followed_to_its_begin_or_to_what_is_not_kept_and_no_further_than_anybody_reads(
    book: Ledger,
) -> None:
    assert list(succession(book, "orders", None)) == []
    assert list(succession(book, "orders", "nobody")) == [("nobody", None)]
    book.claim(execution(1), "east")
    last = AT_MOST + 5
    for epoch in range(2, last + 1):
        book.claim(execution(epoch), "east", supersedes=execution(epoch - 1).name)
    few = [(name, record and record.epoch) for name, record in succession(book, "orders", execution(3).name)]
    assert few == [(execution(epoch).name, epoch) for epoch in (3, 2, 1)]
    many = [name for name, _ in succession(book, "orders", execution(last).name)]
    assert many == [execution(epoch).name for epoch in range(last, last - AT_MOST - 1, -1)]


@pytest.mark.parametrize(
    ("statuses", "reported_at"),
    [
        (("waiting", "done"), 20.0),
        (("done", "done"), 10.0),
        (("done", "done", "done"), 10.0),
        (("done", "waiting", "done"), 30.0),
        (("waiting", "waiting"), 20.0),
    ],
)
def test_a_step_that_is_looked_at_again_was_done_when_it_first_was(
    book: Ledger, monkeypatch: pytest.MonkeyPatch, statuses: tuple[str, ...], reported_at: float
) -> None:
    run = execution()
    book.claim(run, "east")
    for look, status in enumerate(statuses, 1):
        monkeypatch.setattr("time.time", lambda look=look: NOW + 10.0 * look)
        book.record_step(run, "flip_dns", status, {"look": look}, started=NOW + 10.0 * look - 5)
    record = book.step("orders", run.name, "flip_dns")
    assert record is not None
    assert (record.status, record.reported_at, record.started_at) == (statuses[-1], NOW + reported_at, NOW + 5.0)
    assert (record.observed, record.calls) == ({"look": len(statuses)}, len(statuses))
