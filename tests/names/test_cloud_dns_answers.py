"""Google Cloud DNS: what is made of each of its answers, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from failover.dns import cloud_dns, rest_api
from failover.dns.cloud_dns import NEEDED, SCOPE, SCOPE_TO_IMPERSONATE, CloudDnsName, sign_in
from failover.dns.rest_api import Token
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import CloudDns
from failover.plan.model import parse

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
ACCOUNT = "failover@orders-prod.iam.gserviceaccount.com"
NOW = 1_800_000_000.0
ZONE = {"dnsName": "example.com.", "nameServers": ["NS1.example.com."]}
RECORD = {"name": "kafka.orders.example.com.", "type": "CNAME", "ttl": 7, "rrdatas": [f"{EAST}."], "kind": "dns#rrset"}


class Google:
    """Its APIs: what each of them answers, by the last part of its path, and what was sent to them."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "token": (200, {"access_token": "federated", "expires_in": 3600}),
            f"{ACCOUNT}:generateAccessToken": (200, {"accessToken": "of-the-account"}),
            "orders": (200, ZONE),
            "rrsets": (200, {"rrsets": [RECORD]}),
            "changes": (200, {"id": "5"}),
            "5": (200, {"status": "pending"}),
            "orders:testIamPermissions": (200, {"permissions": list(NEEDED)}),
        }
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def request(self, provider: str, method: str, url: str, **more: Any) -> httpx.Response:
        last = httpx.URL(url).path.rpartition("/")[2]
        self.sent.append((last, more))
        status, body = self.answers[last]
        return httpx.Response(status, json=body, request=httpx.Request(method, url))

    def last_sent(self, part: str) -> dict[str, Any]:
        return next(more for last, more in reversed(self.sent) if last == part)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Google:
    stand_in = Google()
    monkeypatch.setattr(rest_api, "request", stand_in.request)
    monkeypatch.setattr(cloud_dns, "request", stand_in.request)
    monkeypatch.setattr(cloud_dns, "web_identity", lambda audience: f"signed for {audience}")
    monkeypatch.setattr(cloud_dns, "ask", lambda servers, *_: dict.fromkeys(servers, EAST))
    monkeypatch.setattr("time.time", lambda: NOW)
    return stand_in


def described(**more: Any) -> CloudDns:
    return CloudDns(kind="cloud-dns", project="orders-prod", managed_zone="orders", audience="us", **more)


def name_of(hostname: str = "kafka.orders.example.com", **more: Any) -> CloudDnsName:
    plan = yaml.safe_load(PLAN.read_text()) | {"hostname": hostname, "bootstrap": f"{hostname}:9092"}
    return CloudDnsName(parse(yaml.safe_dump(plan)), described(**more))


def test_a_record_leads_to_its_one_target_and_name_servers_are_the_zones_unless_the_plan_names_some(
    google: Google,
) -> None:
    name = name_of()
    state = name.look(None)
    assert (state.record, state.ttl, state.in_sync, state.answers) == (EAST, 7, True, {"ns1.example.com": EAST})
    name.look(None)
    assert [last for last, _ in google.sent].count("orders") == 1, "its name servers are known by then"
    assert name_of(nameservers=("192.0.2.53",)).look(None).answers == {"192.0.2.53": EAST}


@pytest.mark.parametrize(
    ("rrsets", "record", "ttl"),
    [
        ([], None, None),
        ([RECORD | {"rrdatas": [f"{EAST}.", f"{WEST}."]}], None, 7),
        ([RECORD | {"rrdatas": []}], None, 7),
    ],
)
def test_no_record_and_one_with_other_than_one_value_lead_to_no_target(
    google: Google, rrsets: list[dict[str, Any]], record: str | None, ttl: int | None
) -> None:
    google.answers["rrsets"] = (200, {"rrsets": rrsets})
    state = name_of().look(None)
    assert (state.record, state.ttl, state.in_sync, state.answers) == (record, ttl, True, {"ns1.example.com": EAST})


