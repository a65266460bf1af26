"""Who may call the API, and how they say who they are."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from drill.network.plain_http import plain
from tests.patience import eventually

FAILOVER = "/links/orders-link/mirrors:failover"
NOBODY = {"error_code": 40101, "message": "Authentication failed"}
OAUTH = {"client_id": "controller", "client_secret": "s3cret", "tokens": ["static-token"]}


@pytest.fixture
def west(start: Callable[..., Any]) -> Callable[..., Any]:
    def started(**changes: Any) -> Any:
        return start(raw_bootstrap="", mirrors=[], rest_only_mirrors={"count": 1, "pattern": "t{n}"}, **changes)

    return started


def get(stand: Any, authorization: str | None, **headers: str) -> httpx.Response:
    if authorization is not None:
        headers["authorization"] = authorization
    return plain.get(f"{str(stand.http.base_url).rstrip('/')}/links", headers=headers)


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_strangers_are_turned_away(west: Callable[..., Any]) -> None:
    stand = west(oauth=OAUTH)
    for authorization in (
        None,
        "",
        "Basic",
        "Basic !!!",
        f"Basic {basic('key')}",
        f"Basic {basic('key:wrong')}",
        f"Basic {basic('other:secret')}",
        f"Basic {basic(':')}",
        f"Bearer {basic('key:secret')}",
        "Bearer static-token-of-nobody",
        "Bearer",
        "Digest x",
    ):
        answer = get(stand, authorization)
        assert (answer.status_code, answer.json()) == (401, NOBODY), authorization


def test_a_key_and_a_configured_token_are_let_in(west: Callable[..., Any]) -> None:
    stand = west(oauth=OAUTH)
    for authorization in (f"Basic {basic('key:secret')}", f"basic {basic('key:secret')}", "Bearer static-token"):
        assert get(stand, authorization).status_code == 200


def test_without_oauth_there_are_no_tokens(west: Callable[..., Any]) -> None:
    stand = west()
    refused = plain.post(stand.child.ready["token_url"], data={"grant_type": "client_credentials"})
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})


def token(stand: Any, **form: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "controller", "client_secret": "s3cret", **form}
    return plain.post(stand.child.ready["token_url"], data=form)


def test_a_token_is_issued_for_client_credentials_and_expires(west: Callable[..., Any]) -> None:
    stand = west(oauth={**OAUTH, "expires_s": 1.5})
    issued = token(stand).json()
    assert issued["token_type"] == "Bearer" and issued["expires_in"] == 1
    bearer = f"Bearer {issued['access_token']}"
    assert get(stand, bearer).status_code == 200
    eventually(lambda: get(stand, bearer).status_code == 401)
    assert token(stand).json()["access_token"] != issued["access_token"]


def test_a_client_may_say_who_it_is_by_basic(west: Callable[..., Any]) -> None:
    stand = west(oauth=OAUTH)
    url, form = stand.child.ready["token_url"], {"grant_type": "client_credentials"}
    issued = plain.post(url, data=form, auth=("controller", "s3cret"))
    assert get(stand, f"Bearer {issued.json()['access_token']}").status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_no_token_for_others(west: Callable[..., Any], form: dict[str, str], status: int, error: str) -> None:
    answer = token(west(oauth=OAUTH), **form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_tokens_can_be_revoked(west: Callable[..., Any]) -> None:
    stand = west(oauth=OAUTH)
    bearer = f"Bearer {token(stand).json()['access_token']}"
    stand.control.delete("/oauth/token").raise_for_status()
    assert get(stand, bearer).status_code == 401
    assert get(stand, "Bearer static-token").status_code == 200


def test_a_token_of_another_identity_pool_is_worth_nothing(west: Callable[..., Any]) -> None:
    stand = west(oauth={**OAUTH, "identity_pool": "pool-1"})
    assert get(stand, "Bearer static-token").status_code == 401
    assert get(stand, "Bearer static-token", **{"Confluent-Identity-Pool-Id": "pool-2"}).status_code == 401
    assert get(stand, "Bearer static-token", **{"Confluent-Identity-Pool-Id": "pool-1"}).status_code == 200


def test_a_viewer_may_look_and_not_touch(west: Callable[..., Any]) -> None:
    stand = west(viewers={"viewer": "v"})
    assert stand.http.get("/links", auth=("viewer", "v")).status_code == 200
    body = {"mirror_topic_names": ["t0"]}
    for params in ({}, {"validate_only": "true"}):
        answer = stand.http.post(FAILOVER, json=body, params=params, auth=("viewer", "v"))
        assert (answer.status_code, answer.json()) == (
            403,
            {"error_code": 40301, "message": "Request is not authorized"},
        )
    time.sleep(0.3)
    assert stand.states() == {"t0": "ACTIVE"}
