"""Asking twice, being cut off, escalating: what a verb on mirrors does and does not do. And problems others had."""

from __future__ import annotations

import time

import pytest

from failover.aws.secrets import ApiKey
from failover.errors import LinkNotFound, LinkRejected, LinkUnavailable, LinkUncertain
from failover.link import PENDING_STOPPED, STOPPED, by_status
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.link.conftest import CLUSTER, HeldSecret, Reply, Scripted, StandIn

FAILOVER, PROMOTE = "updateKafkaMirrorTopicsFailover", "updateKafkaMirrorTopicsPromote"


def test_accepted_is_not_done(stand_in: StandIn) -> None:
    assert stand_in.link.fail_over(["topic-1"]) == []
    assert stand_in.link.mirror("topic-1").status == PENDING_STOPPED
    stand_in.until("topic-1", STOPPED)


def test_a_repeat_on_a_stopped_mirror_is_a_row_error_that_its_state_explains(stand_in: StandIn) -> None:
    stand_in.link.fail_over(["topic-1"])
    stand_in.until("topic-1", STOPPED)
    (rejection,) = stand_in.link.fail_over(["topic-1", "topic-2"])
    assert (rejection.topic, rejection.code, rejection.may_pass) == ("topic-1", 400, False)
    assert stand_in.link.mirror("topic-1").status == STOPPED


def test_a_stuck_promote_tells_why_and_can_be_escalated_to_a_failover(stand_in: StandIn) -> None:
    stand_in.break_link(reachable=False)
    assert stand_in.link.promote(["topic-1"]) == []
    deadline = time.monotonic() + 90
    while not (errors := stand_in.link.mirror("topic-1").transition_errors):
        assert time.monotonic() < deadline
    assert "TIMEOUT_ERROR" in errors[0]
    assert stand_in.link.mirror("topic-1").status == PENDING_STOPPED
    stand_in.link.fail_over(["topic-1"])
    stand_in.until("topic-1", STOPPED)


def test_a_topic_that_is_no_mirror_is_refused_by_itself(stand_in: StandIn) -> None:
    (rejection,) = stand_in.link.fail_over(["topic-1", "no-such-topic"])
    assert rejection.topic == "no-such-topic" and not rejection.may_pass
    with pytest.raises(LinkNotFound, match=r"mirrors/no-such-topic of cluster .* for no-such-topic answered 404"):
        stand_in.link.mirror("no-such-topic")


@pytest.mark.parametrize("code", [404, 40403])
def test_a_topic_that_is_no_mirror_may_also_refuse_the_whole_call(
    rest: Scripted, link: KafkaRestLink, code: int
) -> None:
    rest.says(Reply(404, {"error_code": code, "message": "This server does not host this topic-partition."}))
    with pytest.raises(LinkNotFound) as error:
        link.fail_over(["no-such-topic"])
    assert error.value.code == code and error.value.topics == ("no-such-topic",)


@pytest.mark.parametrize(
    "verb",
    ["fail_over", "promote", "pause", "resume", "reverse_and_start", "reverse_and_pause", "truncate_and_restore"],
)
def test_mirrors_are_asked_for_by_name_never_by_pattern(rest: Scripted, link: KafkaRestLink, verb: str) -> None:
    rest.says(Reply(body={"data": [{"mirror_topic_name": "orders"}]}))
    getattr(link, verb)(["orders"])
    assert rest.asked[0].json() == {"mirror_topic_names": ["orders"]}
    assert rest.asked[0].query["validate_only"] == "false"


def test_stopped_mirrors_stay_listed_and_can_be_told_apart(stand_in: StandIn) -> None:
    stand_in.link.fail_over(["topic-1"])
    stand_in.until("topic-1", STOPPED)
    assert by_status(stand_in.link.mirrors()) == {"ACTIVE": 2, "STOPPED": 1}
    assert [found.topic for found in stand_in.link.mirrors(STOPPED)] == ["topic-1"]
    assert {found.topic for found in stand_in.link.mirrors("ACTIVE")} == {"topic-0", "topic-2"}


def test_the_link_outlives_the_failover(stand_in: StandIn) -> None:
    stand_in.link.fail_over(["topic-0", "topic-1", "topic-2"])
    stand_in.until("topic-2", STOPPED)
    assert stand_in.link.facts().state == "ACTIVE"


