"""AWS STS, as far as it says to other clouds who a role is: GetWebIdentityToken of the query protocol
(https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html), which moto does not have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from drill.dns_providers.server import Operation

_PREFIX: Final = "signed-by-aws.for."
_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


def operations() -> list[Operation]:
    """The API."""
    return [("GetWebIdentityToken", "POST", "/", _token)]


def speaks_for(token: str, audience: str) -> bool:
    """Whether a token is one of these, for that audience."""
    return token == _PREFIX + audience


async def _token(request: Request) -> Response:
    form = parse_qs((await request.body()).decode())
    if form.get("Action") != ["GetWebIdentityToken"] or form.get("SigningAlgorithm") not in (["RS256"], ["ES384"]):
        return Response(status_code=400)
    token = _PREFIX + form["Audience.member.1"][0]
    expires = datetime.now(UTC) + timedelta(seconds=int(form.get("DurationSeconds", ["300"])[0]))
    return Response(
        f'<GetWebIdentityTokenResponse xmlns="{_NAMESPACE}"><GetWebIdentityTokenResult>'
        f"<WebIdentityToken>{token}</WebIdentityToken><Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        "</GetWebIdentityTokenResult></GetWebIdentityTokenResponse>",
        media_type="text/xml",
    )
