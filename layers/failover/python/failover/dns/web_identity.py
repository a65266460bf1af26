"""Who the controller is, said to another cloud: a short-lived JWT that AWS signs for its role, so that no key of that
cloud is kept anywhere (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html).
"""

from __future__ import annotations

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from failover.aws.clients import client, is_transient
from failover.errors import DnsRejected, DnsUnavailable

VALID_S: Final = 300


def web_identity(audience: str) -> str:
    """A token for who is called so. It is exchanged at once and not kept.

    Raises:
        DnsUnavailable, DnsRejected
    """
    try:
        answer = client("sts").get_web_identity_token(
            Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=VALID_S
        )
    except (ClientError, BotoCoreError) as error:
        if is_transient(error):
            raise DnsUnavailable(f"STS gave no answer: {error}") from error
        raise DnsRejected(
            f"STS gave no web identity for {audience} (outbound identity federation must be enabled in the account, and"
            f" this role may ask for it): {error}"
        ) from error
    return str(answer["WebIdentityToken"])
