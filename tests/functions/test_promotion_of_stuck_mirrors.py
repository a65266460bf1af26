"""Which mirrors are asked for, which are waited for, and what is said of those that get nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from failover.errors import LinkUnavailable, PromotionRejected, StandbyChanged
from failover.execution.inventory import Listed, inventory, save_inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.link import NO_CODE, Mirror, PartitionLag, Rejection

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(eq=False)
class Link:
    """A link whose mirrors are in these states; who is refused stays as it is."""

    states: dict[str, str]
    name: str = "orders-link"
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    looked_at_again: dict[str, Mirror | str] = field(default_factory=dict)
    """What a mirror that is asked for by itself is, or why it can't be."""
    unreachable: str = ""
    unanswered: str = ""
    asked: list[tuple[list[str], bool]] = field(default_factory=list)

    def mirrors(self) -> list[Mirror]:
        if self.unreachable:
            raise LinkUnavailable(self.unreachable)
        lags = (PartitionLag(0, 3, 100),)
        return [Mirror(topic=topic, status=status, lags=lags) for topic, status in self.states.items()]

    def mirror(self, topic: str) -> Mirror:
        again = self.looked_at_again.get(topic, Mirror(topic=topic, status=self.states[topic]))
        if isinstance(again, str):
            raise LinkUnavailable(again)
        return again

    def fail_over(self, topics: Sequence[str], *, validate_only: bool) -> list[Rejection]:
        self.asked.append((list(topics), validate_only))
        if self.unanswered:
            raise LinkUnavailable(self.unanswered)
        if not validate_only:
            self.states |= dict.fromkeys((topic for topic in topics if topic not in self.refused), "PENDING_STOPPED")
        return [Rejection(topic, *self.refused[topic]) for topic in topics if topic in self.refused]


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The standby's links."""
    links: list[Link] = []
    monkeypatch.setattr("failover.link.factory.links_at", lambda _, site: links if site == "west" else [])
    return links


@pytest.fixture
def policy() -> dict[str, Any]:
    return {}


@pytest.fixture
def plan_text(plan_text: str, policy: dict[str, Any]) -> str:
    plan = yaml.safe_load(plan_text)
    plan["policy"] |= policy
    return str(yaml.safe_dump(plan))


@pytest.fixture
def execution(deployed: Any, call: Call) -> dict[str, Any]:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(deployed("dynamodb"), "ledger")


