"""The last readiness in the ledger: of rounds that race each change is found once, and none is lost or told twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import LedgerUnavailable
from failover.ledger.ledger import Ledger
from failover.message import Message
from failover.readiness.notifications import publish_changes
from failover.readiness.store import Change, diff, load, mark_published, save

NAMES = ("links", "mirror-lag", "lease")


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def document(at: float, **statuses: str) -> dict[str, Any]:
    """A round in which every check passed but these."""
    return {
        "plan": "orders",
        "taken_at": at,
        "checks": [
            {
                "name": name,
                "status": statuses.get(name.replace("-", "_"), "pass"),
                "evidence": [f"of {at}"],
                "remedy": "",
            }
            for name in NAMES
        ],
    }


def said(changes: tuple[Change, ...]) -> list[tuple[str, str | None, str]]:
    return [(change.check, change.before, change.after) for change in changes]


def test_people_hear_first_of_what_fails_then_of_what_is_unknown_and_last_of_warnings(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Message] = []
    monkeypatch.setattr("failover.aws.notify.notify_at_least_once", lambda *, message, **_: told.append(message))
    monkeypatch.setattr("failover.aws.notify.put_event_at_least_once", lambda **_: None)
    publish_changes("orders", save(book, document(1, links="warn", mirror_lag="unknown", lease="fail")).untold)
    (message,) = told
    assert message.subject == "Readiness of orders: lease fail and 2 more"
    assert [line.partition(":")[0] for line in message.evidence] == ["lease", "mirror-lag", "links"]


def test_the_first_round_is_news_only_where_something_is_not_well(book: Ledger) -> None:
    assert load(book, "orders") is None
    assert said(save(book, document(1, lease="warn")).untold) == [("lease", None, "warn")]


def test_a_change_is_found_once_and_stays_untold_until_it_is_told(book: Ledger) -> None:
    save(book, document(1))
    assert said(save(book, document(2, links="fail")).untold) == [("links", "pass", "fail")]
    later = save(book, document(3, links="fail"))
    assert said(later.untold) == [("links", "pass", "fail")], "the round before died before it told"
    mark_published(book, "orders", later)
    assert save(book, document(4, links="fail")).untold == ()
    assert said(save(book, document(5)).untold) == [("links", "fail", "pass")]


def test_what_was_seen_earlier_does_not_replace_what_was_seen_later(book: Ledger) -> None:
    save(book, document(5, links="fail"))
    late = save(book, document(4))
    assert late.document["taken_at"] == 5 and said(late.untold) == [("links", None, "fail")]


def test_telling_does_not_forget_what_another_round_has_found_meanwhile(book: Ledger) -> None:
    mine = save(book, document(1, links="fail"))
    save(book, document(2, links="fail", lease="warn"))
    mark_published(book, "orders", mine)
    now = load(book, "orders")
    assert now is not None and said(now.untold) == [("links", None, "fail"), ("lease", "pass", "warn")]
    assert len({change.key for change in now.untold}) == 2


def test_a_change_back_and_forth_is_news_each_time_under_a_key_of_its_own(book: Ledger) -> None:
    keys = set()
    for at in range(1, 7):
        last = save(book, document(at, links="fail" if at % 2 else "pass"))
        keys |= {change.key for change in last.untold}
        mark_published(book, "orders", last)
    assert len(keys) == 6


def test_of_many_rounds_at_once_every_change_follows_the_one_before(book: Ledger) -> None:
    chance = random.Random(1)
    rounds = [
        document(at, **{name.replace("-", "_"): chance.choice(["pass", "warn", "fail", "unknown"]) for name in NAMES})
        for at in range(1, 25)
    ]
    chance.shuffle(rounds)
    with ThreadPoolExecutor(max_workers=6) as pool:
        list(pool.map(lambda each: save(book, each), rounds))
    last = load(book, "orders")
    assert last is not None and last.document["taken_at"] == 24
    for name in NAMES:
        chain = [change for change in last.untold if change.check == name]
        assert [c.before or "pass" for c in chain] == ["pass", *(c.after for c in chain)][: len(chain)]
        assert not chain or chain[-1].after == next(c["status"] for c in last.document["checks"] if c["name"] == name)
    assert len({change.key for change in last.untold}) == len(last.untold)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ("pass", "warn", True),
        ("warn", "unknown", True),
        ("unknown", "fail", True),
        ("fail", "unknown", False),
        ("unknown", "warn", False),
        ("warn", "pass", False),
    ],
)
def test_what_is_worse_is_what_can_be_counted_on_less(before: str, after: str, worse: bool) -> None:
    (change,) = diff(document(1, links=before), document(2, links=after), 2)
    assert change.worse is worse


def test_a_check_that_is_new_and_passes_is_no_news() -> None:
    before = document(1)
    before["checks"] = before["checks"][:1]
    assert diff(before, document(2), 2) == ()
    assert said(diff(before, document(2, lease="warn"), 2)) == [("lease", None, "warn")]


def test_a_ledger_that_does_not_answer_is_said_by_name(deployed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    client.cache_clear()
    with pytest.raises(LedgerUnavailable):
        save(Ledger(client("dynamodb"), "ledger"), document(1))
