"""The Kubernetes API, as far as gateway fleets need it: read objects, JSON Patch, delete a pod, ask a pod by proxy.

https://kubernetes.io/docs/reference/using-api/api-concepts/. Every method raises `FleetUnavailable` if nobody answered
or the answer may be another one soon, and `FleetRejected` with the server's own words if not.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx

from failover.aws.clients import Role
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets.eks import api_server, token, trust
from failover.plan.fleets import Eks

TIMEOUT: Final = httpx.Timeout(3.0, connect=2.0)
FIELD_MANAGER: Final = "kafka-failover"
LARGEST_ANSWER: Final = 64 * 1024
_LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30)
_BUSY: Final = {408, 409, 429, 500, 502, 503, 504}

Object = dict[str, Any]
Operation = Mapping[str, Any]


class PatchRefused(Exception):
    """422: a `test` of the patch failed, or the object is not valid as it would become."""


class Api(Protocol):
    """One namespace of a cluster. `where` names it in messages."""

    where: str

    def get(self, resource: str, name: str) -> Object:
        """An object. `resource`: the path before the namespace, a space, and the plural: `apis/apps/v1 deployments`."""

    def get_if_there(self, resource: str, name: str) -> Object | None:
        """The same; None if there is none."""

    def find(self, resource: str, labels: Mapping[str, str]) -> list[Object]:
        """The objects that have these labels."""

    def patch(self, resource: str, name: str, operations: Sequence[Operation], *, dry_run: bool = False) -> Object:
        """The object, changed by a JSON Patch, all of it or nothing; with `dry_run`, as it would be stored.

        Raises:
            PatchRefused: in the server's words. A conflict (409) is a `FleetUnavailable`: look at the object again.
        """

    def delete(self, resource: str, name: str) -> None:
        """Delete an object; it being gone already is as good."""

    def ask_pod(self, pod: str, port: int, path: str) -> tuple[int, bytes]:
        """Status and body of what a pod itself answers to a GET through the API server; 0 if it does not, or with more
        than is sane. A redirect is not followed: only the pod itself may speak for it."""


class EksApi:
    """An `Api` in an EKS cluster."""

    def __init__(self, eks: Eks, region: str, namespace: str, role: Role | None = None) -> None:
        self.where = f"EKS cluster {eks.name} in {region}"
        self._eks, self._region, self._namespace, self._role = eks, region, namespace, role

    @functools.cached_property
    def _http(self) -> httpx.Client:
        # Not before it is asked: a cluster that EKS tells nothing of is one out of reach, and no fleet less.
        server = api_server(self._eks, self._region, self._role)
        return httpx.Client(
            base_url=server.endpoint, verify=trust(server), timeout=TIMEOUT, limits=_LIMITS, trust_env=False
        )

    def get(self, resource: str, name: str) -> Object:
        return self._object(self._call("GET", self._path(resource, name)))

    def get_if_there(self, resource: str, name: str) -> Object | None:
        answer = self._call("GET", self._path(resource, name), gone_is_fine=True)
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._object(answer)

    def find(self, resource: str, labels: Mapping[str, str]) -> list[Object]:
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        answer = self._object(self._call("GET", self._path(resource), params={"labelSelector": selector}))
        return [dict(item) for item in answer.get("items") or []]

    def patch(self, resource: str, name: str, operations: Sequence[Operation], *, dry_run: bool = False) -> Object:
        answer = self._call(
            "PATCH",
            self._path(resource, name),
            params={"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {}),
            content=json.dumps(list(operations)).encode(),
            headers={"Content-Type": "application/json-patch+json"},
        )
        return self._object(answer)

    def delete(self, resource: str, name: str) -> None:
        self._call("DELETE", self._path(resource, name), gone_is_fine=True)

    def ask_pod(self, pod: str, port: int, path: str) -> tuple[int, bytes]:
        url = f"{self._path('api/v1 pods', f'{pod}:{port}')}/proxy/{path}"
        try:
            with self._http.stream("GET", url, headers=self._headers(), follow_redirects=False) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        return 0, b""
        except httpx.HTTPError:
            return 0, b""
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise FleetRejected(f"{self.where} answered 403 to GET {url}: {_message(body)}")
        return answer.status_code, body

    def _path(self, resource: str, name: str = "") -> str:
        root, _, plural = resource.partition(" ")
        path = f"/{root}/namespaces/{self._namespace}/{plural}"
        return f"{path}/{quote(name, safe=':')}" if name else path

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(self._eks.name, self._region, self._role)}"}

    def _call(self, method: str, path: str, *, gone_is_fine: bool = False, **more: Any) -> httpx.Response:
        headers = self._headers() | more.pop("headers", {})
        try:
            answer = self._http.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            raise FleetUnavailable(f"{self.where} did not answer {method} {path}: {type(error).__name__}") from error
        status = answer.status_code
        if answer.is_success or (gone_is_fine and status == httpx.codes.NOT_FOUND):
            return answer
        message = self._describe(answer, f"{method} {path}")
        if status in _BUSY:
            raise FleetUnavailable(message, answered=True)
        if status == httpx.codes.UNPROCESSABLE_ENTITY:
            raise PatchRefused(message)
        if status == httpx.codes.UNAUTHORIZED:
            raise FleetRejected(f"{message}; the cluster needs an access entry for this function's role")
        raise FleetRejected(message)

    def _describe(self, answer: httpx.Response, what: str) -> str:
        return f"{self.where} answered {answer.status_code} to {what}: {_message(answer.content)}"

    def _object(self, answer: httpx.Response) -> Object:
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise FleetUnavailable(
                f"{self.where} answered something that is no object: {answer.text[:100]!r}", answered=True
            )
        return document


def _message(body: bytes) -> str:
    """What a `Status` says, or the beginning of what is none."""
    try:
        document = json.loads(body)
        causes = [str(cause.get("message")) for cause in (document.get("details") or {}).get("causes") or []]
        return "; ".join([str(document["message"]), *causes])
    except (ValueError, KeyError, TypeError, AttributeError):
        return repr(body[:200])
