"""EKS tokens: what botocore makes is taken, and nothing that differs from it in any way."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.credentials import Credentials
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from drill.kubernetes.tokens import Unauthorized, caller

KEYS = {"AKIDTEST": "very-secret"}


def signed(
    cluster: str = "eks-west",
    key: str = "AKIDTEST",
    secret: str = "very-secret",
    session_token: str | None = None,
    action: str = "GetCallerIdentity",
    host: str = "sts.us-west-2.amazonaws.com",
    expires: int = 60,
) -> str:
    session = botocore.session.Session()
    emitter = session.get_component("event_emitter")
    signer = RequestSigner(ServiceId("STS"), "us-west-2", "sts", "v4", Credentials(key, secret, session_token), emitter)
    url = f"https://{host}/?Action={action}&Version=2011-06-15"
    request = {"method": "GET", "url": url, "body": {}, "headers": {"x-k8s-aws-id": cluster}, "context": {}}
    return str(signer.generate_presigned_url(request, region_name="us-west-2", expires_in=expires, operation_name=""))


def token(url: str) -> str:
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


@pytest.mark.parametrize("session_token", [None, "a/session+token=="])
def test_a_token_says_who_made_it(session_token: str | None) -> None:
    assert caller(token(signed(session_token=session_token)), "eks-west", KEYS) == "AKIDTEST"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: "Bearer", "begins with"),
        (lambda: "k8s-aws-v1.@@@", "not base64url"),
        (lambda: token("http://sts.us-west-2.amazonaws.com/?"), "not the URL of STS"),
        (lambda: token(signed(host="sts.evil.example.com")), "not the URL of STS"),
        (lambda: token(signed(action="AssumeRole")), "Action is"),
        (lambda: token(signed(expires=3600)), "X-Amz-Expires"),
        (lambda: token(signed(cluster="eks-east")), "not made for cluster"),
        (lambda: token(signed(secret="another")), "signature is wrong"),
        (lambda: token(signed(key="AKIDOTHER")), "no access entry"),
        (lambda: token(signed().replace("%3Bx-k8s-aws-id", "")), "signed headers"),
    ],
)
def test_anything_else_is_refused(made: Callable[[], str], why: str) -> None:
    with pytest.raises(Unauthorized, match=why):
        caller(made(), "eks-west", KEYS)


@pytest.mark.parametrize(("later", "taken"), [(timedelta(minutes=14), True), (timedelta(minutes=16), False)])
def test_a_token_is_taken_for_a_quarter_of_an_hour(later: timedelta, taken: bool) -> None:
    made: Any = token(signed())
    if taken:
        caller(made, "eks-west", KEYS, datetime.now(UTC) + later)
    else:
        with pytest.raises(Unauthorized, match="15 minutes"):
            caller(made, "eks-west", KEYS, datetime.now(UTC) + later)
