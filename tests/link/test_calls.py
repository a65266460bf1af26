"""How a cluster's REST API is called: what is repeated and what never is, how long it may take, what an error tells."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from failover.aws.secrets import OAuthClient
from failover.errors import LinkExists, LinkNotFound, LinkRejected, LinkUnavailable, LinkUncertain
from failover.link import http as calls
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from tests.link.conftest import CLUSTER, LINK, Asked, Clock, HeldSecret, Reply, Scripted

EMPTY = Reply(body={"data": []})
HTML_429 = Reply(429, b"<html><head><title>Error 429 Too Many Requests</title></head></html>", "text/html")
BUSY = [
    pytest.param(HTML_429, id="429 in HTML"),
    pytest.param(Reply(503, {"error_code": 50003, "message": "retry"}), id="503 in JSON"),
    pytest.param(Reply(502, b"<html>bad gateway</html>", "text/html"), id="502 of a proxy"),
    pytest.param(Reply(408, {"error_code": 408, "message": "timed out"}), id="408"),
    pytest.param(Reply(200, {"data": []}, cut=5), id="cut off in the middle"),
    pytest.param(Reply(200, b'{"data": [', "application/json"), id="half of the JSON"),
    pytest.param(Reply(200, b"<html>log in</html>", "text/html"), id="200 with a page"),
    pytest.param(Reply(200, {"error_code": 500, "message": "?"}), id="200 with an error body"),
    pytest.param(Reply(200, {"data": None}), id="200 without a list"),
]


def accepted(*topics: str) -> Reply:
    return Reply(body={"data": [{"mirror_topic_name": topic, "error_code": None} for topic in topics]})


@pytest.mark.parametrize("trouble", BUSY)
def test_a_read_is_repeated_twice_after_what_came_soon(rest: Scripted, link: KafkaRestLink, trouble: Reply) -> None:
    rest.says(trouble, trouble, EMPTY)
    assert link.mirrors() == []
    assert len(rest.asked) == 3


@pytest.mark.parametrize("trouble", BUSY)
def test_a_read_that_goes_on_failing_is_unavailable(rest: Scripted, link: KafkaRestLink, trouble: Reply) -> None:
    rest.says(trouble)
    with pytest.raises(LinkUnavailable) as error:
        link.mirrors()
    assert not isinstance(error.value, LinkUncertain)
    assert (error.value.cluster, error.value.link) == (CLUSTER, LINK)
    assert len(rest.asked) == 3


@pytest.mark.parametrize("trouble", BUSY)
def test_a_validation_is_repeated_as_a_read(rest: Scripted, link: KafkaRestLink, trouble: Reply) -> None:
    rest.says(trouble, accepted("orders"))
    assert link.fail_over(["orders"], validate_only=True) == []
    assert [each.query["validate_only"] for each in rest.asked] == ["true", "true"]


@pytest.mark.parametrize("trouble", BUSY[1:])
def test_a_verb_that_may_have_been_carried_out_is_never_repeated(
    rest: Scripted, link: KafkaRestLink, trouble: Reply
) -> None:
    rest.says(trouble, accepted("orders"))
    with pytest.raises(LinkUncertain, match="may have been carried out") as error:
        link.fail_over(["orders", "payments"])
    assert error.value.topics == ("orders", "payments")
    assert len(rest.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        *(
            pytest.param(lambda link, verb=verb: getattr(link, verb)(["orders"]), id=verb)
            for verb in (
                "fail_over",
                "promote",
                "pause",
                "resume",
                "reverse_and_start",
                "reverse_and_pause",
                "truncate_and_restore",
            )
        ),
        pytest.param(lambda link: link.create_mirror("orders"), id="create_mirror"),
        pytest.param(lambda link: link.set_config("acl.sync.enable", "true"), id="set_config"),
        pytest.param(lambda link: link.unset_config("acl.sync.enable"), id="unset_config"),
    ],
)
def test_whatever_changes_a_link_is_looked_after_and_asked_for_once(
    rest: Scripted, link: KafkaRestLink, change: Callable[[KafkaRestLink], Any]
) -> None:
    rest.says(Reply(503, {"error_code": 50003, "message": "retry"}))
    with pytest.raises(LinkUncertain, match="may have been carried out"):
        change(link)
    assert len(rest.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda cluster: cluster.delete_topic("orders"), id="delete_topic"),
        pytest.param(lambda cluster: cluster.create_link(LINK, "lkc-east01", {}), id="create_link"),
    ],
)
def test_whatever_changes_a_cluster_is_looked_after_and_asked_for_once(
    rest: Scripted, cluster: KafkaRestCluster, change: Callable[[KafkaRestCluster], Any]
) -> None:
    rest.says(Reply(503, {"error_code": 50003, "message": "retry"}))
    with pytest.raises(LinkUncertain, match="may have been carried out"):
        change(cluster)
    assert len(rest.asked) == 1


def test_a_verb_that_was_throttled_is_repeated(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(HTML_429, accepted("orders"))
    assert link.fail_over(["orders"]) == []
    assert len(rest.asked) == 2


def test_a_verb_that_found_nobody_is_repeated_and_certainly_not_carried_out(link: KafkaRestLink) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    nobody = KafkaRestLink(KafkaRestCluster(url, CLUSTER, None), LINK)
    with pytest.raises(LinkUnavailable, match=r"ConnectError.*region up") as error:
        nobody.fail_over(["orders"])
    assert not isinstance(error.value, LinkUncertain)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Reply(cut=1), r"PrivateLink, DNS\)\? It may have been carried out"),
        (Reply(503, {"error_code": 50003, "message": "retry"}), r"page may tell\. It may have been carried out"),
    ],
)
def test_what_is_uncertain_says_so_in_a_sentence_of_its_own(
    rest: Scripted, link: KafkaRestLink, trouble: Reply, said: str
) -> None:
    rest.says(trouble)
    with pytest.raises(LinkUncertain, match=said):
        link.fail_over(["orders"])


def look(cluster: KafkaRestCluster) -> str:
    """The id of the cluster that answers, asked on an event loop."""

    async def looked() -> str:
        async with httpx.AsyncClient() as client:
            return await cluster.look(client)

    return asyncio.run(looked())


@pytest.mark.parametrize("trouble", [HTML_429, Reply(503), Reply(cut=1), Reply(200, b"<html>log in</html>")])
def test_a_look_on_an_event_loop_is_repeated_twice_after_what_came_soon(
    rest: Scripted, cluster: KafkaRestCluster, monkeypatch: pytest.MonkeyPatch, trouble: Reply
) -> None:
    monkeypatch.setattr("failover.link.http.PAUSE_S", 0.0)
    rest.says(trouble, trouble, Reply(body={"cluster_id": "x"}))
    assert look(cluster) == "x" and len(rest.asked) == 3
    rest.says(trouble)
    with pytest.raises(LinkUnavailable) as error:
        look(cluster)
    assert (error.value.cluster, len(rest.asked)) == (CLUSTER, 6)


def test_a_look_on_an_event_loop_tells_what_a_cluster_refuses_and_who_is_not_there(
    rest: Scripted, cluster: KafkaRestCluster, secret: HeldSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.http.PAUSE_S", 0.0)
    rest.says(Reply(404, {"error_code": 404, "message": "no such cluster"}))
    with pytest.raises(LinkNotFound, match="no such cluster"):
        look(cluster)
    assert len(rest.asked) == 1
    with pytest.raises(LinkUnavailable, match="ConnectError"):
        look(KafkaRestCluster("http://127.0.0.1:9", CLUSTER, None))
    client = OAuthClient(client_id="c", client_secret="s", token_endpoint="http://127.0.0.1:9/token")
    secret.held = client
    with pytest.raises(LinkUnavailable, match=r"was not sent.*is the identity provider up"):
        look(cluster)
    assert len(rest.asked) == 1


def test_a_verb_finds_a_server_that_comes_back_between_two_attempts(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    def come_back() -> None:
        server = socket.create_server(("127.0.0.1", port))

        def answer() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(65536)
                body = b'{"data": [{"mirror_topic_name": "orders"}]}'
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

        threading.Thread(target=answer, daemon=True).start()

    clock.before_going_on = come_back
    cluster = KafkaRestCluster(f"http://127.0.0.1:{port}", CLUSTER, None)
    assert KafkaRestLink(cluster, LINK).fail_over(["orders"]) == []
    assert len(clock.pauses) == 1


def test_pauses_are_short_and_differ(rest: Scripted, link: KafkaRestLink, clock: Clock) -> None:
    rest.says(HTML_429)
    for _ in range(10):
        with pytest.raises(LinkUnavailable):
            link.mirrors()
    assert len(clock.pauses) == 10 * calls.REPEATS
    assert all(0 <= pause <= calls.PAUSE_S for pause in clock.pauses)
    assert len(set(clock.pauses)) > 5


def test_a_small_retry_after_is_honoured(rest: Scripted, link: KafkaRestLink, clock: Clock) -> None:
    rest.says(Reply(429, headers=(("retry-after", "0"),)), EMPTY)
    link.mirrors()
    assert len(rest.asked) == 2 and len(clock.pauses) == 1


@pytest.mark.parametrize("wait", ["1", "7", "Fri, 01 Jan 2106 00:00:00 GMT"])
def test_a_long_retry_after_is_left_to_the_state_machine(rest: Scripted, link: KafkaRestLink, wait: str) -> None:
    rest.says(Reply(503, headers=(("retry-after", wait),)))
    with pytest.raises(LinkUnavailable) as error:
        link.mirrors()
    assert len(rest.asked) == 1
    assert error.value.retry_after is not None and error.value.retry_after >= 1


@pytest.mark.parametrize("wait", ["soon", "Fri, 01 Jan 2106 00:00:00 +99999999999999999999"])
def test_nonsense_as_retry_after_is_no_obstacle(rest: Scripted, link: KafkaRestLink, wait: str) -> None:
    rest.says(Reply(429, headers=(("retry-after", wait),)), EMPTY)
    assert link.mirrors() == []


@pytest.mark.parametrize(("ahead_s", "least", "most"), [(3600, 3000, 3600), (-3600, 0, 0)])
def test_a_date_as_retry_after_is_so_many_seconds_from_now_and_none_once_it_is_over(
    rest: Scripted, link: KafkaRestLink, ahead_s: int, least: float, most: float
) -> None:
    rest.says(Reply(503, headers=(("retry-after", formatdate(time.time() + ahead_s, usegmt=True)),)))
    with pytest.raises(LinkUnavailable) as error:
        link.mirrors()
    assert error.value.retry_after is not None and least <= error.value.retry_after <= most


@pytest.mark.parametrize(("after_s", "repeated"), [(1.1, True), (1.3, False)])
def test_no_repeat_begins_later_than_a_second_and_a_half_after_the_first_attempt(
    rest: Scripted, link: KafkaRestLink, clock: Clock, monkeypatch: pytest.MonkeyPatch, after_s: float, repeated: bool
) -> None:
    monkeypatch.setattr("failover.link.http.random.uniform", lambda *_: calls.PAUSE_S)
    began = time.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: began + (after_s if rest.asked else 0.0))
    rest.says(HTML_429, EMPTY)
    if repeated:
        assert link.mirrors() == []
    else:
        with pytest.raises(LinkUnavailable):
            link.mirrors()
    assert len(rest.asked) == 1 + repeated


@pytest.mark.slow
def test_what_was_slow_is_not_repeated(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(seconds=4))
    began = time.monotonic()
    with pytest.raises(LinkUnavailable, match="ReadTimeout"):
        cluster.answers()
    assert time.monotonic() - began < 3.9
    assert len(rest.asked) == 1


@pytest.mark.slow
def test_an_answer_that_trickles_in_ends(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(body={"cluster_id": "x" * 100}, drip=0.1))
    began = time.monotonic()
    with pytest.raises(LinkUnavailable, match="not complete in time"):
        cluster.answers()
    assert time.monotonic() - began < 8


def test_an_answer_without_end_is_not_read_to_the_end(
    rest: Scripted, link: KafkaRestLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.link.http.LARGEST_BYTES", 1000)
    rest.says(Reply(body={"data": [{"mirror_topic_name": "x" * 2000}]}))
    with pytest.raises(LinkUnavailable, match="more than 1000 bytes"):
        link.mirrors()
    body = b'{"data": []}'
    rest.says(Reply(body=body + b" " * (1000 - len(body))))
    assert link.mirrors() == []
    rest.says(Reply(body=body + b" " * (1001 - len(body))))
    with pytest.raises(LinkUnavailable, match="more than 1000 bytes"):
        link.mirrors()


def test_connections_are_kept_and_given_up_after_a_long_freeze(
    rest: Scripted, link: KafkaRestLink, clock: Clock
) -> None:
    rest.says(EMPTY)
    for _ in range(3):
        link.mirrors()
    assert len({each.connection for each in rest.asked}) == 1
    clock.ahead = calls.IDLE_S + 1
    link.mirrors()
    assert len({each.connection for each in rest.asked}) == 2


def test_many_threads_share_one_client(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(lambda asked: accepted(*asked.json()["mirror_topic_names"]))
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(10):
            wrong.extend(link.fail_over([f"topic-{number}-{turn}"]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(rest.asked) == 80


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (400, LinkRejected, "see the message"),
        (401, LinkRejected, "resource API key of this very cluster"),
        (403, LinkRejected, "CloudClusterAdmin"),
        (404, LinkNotFound, "cluster_id and links of the plan"),
        (405, LinkRejected, "does not take this call"),
        (409, LinkExists, "there already"),
        (413, LinkRejected, "fewer topics at a time"),
        (302, LinkRejected, "see the message"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(
    rest: Scripted, link: KafkaRestLink, status: int, kind: type[Exception], remedy: str
) -> None:
    rest.says(Reply(status, {"error_code": status * 100 + 1, "message": "because\nof this"}))
    with pytest.raises(LinkRejected, match=remedy) as error:
        link.fail_over(["orders"])
    assert type(error.value) is kind
    assert "because of this" in str(error.value) and CLUSTER in str(error.value) and LINK in str(error.value)
    assert (error.value.status, error.value.code, error.value.topics) == (status, status * 100 + 1, ("orders",))
    assert len(rest.asked) == 1


def test_an_error_names_a_few_of_many_topics(rest: Scripted, link: KafkaRestLink) -> None:
    rest.says(Reply(400, {"error_code": 400, "message": "no"}))
    with pytest.raises(LinkRejected, match=r"for t0, t1, t2, … 250 in all answered 400") as error:
        link.fail_over([f"t{number}" for number in range(250)])
    assert len(str(error.value)) < 400


def test_no_error_repeats_what_was_secret_in_the_request(
    rest: Scripted, cluster: KafkaRestCluster, secret: HeldSecret
) -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(400, {"error_code": 40002, "message": f"{asked.headers['authorization']} {asked.body.decode()}"})

    rest.says(echo)
    jaas = "org.apache.kafka…PlainLoginModule required username='K' password='pa55';"
    with pytest.raises(LinkRejected) as error:
        cluster.create_link("new", "lkc-east01", {"sasl.jaas.config": jaas})
    basic = rest.asked[0].headers["authorization"].removeprefix("Basic ")
    assert jaas not in str(error.value) and basic not in str(error.value) and "***" in str(error.value)
    assert rest.asked[0].json()["configs"] == [{"name": "sasl.jaas.config", "value": jaas}]


def test_names_are_quoted_into_the_path(rest: Scripted, cluster: KafkaRestCluster) -> None:
    rest.says(Reply(body={"mirror_topic_name": "a/b c"}))
    KafkaRestLink(cluster, "l/1?").mirror("a/b c")
    assert rest.asked[0].path == f"/kafka/v3/clusters/{CLUSTER}/links/l%2F1%3F/mirrors/a%2Fb%20c"
