"""Another cloud's REST API: which errors pass by themselves, how often a token is asked for, and which priorities make
a site the first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from failover.dns import rest_api
from failover.dns.rest_api import MARGIN_S, RestApi, Token, token_from
from failover.dns.traffic_manager import TrafficManagerName
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import TrafficManager
from failover.plan.model import parse

NOW = 1_800_000_000.0
PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
Answer = tuple[int, Any]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Sets what a provider answers, the last for good; gives the token of each request."""

    def set_answers(*scripted: Answer) -> list[str]:
        lines, tokens = list(scripted), []

        def request(provider: str, method: str, url: str, **more: Any) -> httpx.Response:
            tokens.append(more.get("headers", {}).get("Authorization", ""))
            status, body = lines.pop(0) if len(lines) > 1 else lines[0]
            return httpx.Response(status, json=body, request=httpx.Request(method, url))

        monkeypatch.setattr(rest_api, "request", request)
        monkeypatch.setattr("time.time", lambda: NOW)
        return tokens

    return set_answers


def api(expires: float = NOW + 3600) -> RestApi:
    numbers = iter(range(100))
    return RestApi("the provider", lambda: Token(str(next(numbers)), expires))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, DnsRejected),
        (403, DnsRejected),
        (404, DnsRejected),
        (499, DnsRejected),
        (408, DnsUnavailable),
        (409, DnsUnavailable),
        (412, DnsUnavailable),
        (425, DnsUnavailable),
        (429, DnsUnavailable),
        (500, DnsUnavailable),
        (503, DnsUnavailable),
    ],
)
def test_what_is_busy_is_asked_again_and_what_refuses_is_not(
    answers: Callable[..., list[str]], status: int, error: type[Exception]
) -> None:
    answers((status, {"error": {"code": "why", "message": "it says so"}}))
    with pytest.raises(error, match="why: it says so"):
        api().ask("GET", "https://cloud.example/x")


def test_what_was_forgotten_is_an_answer_only_where_that_is_one(answers: Callable[..., list[str]]) -> None:
    answers((404, {}))
    assert api().ask("GET", "https://cloud.example/x", forgotten=True).status_code == 404
    answers((403, {}))
    with pytest.raises(DnsRejected):
        api().ask("GET", "https://cloud.example/x", forgotten=True)


def test_a_token_is_kept_until_shortly_before_it_expires_and_asked_for_once_more_if_it_is_refused(
    answers: Callable[..., list[str]],
) -> None:
    for expires, tokens in ((NOW + MARGIN_S, ["Bearer 0"] * 2), (NOW + MARGIN_S - 1, ["Bearer 0", "Bearer 1"])):
        sent, kept = answers((200, {})), api(expires)
        for _ in range(2):
            kept.ask("GET", "https://cloud.example/x")
        assert sent == tokens
    sent = answers((401, {}), (200, {}))
    assert api().ask("GET", "https://cloud.example/x").is_success
    assert sent == ["Bearer 0", "Bearer 1"]
    sent = answers((401, {}))
    with pytest.raises(DnsRejected):
        api().ask("GET", "https://cloud.example/x")
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((500, {}), DnsUnavailable, "no token: HTTP 500"),
        ((429, {}), DnsUnavailable, "no token: HTTP 429"),
        ((200, {"token": "by another name"}), DnsUnavailable, "can't be read, without a token"),
        ((400, {"error": "invalid_grant"}), DnsRejected, r"\(invalid_grant\)"),
        ((400, {"error": {"code": 400}}), DnsRejected, r"\(HTTP 400\)"),
        ((499, {}), DnsRejected, r"\(HTTP 499\)"),
    ],
)
def test_a_token_that_is_not_given_is_waited_for_unless_the_role_is_not_taken(
    answers: Callable[..., list[str]], answer: Answer, error: type[Exception], said: str
) -> None:
    answers(answer)
    with pytest.raises(error, match=said):
        token_from("the provider", "https://login.example", {"secret": "s3cr3t"})
    answers((200, {"access_token": "t", "expires_in": "3599"}))
    assert token_from("the provider", "https://login.example", {}) == Token("t", NOW + 3599)


def test_a_token_is_in_no_representation_and_goes_to_nobody_whom_an_answer_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "t0k3n" not in repr(Token("t0k3n", NOW))
    sent: list[str] = []

    def answer(_: Any, request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example"}, request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    with pytest.raises(DnsRejected, match="HTTP 302"):
        api().ask("GET", "https://cloud.example/x")
    assert sent == ["cloud.example"]


class Profile:
    """A profile's API: its endpoints by name and priority, and what was written of each."""

    def __init__(self, **priorities: int) -> None:
        self.written: dict[str, dict[str, Any]] = {}
        self.properties = {
            "dnsConfig": {"fqdn": "orders.trafficmanager.example", "ttl": 1},
            "endpoints": [
                {
                    "name": name,
                    "type": "Microsoft.Network/trafficManagerProfiles/ExternalEndpoints",
                    "properties": {
                        "target": f"gw-{name}.orders.example.com",
                        "priority": priority,
                        "endpointStatus": "Disabled" if name == "idle" else "Enabled",
                    },
                }
                for name, priority in priorities.items()
            ],
        }

    def read(self, *_: Any) -> dict[str, Any]:
        return {"properties": self.properties}

    def ask(self, _: str, url: str, body: Any) -> httpx.Response:
        self.written[url.rpartition("/")[2].partition("?")[0]] = body["properties"]
        return httpx.Response(200)


@pytest.mark.parametrize(
    ("priorities", "written"),
    [
        ({"east": 1, "west": 2}, {"east": {"priority": 3}}),
        ({"east": 2, "west": 3}, {"west": {"priority": 1}}),
        ({"east": 3, "west": 2}, {}),
        ({"east": 1, "west": 2, "lab": 5}, {"east": {"priority": 6}}),
        ({"east": 1, "west": 999}, {"east": {"priority": 1000}}),
        ({"east": 1, "west": 1000}, None),
        ({"east": 1, "west": 3, "lab": 2}, None),
        ({"east": 1, "west": 3, "idle": 2}, {"east": {"priority": 4}}),
    ],
)
def test_a_site_is_made_the_first_by_one_write_or_not_at_all(
    priorities: dict[str, int], written: dict[str, Any] | None
) -> None:
    names = {"endpoints": {site: f"ExternalEndpoints/{site}" for site in ("east", "west")}}
    ids = {"subscription": "0" * 36, "tenant": "example.com", "client_id": "controller"}
    dns = {"kind": "traffic-manager", "resource_group": "orders", "profile": "orders", **names, **ids}
    plan = parse(yaml.safe_dump(yaml.safe_load(PLAN.read_text()) | {"dns": dns}))
    assert isinstance(plan.dns, TrafficManager)
    name, profile = TrafficManagerName(plan, plan.dns), Profile(**priorities)
    name._api = profile  # type: ignore[assignment]
    if written is None:
        with pytest.raises(DnsRejected, match="give it a later priority"):
            name.point_to("west")
        assert profile.written == {}
        return
    name.point_to("west")
    assert profile.written == written
