"""Looking at a JSON API that the plan names."""

from __future__ import annotations

from typing import Any, Final

import httpx

from failover.aws.secrets import Secret
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.link.authorization import Authorization
from failover.link.oauth import NoToken
from failover.link.tls import trust
from failover.plan.beside import Api

TIMEOUT: Final = httpx.Timeout(4.0, connect=2.0)
_LATER: Final = {408, 425, 429}
_REASON_LENGTH: Final = 200


class JsonApi:
    """One API, `what` it is. Use it as a context manager.

    Every method raises `ServiceUnavailable` if repeating may help, `ServiceRejected` if not, and `CredentialsMissing`
    if the secret can't be read.
    """

    def __init__(self, what: str, api: Api) -> None:
        self._what = f"{what} at {api.url}"
        self._base = api.url.rstrip("/")
        auth = Authorization(Secret(api.credentials, api.role)) if api.credentials else None
        self._http = httpx.Client(auth=auth, timeout=TIMEOUT, verify=trust())

    def __enter__(self) -> JsonApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """What is at a path, or at a URL that an answer named.

        Raises:
            ServiceRejected: also if nothing is there.
        """
        if (body := self.find(path, **query)) is None:
            raise ServiceRejected(f"{self._what} has nothing at {path}")
        return body

    def find(self, path: str, **query: str) -> Any | None:
        """The same; None if nothing is there."""
        url = path if path.startswith(self._base) else self._base + path
        try:
            answer = self._http.get(url, params=query or None)
        except NoToken as error:
            kind = ServiceRejected if error.refused else ServiceUnavailable
            raise kind(f"{self._what} can't be asked: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnavailable(f"{self._what} does not answer: {type(error).__name__}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code in _LATER or answer.is_server_error:
            raise ServiceUnavailable(f"{self._what} is busy: HTTP {answer.status_code}")
        if not answer.is_success:
            reason = answer.text[:_REASON_LENGTH]
            raise ServiceRejected(f"{self._what} refuses {path}: HTTP {answer.status_code} {reason}")
        try:
            return answer.json()
        except ValueError:
            raise ServiceUnavailable(f"{self._what} answered what can't be read") from None
