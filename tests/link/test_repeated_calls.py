"""When a call is repeated, how long it may take, and how many bytes, pages and connections it may: at each boundary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from failover.aws.secrets import OAuthClient
from failover.errors import LinkNotFound, LinkRejected, LinkUnavailable, LinkUncertain
from failover.link import http as calls
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.link.conftest import CLUSTER, LINK, Clock, HeldSecret, Reply, Scripted

EMPTY = Reply(body={"data": []})
BUSY = Reply(503, {"error_code": 50003, "message": "retry"})
THROTTLED = Reply(429, b"<html><title>Too Many Requests</title>", "text/html")
ACCEPTED = Reply(body={"data": [{"mirror_topic_name": "orders"}]})
NOT_DONE_OR_NOT_KNOWN = [
    BUSY,
    THROTTLED,
    Reply(200, {"data": []}, cut=5),
    Reply(200, b'{"data": ['),
    Reply(200, b"<html>log in</html>", "text/html"),
    Reply(200, {"error_code": 500, "message": "?"}),
]


@pytest.fixture(autouse=True)
def clock(clock: Clock) -> Clock:
    """Nothing waits here."""
    return clock


@pytest.mark.parametrize("trouble", NOT_DONE_OR_NOT_KNOWN)
def test_a_read_is_asked_three_times_at_most(rest: Scripted, link: KafkaRestLink, trouble: Reply) -> None:
    rest.says(trouble, trouble, EMPTY)
    assert link.mirrors() == [] and len(rest.asked) == 3
    rest.says(trouble)
    with pytest.raises(LinkUnavailable) as error:
        link.mirrors()
    assert (error.value.cluster, error.value.link, len(rest.asked)) == (CLUSTER, LINK, 6)
    assert not isinstance(error.value, LinkUncertain)


@pytest.mark.parametrize("trouble", [trouble for trouble in NOT_DONE_OR_NOT_KNOWN if trouble is not THROTTLED])
def test_a_change_that_may_have_been_made_is_asked_for_once(
    rest: Scripted, link: KafkaRestLink, trouble: Reply
) -> None:
    rest.says(trouble, ACCEPTED)
    with pytest.raises(LinkUncertain) as error:
        link.fail_over(["orders"])
    assert (error.value.topics, len(rest.asked)) == (("orders",), 1)


def test_a_change_that_was_certainly_not_made_is_asked_for_again(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(THROTTLED, ACCEPTED)
    assert link.fail_over(["orders"]) == [] and len(rest.asked) == 2


@pytest.mark.parametrize("bound", [min, max])
def test_a_pause_is_of_any_length_up_to_the_longest(
    rest: Scripted,
    link: KafkaRestLink,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    bound: Callable[[float, float], float],
) -> None:
    monkeypatch.setattr("failover.link.http.random.uniform", bound)
    rest.says(BUSY)
    with pytest.raises(LinkUnavailable):
        link.mirrors()
    assert clock.pauses == [bound(0, calls.PAUSE_S)] * 2


@pytest.mark.parametrize(("header", "asked"), [("0", 3), ("1", 1)])
def test_who_wants_to_be_left_alone_for_long_is_not_asked_again(
    rest: Scripted, link: KafkaRestLink, header: str, asked: int
) -> None:
    rest.says(Reply(503, headers=(("retry-after", header),)))
    with pytest.raises(LinkUnavailable) as error:
        link.mirrors()
    assert (error.value.retry_after, len(rest.asked)) == (float(header), asked)


@pytest.mark.parametrize(("after_s", "asked"), [(1.0, 2), (1.25, 1)])
def test_a_repeat_begins_sooner_than_a_second_and_a_half_after_the_first_attempt(
    rest: Scripted, link: KafkaRestLink, clock: Clock, monkeypatch: pytest.MonkeyPatch, after_s: float, asked: int
) -> None:
    monkeypatch.setattr("failover.link.http.random.uniform", lambda *_: 0.25)
    monkeypatch.setattr(clock, "monotonic", lambda: 1024.0 + (after_s if rest.asked else 0.0))
    rest.says(BUSY, EMPTY)
    if asked == 1:
        with pytest.raises(LinkUnavailable):
            link.mirrors()
    else:
        link.mirrors()
    assert len(rest.asked) == asked


def test_a_call_ends_when_its_time_is_over(
    rest: Scripted, cluster: KafkaRestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.kafka_rest.PROBE_S", 0.1)
    monkeypatch.setattr("failover.link.http.REPEATS", 0)
    rest.says(Reply(body={"cluster_id": CLUSTER}, seconds=0.25))
    with pytest.raises(LinkUnavailable, match="got no answer"):
        cluster.answers()


def test_a_repeat_that_begins_once_the_time_is_over_ends_as_what_took_too_long(
    rest: Scripted, link: KafkaRestLink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container stood still as it paused."""
    monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + 60.0 * bool(clock.pauses))
    rest.says(BUSY, EMPTY)
    with pytest.raises(LinkUnavailable, match="not complete in time, after 12 bytes"):
        link.mirrors()
    assert len(rest.asked) == 2


