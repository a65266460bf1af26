"""The state machine of mirror topics, by example and by property."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drill.confluent import mirrors
from drill.confluent.mirrors import Link, LinkState, Mirror, Partition, Status, Timings, Verb

TIMINGS = Timings(
    stop_delay=2.0, stop_delay_of={"payments": 5.0}, source_unavailable_after=60, link_unavailable_after=300
)
TOPICS = ("orders", "payments")


def a_link(**status_of: Status) -> Link:
    rows = {
        topic: Mirror(
            topic, (Partition(10, 10, True), Partition(7, 10, True)), 0.0, status_of.get(topic, Status.ACTIVE)
        )
        for topic in TOPICS
    }
    return Link("orders-link", rows, TIMINGS, last_reached=0.0)


def asked(link: Link, verb: Verb, topic: str = "orders", now: float = 100.0) -> Link:
    link, (row,) = mirrors.alter(link, verb, [topic], now)
    assert row.code is None, row
    return link


def caught_up(link: Link, now: float) -> Link:
    return mirrors.reached(link, now, {topic: (Partition(10, 10, True),) * 2 for topic in TOPICS})


def test_a_failover_is_stopped_after_its_delay_and_not_before() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER), Verb.FAILOVER, "payments")
    assert link.mirrors["orders"].status is Status.PENDING_STOPPED
    assert mirrors.ready_to_stop(link, 101.9) == ()
    assert mirrors.ready_to_stop(link, 102.0) == ("orders",)
    assert mirrors.ready_to_stop(link, 105.0) == ("orders", "payments")


def test_a_failover_stops_copying_at_once_and_a_promote_goes_on() -> None:
    assert {mirror.topic for mirror in asked(a_link(), Verb.FAILOVER).copied()} == {"payments"}
    assert {mirror.topic for mirror in asked(a_link(), Verb.PROMOTE).copied()} == {"orders", "payments"}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.STOPPED])
def test_failover_completes_from_every_state(status: Status) -> None:
    link = asked(mirrors.unreached(a_link(orders=status), 90.0), Verb.FAILOVER)
    assert mirrors.ready_to_stop(link, 200.0) == ("orders",)
    assert mirrors.stopped(link, {"orders": (10, 7)}, 200.0).mirrors["orders"].writable


@pytest.mark.parametrize("verb", list(Verb))
def test_a_stopped_mirror_refuses_every_verb_with_the_documented_text(verb: Verb) -> None:
    link = a_link(orders=Status.STOPPED)
    after, (row,) = mirrors.alter(link, verb, ["orders"], 100.0)
    assert (row.code, row.message) == (400, "Topic 'orders' has already stopped its mirror from 'orders-link'")
    assert after == link


def test_one_call_answers_for_each_topic_by_itself() -> None:
    link, rows = mirrors.alter(a_link(payments=Status.STOPPED), Verb.FAILOVER, ["nope", "payments", "orders"], 100.0)
    assert [(row.topic, row.code) for row in rows] == [("nope", 404), ("payments", 400), ("orders", None)]
    assert link.mirrors["orders"].status is Status.PENDING_STOPPED


def test_a_topic_named_twice_is_one_row() -> None:
    _, rows = mirrors.alter(a_link(), Verb.FAILOVER, ["orders", "orders"], 100.0)
    assert len(rows) == 1


def test_asking_again_does_not_start_the_delay_anew() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER, now=100.0), Verb.FAILOVER, now=101.5)
    assert mirrors.ready_to_stop(link, 102.0) == ("orders",)


def test_a_promote_waits_until_the_mirror_has_caught_up_after_it_was_asked() -> None:
    link = asked(caught_up(a_link(), 99.0), Verb.PROMOTE, now=100.0)
    assert mirrors.ready_to_stop(link, 110.0) == (), "the last look at the source was before the promote"
    link = mirrors.reached(link, 105.0, {"orders": (Partition(10, 10, True), Partition(9, 10, True))})
    assert mirrors.ready_to_stop(link, 110.0) == ()
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and [error.code for error in stopping.errors] == ["MIRROR_LAG_ERROR"]
    assert mirrors.ready_to_stop(caught_up(link, 106.0), 110.0) == ("orders",)


def test_a_promote_of_a_lost_source_is_stuck_with_errors_until_a_failover() -> None:
    link = mirrors.unreached(asked(caught_up(a_link(), 99.0), Verb.PROMOTE), 101.0)
    assert mirrors.ready_to_stop(link, 9999.0) == ()
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and [error.code for error in stopping.errors] == ["TIMEOUT_ERROR"]
    assert mirrors.ready_to_stop(asked(link, Verb.FAILOVER, now=200.0), 202.0) == ("orders",)


def test_a_promote_does_not_undo_a_failover_under_way() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER), Verb.PROMOTE)
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and stopping.verb is Verb.FAILOVER


def test_a_lost_source_freezes_lags_and_shows_late() -> None:
    link = mirrors.unreached(a_link(), 100.0)
    later = mirrors.unreached(link, 159.0)
    assert later.mirrors == link.mirrors == a_link().mirrors
    later = mirrors.unreached(later, 160.0)
    assert {mirror.status for mirror in later.mirrors.values()} == {Status.SOURCE_UNAVAILABLE}
    assert later.mirrors["orders"].partitions == a_link().mirrors["orders"].partitions
    assert later.state(399.0) is LinkState.ACTIVE
    assert later.state(400.0) is LinkState.UNAVAILABLE
    back = mirrors.reached(later, 500.0, {})
    assert back.state(1000.0) is LinkState.ACTIVE
    assert {mirror.status for mirror in back.mirrors.values()} == {Status.ACTIVE}


def test_a_partition_never_fetched_says_lag_0_and_minus_1_whatever_it_trails() -> None:
    partition = Partition(0, 50, False)
    assert (partition.lag, partition.last_source_fetch_offset, partition.behind) == (0, -1, 50)
    assert Partition(20, 50, True).lag == 30


def test_pause_and_resume() -> None:
    link = asked(a_link(), Verb.PAUSE)
    assert link.mirrors["orders"].status is Status.PAUSED
    assert [mirror.topic for mirror in link.copied()] == ["payments"]
    assert asked(link, Verb.RESUME).mirrors["orders"].status is Status.ACTIVE
    _, (row,) = mirrors.alter(a_link(), Verb.RESUME, ["orders"], 1.0)
    assert row.code == 400


def test_a_paused_link_pauses_its_mirrors_and_gives_back_only_those() -> None:
    link = mirrors.pause_link(asked(a_link(), Verb.PAUSE), True, 100.0)
    assert link.copied() == () and link.state(100.0) is LinkState.PAUSED
    assert link.mirrors["payments"].status is Status.LINK_PAUSED
    link = mirrors.pause_link(link, False, 101.0)
    assert link.mirrors["payments"].status is Status.ACTIVE
    assert link.mirrors["orders"].status is Status.PAUSED


def test_a_stuck_topic_is_never_ready() -> None:
    link = replace(asked(a_link(), Verb.FAILOVER), stuck=frozenset({"orders"}))
    assert mirrors.ready_to_stop(link, 1e9) == ()


def test_promoted_gives_the_log_ends_of_stopped_mirrors_only() -> None:
    link = mirrors.stopped(asked(a_link(), Verb.FAILOVER), {"orders": (11, 8)}, 200.0)
    assert mirrors.promoted(link) == {"orders": {0: 11, 1: 8}}


class LinkMachine(RuleBasedStateMachine):
    """Any order of verbs, losses, recoveries and time."""

    topics = st.sampled_from((*TOPICS, "nope"))

    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.link = a_link()
        self.due: dict[str, float] = {}
        self.final: dict[str, Mirror] = {}

    @rule(seconds=st.floats(0.1, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(verb=st.sampled_from(Verb), names=st.lists(topics, min_size=1, max_size=3))
    def ask(self, verb: Verb, names: list[str]) -> None:
        before = self.link
        self.link, rows = mirrors.alter(self.link, verb, names, self.now)
        assert [row.topic for row in rows] == list(dict.fromkeys(names))
        for row in rows:
            if row.code is not None:
                assert row.message and self.link.mirrors.get(row.topic) == before.mirrors.get(row.topic)
            elif verb is Verb.FAILOVER:
                self.due.setdefault(row.topic, self.now + TIMINGS.delay(row.topic))

    @rule(data=st.data())
    def reach(self, data: st.DataObject) -> None:
        seen = {}
        for topic in TOPICS:
            old = self.link.mirrors[topic].partitions
            seen[topic] = [
                Partition(
                    end := data.draw(st.integers(p.log_end, p.log_end + 3)), end + data.draw(st.integers(0, 2)), True
                )
                for p in old
            ]
        self.link = mirrors.reached(self.link, self.now, seen)

    @rule()
    def lose(self) -> None:
        before = self.link
        self.link = mirrors.unreached(self.link, self.now)
        for topic, mirror in before.mirrors.items():
            assert self.link.mirrors[topic].partitions == mirror.partitions

    @rule(topic=topics)
    def break_(self, topic: str) -> None:
        self.link = mirrors.fail(self.link, topic, "ILLEGAL_STATE", self.now)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.link = mirrors.pause_link(self.link, paused, self.now)

    @rule()
    def stop_what_is_ready(self) -> None:
        for topic in mirrors.ready_to_stop(self.link, self.now):
            mirror = self.link.mirrors[topic]
            assert mirror.stopping is not None and self.now >= mirror.stopping.due
            if mirror.stopping.verb is Verb.PROMOTE:
                assert all(partition.behind == 0 for partition in mirror.partitions)
                assert self.link.unreached_since is None
            self.link = mirrors.stopped(self.link, {topic: [p.log_end for p in mirror.partitions]}, self.now)
            assert self.link.mirrors[topic].writable
            self.final[topic] = self.link.mirrors[topic]

    @rule(topic=topics)
    def stop_what_is_not(self, topic: str) -> None:
        """Reporting STOPPED is no way around PENDING_STOPPED."""
        mirror = self.link.mirrors.get(topic)
        if mirror is None or mirror.status is not Status.PENDING_STOPPED:
            assert mirrors.stopped(self.link, {topic: (0, 0)}, self.now) == self.link

    @precondition(lambda self: self.due)
    @rule()
    def let_failovers_finish(self) -> None:
        self.now = max(self.now, *self.due.values(), self.now)
        assert set(self.due) - set(self.final) <= set(mirrors.ready_to_stop(self.link, self.now))

    @invariant()
    def writable_only_after_stopped(self) -> None:
        for topic, mirror in self.link.mirrors.items():
            assert mirror.writable == (topic in self.final)
            assert (topic in self.link.read_only()) != mirror.writable
            assert mirror.writable == (mirror.status is Status.STOPPED)

    @invariant()
    def stopped_is_for_good(self) -> None:
        for topic, mirror in self.final.items():
            assert self.link.mirrors[topic] == mirror

    @invariant()
    def nothing_writable_is_copied_to(self) -> None:
        assert not {mirror.topic for mirror in self.link.copied()} & set(self.final)

    @invariant()
    def stopping_goes_with_its_state(self) -> None:
        for topic, mirror in self.link.mirrors.items():
            assert (
                (mirror.stopping is not None)
                == (mirror.status is Status.PENDING_STOPPED)
                == (topic in self.link.pending)
            )


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(names=st.lists(st.sampled_from([*TOPICS, "nope"]), max_size=4), verb=st.sampled_from(Verb))
def test_rows_come_in_the_order_asked(names: list[str], verb: Verb) -> None:
    _, rows = mirrors.alter(a_link(), verb, names, 1.0)
    assert [row.topic for row in rows] == list(dict.fromkeys(names))
