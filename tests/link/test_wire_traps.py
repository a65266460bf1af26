"""What the wire does that the spec does not say, or says otherwise: a test for each such fact, named after it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from failover.errors import LinkExists, LinkNotFound, LinkRejected, LinkUnavailable, LinkUncertain
from failover.link import Mirror, PartitionLag, trailing
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.link.conftest import CLUSTER, LINK, Reply, Scripted, StandIn


def altered(**changes: Any) -> Reply:
    row: dict[str, Any] = {"mirror_topic_name": "orders", "error_code": None, "error_message": None, "mirror_lags": []}
    return Reply(body={"kind": "KafkaAlterMirrorsDataList", "metadata": {"next": None}, "data": [row | changes]})


def mirror(**fields: Any) -> Reply:
    return Reply(body={"data": [{"mirror_topic_name": "orders", "mirror_status": "ACTIVE"} | fields]})


@pytest.mark.parametrize("kind", ["KafkaAlterMirrorsDataList", "KafkaPromoteMirror", "SomethingNew", None])
def test_the_kind_of_an_answer_is_never_looked_at(rest: Scripted, link: KafkaRestLink, kind: str | None) -> None:
    rest.says(Reply(body={"kind": kind, "data": [{"kind": kind, "mirror_topic_name": "orders"}]}))
    assert link.fail_over(["orders"]) == []


@pytest.mark.parametrize("wire", ["recorded", "spec"])
def test_either_shape_of_the_wire_is_read(stand_in: StandIn) -> None:
    assert stand_in.link.fail_over(["topic-0"], validate_only=True) == []
    assert {found.topic for found in stand_in.link.mirrors()} == {"topic-0", "topic-1", "topic-2"}
    assert stand_in.link.configs()["link.mode"] is not None
    assert stand_in.link.facts().remote_cluster_id == "lkc-east01"
    assert stand_in.cluster.answers() == CLUSTER


def test_missing_truncation_fields_are_unknown_and_not_zero(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(altered())
    assert link.truncate_and_restore(["orders"])[0].messages is None
    rest.says(altered(messages_truncated=None, partition_level_truncation_data=None))
    assert link.truncate_and_restore(["orders"])[0].partitions == ()
    rest.says(altered(messages_truncated=7, partition_level_truncation_data=[{"partition_id": 1}, {"partition_id": 0}]))
    found = link.truncate_and_restore(["orders"])[0]
    assert (found.messages, found.partitions) == (7, ((0, -1, -1), (1, -1, -1)))


def test_http_200_with_every_topic_refused_is_no_success(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(altered(error_code=40301, error_message="Request is not authorized"))
    (rejection,) = link.fail_over(["orders"])
    assert (rejection.topic, rejection.code, rejection.may_pass) == ("orders", 40301, False)
    rest.says(altered(error_code=50003, error_message="try later"))
    assert link.fail_over(["orders"])[0].may_pass
    rest.says(altered(error_message="no code, but a reason"))
    assert link.fail_over(["orders"])[0].message == "no code, but a reason"


def test_a_topic_without_a_row_of_its_own_is_not_taken_for_accepted(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(altered())
    assert [(row.topic, row.may_pass) for row in link.fail_over(["orders", "payments"])] == [("payments", True)]
    assert [row.rejection is None for row in link.truncate_and_restore(["orders", "payments"])] == [True, False]
    rest.says(altered(error_code=400, error_message="no"))
    assert [(row.topic, row.code) for row in link.promote(["orders", "payments"])] == [("orders", 400), ("payments", 0)]


@pytest.mark.parametrize(
    "answer", [Reply(204), Reply(201, b""), Reply(200, b""), Reply(202, b"queued", "text/plain"), Reply(201, {"x": 1})]
)
def test_any_2xx_is_a_success_where_nothing_is_to_be_read(
    rest: Scripted, cluster: KafkaRestCluster, link: KafkaRestLink, answer: Reply
) -> None:
    rest.says(answer)
    link.create_mirror("orders")
    cluster.create_link("other", "lkc-east01", {"link.mode": "BIDIRECTIONAL"}, link_id="abc", validate_only=True)
    link.set_config("consumer.offset.sync.ms", "1000")
    link.unset_config("consumer.offset.sync.ms")
    assert [f"{each.method} {each.path.rpartition(CLUSTER)[2]}" for each in rest.asked] == [
        f"POST /links/{LINK}/mirrors",
        "POST /links",
        f"PUT /links/{LINK}/configs/consumer.offset.sync.ms",
        f"DELETE /links/{LINK}/configs/consumer.offset.sync.ms",
    ]
    assert rest.asked[1].query == {"link_name": "other", "validate_only": "true"}
    assert rest.asked[1].json()["cluster_link_id"] == "abc"


@pytest.mark.parametrize("answer", [Reply(204), Reply(201, b""), Reply(200, b"")])
def test_a_verb_answered_without_a_body_is_not_known_to_be_accepted(
    rest: Scripted, link: KafkaRestLink, answer: Reply
) -> None:
    rest.says(answer)
    assert [row.may_pass for row in link.fail_over(["orders"])] == [True]


def test_configs_are_changed_key_by_key_since_alter_may_be_405(stand_in: StandIn) -> None:
    stand_in.fault(match="updateKafkaLinkConfigBatch", kind="status", status=405, times=None)
    stand_in.link.set_config("consumer.offset.sync.ms", "2000")
    assert stand_in.link.configs()["consumer.offset.sync.ms"] == "2000"
    stand_in.link.unset_config("consumer.offset.sync.ms")
    assert stand_in.link.configs()["consumer.offset.sync.ms"] == "30000"
    assert stand_in.asked("updateKafkaLinkConfigBatch") == 0


def test_sensitive_configs_read_as_not_told(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(Reply(body={"data": [{"name": "sasl.jaas.config", "value": None, "is_sensitive": True}]}))
    assert link.configs() == {"sasl.jaas.config": None}


def test_a_read_only_config_is_refused_with_its_reason(stand_in: StandIn) -> None:
    with pytest.raises(LinkRejected) as error:
        stand_in.link.set_config("cluster.link.retry.timeout.ms", "1")
    assert error.value.link == LINK and error.value.status == 400


def test_rows_with_an_empty_link_name_are_skipped(stand_in: StandIn) -> None:
    assert [each.name for each in stand_in.cluster.links()] == [LINK]


@pytest.mark.parametrize("nameless", [{"link_name": ""}, {"link_name": None}, {}])
def test_rows_without_a_link_name_are_skipped(
    rest: Scripted, cluster: KafkaRestCluster, nameless: dict[str, Any]
) -> None:
    rest.says(Reply(body={"data": [nameless | {"link_error": "UNMANAGED_SOURCE"}, {"link_name": "a"}]}))
    assert [each.name for each in cluster.links()] == ["a"]


def test_an_old_link_row_without_state_or_remote_cluster_is_read(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(Reply(body={"link_name": LINK, "source_cluster_id": "lkc-east01", "topic_names": []}))
    facts = link.facts()
    assert (facts.state, facts.error, facts.remote_cluster_id, facts.tasks) == (None, None, "lkc-east01", ())


@pytest.mark.parametrize("told", [None, "", "NO_ERROR"])
def test_no_error_has_three_spellings(rest: Scripted, link: KafkaRestLink, told: str | None) -> None:
    rest.says(Reply(body={"link_name": LINK, "link_error": told, "link_error_message": ""}))
    assert link.facts().error is None
    rest.says(mirror(mirror_topic_error=told))
    assert link.mirrors()[0].error is None


def test_partitions_come_in_any_order(rest: Scripted, link: KafkaRestLink) -> None:
    lags = [{"partition": number, "lag": number, "last_source_fetch_offset": 9} for number in (2, 0, 1)]
    rest.says(mirror(num_partitions=3, mirror_lags=lags))
    assert [lag.partition for lag in link.mirrors()[0].lags] == [0, 1, 2]


@pytest.mark.parametrize("lags", [None, [], [{"partition": 1, "lag": 3, "last_source_fetch_offset": 5}]])
def test_partitions_that_no_row_speaks_of_are_unknown_and_not_without_lag(
    rest: Scripted, link: KafkaRestLink, lags: list[dict[str, int]] | None
) -> None:
    rest.says(mirror(num_partitions=3, mirror_lags=lags))
    found = trailing(link.mirrors())
    assert (found.partitions, found.unknown_partitions) == (3, 3 - len(lags or ()))


def test_lists_do_not_page_but_a_part_would_not_pass_for_the_whole(rest: Scripted, link: KafkaRestLink) -> None:
    def page(number: int, following: str | None) -> Reply:
        return Reply(body={"metadata": {"next": following}, "data": [{"mirror_topic_name": f"topic-{number}"}]})

    elsewhere = "https://pkc-1.example.com/kafka/v3/clusters/x/links/y/mirrors?page_token=a%2Fb"
    rest.says(page(1, elsewhere), page(2, None))
    assert [found.topic for found in link.mirrors()] == ["topic-1", "topic-2"]
    assert [each.query for each in rest.asked] == [{}, {"page_token": "a/b"}]
    assert len({each.path for each in rest.asked}) == 1


def test_a_429_is_a_page_of_html(stand_in: StandIn) -> None:
    stand_in.fault(match="listKafkaMirrorTopicsUnderLink", kind="html429", times=None)
    with pytest.raises(LinkUnavailable, match=r"429 \(text/html.*Too Many Requests") as error:
        stand_in.link.mirrors()
    assert error.value.status == 429


def test_a_missing_link_is_named_with_its_cluster(stand_in: StandIn) -> None:
    with pytest.raises(LinkNotFound, match=r"links/lk of cluster lkc-west01 answered 404 404 The cluster link doesn't"):
        KafkaRestLink(stand_in.cluster, "lk").facts()


@pytest.mark.parametrize(
    "message",
    ["Unable to resolve cluster link information for orders-link", "Cluster does not have a link named orders-link."],
)
def test_a_link_that_was_just_made_is_not_found_for_a_while(rest: Scripted, link: KafkaRestLink, message: str) -> None:
    rest.says(Reply(404, {"error_code": 404, "message": message}), Reply(204))
    link.create_mirror("orders")
    assert len(rest.asked) == 2
    rest.says(Reply(404, {"error_code": 404, "message": message}))
    with pytest.raises(LinkUnavailable) as error:
        link.create_mirror("orders")
    assert not isinstance(error.value, LinkUncertain)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, 40002, "Topic 'orders' already exists.", LinkExists),
        (409, 40902, "A cluster link already exists with the provided link name", LinkExists),
        (404, 404, "A cluster link already exists with the provided link name", LinkExists),
        (400, 40035, "Topic renaming for mirroring not yet supported", LinkRejected),
        (400, 40002, "Topic replication factor must be 3", LinkRejected),
    ],
)
def test_what_is_there_already_is_told_from_what_is_refused_by_code_and_text(
    rest: Scripted, link: KafkaRestLink, status: int, code: int, message: str, kind: type[LinkRejected]
) -> None:
    rest.says(Reply(status, {"error_code": code, "message": message}))
    with pytest.raises(LinkRejected) as error:
        link.create_mirror("orders")
    assert type(error.value) is kind
    assert (error.value.status, error.value.code) == (status, code) and message in str(error.value)


def test_a_prefix_under_the_key_that_is_ignored_is_refused_before_it_is_sent(
    rest: Scripted, cluster: KafkaRestCluster, link: KafkaRestLink
) -> None:
    with pytest.raises(LinkRejected, match=r"the key is cluster\.link\.prefix"):
        link.set_config("link.prefix", "west.")
    with pytest.raises(LinkRejected, match=r"the key is cluster\.link\.prefix"):
        cluster.create_link("new", "lkc-east01", {"link.prefix": "west."})
    assert rest.asked == []


def test_a_mirror_is_made_with_its_source_alone_since_there_are_no_start_offsets(
    rest: Scripted, link: KafkaRestLink
) -> None:
    rest.says(Reply(204))
    link.create_mirror("orders")
    assert rest.asked[0].json() == {"source_topic_name": "orders"}


def test_states_nobody_knows_are_passed_on(stand_in: StandIn) -> None:
    stand_in.fault(match="*", kind="unknown_status", times=None)
    assert {found.status for found in stand_in.link.mirrors()} == {"PENDING_TELEPORT"}
    assert stand_in.link.mirror("topic-1").status == "PENDING_TELEPORT"


def test_fields_nobody_knows_are_no_matter(stand_in: StandIn) -> None:
    stand_in.fault(match="*", kind="extra_fields", times=None)
    assert len(stand_in.link.mirrors()) == 3
    assert stand_in.link.facts().tasks
    assert stand_in.link.fail_over(["topic-1"], validate_only=True) == []


@pytest.mark.parametrize("wire", ["recorded", "spec"])
def test_an_active_partition_that_was_never_fetched_is_unknown_not_without_lag(stand_in: StandIn) -> None:
    found = {mirror.topic: mirror for mirror in stand_in.link.mirrors()}
    assert found["topic-0"].status == "ACTIVE"
    assert found["topic-0"].lags == tuple(PartitionLag(number, None) for number in range(3))
    assert trailing([found["topic-0"]]).unknown_partitions == 3
    assert all(lag.records is not None and lag.fetched_to is not None for lag in found["topic-1"].lags)


@pytest.mark.parametrize(("lag", "offset"), [(0, -1), (-1, -1), (5, -1), (-1, 4), (None, 4), (4, None)])
def test_every_sentinel_of_an_unknown_lag_is_unknown(
    rest: Scripted, link: KafkaRestLink, lag: int | None, offset: int | None
) -> None:
    rest.says(mirror(mirror_lags=[{"partition": 0, "lag": lag, "last_source_fetch_offset": offset}]))
    assert link.mirrors()[0].lags == (PartitionLag(0, None),)


def test_a_topic_without_a_record_has_no_lag_and_that_is_known(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(mirror(mirror_lags=[{"partition": 0, "lag": 0, "last_source_fetch_offset": 0}]))
    assert link.mirrors()[0].lags == (PartitionLag(0, 0, 0),)


def test_a_mirror_row_without_its_name_makes_the_list_unreadable_not_shorter(
    rest: Scripted, link: KafkaRestLink
) -> None:
    rest.says(Reply(body={"data": [{"mirror_status": "ACTIVE"}, {"mirror_topic_name": "orders"}]}))
    with pytest.raises(LinkUnavailable, match=r"data\.0\.mirror_topic_name"):
        link.mirrors()
    rest.says(Reply(body={"data": [{"mirror_topic_name": "orders"}, {"mirror_topic_name": 3}, {}]}))
    with pytest.raises(LinkUnavailable, match=r"data\.1\.mirror_topic_name"):
        link.mirrors()


def test_nulls_in_a_mirror_row_are_not_told(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(mirror(mirror_status=None, source_topic_name=None, num_partitions=None, mirror_lags=None))
    assert link.mirrors() == [Mirror(topic="orders", status="UNKNOWN")]


@pytest.mark.parametrize(
    ("status", "code"), [(404, 404), (404, 40403), (400, 40035)], ids=["no offsets", "no group", "no such API here"]
)
def test_group_offsets_that_a_cluster_does_not_tell_are_none(
    rest: Scripted, cluster: KafkaRestCluster, status: int, code: int
) -> None:
    rest.says(Reply(status, {"error_code": code, "message": "Consumer group offsets could not be found."}))
    assert cluster.group_offsets("fulfilment") is None


def test_group_offsets_of_a_refused_or_absent_cluster_are_no_none(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(403, {"error_code": 40301, "message": "Request is not authorized"}))
    with pytest.raises(LinkRejected):
        cluster.group_offsets("fulfilment")
    rest.says(Reply(503, b"<html></html>", "text/html"))
    with pytest.raises(LinkUnavailable):
        cluster.group_offsets("fulfilment")


def test_a_partition_without_a_committed_offset_is_left_out(rest: Scripted, cluster: KafkaRestCluster) -> None:
    row: dict[str, Any] = {"topic_name": "orders", "log_end_offset": 9}
    rows = [row | {"partition_id": 0, "current_offset": 4}, row | {"partition_id": 1, "current_offset": -1}]
    rest.says(Reply(body={"data": [*rows, row | {"partition_id": 2, "current_offset": None}]}))
    assert [(found.partition, found.committed) for found in cluster.group_offsets("g") or ()] == [(0, 4)]


JUST_MADE = "the destination cluster does not have a link named orders-link"


@pytest.mark.parametrize("status", [404, 400])
def test_a_link_that_was_just_made_is_known_a_little_later(rest: Scripted, link: KafkaRestLink, status: int) -> None:
    rest.says(Reply(status, {"error_code": status * 100 + 2, "message": JUST_MADE}), altered())
    assert link.fail_over(["orders"]) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"error_code": 40301, "message": "Request is not authorized"}, LinkRejected, 403),
        ({"error_code": 400, "message": "no such topic"}, LinkRejected, 400),
        ({"error_code": 50003, "message": "try later"}, LinkUncertain, 500),
        ({"errors": [{"status": "404", "title": "Not Found", "detail": "no such link"}]}, LinkNotFound, 404),
        ({"errors": [{"detail": "something went wrong"}]}, LinkUncertain, 500),
        ({"kind": "KafkaError", "error_code": 40301, "message": "Request is not authorized"}, LinkRejected, 403),
        (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", LinkUncertain, 500),
    ],
)
def test_a_success_that_says_it_failed_is_none(
    rest: Scripted,
    link: KafkaRestLink,
    body: dict[str, Any] | bytes,
    kind: type[LinkRejected | LinkUnavailable],
    status: int,
) -> None:
    rest.says(Reply(200, body))
    with pytest.raises(kind) as error:
        link.create_mirror("orders")
    assert (type(error.value), error.value.status) == (kind, status)
    assert "answered 200" in str(error.value)


@pytest.mark.parametrize(
    "throttled",
    [
        Reply(429, b"Too Many Requests", "text/plain"),
        Reply(425, b"Too Early", "text/plain"),
        Reply(400, {"error_code": 42901, "message": "slow down"}),
        Reply(403, {"error_code": 40301, "message": "Rate limit exceeded"}),
        Reply(400, {"errors": [{"status": "429", "detail": "slow down"}]}),
        Reply(200, {"error_code": 429, "message": "slow down"}),
    ],
)
def test_throttling_by_any_name_is_asked_again_and_was_not_carried_out(
    rest: Scripted, link: KafkaRestLink, throttled: Reply
) -> None:
    rest.says(throttled, altered())
    assert link.fail_over(["orders"]) == []
    rest.says(throttled)
    with pytest.raises(LinkUnavailable) as error:
        link.fail_over(["orders"])
    assert not isinstance(error.value, LinkUncertain)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(503, b"no healthy upstream", "text/plain"), "no healthy upstream"),
        (
            Reply(400, {"errors": [{"title": "Bad Request", "detail": "the pool is not known"}]}),
            "the pool is not known",
        ),
        (Reply(400, {"errors": [{"title": "Bad Request"}, {"detail": "and more"}]}), "Bad Request and more"),
        (Reply(502, b"<html><title>Bad Gateway</title><p>x", "text/html"), "Bad Gateway"),
        (Reply(502, b"<html><style>p {}</style><h1>Bad Gateway</h1><p>of nginx", "text/html"), "Bad Gateway of nginx"),
        (Reply(502, b"<h1>Bad Gateway</h1><p>of nginx", "application/json"), "Bad Gateway of nginx"),
        (Reply(502, b"Bad Gateway<p>of nginx", "text/html"), "Bad Gateway of nginx"),
        (Reply(400, b"<id> must be a cluster", "text/plain"), "must be a cluster"),
        (Reply(400, b"a link of id <none> is not there", "text/plain"), "a link of id <none> is not there"),
        (Reply(401, {"error": "invalid_token", "error_description": "expired"}), "expired"),
        (Reply(403, {"title": "Forbidden", "status": 403, "detail": "no such pool"}), "no such pool"),
        (Reply(400, {"error_code": 40002, "message": None, "cause": "unheard of"}), "unheard of"),
        (Reply(400, {"errors": ["the pool is not known"]}), "the pool is not known"),
        (Reply(400, b'"only a word"'), "only a word"),
    ],
)
def test_the_text_of_a_refusal_is_kept_whatever_its_shape(
    rest: Scripted, link: KafkaRestLink, answer: Reply, said: str
) -> None:
    rest.says(answer)
    with pytest.raises((LinkRejected, LinkUnavailable)) as error:
        link.fail_over(["orders"])
    assert said in str(error.value) and not re.search("<(p|h1|title|style)", str(error.value))
