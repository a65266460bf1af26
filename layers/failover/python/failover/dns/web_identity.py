"""Who the controller is, said to another cloud: a short-lived JWT that AWS signs for its role, so that no key of that
cloud is kept anywhere (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html).
"""

from __future__ import annotations

from typing import Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import DnsRejected, DnsUnavailable

VALID_S: Final = 300


def web_identity(audience: str) -> str:
    """A token for who is called so. It is exchanged at once and not kept.

    Raises:
        DnsUnavailable, DnsRejected
    """
    with aws_errors(
        f"STS, for a web identity for {audience}",
        transient=DnsUnavailable,
        final=DnsRejected,
        remedy="Outbound identity federation must be enabled in the account, and this role may ask for it",
    ):
        answer = client("sts").get_web_identity_token(
            Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=VALID_S
        )
    return str(answer["WebIdentityToken"])
