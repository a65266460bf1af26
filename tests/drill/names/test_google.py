"""Our Google Cloud DNS answers as the documentation says: https://cloud.google.com/dns/docs/reference/rest/v1."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from drill.dns_providers.google import rrset
from drill.dns_providers.scenarios import ACCOUNT, AUDIENCE, DnsProvider, cloud_dns
from drill.fixture_plan import HOSTNAME, dns_target

EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "audience": AUDIENCE,
    "subject_token": f"signed-by-aws.for.{AUDIENCE}",
}
ZONE = "/dns/v1/projects/drill/managedZones/orders-zone"
EAST, WEST = (rrset(HOSTNAME, dns_target(site), 5) for site in ("east", "west"))


@pytest.fixture
def held() -> Iterator[DnsProvider]:
    with cloud_dns() as held:
        yield held


@pytest.fixture
def api(held: DnsProvider) -> Iterator[httpx.Client]:
    """Whoever asks has a token of the service account."""
    with httpx.Client(base_url=held.dns["api"]) as client:
        federated = client.post("/v1/token", data=EXCHANGE).json()["access_token"]
        answer = client.post(
            f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken",
            headers={"Authorization": f"Bearer {federated}"},
            json={"scope": ["https://www.googleapis.com/auth/ndev.clouddns.readwrite"], "lifetime": "3600s"},
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client


def error(answer: httpx.Response) -> tuple[int, str]:
    """HTTP's status and the reason, in the form of every Google API's errors."""
    said: dict[str, Any] = answer.json()["error"]
    assert said["code"] == answer.status_code and said["message"] == said["errors"][0]["message"]
    return answer.status_code, said["errors"][0]["reason"]


def test_a_change_replaces_what_is_there_and_is_pending_for_a_while(api: httpx.Client, held: DnsProvider) -> None:
    change = api.post(f"{ZONE}/changes", json={"deletions": [EAST], "additions": [WEST]}).json()
    assert (change["kind"], change["status"]) == ("dns#change", "pending")
    assert api.get("/records").json()[0]["ResourceRecords"] == [{"Value": EAST["rrdatas"][0]}]
    deadline = time.monotonic() + 90
    while api.get(f"{ZONE}/changes/{change['id']}").json()["status"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert api.get("/records").json()[0]["ResourceRecords"] == [{"Value": WEST["rrdatas"][0]}]
    assert api.get(f"{ZONE}/rrsets", params={"name": f"{HOSTNAME}.", "type": "CNAME"}).json()["rrsets"] == [WEST]


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"deletions": [EAST | {"ttl": 6}], "additions": [WEST]}, (412, "conditionNotMet")),
        ({"additions": [WEST]}, (409, "alreadyExists")),
    ],
)
def test_a_change_comes_true_as_a_whole_or_not_at_all(
    api: httpx.Client, held: DnsProvider, change: dict[str, Any], refused: tuple[int, str]
) -> None:
    assert error(api.post(f"{ZONE}/changes", json=change)) == refused
    assert held.stand_in.rrsets == [EAST]


def test_what_is_not_there_and_who_is_not_known_is_told(api: httpx.Client) -> None:
    assert error(api.get("/dns/v1/projects/drill/managedZones/another")) == (404, "notFound")
    assert error(api.get(f"{ZONE}/changes/99")) == (404, "notFound")
    api.headers["Authorization"] = "Bearer another"
    assert error(api.get(ZONE))[0] == 401


def test_a_token_is_given_for_the_provider_of_the_pool_only(api: httpx.Client) -> None:
    """RFC 6749, 5.2: an error and what it means."""
    answer = api.post("/v1/token", data=EXCHANGE | {"subject_token": "signed-by-aws.for.another"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_permissions_are_told_as_far_as_they_are_there(api: httpx.Client, held: DnsProvider) -> None:
    held.stand_in.lacking = frozenset({"dns.changes.create"})
    asked = {"permissions": ["dns.changes.create", "dns.changes.get"]}
    assert api.post(f"{ZONE}:testIamPermissions", json=asked).json() == {"permissions": ["dns.changes.get"]}
