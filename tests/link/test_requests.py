"""What is asked of Kafka REST: each method's verb, path, query and body, and what its rows come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import LinkNotFound, LinkRejected, LinkUncertain
from failover.link import Rejection, Truncation
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.link.conftest import CLUSTER, LINK, Clock, Reply, Scripted

OF_LINK = f"/links/{LINK}"
JUST = {"mirror_topic_names": ["orders"]}
NOT_SAID = "the answer has no row for it"
VERBS = {
    "fail_over": "failover",
    "promote": "promote",
    "pause": "pause",
    "resume": "resume",
    "reverse_and_start": "reverse-and-start-mirror",
    "reverse_and_pause": "reverse-and-pause-mirror",
    "truncate_and_restore": "truncate-and-restore",
}


@pytest.fixture(autouse=True)
def clock(clock: Clock) -> Clock:
    """Nothing waits here."""
    return clock


def in_short(rest: Scripted) -> tuple[str, str, dict[str, str], Any]:
    """The last request."""
    asked = rest.asked[-1]
    path = asked.path.removeprefix(f"/kafka/v3/clusters/{CLUSTER}")
    return asked.method, path, asked.query, asked.json() if asked.body else None


@pytest.mark.parametrize(
    ("ask", "method", "path", "query"),
    [
        (lambda link: link.mirrors(), "GET", "/mirrors", {}),
        (lambda link: link.mirrors("STOPPED"), "GET", "/mirrors", {"mirror_status": "STOPPED"}),
        (lambda link: link.configs(), "GET", "/configs", {}),
    ],
)
def test_a_list_of_a_link_is_asked_for(
    rest: Scripted,
    link: KafkaRestLink,
    ask: Callable[[KafkaRestLink], Any],
    method: str,
    path: str,
    query: dict[str, str],
) -> None:
    rest.says(Reply(body={"data": []}))
    assert not ask(link)
    assert in_short(rest) == (method, OF_LINK + path, query, None)


def test_one_mirror_and_one_link_are_asked_for_with_what_keeps_them(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(Reply(body={"mirror_topic_name": "a/b c"}), Reply(body={"link_name": None, "link_state": "ACTIVE"}))
    assert link.mirror("a/b c").topic == "a/b c"
    assert in_short(rest)[1:3] == (f"{OF_LINK}/mirrors/a%2Fb%20c", {"include_state_transition_errors": "true"})
    facts = link.facts()
    assert (facts.name, facts.state) == (LINK, "ACTIVE")
    assert in_short(rest)[1:3] == (OF_LINK, {"include_tasks": "true"})


CHANGES: list[tuple[Callable[[KafkaRestCluster, KafkaRestLink], Any], str, str, Any]] = [
    (lambda _, link: link.create_mirror("orders"), "POST", f"{OF_LINK}/mirrors", {"source_topic_name": "orders"}),
    (lambda _, link: link.set_config("a.b", "1"), "PUT", f"{OF_LINK}/configs/a.b", {"value": "1"}),
    (lambda _, link: link.unset_config("a.b"), "DELETE", f"{OF_LINK}/configs/a.b", None),
    (lambda cluster, _: cluster.delete_topic("orders"), "DELETE", "/topics/orders", None),
    (
        lambda cluster, _: cluster.create_link("new", "lkc-1", {"k": "v"}),
        "POST",
        "/links",
        {"remote_cluster_id": "lkc-1", "configs": [{"name": "k", "value": "v"}]},
    ),
]


@pytest.mark.parametrize(("change", "method", "path", "body"), CHANGES)
def test_a_change_is_asked_for_once_and_looked_after(
    rest: Scripted,
    cluster: KafkaRestCluster,
    link: KafkaRestLink,
    change: Callable[[KafkaRestCluster, KafkaRestLink], Any],
    method: str,
    path: str,
    body: Any,
) -> None:
    rest.says(Reply(204))
    change(cluster, link)
    assert (in_short(rest)[0], in_short(rest)[1], in_short(rest)[3]) == (method, path, body)
    rest.says(Reply(503))
    with pytest.raises(LinkUncertain):
        change(cluster, link)
    assert len(rest.asked) == 2


@pytest.mark.parametrize(("more", "validate_only"), [({}, "false"), ({"validate_only": True}, "true")])
def test_a_link_is_made_or_only_validated(
    rest: Scripted, cluster: KafkaRestCluster, more: dict[str, bool], validate_only: str
) -> None:
    rest.says(Reply(429), Reply(204))
    cluster.create_link("new", "lkc-1", {}, link_id="abc", **more)
    assert in_short(rest)[2] == {"link_name": "new", "validate_only": validate_only}
    assert in_short(rest)[3] == {"remote_cluster_id": "lkc-1", "configs": [], "cluster_link_id": "abc"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_asked_for_by_name_and_changes_what_it_does_not_only_validate(
    rest: Scripted, link: KafkaRestLink, verb: str
) -> None:
    rest.says(Reply(body={"data": [{"mirror_topic_name": "orders"}]}))
    for more, validate_only in ({}, "false"), ({"validate_only": True}, "true"):
        getattr(link, verb)(["orders"], **more)
        method, path, query, body = in_short(rest)
        assert (method, path, body) == ("POST", f"{OF_LINK}/mirrors:{VERBS[verb]}", JUST)
        assert query["validate_only"] == validate_only
    rest.asked.clear()
    rest.says(Reply(503))
    with pytest.raises(LinkUncertain):
        getattr(link, verb)(["orders"])
    assert len(rest.asked) == 1


@pytest.mark.parametrize("body", [b"", {"data": []}])
def test_a_topic_without_a_row_is_not_known_to_be_accepted(
    rest: Scripted, link: KafkaRestLink, body: bytes | dict[str, Any]
) -> None:
    rest.says(Reply(body=body))
    assert link.promote(["orders"]) == [Rejection("orders", 0, NOT_SAID)]
    assert link.truncate_and_restore(["orders"]) == [
        Truncation(topic="orders", messages=None, rejection=Rejection("orders", 0, NOT_SAID))
    ]


def test_a_refused_row_and_a_missing_one_are_told_beside_one_that_was_accepted(
    rest: Scripted, link: KafkaRestLink
) -> None:
    refused = {"mirror_topic_name": "b", "error_code": 400, "error_message": "no"}
    cut = [
        {"partition_id": 1, "offset_truncated_to": 0, "messages_truncated": 0},
        {"partition_id": 0, "offset_truncated_to": 7, "messages_truncated": 3},
    ]
    accepted = {"mirror_topic_name": "a", "messages_truncated": 3, "partition_level_truncation_data": cut}
    rest.says(Reply(body={"data": [accepted, refused]}))
    missing, no = Rejection("c", 0, NOT_SAID), Rejection("b", 400, "no")
    assert link.fail_over(["a", "b", "c"]) == [no, missing]
    assert link.truncate_and_restore(["a", "b", "c"]) == [
        Truncation(topic="a", messages=3, partitions=((0, 7, 3), (1, 0, 0))),
        Truncation(topic="b", messages=None, rejection=no),
        Truncation(topic="c", messages=None, rejection=missing),
    ]
    assert in_short(rest)[2]["include_partition_level_truncation_data"] == "true"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(404, 40403, None), (400, 40035, None), (400, 40002, LinkRejected), (403, 40301, LinkRejected)],
)
def test_group_offsets_are_none_where_the_cluster_does_not_tell_them_and_no_other_refusal_is(
    rest: Scripted, cluster: KafkaRestCluster, status: int, code: int, error: type[Exception] | None
) -> None:
    rest.says(Reply(status, {"error_code": code, "message": "no"}))
    if error is None:
        assert cluster.group_offsets("g") is None
        return
    with pytest.raises(error):
        cluster.group_offsets("g")


def test_lists_of_a_cluster_leave_out_what_says_nothing(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(body={"data": [{"link_name": None}, {"link_name": "a"}, {"link_name": ""}]}))
    assert [link.name for link in cluster.links()] == ["a"]
    row = {"topic_name": "t", "log_end_offset": 9}
    rows = [row | {"partition_id": number, "current_offset": offset} for number, offset in enumerate((0, -1, None, 4))]
    rest.says(Reply(body={"data": rows}))
    assert [(each.partition, each.committed) for each in cluster.group_offsets("a/b") or ()] == [(0, 0), (3, 4)]
    assert in_short(rest)[1] == "/consumer-groups/a%2Fb/lags"


def test_what_is_not_there_is_told_from_what_is_refused(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(404, {"error_code": 40403, "message": "no such topic"}))
    with pytest.raises(LinkNotFound):
        cluster.delete_topic("orders")
    for keys in ({"link.prefix": "w."}, {"a": "1", "link.prefix": "w."}):
        with pytest.raises(LinkRejected, match=r"the key is cluster\.link\.prefix"):
            cluster.create_link("new", "lkc-1", keys)
    assert len(rest.asked) == 1