@pytest.mark.parametrize("kind", ["drop_after_apply", "malformed", "timeout_after_apply"])
def test_a_verb_that_broke_off_after_it_was_carried_out_is_not_sent_again(stand_in: StandIn, kind: str) -> None:
    stand_in.fault(match="mirrors:failover", kind=kind, seconds=0.2, times=None)
    with pytest.raises(LinkUncertain, match="read the real state before asking again"):
        stand_in.link.fail_over(["topic-1"])
    assert stand_in.asked(FAILOVER) == 1
    stand_in.until("topic-1", STOPPED)


def test_a_verb_that_broke_off_before_it_was_carried_out_is_not_sent_again_either(stand_in: StandIn) -> None:
    stand_in.fault(match="mirrors:failover", kind="drop", times=1)
    with pytest.raises(LinkUncertain):
        stand_in.link.fail_over(["topic-1"])
    assert (stand_in.asked(FAILOVER), stand_in.link.mirror("topic-1").status) == (1, "ACTIVE")


def test_a_throttled_verb_is_sent_again_and_carried_out_once(stand_in: StandIn) -> None:
    stand_in.fault(match="mirrors:failover", kind="html429", times=1)
    assert stand_in.link.fail_over(["topic-1"]) == []
    assert stand_in.asked(FAILOVER) == 2


def test_validating_changes_nothing(stand_in: StandIn) -> None:
    for verb in (stand_in.link.fail_over, stand_in.link.promote, stand_in.link.pause):
        assert verb(["topic-1"], validate_only=True) == []
    assert stand_in.link.mirror("topic-1").status == "ACTIVE"


def test_pause_and_resume(stand_in: StandIn) -> None:
    assert stand_in.link.pause(["topic-1"]) == []
    assert stand_in.link.mirror("topic-1").status == "PAUSED"
    assert stand_in.link.resume(["topic-1"]) == []
    assert stand_in.link.mirror("topic-1").status == "ACTIVE"
    stand_in.link.pause(["topic-1"])
    stand_in.link.fail_over(["topic-1"])
    stand_in.until("topic-1", STOPPED)


def test_a_pending_mirror_that_gets_nowhere_is_neither_done_nor_an_error(stand_in: StandIn) -> None:
    stand_in.break_link(stuck=["topic-1"])
    assert stand_in.link.fail_over(["topic-1", "topic-2"]) == []
    stand_in.until("topic-2", STOPPED)
    assert stand_in.link.mirror("topic-1").status == PENDING_STOPPED
    assert stand_in.link.fail_over(["topic-1"]) == []


def test_a_failed_mirror_can_be_failed_over_and_says_why_it_failed(stand_in: StandIn) -> None:
    stand_in.break_link(fail={"topic-1": "SOURCE_TOPIC_MAY_BE_DELETED"})
    found = stand_in.link.mirror("topic-1")
    assert (found.status, found.error) == ("FAILED", "SOURCE_TOPIC_MAY_BE_DELETED")
    assert stand_in.link.fail_over(["topic-1"]) == []
    stand_in.until("topic-1", STOPPED)


def test_wrong_credentials_are_no_reason_to_poll_for_ever(stand_in: StandIn) -> None:
    wrong = HeldSecret(ApiKey("KEY", "wrong"))
    cluster = KafkaRestCluster(stand_in.rest.ready["url"], CLUSTER, wrong)  # type: ignore[arg-type]
    with pytest.raises(LinkRejected, match="401 40101 Authentication failed: the secret") as error:
        cluster.answers()
    assert not isinstance(error.value, LinkUnavailable)
    assert wrong.read_anew_times == 1


def test_a_lost_network_is_no_reason_to_poll_for_ever(stand_in: StandIn) -> None:
    stand_in.rest.kill()
    with pytest.raises(LinkUnavailable):
        stand_in.link.mirrors()


def test_a_cluster_of_another_id_is_not_found(stand_in: StandIn, secret: HeldSecret) -> None:
    other = KafkaRestCluster(stand_in.rest.ready["url"], "lkc-other", secret)  # type: ignore[arg-type]
    with pytest.raises(LinkNotFound, match=r"lkc-other cannot be found\.: check cluster_id"):
        other.answers()


def test_links_of_both_sides_can_be_compared_by_name_and_id(stand_in: StandIn) -> None:
    (found,) = stand_in.cluster.links()
    assert found.id and found.id == stand_in.link.facts().id


def test_a_silent_task_is_told_apart_from_one_that_works(stand_in: StandIn) -> None:
    tasks = {task.name: task.state for task in stand_in.link.facts().tasks}
    assert tasks["AclSync"] == "NOT_CONFIGURED" and tasks["TopicConfigsSync"] == "ACTIVE"
