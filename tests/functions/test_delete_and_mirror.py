"""Topics of a link that is not bidirectional are deleted and mirrored anew: only if the start consents, and only once
all that is stranded is saved and every log ends where it was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.errors import (
    LinkNotFound,
    LinkRejected,
    MalformedEvent,
    RescueIncomplete,
    RestoreRejected,
    ReturnedSiteInUse,
)
from failover.execution.inventory import Listed, save_inventory
from failover.kafka.offsets import Offsets, Spot
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.link import LinkFacts, Mirror, PartitionLag, Topic
from failover.loss.divergence import save_divergence
from failover.rescue.record import save_progress, save_stranded
from failover.rescue.stranded import Saved, Stranded, StrandedRange
from tests.conftest import Context
from tests.rescue.conftest import RESCUE

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
TOPICS = ("orders", "payments")
STRANDED = StrandedRange(topic="orders", partition=0, begin=10, end=17)


@dataclass(eq=False)
class Returned:
    """The returned site: its topics, and the end of a link that leads to it only."""

    name: str = "orders-link"
    ends: dict[str, int] = field(default_factory=lambda: {"orders": 17, "payments": 10})
    mirrored: dict[str, str] = field(default_factory=dict)
    going: list[str] = field(default_factory=list)
    """Asked to be deleted, and listed still."""
    refuses: LinkRejected | None = None
    """What a deletion is refused with."""
    mode: str = "DESTINATION"
    asked: list[str] = field(default_factory=list)

    def topics(self) -> list[Topic]:
        return [Topic(name, 1) for name in self.ends]

    def delete_topic(self, topic: str) -> None:
        self.asked.append(f"delete {topic}")
        if self.refuses:
            raise self.refuses
        self.going.append(topic)

    def settle(self) -> None:
        """What was asked for is done."""
        for topic in self.going:
            self.ends.pop(topic, None)
        self.going.clear()
        self.mirrored = dict.fromkeys(self.mirrored, "ACTIVE")

    def configs(self) -> dict[str, str | None]:
        return {"link.mode": self.mode}

    def facts(self) -> LinkFacts:
        return LinkFacts(name=self.name, state="ACTIVE", error=None, remote_cluster_id="lkc-west01")

    def mirrors(self, status: str | None = None) -> list[Mirror]:
        lags = (PartitionLag(0, 0, 1),)
        return [Mirror(topic=topic, status=state, lags=lags) for topic, state in self.mirrored.items()]

    def create_mirror(self, topic: str) -> None:
        self.asked.append(f"mirror {topic}")
        if topic in self.ends:
            raise LinkRejected(f"Topic '{topic}' already exists.", code=40002)
        self.ends[topic] = 0
        self.mirrored[topic] = "PENDING_MIRROR"

    def log_ends(self, *_: Any) -> Offsets:
        known = {(topic, 0): end for topic, end in self.ends.items() if topic not in self.going}
        return Offsets(by_partition=known, unknown={(topic, 0): "no such topic" for topic in self.going}, refused={})


@pytest.fixture
def returned() -> Returned:
    return Returned()


@pytest.fixture
def restore(
    deployed: Any,
    call: Call,
    function: Callable[[str], ModuleType],
    returned: Returned,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """Calls restore_mirrors, of an execution that consented; what is stranded is measured, and saved as it says."""
    start = {"start": {"plan": "orders", "to": "east", "delete_topics": True}, "execution_name": "orders-1-restore"}
    claimed = call("claim", start | {"kind": "restore"})
    assert claimed["delete_topics"] is True
    execution = Execution.model_validate(claimed["execution"])
    book = Ledger(client("dynamodb"), "ledger")
    save_inventory(book, execution, {topic: Listed("orders-link", "STOPPED", {0: None}) for topic in TOPICS})
    save_divergence(book, execution, [STRANDED, StrandedRange(topic="payments", partition=0, begin=10, end=10)])
    save_stranded(book, execution, Stranded("west", (STRANDED,)))
    module = function("restore_mirrors")
    monkeypatch.setattr(module, "links_at", lambda plan, site: (returned,))
    monkeypatch.setattr(module, "cluster_at", lambda plan, site: returned)
    monkeypatch.setattr(module, "as_controller", lambda plan, site, work: returned.log_ends())

    def restore(saved: int = 7, *, gone: int = 0, consents: bool = True) -> dict[str, Any]:
        spot: Spot = ("orders", 0)
        save_progress(book, execution, {spot: Saved(begin=10, next_offset=10 + saved, records=saved - gone, gone=gone)})
        event = {"execution": execution.as_state()} | ({"delete_topics": True} if consents else {})
        return dict(json.loads(json.dumps(module.handler(event, Context()))))

    return restore


def test_topics_are_deleted_once_all_is_saved_and_then_mirrored_anew(
    restore: Callable[..., dict[str, Any]], returned: Returned
) -> None:
    with pytest.raises(RescueIncomplete):
        restore(saved=6)
    assert returned.asked == []
    assert restore()["observed"]["deleted"] == 2
    assert restore()["status"] == "waiting", "they are being deleted"
    returned.settle()
    assert restore()["status"] == "waiting"
    assert returned.mirrored == dict.fromkeys(TOPICS, "PENDING_MIRROR")
    returned.settle()
    assert restore()["status"] == "done"
    asked = list(returned.asked)
    assert restore()["status"] == "done" and returned.asked == asked
    assert asked.count("mirror orders") == asked.count("mirror payments") == 1


@pytest.mark.parametrize("on_gone", ["stop", "go-on"])
def test_what_the_site_has_lost_since_is_done_without_only_if_the_plan_says_so(
    restore: Callable[..., dict[str, Any]],
    returned: Returned,
    replan: Callable[[str], None],
    plan_text: str,
    on_gone: str,
) -> None:
    replan(yaml.safe_dump(yaml.safe_load(plan_text) | {"rescue": RESCUE | {"on_gone": on_gone}}))
    if on_gone == "stop":
        with pytest.raises(RescueIncomplete, match="2 offsets are not on west any more"):
            restore(gone=2)
    else:
        restore(gone=2)
    assert returned.asked == ([] if on_gone == "stop" else ["delete orders", "delete payments"])


def test_nothing_is_deleted_where_somebody_wrote_after_it_was_measured(
    restore: Callable[..., dict[str, Any]], returned: Returned
) -> None:
    returned.ends["payments"] = 11
    with pytest.raises(ReturnedSiteInUse, match=r"payments\[0\] ends at 11"):
        restore()
    assert returned.asked == []


def test_a_log_whose_end_nobody_tells_is_not_deleted_unless_that_was_asked_before(
    restore: Callable[..., dict[str, Any]], returned: Returned
) -> None:
    returned.going.append("orders")
    with pytest.raises(ReturnedSiteInUse, match="an unknown offset"):
        restore()
    assert returned.asked == []


def test_who_writes_while_topics_are_deleted_is_heard(
    restore: Callable[..., dict[str, Any]], returned: Returned
) -> None:
    restore()
    returned.settle()
    returned.ends["orders"] = 3
    with pytest.raises(ReturnedSiteInUse, match=r"orders\[0\] ends at 3"):
        restore()


def test_a_key_that_may_not_delete_is_said_at_once_and_one_that_must_wait_is_not(
    restore: Callable[..., dict[str, Any]], returned: Returned
) -> None:
    returned.refuses = LinkRejected("may not", code=40301, status=403)
    with pytest.raises(RestoreRejected, match="orders: 40301 may not"):
        restore()
    returned.refuses = LinkRejected("may not", status=401)
    with pytest.raises(RestoreRejected, match="orders: 401 may not"):
        restore()
    returned.refuses = LinkRejected("it is in use", code=40403)
    assert restore()["status"] == "waiting"


def test_without_consent_nothing_is_deleted(restore: Callable[..., dict[str, Any]], returned: Returned) -> None:
    returned.truncate_and_restore = lambda topics, **_: []  # type: ignore[attr-defined]
    restore(consents=False)
    assert returned.asked == []


@pytest.mark.parametrize(("kind", "fields"), [("restore", {"discard": True}), ("switchover", {}), ("failover", {})])
def test_consent_is_a_restores_own_and_goes_with_no_discard(
    deployed: Any, call: Call, kind: str, fields: dict[str, bool]
) -> None:
    to = "east" if kind == "restore" else "west"
    start = {"plan": "orders", "to": to, "delete_topics": True} | fields
    with pytest.raises(MalformedEvent, match="delete"):
        call("claim", {"start": start, "execution_name": "x", "kind": kind})


@pytest.mark.parametrize(
    ("missing", "mode", "consents", "doubt"),
    [
        (False, "DESTINATION", False, 'start with "delete_topics": true'),
        (False, "DESTINATION", True, ""),
        (False, "BIDIRECTIONAL", False, ""),
        (True, "DESTINATION", True, "make one that leads there from east"),
    ],
)
def test_the_link_is_what_is_asked_for_first(
    function: Callable[[str], ModuleType],
    returned: Returned,
    plan_text: str,
    monkeypatch: pytest.MonkeyPatch,
    missing: bool,
    mode: str,
    consents: bool,
    doubt: str,
) -> None:
    from failover.plan.model import parse

    returned.mode = mode
    returned.facts = lambda: LinkFacts(  # type: ignore[method-assign]
        name="orders-link", state="ACTIVE", error=None, remote_cluster_id="lkc-east01"
    )
    if missing:
        returned.mirrors = _not_found  # type: ignore[method-assign]
    module = function("precheck_restore")
    monkeypatch.setattr(module, "links_at", lambda plan, site: (returned,))
    plan = parse(plan_text)
    there = module._links_there(plan, "west")
    doubts = "; ".join(module._doubts_of_links(plan, "west", there, delete_topics=consents))
    assert doubt in doubts and bool(doubts) is bool(doubt)


def _not_found(status: str | None = None) -> list[Mirror]:
    raise LinkNotFound("no such link")
