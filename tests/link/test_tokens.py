"""A token: for how long it is kept, who is refused one, and what becomes of it while its endpoint is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.secrets import OAuthClient
from failover.link.oauth import ASK_AGAIN_S, NoToken, Tokens
from tests.link.conftest import Reply, Scripted

NOW = 1_900_000_000.0
AWAY = Reply(503, b"<html>", "text/html")


class Moment:
    """What the client takes for the wall clock."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Moment:
    moment = Moment()
    monkeypatch.setattr("failover.link.oauth.time", moment)
    return moment


@pytest.fixture
def provider(scripted: Callable[[], Scripted], moment: Moment) -> Scripted:
    """An identity provider whose tokens are numbered, and live for an hour."""
    server = scripted()
    server.says(numbered(server))
    return server


def numbered(server: Scripted, **more: Any) -> Callable[[object], Reply]:
    return lambda _: Reply(body={"access_token": f"token-{len(server.asked)}", "expires_in": 3600} | more)


@pytest.fixture
def client(provider: Scripted) -> OAuthClient:
    return OAuthClient(client_id="c", client_secret="s3cr3t", token_endpoint=f"{provider.url}/token")


@pytest.mark.parametrize(("life", "kept_s"), [(3600, 3540.0), (120, 60.0), (90, 45.0), (1, 0.5), (None, 240.0)])
def test_a_token_is_kept_until_shortly_before_it_expires_and_for_half_its_life_at_least(
    provider: Scripted, client: OAuthClient, moment: Moment, life: int | None, kept_s: float
) -> None:
    provider.says(numbered(provider, expires_in=life))
    tokens = Tokens()
    for at, token in ((0.0, "token-1"), (kept_s - 0.25, "token-1"), (kept_s, "token-2")):
        moment.now = NOW + at
        assert tokens.of(client) == token


def test_a_token_outlives_its_endpoint_which_is_asked_at_intervals_until_it_expires(
    provider: Scripted, client: OAuthClient, moment: Moment
) -> None:
    tokens = Tokens()
    assert tokens.of(client) == "token-1"
    provider.says(AWAY)
    first = 3540.0
    for at, asked in ((first, 2), (first + ASK_AGAIN_S - 1, 2), (first + ASK_AGAIN_S, 3), (3599.0, 4)):
        moment.now = NOW + at
        assert (tokens.of(client), len(provider.asked)) == ("token-1", asked)
    moment.now = NOW + 3600
    with pytest.raises(NoToken) as error:
        tokens.of(client)
    assert not error.value.refused


def test_whoever_asks_after_one_who_got_none_asks_anew_and_does_not_wait_for_ever(
    provider: Scripted, client: OAuthClient
) -> None:
    tokens, got = Tokens(), list[str]()
    provider.says(Reply(400))
    with pytest.raises(NoToken):
        tokens.of(client)
    provider.says(numbered(provider))
    asking = threading.Thread(target=lambda: got.append(tokens.of(client)), daemon=True)
    asking.start()
    asking.join(10)
    assert got == ["token-2"]


def test_a_client_that_is_refused_has_no_token_any_more_although_its_last_one_lives(
    provider: Scripted, client: OAuthClient, moment: Moment
) -> None:
    tokens = Tokens()
    tokens.of(client)
    provider.says(Reply(401, {"error": "invalid_client", "error_description": "s3cr3t is\nwrong"}))
    moment.now = NOW + 3540
    with pytest.raises(NoToken, match=r"gave client c no token: 401 invalid_client \*\*\* is wrong") as error:
        tokens.of(client)
    assert error.value.refused


def test_a_token_that_was_refused_is_given_to_nobody_again(provider: Scripted, client: OAuthClient) -> None:
    tokens = Tokens()
    assert tokens.of(client) == "token-1"
    assert tokens.of(client, refused="another") == "token-1"
    provider.says(AWAY)
    with pytest.raises(NoToken):
        tokens.of(client, refused="token-1")
    provider.says(numbered(provider))
    assert tokens.of(client, refused="token-1") == "token-3" == tokens.of(client)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (Reply(400, {"error": "invalid_scope"}), True),
        (Reply(403), True),
        (Reply(407), True),
        (Reply(408), False),
        (Reply(409), True),
        (Reply(424), True),
        (Reply(425), False),
        (Reply(426), True),
        (Reply(428), True),
        (Reply(429), False),
        (Reply(430), True),
        (Reply(500), False),
        (Reply(302), False),
        (Reply(200, b"<html>sign in</html>", "text/html"), False),
        (Reply(200, {"access_token": "two words"}), False),
        (Reply(200, {"access_token": "x", "expires_in": 0}), False),
        (Reply(200, {"access_token": "x"}, cut=4), False),
    ],
)
def test_an_endpoint_refuses_a_client_by_what_only_another_request_could_change(
    provider: Scripted, client: OAuthClient, answer: Reply, refused: bool
) -> None:
    provider.says(answer)
    with pytest.raises(NoToken) as error:
        Tokens().of(client)
    assert error.value.refused is refused and "s3cr3t" not in str(error.value)


def test_an_endpoint_that_is_not_there_refuses_nobody(client: OAuthClient) -> None:
    nowhere = OAuthClient(client_id="c", client_secret="s", token_endpoint="http://127.0.0.1:9/token")
    with pytest.raises(NoToken, match="got no answer: ConnectError") as error:
        Tokens().of(nowhere)
    assert not error.value.refused


@pytest.mark.parametrize(("scope", "form"), [("", ""), ("kafka", "&scope=kafka")])
def test_a_scope_is_asked_for_where_there_is_one(provider: Scripted, scope: str, form: str) -> None:
    token_endpoint = f"{provider.url}/token"
    Tokens().of(OAuthClient(client_id="c", client_secret="s", token_endpoint=token_endpoint, scope=scope))
    assert provider.asked[0].body.decode() == f"grant_type=client_credentials{form}"


def test_who_asks_while_another_does_gets_what_that_one_gets(provider: Scripted, client: OAuthClient) -> None:
    tokens, got, begun = Tokens(), list[str](), threading.Event()

    def answer(_: object) -> Reply:
        begun.set()
        time.sleep(0.05)
        return numbered(provider)(_)

    provider.says(answer)
    threads = [threading.Thread(target=lambda: got.append(tokens.of(client)), daemon=True) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    assert (got, len(provider.asked)) == (["token-1"] * 2, 1)
