"""What the rows of Cluster Linking's REST API are read as; what a verb for many mirrors comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from failover.errors import LinkUnavailable
from failover.link import (
    Acl,
    Group,
    GroupOffset,
    LinkFacts,
    Mirror,
    MirrorLink,
    PartitionLag,
    Rejection,
    Task,
    Topic,
    Truncation,
    is_bidirectional,
    trailing,
)
from failover.link.batches import Answers, ask_in_batches
from failover.link.schemas import AclRow, AlteredRow, GroupLagRow, GroupRow, LinkRow, MirrorRow, TaskRow, TopicRow

NAME = {"mirror_topic_name": "orders"}
OF_GROUP = {"topic_name": "orders", "partition_id": 0, "log_end_offset": 9}
OF_ACL = {
    "resource_type": "TOPIC",
    "resource_name": "orders",
    "pattern_type": "LITERAL",
    "principal": "User:a",
    "operation": "READ",
    "permission": "ALLOW",
}
REJECTED = {"error_code": 400, "error_message": "no"}


def row_of(shape: Any, **fields: Any) -> Any:
    return TypeAdapter(shape).validate_python(fields)


def acl(host: str) -> Acl:
    return Acl(**OF_ACL, host=host)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (row_of(TaskRow, task_name="AclSync"), Task("AclSync", "UNKNOWN")),
        (
            row_of(TaskRow, task_name="AclSync", state="IN_ERROR", errors=[{"error_code": "E", "error_message": "m"}]),
            Task("AclSync", "IN_ERROR", ("E m",)),
        ),
        (
            row_of(TaskRow, task_name="AclSync", state="ACTIVE", errors=[{"error_code": 7}]),
            Task("AclSync", "ACTIVE", ("7",)),
        ),
        (row_of(TopicRow, topic_name="orders"), Topic("orders", 0)),
        (
            row_of(TopicRow, topic_name="orders", partitions_count=4, is_internal=True),
            Topic("orders", 4, internal=True),
        ),
        (row_of(GroupRow, consumer_group_id="g"), Group("g", "UNKNOWN")),
        (row_of(GroupRow, consumer_group_id="g", state="EMPTY"), Group("g", "EMPTY")),
        (
            row_of(GroupLagRow, **OF_GROUP, current_offset=0),
            GroupOffset(topic="orders", partition=0, committed=0, log_end=9),
        ),
        (row_of(GroupLagRow, **OF_GROUP, current_offset=-1), None),
        (row_of(GroupLagRow, **OF_GROUP), None),
        (row_of(AclRow, **OF_ACL), acl("*")),
        (row_of(AclRow, **OF_ACL, host="10.0.0.1"), acl("10.0.0.1")),
        (
            row_of(LinkRow, link_name="l", link_error="TIMEOUT_ERROR", remote_cluster_id="lkc-1", cluster_link_id="id"),
            LinkFacts(name="l", state=None, error="TIMEOUT_ERROR", remote_cluster_id="lkc-1", id="id"),
        ),
        (
            row_of(LinkRow, link_name="l", link_error="E", link_error_message="why", destination_cluster_id="lkc-2"),
            LinkFacts(name="l", state=None, error="E why", remote_cluster_id="lkc-2"),
        ),
        (
            row_of(LinkRow, link_name="l", link_state="ACTIVE", source_cluster_id="lkc-3", tasks=[{"task_name": "t"}]),
            LinkFacts(name="l", state="ACTIVE", error=None, remote_cluster_id="lkc-3", tasks=(Task("t", "UNKNOWN"),)),
        ),
        (
            row_of(MirrorRow, **NAME, mirror_state_transition_errors=[{"error_code": "E", "error_message": "m"}, {}]),
            Mirror(topic="orders", status="UNKNOWN", transition_errors=("E m", "")),
        ),
    ],
)
def test_a_row_is_read_with_what_it_leaves_out_as_unknown(row: Any, what: object) -> None:
    assert row.read() == what


@pytest.mark.parametrize(
    ("row", "rejection"),
    [
        ({}, None),
        ({"error_code": 0, "error_message": ""}, None),
        ({"error_code": 400}, Rejection("orders", 400, "")),
        ({"error_message": "no"}, Rejection("orders", 0, "no")),
        (REJECTED, Rejection("orders", 400, "no")),
    ],
)
def test_a_row_that_says_anything_against_it_is_a_refusal(row: dict[str, Any], rejection: Rejection | None) -> None:
    altered = row_of(AlteredRow, **NAME, **row)
    assert altered.rejection() == rejection
    assert altered.truncation() == Truncation(topic="orders", messages=None, rejection=rejection)


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [
        (0, True),
        (408, True),
        (40801, True),
        (429, True),
        (42901, True),
        (500, True),
        (50003, True),
        (400, False),
        (40301, False),
        (404, False),
    ],
)
def test_a_refusal_may_pass_by_the_first_three_digits_of_its_code(code: int, may_pass: bool) -> None:
    assert Rejection("orders", code, "why").may_pass is may_pass


@pytest.mark.parametrize(
    ("partitions", "known"), [(0, True), (1, True), (1_000_000, True), (-1, False), (1_000_001, False)]
)
def test_a_number_of_partitions_beyond_any_cluster_is_no_answer(partitions: int, known: bool) -> None:
    if known:
        assert row_of(TopicRow, topic_name="orders", partitions_count=partitions).read().partitions == partitions
        return
    for shape, field in ((TopicRow, "partitions_count"), (MirrorRow, "num_partitions")):
        with pytest.raises(ValidationError):
            row_of(shape, **{field: partitions}, topic_name="orders", **NAME)


def test_a_partition_is_told_of_once_whatever_rows_there_are() -> None:
    lags = [
        {"partition": number, "lag": lag, "last_source_fetch_offset": 9} for number, lag in ((2, 5), (2, 6), (0, 1))
    ]
    mirror = row_of(MirrorRow, **NAME, num_partitions=3, mirror_lags=lags).read()
    assert mirror.lags == (PartitionLag(0, 1, 9), PartitionLag(1, None), PartitionLag(2, 6, 9))
    assert row_of(MirrorRow, **NAME, mirror_lags=lags[2:]).read().lags == (PartitionLag(0, 1, 9),)


def test_no_mirror_trails_by_nothing() -> None:
    found = trailing([])
    assert (found.mirrors, found.partitions, found.total_records, found.largest) == (0, 0, 0, 0)
    unknown = trailing([Mirror(topic="orders", status="ACTIVE", lags=(PartitionLag(0, None), PartitionLag(1, 3, 9)))])
    assert (unknown.unknown_partitions, unknown.records, unknown.total_records, unknown.largest) == (1, 3, None, 3)


@dataclass(frozen=True)
class Link:
    """One that is only asked by name, and for its mode."""

    name: str
    mode: str | None = None

    def configs(self) -> dict[str, str | None]:
        return {"link.mode": self.mode} if self.mode else {}


@pytest.mark.parametrize(("mode", "reversible"), [("BIDIRECTIONAL", True), ("DESTINATION", False), (None, False)])
def test_the_mirrors_of_a_bidirectional_link_alone_can_be_reversed(mode: str | None, reversible: bool) -> None:
    link: Any = Link("a", mode)
    assert is_bidirectional(link) is reversible


def asked(topics: dict[str, list[str]], refuse: Any, **more: int) -> tuple[Answers, list[tuple[str, list[str]]]]:
    """What asking came to, and which batches were asked for."""
    batches: list[tuple[str, list[str]]] = []

    def verb(link: MirrorLink, of_link: Sequence[str]) -> list[Rejection]:
        batches.append((link.name, list(of_link)))
        return list(refuse(link.name, of_link))

    by_link: Any = {Link(name): of_link for name, of_link in topics.items()}
    return ask_in_batches(by_link, verb, **more), sorted(batches)


def test_every_mirror_is_asked_for_once_in_a_batch_of_its_link() -> None:
    topics = {"a": ["t0", "t1", "t2"], "b": ["t3"], "c": []}
    answers, batches = asked(topics, lambda *_: [], batch_of=2)
    assert batches == [("a", ["t0", "t1"]), ("a", ["t2"]), ("b", ["t3"])]
    assert answers == Answers(requested=4, rejected=(), unanswered=(), retry_after=0.0)


def test_a_batch_without_an_answer_says_why_and_for_how_long_to_let_the_server_be() -> None:
    def trouble(link: str, topics: Sequence[str]) -> list[Rejection]:
        if link != "a":
            raise LinkUnavailable(f"{link} is busy", retry_after={"b": 7.0, "c": None}[link])
        return [Rejection("t0", 400, "no")]

    answers, _ = asked({"a": ["t0"], "b": ["t1"], "c": ["t2"]}, trouble)
    assert (answers.rejected, answers.retry_after) == ((Rejection("t0", 400, "no"),), 7.0)
    assert sorted(answers.unanswered) == ["b is busy", "c is busy"]
    assert asked({"c": ["t2"]}, trouble)[0].retry_after == 0.0


def test_what_crawls_is_left_to_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((100.0, 106.0, 106.1))
    monkeypatch.setattr("failover.link.batches.SIDE_BY_SIDE", 1)
    monkeypatch.setattr("failover.link.batches.time.monotonic", lambda: next(now))
    answers, batches = asked({"a": ["t0", "t1"]}, lambda *_: [], batch_of=1)
    assert batches == [("a", ["t0"])] and answers.unanswered == ("not asked in this call",)


@pytest.mark.parametrize(
    ("requested", "codes", "unanswered", "refused"),
    [
        (2, (400, 403), (), True),
        (2, (400,), (), False),
        (2, (400, 50003), (), False),
        (2, (400, 403), ("busy",), False),
        (0, (), (), False),
    ],
)
def test_all_is_refused_only_where_every_mirror_is_for_good(
    requested: int, codes: tuple[int, ...], unanswered: tuple[str, ...], refused: bool
) -> None:
    rejected = tuple(Rejection(f"t{number}", code, "no") for number, code in enumerate(codes))
    answers = Answers(requested=requested, rejected=rejected, unanswered=unanswered, retry_after=0.0)
    assert answers.all_refused is refused