@pytest.mark.parametrize(
    ("change", "answer", "in_sync"),
    [
        ("5", (200, {"status": "pending"}), False),
        ("5", (200, {"status": "done"}), True),
        ("5", (404, {}), True),
        ("", (500, {}), True),
        (None, (500, {}), True),
    ],
)
def test_a_change_is_in_sync_when_it_is_done_forgotten_or_was_never_told(
    google: Google, change: str | None, answer: tuple[int, Any], in_sync: bool
) -> None:
    google.answers["5"] = answer
    assert name_of().look(change).in_sync is in_sync
    google.answers["rrsets"] = (200, {"rrsets": []})
    assert name_of().look(change).in_sync is in_sync


def test_a_change_that_can_not_be_asked_for_is_no_answer(google: Google) -> None:
    google.answers["5"] = (503, {})
    with pytest.raises(DnsUnavailable):
        name_of().look("5")


@pytest.mark.parametrize("there", [True, False])
def test_what_is_there_is_deleted_as_it_is_where_another_record_is_added(google: Google, there: bool) -> None:
    google.answers["rrsets"] = (200, {"rrsets": [RECORD] if there else []})
    assert name_of(ttl=5).point_to("west") == "5"
    plain = {key: value for key, value in RECORD.items() if key != "kind"}
    added = plain | {"ttl": 5, "rrdatas": [f"{WEST}."]}
    assert google.last_sent("changes")["json"] == {"additions": [added], "deletions": [plain] if there else []}


@pytest.mark.parametrize(
    ("hostname", "zone", "found"),
    [
        ("kafka.orders.example.com", {"dnsName": "example.com."}, []),
        ("kafka.orders.example.com", {"dnsName": "kafka.orders.example.com.", "visibility": "public"}, []),
        ("kafka.another-example.com", {"dnsName": "example.com."}, ["not in the zone"]),
        ("kafka.orders.example.com", {"dnsName": "example.com.", "visibility": "private"}, ["not public"]),
    ],
)
def test_a_zone_is_the_hostnames_own_or_one_above_it_and_public(
    google: Google, hostname: str, zone: dict[str, str], found: list[str]
) -> None:
    google.answers["orders"] = (200, zone)
    obstacles = [obstacle.what for obstacle in name_of(hostname).obstacles("east")]
    assert len(obstacles) == len(found) and all(words in what for words, what in zip(found, obstacles, strict=True))


def test_every_permission_that_is_not_there_is_named(google: Google) -> None:
    google.answers["orders:testIamPermissions"] = (200, {"permissions": list(NEEDED[2:])})
    (obstacle,) = name_of().obstacles("east")
    assert f"lacks {NEEDED[0]}, {NEEDED[1]} on" in obstacle.what
    google.answers["orders:testIamPermissions"] = (200, {})
    (obstacle,) = name_of().obstacles("east")
    assert ", ".join(NEEDED) in obstacle.what


def test_an_identity_of_its_own_asks_for_dns_and_one_that_acts_as_another_for_that_alone(google: Google) -> None:
    assert sign_in(described()) == Token("federated", NOW + 3600)
    assert google.last_sent("token")["data"]["scope"] == SCOPE
    assert google.last_sent("token")["data"]["subject_token"] == "signed for us"
    assert sign_in(described(service_account=ACCOUNT)) == Token("of-the-account", NOW + 3600)
    assert google.last_sent("token")["data"]["scope"] == SCOPE_TO_IMPERSONATE
    acting = google.last_sent(f"{ACCOUNT}:generateAccessToken")
    assert acting["headers"] == {"Authorization": "Bearer federated"}
    assert acting["json"] == {"scope": [SCOPE], "lifetime": "3600s"}, "the longest that Google gives one for"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((500, {}), DnsUnavailable, "HTTP 500"),
        ((503, {}), DnsUnavailable, "HTTP 503"),
        ((429, {}), DnsUnavailable, "HTTP 429"),
        ((499, {}), DnsRejected, "HTTP 499"),
        ((403, {}), DnsRejected, "workloadIdentityUser"),
        ((200, {}), DnsUnavailable, "without a token"),
        ((200, {"accessToken": 3}), DnsUnavailable, "without a token"),
    ],
)
def test_a_token_of_the_account_is_waited_for_unless_the_controller_may_not_act_as_it(
    google: Google, answer: tuple[int, Any], error: type[Exception], said: str
) -> None:
    google.answers[f"{ACCOUNT}:generateAccessToken"] = answer
    with pytest.raises(error, match=said):
        sign_in(described(service_account=ACCOUNT))
