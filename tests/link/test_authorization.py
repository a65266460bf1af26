"""Who asks: an API key or an OAuth client, of a secret that may be rotated at any time; and none of it is ever told."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx
import pytest

from failover.aws.secrets import ApiKey, Credentials, OAuthClient
from failover.errors import LinkRejected, LinkUnavailable, LinkUncertain
from failover.link import oauth
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from failover.link.oauth import NoToken, Tokens
from tests.link.conftest import CLUSTER, LINK, Asked, HeldSecret, Reply, Scripted

UNAUTHORIZED = Reply(401, {"error_code": 40101, "message": "Authentication failed"})
EMPTY = Reply(body={"data": []})


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


@pytest.fixture
def provider(scripted: Callable[[], Scripted]) -> Scripted:
    """An identity provider whose tokens are numbered."""
    server = scripted()
    server.says(lambda _: token(f"token-{len(server.asked)}"))
    oauth.tokens.cache_clear()
    return server


def token(value: str, **more: object) -> Reply:
    return Reply(body={"access_token": value, "token_type": "Bearer", "expires_in": 3600} | more)


@pytest.fixture
def client(provider: Scripted) -> OAuthClient:
    return OAuthClient(
        client_id="the-client",
        client_secret="cl13nt-s3cr3t",
        token_endpoint=f"{provider.url}/token",
        scope="kafka",
        logical_cluster="lkc-west01",
        identity_pool_id="pool-1",
    )


@pytest.fixture
def secret(client: OAuthClient) -> HeldSecret:
    return HeldSecret(client)


def test_an_api_key_is_sent_as_basic(rest: Scripted) -> None:
    rest.says(Reply(body={"cluster_id": "x"}))
    KafkaRestCluster(rest.url, CLUSTER, HeldSecret(ApiKey("KÉY", "p:w"))).answers()  # type: ignore[arg-type]
    assert rest.asked[0].headers["authorization"] == basic("KÉY", "p:w")


def test_a_look_on_an_event_loop_asks_again_with_the_key_of_now(rest: Scripted) -> None:
    rest.says(Reply(401), Reply(body={"cluster_id": "x"}))
    rotated = HeldSecret(ApiKey("KEY", "old"), now=ApiKey("KEY", "new"))

    async def look() -> str:
        async with httpx.AsyncClient() as client:
            return await KafkaRestCluster(rest.url, CLUSTER, rotated).look(client)  # type: ignore[arg-type]

    assert asyncio.run(look()) == "x"
    assert [asked.headers["authorization"] for asked in rest.asked] == [basic("KEY", "old"), basic("KEY", "new")]


@dataclass
class Watched(HeldSecret):
    """A secret that notes which thread waits for it."""

    threads: list[threading.Thread] = field(default_factory=list)

    def read(self) -> Credentials:
        self.threads.append(threading.current_thread())
        return super().read()

    def read_anew(self) -> Credentials:
        self.threads.append(threading.current_thread())
        return super().read_anew()


def test_no_secret_and_no_token_that_is_not_at_hand_holds_an_event_loop_up(rest: Scripted, client: OAuthClient) -> None:
    rest.says(Reply(401), Reply(body={"cluster_id": "x"}))
    key, of_client = Watched(ApiKey("KEY", "old"), now=ApiKey("KEY", "new")), Watched(client)

    async def look(secret: Watched) -> None:
        async with httpx.AsyncClient() as http:
            await KafkaRestCluster(rest.url, CLUSTER, secret).look(http)  # type: ignore[arg-type]

    for secret in (key, of_client):
        asyncio.run(look(secret))
    here = threading.current_thread()
    assert [thread is here for thread in key.threads] == [True, False], "a key that is at hand needs no other thread"
    assert [thread is here for thread in of_client.threads] == [False]


def test_a_token_is_got_as_librdkafka_gets_it_and_sent_with_the_pool(
    rest: Scripted, provider: Scripted, link: KafkaRestLink
) -> None:
    rest.says(EMPTY)
    link.mirrors()
    (asked,) = provider.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["authorization"] == basic("the-client", "cl13nt-s3cr3t")
    assert asked.body == b"grant_type=client_credentials&scope=kafka"
    assert rest.asked[0].headers["authorization"] == "Bearer token-1"
    assert rest.asked[0].headers["confluent-identity-pool-id"] == "pool-1"


def test_a_token_is_kept(rest: Scripted, provider: Scripted, link: KafkaRestLink) -> None:
    rest.says(EMPTY)
    for _ in range(5):
        link.mirrors()
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("life", "kept_s"), [(3600, 3540), (90, 45), (10, 5), (1, 0.5), (None, 240)])
def test_a_token_is_renewed_shortly_before_it_expires(
    provider: Scripted, client: OAuthClient, monkeypatch: pytest.MonkeyPatch, life: int | None, kept_s: float
) -> None:
    now = time.time()
    monkeypatch.setattr("failover.link.oauth.time.time", lambda: now)
    provider.says(lambda _: token(f"token-{len(provider.asked)}", expires_in=life))
    tokens = Tokens()
    assert tokens.of(client) == "token-1"
    monkeypatch.setattr("failover.link.oauth.time.time", lambda: now + kept_s - 1)
    assert tokens.of(client) == "token-1"
    monkeypatch.setattr("failover.link.oauth.time.time", lambda: now + kept_s + 1)
    assert tokens.of(client) == "token-2"


def test_a_token_outlives_its_provider_until_it_expires(
    provider: Scripted, client: OAuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    tokens = Tokens()
    assert tokens.of(client) == "token-1"
    provider.says(Reply(503, b"<html>", "text/html"))
    monkeypatch.setattr("failover.link.oauth.time.time", lambda: now + 3590)
    assert [tokens.of(client) for _ in range(5)] == ["token-1"] * 5
    assert len(provider.asked) == 2, "a provider in trouble is not asked for every call"
    monkeypatch.setattr("failover.link.oauth.time.time", lambda: now + 3601)
    with pytest.raises(NoToken):
        tokens.of(client)


def test_concurrent_callers_share_one_token(rest: Scripted, provider: Scripted, link: KafkaRestLink) -> None:
    provider.says(Reply(body={"access_token": "token-1"}, seconds=0.3))
    rest.says(EMPTY)
    threads = [threading.Thread(target=link.mirrors) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(provider.asked) == 1
    assert [each.headers["authorization"] for each in rest.asked] == ["Bearer token-1"] * 12


def test_concurrent_callers_share_one_failure(provider: Scripted, client: OAuthClient) -> None:
    provider.says(Reply(503, seconds=0.3))
    tokens, failures = Tokens(), list[NoToken]()

    def ask() -> None:
        try:
            tokens.of(client)
        except NoToken as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 8 and len(provider.asked) == 1
    provider.says(token("after"))
    assert tokens.of(client) == "after"


def test_a_401_renews_the_token_once(rest: Scripted, provider: Scripted, link: KafkaRestLink) -> None:
    rest.says(UNAUTHORIZED, EMPTY)
    assert link.mirrors() == []
    assert [each.headers["authorization"] for each in rest.asked] == ["Bearer token-1", "Bearer token-2"]
    rest.says(UNAUTHORIZED)
    with pytest.raises(LinkRejected, match="identity pool admits"):
        link.mirrors()
    assert len(provider.asked) == 3


def test_a_verb_answered_401_is_sent_once_more_since_it_was_not_carried_out(
    rest: Scripted, provider: Scripted, link: KafkaRestLink
) -> None:
    rest.says(UNAUTHORIZED, Reply(body={"data": [{"mirror_topic_name": "orders"}]}))
    assert link.fail_over(["orders"]) == []
    assert [each.json() for each in rest.asked] == [{"mirror_topic_names": ["orders"]}] * 2


def test_callers_refused_with_the_same_token_share_the_next(
    rest: Scripted, provider: Scripted, link: KafkaRestLink
) -> None:
    together = threading.Barrier(6)

    def hold(asked: Asked) -> Reply:
        if asked.headers["authorization"] != "Bearer token-1":
            return EMPTY
        together.wait(10)
        return UNAUTHORIZED

    rest.says(hold)
    threads = [threading.Thread(target=link.mirrors) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(provider.asked) == 2 and len(rest.asked) == 12


def test_a_rotated_api_key_is_read_anew_after_a_401(rest: Scripted) -> None:
    secret = HeldSecret(ApiKey("OLD", "old"), ApiKey("NEW", "new"))
    rest.says(lambda asked: EMPTY if asked.headers["authorization"] == basic("NEW", "new") else UNAUTHORIZED)
    link = KafkaRestLink(KafkaRestCluster(rest.url, CLUSTER, secret), LINK)  # type: ignore[arg-type]
    assert link.mirrors() == [] and link.mirrors() == []
    assert secret.read_anew_times == 1 and len(rest.asked) == 3


def test_a_key_that_is_wrong_and_unchanged_is_not_tried_again(rest: Scripted) -> None:
    secret = HeldSecret(ApiKey("KEY", "wrong"))
    rest.says(UNAUTHORIZED)
    link = KafkaRestLink(KafkaRestCluster(rest.url, CLUSTER, secret), LINK)  # type: ignore[arg-type]
    with pytest.raises(LinkRejected):
        link.mirrors()
    assert len(rest.asked) == 1 and secret.read_anew_times == 1


def test_a_secret_may_change_from_key_to_client_and_back(rest: Scripted, client: OAuthClient) -> None:
    secret = HeldSecret(ApiKey("OLD", "old"), client)
    link = KafkaRestLink(KafkaRestCluster(rest.url, CLUSTER, secret), LINK)  # type: ignore[arg-type]
    rest.says(UNAUTHORIZED, EMPTY)
    link.mirrors()
    assert rest.asked[-1].headers["authorization"] == "Bearer token-1"
    secret.now = ApiKey("NEW", "new")
    rest.says(UNAUTHORIZED, EMPTY)
    link.mirrors()
    assert rest.asked[-1].headers["authorization"] == basic("NEW", "new")
    assert "confluent-identity-pool-id" not in rest.asked[-1].headers


def test_a_rotated_client_secret_is_read_anew_when_its_provider_refuses_the_old(
    rest: Scripted, provider: Scripted, client: OAuthClient, secret: HeldSecret, link: KafkaRestLink
) -> None:
    secret.now = replace(client, client_secret="rotated")

    def only_the_new(asked: Asked) -> Reply:
        known = asked.headers["authorization"] == basic("the-client", "rotated")
        return token("token-new") if known else Reply(401, {"error": "invalid_client"})

    provider.says(only_the_new)
    rest.says(EMPTY)
    assert link.mirrors() == []
    assert [each.headers["authorization"] for each in rest.asked] == ["Bearer token-new"]


def test_a_client_that_its_provider_refuses_is_rejected_with_what_was_said(
    rest: Scripted, provider: Scripted, link: KafkaRestLink
) -> None:
    provider.says(Reply(400, {"error": "invalid_scope", "error_description": "no scope kafka"}))
    with pytest.raises(LinkRejected, match=r"was not sent: token endpoint .*the-client no token: 400 invalid_scope no"):
        link.fail_over(["orders"])
    assert rest.asked == [] and len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reply(500, b"<html>", "text/html"), id="500"),
        pytest.param(Reply(408), id="408"),
        pytest.param(Reply(425), id="425"),
        pytest.param(Reply(429), id="429"),
        pytest.param(Reply(200, b"<html>sign in</html>", "text/html"), id="a page"),
        pytest.param(Reply(200, {"access_token": None}), id="no token"),
        pytest.param(Reply(200, {"access_token": "two words\n"}), id="no header value"),
        pytest.param(Reply(200, {"access_token": "x", "expires_in": -1}), id="expired"),
        pytest.param(Reply(200, {"access_token": "x", "expires_in": 0}), id="expires at once"),
        pytest.param(Reply(200, {"access_token": "x"}, cut=4), id="cut off"),
    ],
)
def test_a_provider_in_trouble_is_unavailable_and_nothing_was_sent(
    rest: Scripted, provider: Scripted, link: KafkaRestLink, answer: Reply
) -> None:
    provider.says(answer)
    with pytest.raises(LinkUnavailable, match="identity provider up") as error:
        link.fail_over(["orders"])
    assert not isinstance(error.value, LinkUncertain) and error.value.cluster == CLUSTER
    assert rest.asked == []


def test_a_provider_that_is_gone_is_unavailable(rest: Scripted, client: OAuthClient) -> None:
    secret = HeldSecret(replace(client, token_endpoint="http://127.0.0.1:9/token"))
    with pytest.raises(LinkUnavailable, match="ConnectError"):
        KafkaRestCluster(rest.url, CLUSTER, secret).answers()  # type: ignore[arg-type]


def test_no_secret_and_no_token_is_in_any_error_log_or_representation(
    rest: Scripted,
    provider: Scripted,
    client: OAuthClient,
    link: KafkaRestLink,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    hidden = ["cl13nt-s3cr3t", "token-1", "token-2", basic("the-client", "cl13nt-s3cr3t").removeprefix("Basic ")]
    told = [repr(client), repr(oauth.Token("token-1", 0, 0)), repr(ApiKey("KEY", "cl13nt-s3cr3t")), repr(link)]
    rest.says(lambda asked: Reply(403, {"error_code": 40301, "message": f"who is {asked.headers['authorization']}"}))
    with pytest.raises(LinkRejected) as refused:
        link.mirrors()
    oauth.tokens.cache_clear()
    provider.says(Reply(401, {"error": "invalid_client", "error_description": "cl13nt-s3cr3t is wrong"}))
    with pytest.raises(LinkRejected) as unknown:
        link.mirrors()
    for error in (refused.value, unknown.value):
        cause: BaseException | None = error
        while cause is not None:
            told += [str(cause), repr(cause), *map(str, getattr(cause, "__notes__", []))]
            cause = cause.__cause__
    told += [record.getMessage() for record in caplog.records]
    assert [text for text in told for word in hidden if word in text] == []
    assert "***" in str(refused.value) and "***" in str(unknown.value)
