"""What people are sent is understood by who was just woken: what happened, what clients feel, what to paste."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failover.aws import notify
from failover.aws.events import SIZE_LIMIT
from failover.aws.notify import FOR_MACHINES, _by_protocol
from failover.decision.case import Decision
from failover.decision.log import DecisionRecord
from failover.decision.notices import notify_ended_holder, notify_withheld
from failover.execution import announcement
from failover.execution.ending import message_of
from failover.execution.runs import Ended
from failover.ledger.records import StepRecord
from failover.message import HAPPENED_LIMIT, LINE_LIMIT, SUBJECT_LIMIT, Message

REPORT: dict[str, Any] = {
    "plan": "orders",
    "execution": "orders-7-failover",
    "kind": "failover",
    "from": "east",
    "to": "west",
    "dry_run": False,
    "outcome": "succeeded",
    "recovery_seconds": 24.4,
    "why": "east is lost",
    "started_by": "Ada",
    "reason": "it burns",
    "loss": {"records": {"low": 200, "high": 1775}, "unknown_partitions": 0},
    "steps": [],
}
STARTED = StepRecord(
    step="claim", status="done", calls=1, started_at=0.0, reported_at=0.0, observed={"by": "Ada", "reason": "it burns"}
)
TRACE = json.dumps({"errorMessage": "403: give the key the rights", "stackTrace": ["x"] * 90})


def stopped(*steps: str) -> dict[str, Any]:
    done = [{"step": step, "status": "done"} for step in steps]
    error = {"Error": "LinkRejected", "Cause": TRACE}
    return REPORT | {"outcome": "failed", "stopped_at": "PromoteAndPrepare", "error": error, "steps": done}


@pytest.mark.parametrize("report", [REPORT, REPORT | {"outcome": "stood-down"}, stopped("claim", "promote_mirrors")])
def test_a_message_is_ten_lines_of_text_with_a_subject_that_a_phone_shows_whole(report: dict[str, Any]) -> None:
    message = message_of(report)
    lines = message.text(" --region us-west-2").splitlines()
    assert len(message.subject) <= SUBJECT_LIMIT and len(lines) <= 10 and max(map(len, lines[1:])) <= LINE_LIMIT
    assert len(lines[0]) <= HAPPENED_LIMIT
    assert not {"{", "}", "stackTrace"} & set("".join(lines).split())
    assert "  failover report orders-7-failover --plan orders --region us-west-2" in lines


def test_a_failover_that_stopped_is_understood_from_its_message_alone() -> None:
    text = message_of(stopped("claim", "assess", "promote_mirrors")).text()
    assert text.splitlines()[:6] == [
        "The failover of orders from east to west stopped at PromoteAndPrepare: LinkRejected 403: give the key the"
        " rights",
        "Clients: they are still led to east; whether they can work there is not known; west is becoming writable,"
        " or is",
        "Done: claim done, assess done, promote_mirrors done",
        "You: mend the cause, then redrive it; until then nothing else is started for orders",
        "  failover redrive orders",
        "  failover supersede orders",
    ]


STOP: dict[str, Any] = {
    "at": 1.0,
    "step": "promote_mirrors",
    "error": "LinkRejected",
    "why": "POST /links answered 403",
    "site": "west",
    "remedy": "give the key in secret failover/orders/west ALTER on the cluster",
    "redriven_at": None,
}


def test_who_refused_which_step_and_what_to_do_are_the_first_that_is_read() -> None:
    lines = message_of(stopped("claim") | {"stops": [STOP]}).text().splitlines()
    assert lines[0].endswith("stopped: promote_mirrors was refused by west: LinkRejected POST /links answered 403")
    assert "You: give the key in secret failover/orders/west ALTER on the cluster, then redrive it; until" in lines[3]
    assert "PromoteAndPrepare" not in "".join(lines)


@pytest.mark.parametrize(
    ("votes", "at", "steps", "clients"),
    [
        (
            ["probe"],
            "BeginFence",
            (),
            "they can't work: they are still led to east, which does not answer; nothing was promoted",
        ),
        (["probe"], "PromoteAndPrepare", (), "east, which does not answer; nothing is known to be promoted"),
        ([], "BeginFence", (), "still led to east; whether they can work there is not known; nothing was promoted"),
        (["probe"], "PromoteAndPrepare", ("flip_dns",), "they are led to west; it is not proven that all"),
    ],
)
def test_of_a_failover_that_stopped_clients_are_told_of_as_far_as_the_evidence_goes(
    votes: list[str], at: str, steps: tuple[str, ...], clients: str
) -> None:
    assert clients in message_of(stopped("claim", *steps) | {"votes": votes, "stopped_at": at}).clients


def test_a_no_that_stands_says_how_to_take_it_back() -> None:
    lines = message_of(REPORT | {"outcome": "stood-down", "stands_until_resumed": True}).text().splitlines()
    assert "  failover resume orders" in lines and '  failover start failover orders --why "east is lost"' in lines
    assert "Clients: if east is lost, they can't work until somebody acts" in lines


@pytest.mark.parametrize(("kind", "active"), [("switchover", "east"), ("restore", "west")])
def test_what_people_started_and_stopped_says_how_a_failover_takes_over(kind: str, active: str) -> None:
    lines = message_of(stopped("claim") | {"kind": kind}).text().splitlines()
    assert "  failover start failover orders --supersede" in lines
    assert any(f"if {active} is lost, have a failover take over" in line for line in lines)
    assert ("  failover supersede orders --back" in lines) is (kind == "switchover")


def test_who_stands_down_in_the_middle_of_anothers_way_is_told_how_to_lead_clients_back() -> None:
    stood_down = REPORT | {"outcome": "stood-down", "clients_found_at": None}
    other = {"execution": "orders-1-switchover", "status": "superseded"}
    for reached, led_back in (({}, False), ({"fence": "done"}, True)):
        lines = message_of(stood_down | {"predecessors": [other | {"reached": reached}]}).text().splitlines()
        assert ("  failover supersede orders --back" in lines) is led_back


@pytest.mark.parametrize(
    ("outcome", "put_back", "subject", "clients", "done"),
    [
        (
            "succeeded",
            False,
            "orders: switched over in 24 s, nothing left behind",
            "they work on west: a record went their way, and was read back",
            "west is active, and east stands by",
        ),
        ("stood-down", True, "orders: switchover given up, and put back", "as before", "east is active still"),
        (
            "failed",
            False,
            "orders: switchover STOPPED, a person is needed",
            "they are led to east still, where nothing was changed but for a fence, if any",
            "nothing",
        ),
    ],
)
def test_a_switchover_is_told_by_its_own_name(
    outcome: str, put_back: bool, subject: str, clients: str, done: str
) -> None:
    switchover = {"put_back": put_back, "drained_partitions": [1]}
    message = message_of(REPORT | {"kind": "switchover", "outcome": outcome, "switchover": switchover})
    assert message.subject == subject and "failover of" not in message.text()
    assert (message.clients, message.done) == (clients, done)
    assert ". east" not in message.what_happened, "a sentence does not begin in lower case"


@pytest.mark.parametrize(
    ("outcome", "subject", "done", "to_do"),
    [
        (
            "succeeded",
            "orders: east mirrors west again, 7 stranded (measured), 7 of them saved",
            "east stands by, and mirrors west",
            "nothing",
        ),
        (
            "stood-down",
            "orders: restore stood down, nothing more is truncated",
            "east is no mirror of west, or not whole",
            "mend what it says of east, and start again; keep writers off it",
        ),
        (
            "failed",
            "orders: restore STOPPED, a person is needed",
            "nothing",
            "mend the cause, then redrive it; until then nothing else is started for orders; if west is lost, have a"
            " failover take over",
        ),
    ],
)
def test_a_restore_says_whether_the_returned_site_stands_by_and_that_clients_feel_nothing(
    outcome: str, subject: str, done: str, to_do: str
) -> None:
    account = {"diverged": 7, "saved": 7, "discarded": False}
    message = message_of(REPORT | {"kind": "restore", "outcome": outcome, "restore": account})
    assert (message.subject, message.done, message.to_do) == (subject, done, to_do)
    assert message.clients == "they work on west, as before"


@pytest.mark.parametrize(
    ("steps", "clients"),
    [
        (("claim",), "still led to east; whether they can work there is not known"),
        (("promote_mirrors", "flip_dns"), "led to west; it is not proven"),
    ],
)
def test_where_clients_are_follows_from_what_was_done(steps: tuple[str, ...], clients: str) -> None:
    assert clients in message_of(stopped(*steps)).text()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    messages: list[Message] = []
    # Both: whoever imported it by name, for the first time while it is replaced, would keep the replacement.
    for module in (notify, announcement):
        monkeypatch.setattr(module, "notify_at_least_once", lambda *, message, **_: messages.append(message))
    return messages


def test_who_is_told_that_nothing_is_done_knows_why_and_what_to_say(sent: list[Message]) -> None:
    decision = Decision(verdict="wait", why="the plan is paused: anna", guard="paused", votes=("probe/us-west-2",))
    notify_withheld(DecisionRecord(plan="orders", at=1.0, by="judge", site="east", decision=decision), 7)
    notify_withheld(
        DecisionRecord(plan="orders", at=1.0, by="judge", site="east", decision=decision),
        7,
        holder="orders-7-switchover",
    )
    assert '  failover start failover orders --supersede --why "east is lost"' in sent.pop().text().splitlines()
    ended = Ended(name="orders-7-failover", status="ABORTED")
    notify_ended_holder("orders", epoch=7, ended=ended, now=1.0, claim=STARTED)
    paused, stopped_one = sent
    assert paused.subject.startswith("orders: east looks lost, nothing is done")
    assert '  failover start failover orders --why "east is lost"' in paused.text().splitlines()
    assert "- says that it is lost: probe/us-west-2" in paused.text()
    assert "- started by Ada: it burns" in stopped_one.text()
    assert "orders-7-failover has ended (ABORTED) and keeps the lease" in stopped_one.text()
    assert "  failover redrive orders" in stopped_one.text().splitlines()


def test_a_message_leads_to_the_page_the_run_and_the_board_and_no_link_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(notify, "_tell", lambda _, notification, *_again: told.append(notification))
    for name, value in (("AWS_REGION", "us-west-2"), ("STACK_NAME", "mine"), ("REPORT_BUCKET", "r" * 60)):
        monkeypatch.setenv(name, value)
    arn = f"arn:aws:states:us-west-2:123456789012:execution:mine-{'s' * 70}:orders-{'e' * 70}"
    notify.notify_at_least_once(key="k", message=message_of(REPORT | {"arn": arn}), document={})
    report, run, board = told[0]["text"].splitlines()[-3:]
    assert report.startswith("Report: https://us-west-2.console.aws.amazon.com/s3/object/rrr") and ".html" in report
    assert run.startswith("Execution: https://us-west-2.console.aws.amazon.com/states/") and run.endswith(arn)
    assert board.startswith("Board: ") and board.endswith("#dashboards/dashboard/mine-us-west-2")


def test_rubbish_in_a_reason_stays_in_its_line_and_evidence_has_an_end() -> None:
    message = Message(subject="s", what_happened="a\nb\x00c" * 200, evidence=[f"vote {n}" for n in range(9)])
    lines = message.text().splitlines()
    assert len(lines[0]) == HAPPENED_LIMIT and lines[-1] == "- and 5 more" and "\x00" not in lines[0]


def test_people_get_text_and_machines_json_and_both_fit_a_topic() -> None:
    document = {"plan": "orders", "partitions": ['"quoted"' * 20] * 3_000}
    whole = _by_protocol("ten lines\n", document)
    by_protocol = json.loads(whole)
    assert len(whole.encode()) <= SIZE_LIMIT and by_protocol["default"] == "ten lines\n"
    assert [json.loads(by_protocol[name])["left_out"] for name in FOR_MACHINES] == [["partitions"]] * len(FOR_MACHINES)
    small = json.loads(json.loads(_by_protocol("x", {"plan": "orders"}))["sqs"])
    assert small == {"plan": "orders"}


def test_the_line_of_what_happened_has_the_end_of_an_error_which_says_what_to_do() -> None:
    error = f"the call of {'x' * 400} was refused: give the key the right"
    assert Message(subject="s", what_happened=error).text().splitlines()[0].endswith("give the key the right")
