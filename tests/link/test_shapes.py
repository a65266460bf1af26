"""Whatever a REST API of the spec's shapes answers, with fields gone, nulled, added or of another type, the client
reads it or raises an error it documents. And ten thousand mirrors take little of a small function's time and memory."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.errors import LinkRejected, LinkUnavailable
from failover.link import trailing
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.claims import reaches
from tests.link.conftest import CLUSTER, LINK, Reply, Scripted

Ask = Callable[[KafkaRestCluster, KafkaRestLink], Any]

LAG = {"partition": 0, "lag": 7, "last_source_fetch_offset": 30}
MIRROR = {
    "kind": "KafkaMirrorData",
    "metadata": {"self": "https://x/mirrors/orders", "resource_name": "crn:///kafka=x"},
    "link_name": LINK,
    "mirror_topic_name": "orders",
    "source_topic_name": "orders",
    "num_partitions": 2,
    "mirror_lags": [LAG | {"partition": 1}, LAG],
    "mirror_status": "ACTIVE",
    "mirror_topic_error": "NO_ERROR",
    "state_time_ms": 1703285083428,
    "mirror_state_transition_errors": [{"error_code": "TIMEOUT_ERROR", "error_message": "m"}],
}
ALTERED = {
    "mirror_topic_name": "orders",
    "error_code": 400,
    "error_message": "m",
    "mirror_lags": [LAG],
    "messages_truncated": 3,
    "partition_level_truncation_data": [{"partition_id": 0, "offset_truncated_to": 3, "messages_truncated": 4}],
}
LINK_ROW = {
    "source_cluster_id": None,
    "destination_cluster_id": None,
    "remote_cluster_id": "lkc-east01",
    "link_name": LINK,
    "cluster_link_id": "pm6Y8qQDS1S8PwQif9w2YA",
    "topic_names": ["orders"],
    "link_error": "TIMEOUT_ERROR",
    "link_error_message": "m",
    "link_state": "UNAVAILABLE",
    "tasks": [{"task_name": "AclSync", "state": "IN_ERROR", "errors": [{"error_code": "e", "error_message": "m"}]}],
    "category_counts": [{"state_category": "ACTIVE", "count": 3}],
}
TOPIC = {"topic_name": "orders", "partitions_count": 4, "is_internal": False, "partitions": {"related": "x"}}
LAGS = {"topic_name": "orders", "partition_id": 0, "current_offset": 4, "log_end_offset": 9, "lag": 5}
ACL = {
    "resource_type": "TOPIC",
    "resource_name": "orders",
    "pattern_type": "LITERAL",
    "principal": "User:a",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}


def listed(row: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "List", "metadata": {"self": "https://x", "next": None}, "data": [row, copy.deepcopy(row)]}


ASKED: list[tuple[dict[str, Any], Ask]] = [
    (listed(MIRROR), lambda cluster, link: link.mirrors()),
    (MIRROR, lambda cluster, link: link.mirror("orders")),
    (listed(ALTERED), lambda cluster, link: link.fail_over(["orders", "payments"])),
    (listed(ALTERED), lambda cluster, link: link.promote(["orders"], validate_only=True)),
    (listed(ALTERED), lambda cluster, link: link.truncate_and_restore(["orders"])),
    (LINK_ROW, lambda cluster, link: link.facts()),
    (listed(LINK_ROW), lambda cluster, link: cluster.links()),
    (listed({"name": "link.mode", "value": "BIDIRECTIONAL"}), lambda cluster, link: link.configs()),
    ({"kind": "KafkaCluster", "cluster_id": CLUSTER}, lambda cluster, link: cluster.answers()),
    (listed(TOPIC), lambda cluster, link: cluster.topics()),
    (listed({"consumer_group_id": "g", "state": "EMPTY"}), lambda cluster, link: cluster.groups()),
    (listed(LAGS), lambda cluster, link: cluster.group_offsets("g")),
    (listed(ACL), lambda cluster, link: cluster.acls()),
    ({"error_code": 40301, "message": "m"}, lambda cluster, link: cluster.topics()),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [place for key, each in inner for place in places(each, (*at, key))]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, Ask]:
    """An answer with some of it changed, and what it is the answer to."""
    good, ask = draw(st.sampled_from(ASKED))
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 4))):
        *way, last = draw(st.sampled_from(places(document) or [("data",)]))
        holder: Any = document
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["gone", "null", "other", "more"])):
            case "gone" if isinstance(holder, dict):
                holder.pop(last, None)
            case "null":
                holder[last] = None
            case "other":
                holder[last] = draw(JSON)
            case _ if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(JSON)
    body = json.dumps(document).encode()
    return body[: draw(st.sampled_from([len(body)] * 4 + [len(body) // 2, 1, 0]))], ask


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failover.link.http.REPEATS", 0)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=damaged(), status=st.sampled_from([200, 200, 200, 200, 201, 400, 404, 429, 503]))
def test_no_answer_brings_the_client_down(
    rest: Scripted, cluster: KafkaRestCluster, link: KafkaRestLink, quick: None, answer: tuple[bytes, Ask], status: int
) -> None:
    body, ask = answer
    rest.says(Reply(status, body))
    try:
        ask(cluster, link)
        reaches(False)
    except (LinkUnavailable, LinkRejected) as error:
        reaches(True)
        assert CLUSTER in str(error) and error.cluster == CLUSTER


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60),
    kind=st.sampled_from(["application/json", "text/html", "x"]),
    status=st.integers(200, 599),
)
def test_no_rubbish_brings_the_client_down(
    rest: Scripted, link: KafkaRestLink, quick: None, body: bytes, kind: str, status: int
) -> None:
    rest.says(Reply(status if status not in (204, 304) else 200, body, kind))
    reaches(body)
    with pytest.raises((LinkUnavailable, LinkRejected)):
        link.mirrors()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.permutations(list(range(6))), told=st.integers(0, 6))
def test_no_partition_is_ever_lost_from_the_lag(
    rest: Scripted, link: KafkaRestLink, rows: list[int], told: int
) -> None:
    lags = [LAG | {"partition": number} for number in rows[:told]]
    rest.says(Reply(body={"data": [MIRROR | {"num_partitions": 6, "mirror_lags": lags}]}))
    found = link.mirrors()
    reaches(0 < told < 6)
    assert [lag.partition for lag in found[0].lags] == list(range(6))
    assert (trailing(found).unknown_partitions, trailing(found).records) == (6 - told, 7 * told)


def test_ten_thousand_mirrors_take_little_time_and_memory(rest: Scripted, link: KafkaRestLink) -> None:
    rows = [MIRROR | {"mirror_topic_name": f"a-topic-with-a-longer-name-{number}"} for number in range(10_000)]
    body = json.dumps({"metadata": {"next": None}, "data": rows}).encode()
    del rows
    rest.says(Reply(body=body))
    began = time.process_time()
    mirrors = link.mirrors()
    cpu_s = time.process_time() - began
    assert (len(mirrors), sum(len(mirror.lags) for mirror in mirrors)) == (10_000, 20_000)
    del mirrors
    tracemalloc.start()
    try:
        link.mirrors()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"10,000 mirrors in {len(body) / 2**20:.1f} MB: {cpu_s:.2f} s of CPU, {peak / 2**20:.0f} MB at most")
    assert cpu_s < 3 and peak < 80 * 2**20
