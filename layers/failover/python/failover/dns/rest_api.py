"""Another cloud's REST API: bearer tokens that are kept until they expire, and errors told apart by what helps."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from failover.errors import DnsRejected, DnsUnavailable

TIMEOUT: Final = httpx.Timeout(3.0, connect=2.0)
MARGIN_S: Final = 60.0
CHANGED_MEANWHILE: Final = {409, 412}
LATER: Final = {408, 425, 429}
UNAUTHORIZED: Final = 401
_REASON_LENGTH: Final = 300


@dataclass(frozen=True)
class Token:
    """A bearer token, and when it expires, in seconds since 1970."""

    value: str = field(repr=False)
    expires: float


class RestApi:
    """An API of `provider`. `sign_in` gets a token; it is asked again shortly before one expires, and once if one is
    refused. Methods raise `DnsUnavailable` if repeating may help, and `DnsRejected` if not."""

    def __init__(self, provider: str, sign_in: Callable[[], Token]) -> None:
        self._provider = provider
        self._sign_in = sign_in
        self._token: Token | None = None

    def ask(self, method: str, url: str, body: Any = None, *, forgotten: bool = False) -> httpx.Response:
        """One request, which is sent twice only if its token was refused. `forgotten`: 404 is an answer, too."""
        answer = request(self._provider, method, url, json=body, headers=self._bearer())
        if answer.status_code == UNAUTHORIZED:
            self._token = None
            answer = request(self._provider, method, url, json=body, headers=self._bearer())
        if not answer.is_success and not (forgotten and answer.status_code == httpx.codes.NOT_FOUND):
            raise _classified(self._provider, answer)
        return answer

    def read(self, url: str, *fields: str) -> dict[str, Any]:
        """What is at the URL, which has these fields."""
        body = document(self.ask("GET", url))
        if missing := [field for field in fields if field not in body]:
            raise DnsUnavailable(f"{self._provider} answered what can't be read, without {', '.join(missing)}")
        return body

    def _bearer(self) -> dict[str, str]:
        if self._token is None or time.time() > self._token.expires - MARGIN_S:
            self._token = self._sign_in()
        return {"Authorization": f"Bearer {self._token.value}"}


def token_from(provider: str, url: str, form: dict[str, str]) -> Token:
    """An OAuth token endpoint's answer (RFC 6749, 5.1; RFC 8693, 2.2). What was sent is in no error."""
    answer = request(provider, "POST", url, data=form)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in LATER:
        raise DnsUnavailable(f"{provider} gave no token: HTTP {answer.status_code}")
    body = document(answer)
    if answer.is_success and not isinstance(body.get("access_token"), str):
        raise DnsUnavailable(f"{provider} answered what can't be read, without a token")
    if not answer.is_success:
        code = body.get("error")
        why = code if isinstance(code, str) else f"HTTP {answer.status_code}"
        raise DnsRejected(
            f"{provider} does not take the controller's AWS role for who the plan says it is ({why}): look at the"
            " federated credential there, its issuer, subject and audience"
        )
    return Token(body["access_token"], time.time() + float(body.get("expires_in", MARGIN_S)))


def request(provider: str, method: str, url: str, **more: Any) -> httpx.Response:
    """One request.

    Raises:
        DnsUnavailable: if nobody answers.
    """
    try:
        return _client().request(method, url, **more)
    except httpx.HTTPError as error:
        host = httpx.URL(url).host
        raise DnsUnavailable(f"{provider} gave no answer ({host}: {type(error).__name__})") from error


@functools.cache
def _client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, follow_redirects=False)


def _classified(provider: str, answer: httpx.Response) -> Exception:
    status, why = answer.status_code, reason(answer)
    if status in CHANGED_MEANWHILE:
        return DnsUnavailable(f"{provider}: somebody else changed it meanwhile ({why})")
    if status in LATER or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return DnsUnavailable(f"{provider} is busy: HTTP {status} ({why})")
    return DnsRejected(f"{provider} refused {answer.request.method} {answer.request.url.path}: HTTP {status} ({why})")


def reason(answer: httpx.Response) -> str:
    """What an error's body says, as Google and Azure both write it: `{"error": {"code": …, "message": …}}`."""
    error = document(answer).get("error")
    text = f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else answer.reason_phrase
    return text[:_REASON_LENGTH]


def document(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer's body; an empty one, if it is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
