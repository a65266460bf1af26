"""The state machine of mirror topics, by example and by property."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drill.confluent import mirror_operations, transitions
from drill.confluent.mirror_operations import Refusal
from drill.confluent.mirrors import (
    Cut,
    Link,
    LinkState,
    Mirror,
    Partition,
    Status,
    Timings,
    TransitionError,
    Unverified,
    Verb,
)
from tests.claims import reaches

TIMINGS = Timings(
    stop_delay=2.0, stop_delay_of={"payments": 5.0}, source_unavailable_after=60, link_unavailable_after=300
)
TOPICS = ("orders", "payments")
ALTERING = [verb for verb in Verb if verb is not Verb.TRUNCATE_AND_RESTORE]


def a_link(**status_of: Status) -> Link:
    rows = {
        topic: Mirror(
            topic=topic,
            partitions=(Partition(10, 10, True), Partition(7, 10, True)),
            since=0.0,
            status=status_of.get(topic, Status.ACTIVE),
        )
        for topic in TOPICS
    }
    return Link(name="orders-link", mirrors=rows, timings=TIMINGS, last_reached=0.0)


def asked(link: Link, verb: Verb, topic: str = "orders", now: float = 100.0) -> Link:
    link, (row,) = mirror_operations.alter(link, verb, [topic], now)
    assert row.code is None, row
    return link


def caught_up(link: Link, now: float) -> Link:
    return transitions.reached(link, now, {topic: (Partition(10, 10, True),) * 2 for topic in TOPICS})


def test_a_failover_is_stopped_after_its_delay_and_not_before() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER), Verb.FAILOVER, "payments")
    assert link.mirrors["orders"].status is Status.PENDING_STOPPED
    assert transitions.ready_to_stop(link, 101.9) == ()
    assert transitions.ready_to_stop(link, 102.0) == ("orders",)
    assert transitions.ready_to_stop(link, 105.0) == ("orders", "payments")


def test_a_failover_stops_copying_at_once_and_a_promote_goes_on() -> None:
    assert {mirror.topic for mirror in asked(a_link(), Verb.FAILOVER).copied()} == {"payments"}
    assert {mirror.topic for mirror in asked(a_link(), Verb.PROMOTE).copied()} == {"orders", "payments"}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.STOPPED])
def test_failover_completes_from_every_state(status: Status) -> None:
    link = asked(transitions.unreached(a_link(orders=status), 90.0), Verb.FAILOVER)
    assert transitions.ready_to_stop(link, 200.0) == ("orders",)
    assert transitions.stopped(link, {"orders": (10, 7)}, 200.0).mirrors["orders"].writable


@pytest.mark.parametrize("verb", ALTERING)
def test_a_stopped_mirror_refuses_every_verb_with_the_documented_text(verb: Verb) -> None:
    link = a_link(orders=Status.STOPPED)
    after, (row,) = mirror_operations.alter(link, verb, ["orders"], 100.0)
    assert (row.code, row.message) == (400, "Topic 'orders' has already stopped its mirror from 'orders-link'")
    assert after == link


def test_one_call_answers_for_each_topic_by_itself() -> None:
    link, rows = mirror_operations.alter(
        a_link(payments=Status.STOPPED), Verb.FAILOVER, ["nope", "payments", "orders"], 100.0
    )
    assert [(row.topic, row.code) for row in rows] == [("nope", 404), ("payments", 400), ("orders", None)]
    assert link.mirrors["orders"].status is Status.PENDING_STOPPED


def test_a_topic_named_twice_is_one_row() -> None:
    _, rows = mirror_operations.alter(a_link(), Verb.FAILOVER, ["orders", "orders"], 100.0)
    assert len(rows) == 1


def test_asking_again_does_not_start_the_delay_anew() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER, now=100.0), Verb.FAILOVER, now=101.5)
    assert transitions.ready_to_stop(link, 102.0) == ("orders",)


def test_a_promote_waits_until_the_mirror_has_caught_up_after_it_was_asked() -> None:
    link = asked(caught_up(a_link(), 99.0), Verb.PROMOTE, now=100.0)
    assert transitions.ready_to_stop(link, 110.0) == (), "the last look at the source was before the promote"
    link = transitions.reached(link, 105.0, {"orders": (Partition(10, 10, True), Partition(9, 10, True))})
    assert transitions.ready_to_stop(link, 110.0) == ()
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and [error.code for error in stopping.errors] == ["MIRROR_LAG_ERROR"]
    assert transitions.ready_to_stop(caught_up(link, 106.0), 110.0) == ("orders",)


def test_a_promote_of_a_lost_source_is_stuck_with_errors_until_a_failover() -> None:
    link = transitions.unreached(asked(caught_up(a_link(), 99.0), Verb.PROMOTE), 101.0)
    assert transitions.ready_to_stop(link, 9999.0) == ()
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and [error.code for error in stopping.errors] == ["TIMEOUT_ERROR"]
    assert transitions.ready_to_stop(asked(link, Verb.FAILOVER, now=200.0), 202.0) == ("orders",)


def test_what_is_not_known_of_real_clusters_can_be_either_way() -> None:
    strict = replace(a_link(), unverified=Unverified(promote_refused=True, escalation_refused=True))
    assert mirror_operations.alter(strict, Verb.PROMOTE, ["orders"], 1.0)[1][0].code is None, "the source is there"
    lost = transitions.unreached(strict, 1.0)
    assert mirror_operations.alter(lost, Verb.PROMOTE, ["orders"], 2.0)[1][0].code == 400
    stuck = asked(strict, Verb.PROMOTE)
    assert mirror_operations.alter(stuck, Verb.FAILOVER, ["orders"], 101.0)[1][0].code == 400
    again = asked(asked(strict, Verb.FAILOVER), Verb.FAILOVER)
    assert again.mirrors["orders"].status is Status.PENDING_STOPPED, "what is under way is no escalation"


def test_a_promote_does_not_undo_a_failover_under_way() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER), Verb.PROMOTE)
    stopping = link.mirrors["orders"].stopping
    assert stopping is not None and stopping.verb is Verb.FAILOVER


def test_a_lost_source_freezes_lags_and_shows_late() -> None:
    link = transitions.unreached(a_link(), 100.0)
    later = transitions.unreached(link, 159.0)
    assert later.mirrors == link.mirrors == a_link().mirrors
    later = transitions.unreached(later, 160.0)
    assert {mirror.status for mirror in later.mirrors.values()} == {Status.SOURCE_UNAVAILABLE}
    assert later.mirrors["orders"].partitions == a_link().mirrors["orders"].partitions
    assert later.state(399.0) is LinkState.ACTIVE
    assert later.state(400.0) is LinkState.UNAVAILABLE
    back = transitions.reached(later, 500.0, {})
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
    _, (row,) = mirror_operations.alter(a_link(), Verb.RESUME, ["orders"], 1.0)
    assert row.code == 400


def test_a_paused_link_pauses_its_mirrors_and_gives_back_only_those() -> None:
    link = transitions.pause_link(asked(a_link(), Verb.PAUSE), True, 100.0)
    assert link.copied() == () and link.state(100.0) is LinkState.PAUSED
    assert link.mirrors["payments"].status is Status.LINK_PAUSED
    link = transitions.pause_link(link, False, 101.0)
    assert link.mirrors["payments"].status is Status.ACTIVE
    assert link.mirrors["orders"].status is Status.PAUSED


def test_a_stuck_topic_is_never_ready() -> None:
    link = transitions.stick(asked(a_link(), Verb.FAILOVER), {"orders": TransitionError("X", "y")})
    assert transitions.ready_to_stop(link, 1e9) == ()


def stopping_errors(link: Link, topic: str) -> tuple[TransitionError, ...]:
    stopping = link.mirrors[topic].stopping
    assert stopping is not None
    return stopping.errors


def test_a_stuck_mirror_says_why_and_a_free_failover_says_nothing() -> None:
    link = asked(asked(a_link(), Verb.FAILOVER), Verb.FAILOVER, "payments")
    link = transitions.stick(link, {"orders": TransitionError("AUTHORIZATION_ERROR", "no")})
    assert [error.code for error in stopping_errors(link, "orders")] == ["AUTHORIZATION_ERROR"]
    assert stopping_errors(link, "payments") == ()
    assert stopping_errors(transitions.stick(link, {}), "orders") == ()


def test_a_reversal_waits_until_the_source_is_fenced_and_all_of_it_is_here() -> None:
    link = asked(a_link(), Verb.REVERSE_AND_START)
    assert link.mirrors["orders"].status is Status.PENDING_SYNCHRONIZE
    assert "orders" in {mirror.topic for mirror in link.copied()}
    assert transitions.ready_to_stop(caught_up(link, 150.0), 150.0) == ()
    assert transitions.to_be_fenced(link) == ("orders",)
    link = transitions.fenced(link, ["orders"], 160.0)
    assert link.mirrors["orders"].status is Status.PENDING_STOPPED and transitions.to_be_fenced(link) == ()
    assert transitions.ready_to_stop(caught_up(link, 159.0), 170.0) == (), "seen before the fence"
    assert transitions.ready_to_stop(caught_up(link, 161.0), 170.0) == ("orders",)


def test_a_reversal_can_only_be_broken_off_by_a_failover() -> None:
    link = transitions.fenced(asked(a_link(), Verb.REVERSE_AND_START), ["orders"], 101.0)
    for verb in (Verb.PROMOTE, Verb.PAUSE, Verb.REVERSE_AND_PAUSE):
        assert mirror_operations.alter(link, verb, ["orders"], 102.0)[1][0].code == 400
    assert asked(link, Verb.REVERSE_AND_START, now=102.0) == link
    assert transitions.ready_to_stop(asked(link, Verb.FAILOVER, now=102.0), 104.0) == ("orders",)


def test_what_stands_against_a_verb_is_told_row_by_row() -> None:
    refused = {"orders": Refusal(408, "no")}
    link, rows = mirror_operations.alter(a_link(), Verb.REVERSE_AND_START, TOPICS, 1.0, refused)
    assert [(row.code, row.message) for row in rows] == [(408, "no"), (None, None)]
    assert link.mirrors["orders"] == a_link().mirrors["orders"]


def test_a_new_mirror_is_pending_first_and_waits_for_its_source() -> None:
    link = mirror_operations.mirrored(a_link(), "new", [Partition()], 100.0, paused=False, wired=False)
    assert link.mirrors["new"].status is Status.PENDING_MIRROR
    assert transitions.advanced(link, 100.1) == link
    lost = transitions.unreached(link, 100.0)
    assert transitions.advanced(lost, 200.0) == lost
    assert transitions.advanced(link, 100.2).mirrors["new"].status is Status.ACTIVE
    paused = mirror_operations.mirrored(a_link(), "new", [Partition()], 100.0, paused=True, wired=False)
    assert transitions.advanced(paused, 100.2).mirrors["new"].status is Status.PAUSED


def test_a_restore_goes_through_its_states_in_order() -> None:
    link = mirror_operations.restored(a_link(), {"old": (Cut(0, 7, 3),)}, 100.0, wired=frozenset())
    seen, now = [link.mirrors["old"].status], 100.0
    assert "old" not in {mirror.topic for mirror in link.copied()}
    while seen[-1] is not Status.ACTIVE:
        now += 0.2
        link = transitions.advanced(link, now)
        seen.append(link.mirrors["old"].status)
    assert [str(status) for status in seen] == [
        "PENDING_SETUP_FOR_RESTORE", "PENDING_RESTORE", "PENDING_SYNCHRONIZE", "ACTIVE",
    ]  # fmt: skip
    assert link.mirrors["old"].partitions == (Partition(7, 7, True),)


def test_a_failed_link_fails_its_mirrors_and_gives_them_back() -> None:
    link = transitions.fail_link(asked(a_link(), Verb.PAUSE), "AUTHENTICATION_ERROR", 100.0)
    assert link.state(100.0) is LinkState.FAILED and link.copied() == ()
    assert link.mirrors["payments"].status is Status.LINK_FAILED
    assert link.mirrors["orders"].status is Status.PAUSED
    assert mirror_operations.alter(link, Verb.FAILOVER, ["payments"], 101.0)[1][0].code is None
    link = transitions.fail_link(link, "NO_ERROR", 102.0)
    assert link.mirrors["payments"].status is Status.ACTIVE and link.state(102.0) is LinkState.ACTIVE


def test_promoted_gives_the_log_ends_of_stopped_mirrors_only() -> None:
    link = transitions.stopped(asked(a_link(), Verb.FAILOVER), {"orders": (11, 8)}, 200.0)
    assert transitions.promoted(link) == {"orders": {0: 11, 1: 8}}


class LinkMachine(RuleBasedStateMachine):
    """Any order of verbs, losses, recoveries and time."""

    topics = st.sampled_from((*TOPICS, "nope"))

    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.link = a_link()
        self.due: dict[str, float] = {}
        self.final: dict[str, Mirror] = {}
        self.stopped = False

    @rule(seconds=st.floats(0.1, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(verb=st.sampled_from(ALTERING), names=st.lists(topics, min_size=1, max_size=3))
    def ask(self, verb: Verb, names: list[str]) -> None:
        before = self.link
        self.link, rows = mirror_operations.alter(self.link, verb, names, self.now)
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
        self.link = transitions.reached(self.link, self.now, seen)

    @rule()
    def lose(self) -> None:
        before = self.link
        self.link = transitions.unreached(self.link, self.now)
        for topic, mirror in before.mirrors.items():
            assert self.link.mirrors[topic].partitions == mirror.partitions

    @rule(topic=topics)
    def break_(self, topic: str) -> None:
        self.link = transitions.fail(self.link, topic, "ILLEGAL_STATE", self.now)

    @rule()
    def fence(self) -> None:
        self.link = transitions.fenced(self.link, transitions.to_be_fenced(self.link), self.now)

    @rule()
    def advance(self) -> None:
        self.link = transitions.advanced(self.link, self.now)

    @precondition(lambda self: self.final)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        topic = data.draw(st.sampled_from(sorted(self.final)))
        self.link = mirror_operations.restored(
            self.link, {topic: (Cut(0, 3, 1), Cut(1, 3, 0))}, self.now, wired=frozenset([topic])
        )
        del self.final[topic]
        self.due.pop(topic, None)

    @rule(error=st.sampled_from(["NO_ERROR", "AUTHENTICATION_ERROR"]))
    def fail_link(self, error: str) -> None:
        self.link = transitions.fail_link(self.link, error, self.now)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.link = transitions.pause_link(self.link, paused, self.now)

    @rule()
    def stop_what_is_ready(self) -> None:
        for topic in transitions.ready_to_stop(self.link, self.now):
            mirror = self.link.mirrors[topic]
            assert mirror.stopping is not None and self.now >= mirror.stopping.due
            assert (mirror.stopping.fenced is not None) or not mirror.stopping.verb.reverses
            if mirror.stopping.verb is not Verb.FAILOVER:
                assert all(partition.behind == 0 for partition in mirror.partitions)
                assert self.link.unreached_since is None
            self.link = transitions.stopped(self.link, {topic: [p.log_end for p in mirror.partitions]}, self.now)
            assert self.link.mirrors[topic].writable
            self.final[topic] = self.link.mirrors[topic]
            self.stopped = True

    @rule(topic=topics)
    def stop_what_is_not(self, topic: str) -> None:
        """Reporting STOPPED is no way around PENDING_STOPPED."""
        mirror = self.link.mirrors.get(topic)
        if mirror is None or mirror.status is not Status.PENDING_STOPPED:
            assert transitions.stopped(self.link, {topic: (0, 0)}, self.now) == self.link

    @precondition(lambda self: self.due)
    @rule()
    def let_failovers_finish(self) -> None:
        self.now = max(self.now, *self.due.values(), self.now)
        assert set(self.due) - set(self.final) <= set(transitions.ready_to_stop(self.link, self.now))
        self.stop_what_is_ready()

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
    def what_is_under_way_shows_in_the_state(self) -> None:
        for topic, mirror in self.link.mirrors.items():
            under_way = mirror.stopping is not None or bool(mirror.ahead)
            assert under_way == mirror.status.startswith("PENDING_") == (topic in self.link.pending)
            assert mirror.stopping is None or not mirror.ahead

    def teardown(self) -> None:
        reaches(self.stopped, floor=0.02)


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