@pytest.fixture
def promote(call: Call, execution: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """One call of the step."""
    return lambda **more: call("promote_mirrors", {"execution": execution, **more})


def recorded(book: Ledger, execution: dict[str, Any], **states: str) -> None:
    """What the inventory says."""
    rows = {topic: Listed("orders-link", status, {0: 3}) for topic, status in states.items()}
    save_inventory(book, Execution.model_validate(execution), rows)


Promote = Callable[..., dict[str, Any]]


def test_the_idle_are_asked_for_and_what_is_on_its_way_since_is_not(links: list[Link], promote: Promote) -> None:
    links += [Link({"a": "ACTIVE", "b": "STOPPED", "c": "FAILED"}), Link({"d": "PAUSED"}, "another")]
    first = promote()
    assert [link.asked for link in links] == [[(["a", "c"], False)], [(["d"], False)]]
    assert (first["status"], first["observed"]["mirrors"]) == ("waiting", 4)
    assert first["observed"]["left"] == ["a ACTIVE", "c FAILED", "d PAUSED"]
    promote()
    assert [len(link.asked) for link in links] == [1, 1]
    for link in links:
        link.states = dict.fromkeys(link.states, "STOPPED")
    assert promote()["observed"] == {"mirrors": 4, "by_status": {"STOPPED": 4}, "left_behind": []}


def test_what_was_on_its_way_before_the_failover_is_failed_over_again_and_again(
    links: list[Link], promote: Promote, book: Ledger, execution: dict[str, Any]
) -> None:
    recorded(book, execution, a="PENDING_STOPPED", b="ACTIVE")
    links.append(Link({"a": "PENDING_STOPPED", "b": "PENDING_STOPPED"}))
    promote()
    promote()
    assert links[0].asked == [(["a"], False)] * 2, "b is so because we asked"


def test_what_appears_is_kept_in_the_inventory_beside_what_was_there(
    links: list[Link], promote: Promote, book: Ledger, execution: dict[str, Any]
) -> None:
    recorded(book, execution, a="PAUSED")
    links.append(Link({"a": "ACTIVE", "late": "ACTIVE"}))
    promote()
    kept = inventory(book, Execution.model_validate(execution))
    assert {topic: entry.status for topic, entry in kept.items()} == {"a": "PAUSED", "late": "ACTIVE"}


def test_who_is_refused_for_good_and_gets_nowhere_is_not_waited_for(links: list[Link], promote: Promote) -> None:
    links.append(Link({"a": "FAILED", "b": "STOPPED"}, refused={"a": (40002, "no such topic")}))
    with pytest.raises(PromotionRejected) as stopped:
        promote()
    assert "1 of 2 mirrors on west are not STOPPED: a FAILED, refused: 40002 no such topic. Mend" in str(stopped.value)


def test_who_is_gone_is_not_waited_for(
    links: list[Link], promote: Promote, book: Ledger, execution: dict[str, Any]
) -> None:
    recorded(book, execution, gone="ACTIVE", b="ACTIVE")
    links.append(Link({"b": "STOPPED"}))
    with pytest.raises(PromotionRejected, match="gone is not listed any more"):
        promote()
    assert links[0].asked == []


@pytest.mark.parametrize(
    ("refusal", "looks_again"),
    [
        ((40002, "it is being restored"), "PENDING_SETUP_FOR_RESTORE"),
        ((40002, "it is no mirror"), "STOPPED"),
        ((42901, "too many requests"), "FAILED"),
        ((503, "busy"), "FAILED"),
        ((NO_CODE, "?"), "FAILED"),
    ],
)
def test_who_is_refused_and_may_get_on_is_waited_for(
    links: list[Link], promote: Promote, refusal: tuple[int, str], looks_again: str
) -> None:
    again = Mirror(topic="a", status=looks_again)
    links.append(Link({"a": "FAILED", "b": "STOPPED"}, refused={"a": refusal}, looked_at_again={"a": again}))
    report = promote()
    assert (report["status"], report["observed"]["rejected"]) == ("waiting", [f"a: {refusal[0]} {refusal[1]}"])


def test_one_that_gets_on_is_waited_for_whoever_else_is_refused(links: list[Link], promote: Promote) -> None:
    links.append(Link({"a": "FAILED", "b": "ACTIVE"}, refused={"a": (40002, "no")}))
    assert promote()["status"] == "waiting"


@pytest.mark.parametrize(("count", "waits"), [(20, False), (21, True)])
def test_of_many_that_are_refused_none_is_looked_at_by_itself(
    links: list[Link], promote: Promote, count: int, waits: bool
) -> None:
    names = [f"t{number:02}" for number in range(count)]
    links.append(Link(dict.fromkeys(names, "FAILED"), refused=dict.fromkeys(names, (40002, "no"))))
    if waits:
        report = promote()
        assert (report["status"], len(report["observed"]["rejected"]), len(report["observed"]["left"])) == (
            "waiting",
            20,
            20,
        )
    else:
        with pytest.raises(PromotionRejected, match="20 of 20"):
            promote()


def test_at_the_last_chance_each_is_named_with_all_that_is_known_of_it(links: list[Link], promote: Promote) -> None:
    failed = Mirror(topic="a", status="FAILED", error="its own", transition_errors=("of the change",))
    links.append(
        Link(
            {"a": "FAILED", "b": "ACTIVE", "c": "ACTIVE"},
            refused={"a": (40002, "no")},
            looked_at_again={"a": failed, "b": "cluster west did not answer"},
        )
    )
    with pytest.raises(PromotionRejected) as stopped:
        promote(last_chance=True)
    assert (
        "3 of 3 mirrors on west are not STOPPED: a FAILED, its own, of the change, refused: 40002 no;"
        " b ACTIVE, cluster west did not answer; c ACTIVE."
    ) in str(stopped.value)


@pytest.mark.parametrize("policy", [{"on_stuck_mirrors": "go-on"}])
def test_policy_leaves_some_behind_and_never_all(links: list[Link], promote: Promote) -> None:
    links.append(Link({"a": "FAILED"} | {f"t{number:02}": "STOPPED" for number in range(3)}))
    observed = promote(last_chance=True)["observed"]
    assert (observed["left_behind"], observed["left_behind_count"]) == (["a FAILED"], 1)
    assert observed["by_status"] == {"FAILED": 1, "STOPPED": 3}
    links[0].states = {"a": "FAILED"}
    with pytest.raises(PromotionRejected, match="4 of 1 mirrors"):
        promote(last_chance=True)


@pytest.mark.parametrize("policy", [{"on_stuck_mirrors": "go-on"}])
def test_where_none_is_writable_policy_leaves_none_behind_and_the_first_are_named(
    links: list[Link], promote: Promote
) -> None:
    names = [f"t{number:02}" for number in range(22)]
    links.append(Link(dict.fromkeys(names, "FAILED")))
    with pytest.raises(PromotionRejected, match=r"22 of 22 mirrors .*; t19 FAILED; and 2 more\. Mend"):
        promote(last_chance=True)


def test_a_link_that_can_not_be_asked_is_waited_for_until_the_last_chance(links: list[Link], promote: Promote) -> None:
    links.append(Link({"a": "ACTIVE"}, unreachable="cluster west did not answer"))
    report = promote()
    assert (report["status"], report["observed"]) == ("waiting", {"unreachable": ["cluster west did not answer"]})
    with pytest.raises(LinkUnavailable, match="west did not answer"):
        promote(last_chance=True)


def test_a_verb_without_an_answer_is_told_and_waited_for(links: list[Link], promote: Promote) -> None:
    links.append(Link({"a": "ACTIVE"}, unanswered="it was cut"))
    report = promote()
    assert (report["status"], report["observed"]["unreachable"]) == ("waiting", ["it was cut"])


def test_a_standby_without_mirrors_is_none(links: list[Link], promote: Promote) -> None:
    links += [Link({}), Link({}, "another")]
    with pytest.raises(StandbyChanged, match="west holds no mirror under orders-link, another"):
        promote()


def test_a_dry_run_has_it_validated_and_keeps_nothing(
    links: list[Link], call: Call, book: Ledger, deployed: Any
) -> None:
    names = [f"t{number:02}" for number in range(21)]
    links.append(Link(dict.fromkeys(names, "ACTIVE") | {"z": "STOPPED"}, refused=dict.fromkeys(names, (40002, "no"))))
    links.append(Link({"b": "PAUSED"}, "another", unanswered="it was cut"))
    dry = {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"}
    execution = call("claim", dry)["execution"]
    report = call("promote_mirrors", {"execution": execution})
    assert (report["status"], report["observed"]["would_promote"]) == ("done", 22)
    assert links[0].asked == [(names, True)]
    assert len(report["observed"]["rejected"]) == 20 and report["observed"]["unreachable"] == ["it was cut"]
    assert inventory(book, Execution.model_validate(execution)) == {}