def test_connections_are_given_up_once_they_were_unused_for_longer_than_a_nat_remembers(
    rest: Scripted, link: KafkaRestLink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "time", lambda: 1000.0 + clock.ahead)
    rest.says(EMPTY)
    for ahead, connections in ((0, 1), (0, 1), (calls.IDLE_S, 1), (2 * calls.IDLE_S, 1), (3 * calls.IDLE_S + 1, 2)):
        clock.ahead = ahead
        link.mirrors()
        assert len({asked.connection for asked in rest.asked}) == connections, ahead


@pytest.mark.parametrize(("size", "read"), [(1000, True), (1001, False)])
def test_no_more_bytes_are_read_than_a_function_has_room_for(
    rest: Scripted, link: KafkaRestLink, monkeypatch: pytest.MonkeyPatch, size: int, read: bool
) -> None:
    monkeypatch.setattr("failover.link.http.LARGEST_BYTES", 1000)
    rest.says(Reply(body=b'{"data": []}'.ljust(size)))
    if read:
        assert link.mirrors() == []
    else:
        with pytest.raises(LinkUnavailable, match="more than 1000 bytes"):
            link.mirrors()


def page(topic: str, following: str | None) -> Reply:
    return Reply(body={"metadata": {"next": following}, "data": [{"mirror_topic_name": topic}]})


def test_a_list_in_pages_is_read_to_its_last(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(page("a", "https://x/mirrors?page_token=1%2F2"), page("b", None))
    assert [mirror.topic for mirror in link.mirrors()] == ["a", "b"]
    assert [asked.query for asked in rest.asked] == [{}, {"page_token": "1/2"}]


def test_a_list_without_a_last_page_is_none(
    rest: Scripted, link: KafkaRestLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.http._PAGES_AT_MOST", 3)
    rest.says(page("a", "https://x/mirrors?page_token=1"))
    with pytest.raises(LinkUnavailable, match="has no last page") as error:
        link.mirrors()
    assert (error.value.cluster, error.value.link, len(rest.asked)) == (CLUSTER, LINK, 3)


def look(cluster: KafkaRestCluster) -> str:
    """The id of the cluster that answers, asked on an event loop."""

    async def looked() -> str:
        async with httpx.AsyncClient(verify=False) as client:
            return await cluster.look(client)

    return asyncio.run(looked())


def test_a_look_on_an_event_loop_asks_three_times_at_most(
    rest: Scripted, cluster: KafkaRestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.http.PAUSE_S", 0.0)
    rest.says(BUSY, Reply(cut=1), Reply(body={"cluster_id": "x"}))
    assert look(cluster) == "x" and len(rest.asked) == 3
    assert {asked.path for asked in rest.asked} == {f"/kafka/v3/clusters/{CLUSTER}"}
    rest.says(BUSY)
    with pytest.raises(LinkUnavailable):
        look(cluster)
    assert len(rest.asked) == 6


def test_a_look_on_an_event_loop_tells_a_refusal_and_a_token_that_does_not_come(
    rest: Scripted, cluster: KafkaRestCluster, secret: HeldSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.http.PAUSE_S", 0.0)
    rest.says(Reply(404, {"error_code": 404, "message": "no such cluster"}))
    with pytest.raises(LinkNotFound, match="no such cluster"):
        look(cluster)
    rest.says(Reply(401, {"error": "invalid_client"}))
    secret.held = OAuthClient(client_id="c", client_secret="s", token_endpoint=f"{rest.url}/token")
    with pytest.raises(LinkRejected, match=r"was not sent: .* 401 invalid_client"):
        look(cluster)
