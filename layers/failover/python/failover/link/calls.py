"""Calling a cluster's REST API: one connection pool, and errors that say what was asked of which cluster.

What the wire does beyond the spec: a 429 is an HTML page of Jetty, so no error body is taken for JSON; a success is any
2xx; a call that timed out may have been carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from failover.credentials import Credentials
from failover.errors import LinkNotFound, LinkRejected, LinkUnavailable

TIMEOUT = httpx.Timeout(8.0, connect=2.0, pool=4.0)
"""Seconds, for a region in trouble: a list of 10,000 mirrors is read in far less."""
_CONNECTIONS = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=60)
_BUSY = {408, 425, 429, 500, 502, 503, 504}

Answer = TypeVar("Answer", bound=BaseModel)


class RestCalls:
    """The REST API of one cluster."""

    def __init__(
        self, endpoint: str, cluster_id: str, credentials: Credentials | None, client: httpx.Client | None = None
    ) -> None:
        auth = httpx.BasicAuth(credentials.key, credentials.secret) if credentials else None
        self.cluster_id = cluster_id
        self._http = client or httpx.Client(timeout=TIMEOUT, limits=_CONNECTIONS, auth=auth)
        self._base = f"{endpoint}/kafka/v3/clusters/{quote(cluster_id, safe='')}"

    def get(self, path: str, model: type[Answer], query: Mapping[str, Any] | None = None) -> Answer:
        """GET, which is safe to repeat.

        Raises:
            LinkUnavailable, LinkRejected, LinkNotFound
        """
        return self._read(model, "GET", path, self._call("GET", path, query, None))

    def post(self, path: str, model: type[Answer], query: Mapping[str, Any], body: Mapping[str, Any]) -> Answer:
        """POST, once: a call without an answer may have been carried out, so look before asking again.

        Raises:
            LinkUnavailable, LinkRejected, LinkNotFound
        """
        return self._read(model, "POST", path, self._call("POST", path, query, body))

    def _call(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        where = self._where(method, path)
        try:
            response = self._http.request(method, self._base + path, params=query, json=body)
        except httpx.HTTPError as error:
            raise LinkUnavailable(f"{where} got no answer: {type(error).__name__}") from error
        status = response.status_code
        if status in _BUSY:
            raise LinkUnavailable(f"{where} answered {status} {_said(response)}")
        if not response.is_success:
            kind = LinkNotFound if status == httpx.codes.NOT_FOUND else LinkRejected
            raise kind(f"{where} answered {status} {_said(response)}: {_remedy(status)}")
        return response

    def _read(self, model: type[Answer], method: str, path: str, response: httpx.Response) -> Answer:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)[:1]
            raise LinkUnavailable(f"{self._where(method, path)} answered no {model.__name__}: {found}") from None

    def _where(self, method: str, path: str) -> str:
        return f"{method} {path or '/'} of cluster {self.cluster_id}"


def _said(response: httpx.Response) -> str:
    if "json" not in response.headers.get("content-type", ""):
        return f"({response.headers.get('content-type', 'no content type')})"
    try:
        body = response.json()
        return f"{body.get('error_code')} {body.get('message')}"
    except (ValueError, AttributeError):
        return "(unreadable)"


def _remedy(status: int) -> str:
    match status:
        case 401:
            return "the secret of the plan's site must hold a resource API key of this very cluster"
        case 403:
            return "the key's principal needs CloudClusterAdmin, or ALTER on the cluster"
        case 404:
            return "check cluster_id and links of the plan: a link lives on the cluster that holds the mirrors"
        case _:
            return "see the message"
