"""EKS tokens: a presigned STS GetCallerIdentity URL, checked as aws-iam-authenticator does, its signature included.

https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

PREFIX: Final = "k8s-aws-v1."
CLUSTER_HEADER: Final = "x-k8s-aws-id"
LIFETIME: Final = timedelta(minutes=15)
_HOST: Final = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")


class Unauthorized(Exception):
    """The token is none that this cluster takes."""


def caller(token: str, cluster: str, keys: Mapping[str, str], now: datetime | None = None) -> str:
    """The access key id whose holder made the token, for this cluster. `keys`: secret access key by access key id.

    Raises:
        Unauthorized: saying what is wrong with it.
    """
    if not token.startswith(PREFIX):
        raise Unauthorized(f"a token begins with {PREFIX}")
    text = token[len(PREFIX) :]
    try:
        url = urlsplit(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode())
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized("the token is not base64url") from error
    if url.scheme != "https" or url.path != "/" or not _HOST.fullmatch(url.netloc):
        raise Unauthorized(f"not the URL of STS: {url.scheme}://{url.netloc}{url.path}")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    expected = {"Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256"}
    for name, value in expected.items():
        if query.get(name) != value:
            raise Unauthorized(f"{name} is {query.get(name)!r}, not {value!r}")
    signed = query.get("X-Amz-SignedHeaders", "").split(";")
    if sorted(signed) != ["host", CLUSTER_HEADER]:
        raise Unauthorized(f"signed headers are {signed}: host and {CLUSTER_HEADER} must be, and nothing else")
    _check_age(query, now or datetime.now(UTC))
    key = query.get("X-Amz-Credential", "").split("/")[0]
    if key not in keys:
        raise Unauthorized(f"no access entry for {key!r}")
    if not hmac.compare_digest(_signature(url.netloc, query, cluster, keys[key]), query.get("X-Amz-Signature", "")):
        raise Unauthorized(f"the signature is wrong: another secret, or not made for cluster {cluster!r}")
    return key


def _check_age(query: Mapping[str, str], now: datetime) -> None:
    try:
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        expires = int(query["X-Amz-Expires"])
    except (KeyError, ValueError) as error:
        raise Unauthorized("X-Amz-Date or X-Amz-Expires is missing or wrong") from error
    if not 0 < expires <= LIFETIME.total_seconds():
        raise Unauthorized(f"X-Amz-Expires is {expires}, not within 1 and {LIFETIME.total_seconds():.0f}")
    if not signed_at - timedelta(minutes=5) <= now <= signed_at + LIFETIME:
        raise Unauthorized("the token is older than 15 minutes")


def _signature(host: str, query: Mapping[str, str], cluster: str, secret: str) -> str:
    """Signature Version 4 of the presigned request, for the header that names this cluster."""
    parameters = sorted(
        (quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in query.items() if n != "X-Amz-Signature"
    )
    canonical = "\n".join(
        (
            "GET",
            "/",
            "&".join(f"{name}={value}" for name, value in parameters),
            f"host:{host}",
            f"{CLUSTER_HEADER}:{cluster}",
            "",
            f"host;{CLUSTER_HEADER}",
            hashlib.sha256(b"").hexdigest(),
        )
    )
    _, day, region, service, terminator = query["X-Amz-Credential"].split("/")
    scope = f"{day}/{region}/{service}/{terminator}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, terminator):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()
