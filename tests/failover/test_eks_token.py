"""A token for an EKS cluster, as its authenticator reads it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.credentials import Credentials

from failover.errors import FleetRejected
from failover.fleets import eks
from failover.plan.role import Role


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a Lambda function, and a session that has not read any before."""
    for name, value in (("ACCESS_KEY_ID", "AKIDTEST"), ("SECRET_ACCESS_KEY", "secret"), ("SESSION_TOKEN", "session")):
        monkeypatch.setenv(f"AWS_{name}", value)
    eks._session.cache_clear()


def request_in(token: str) -> tuple[str, dict[str, str]]:
    """The host that a token's request is for, and its query."""
    encoded = token.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    assert url.scheme == "https" and "=" not in encoded
    return str(url.hostname), {name: values[0] for name, values in parse_qs(url.query).items()}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-2", "sts.us-east-2.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
    ],
)
def test_a_token_is_a_request_to_sts_in_the_clusters_region_that_names_the_cluster(region: str, host: str) -> None:
    asked, query = request_in(eks.token("clients", region))
    assert (asked, query["Action"]) == (host, "GetCallerIdentity")
    assert query["X-Amz-Credential"].split("/")[2] == region and query["X-Amz-Security-Token"] == "session"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id" and int(query["X-Amz-Expires"]) <= 900


def test_a_token_is_for_sts_itself_whatever_this_process_is_configured_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example.com")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    eks._sts.cache_clear()
    assert request_in(eks.token("clients", "us-east-2"))[0] == "sts.us-east-2.amazonaws.com"


def test_a_token_is_signed_by_the_role_of_the_plan_where_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfRole:
        def get_credentials(self) -> Credentials:
            return Credentials("AKIDROLE", "secret", "of-the-role")

    monkeypatch.setattr(eks, "session_of", lambda _: OfRole())
    role = Role(role_arn="arn:aws:iam::123456789012:role/fleets")
    assert request_in(eks.token("clients", "us-east-2", role))[1]["X-Amz-Credential"].startswith("AKIDROLE/")
    assert request_in(eks.token("clients", "us-east-2"))[1]["X-Amz-Credential"].startswith("AKIDTEST/")


def test_each_call_has_a_token_of_its_own_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime(2026, 11, 29, 8, tzinfo=UTC), datetime(2026, 11, 29, 8, 20, tzinfo=UTC)]
    made = []
    for now in moments:
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, now=now, **__: now)
        made.append(request_in(eks.token("clients", "us-east-2"))[1]["X-Amz-Date"])
    assert made == ["20261129T080000Z", "20261129T082000Z"] and moments[1] - moments[0] > timedelta(minutes=15)


def test_without_credentials_there_is_none_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody:
        def get_credentials(self) -> None:
            return None

    eks._sts("us-east-2")
    monkeypatch.setattr(eks, "_session", Nobody)
    with pytest.raises(FleetRejected, match="no AWS credentials to sign a token for EKS cluster clients"):
        eks.token("clients", "us-east-2")
