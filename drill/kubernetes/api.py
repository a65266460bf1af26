"""The API server: authentication by EKS token, authorisation by RBAC rules, objects, JSON Patch, and the pod proxy.

https://kubernetes.io/docs/reference/using-api/api-concepts/; errors are `Status` objects in the server's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.kubernetes.crds import KINDS, Invalid, Kind, Version, stored
from drill.kubernetes.json_patch import PatchRefused, patched
from drill.kubernetes.pods import Pods
from drill.kubernetes.store import Conflict, NotFound, Object, Store
from drill.kubernetes.tokens import Unauthorized, caller

PROXY_TIMEOUT_S: Final = 5.0
JSON_PATCH: Final = "application/json-patch+json"
Rule = Mapping[str, Any]


class Refusal(Exception):
    """A request that is answered with a `Status`."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


@dataclass(kw_only=True)
class Faults:
    """What the API does wrong, each so many times. `hangs`: a patch is done, its answer does not come."""

    conflicts: int = 0
    hangs: int = 0
    busy: int = 0
    hang_s: float = 4.0


@dataclass
class Access:
    """Who may come in, and do what. `keys`: secret access key by access key id; `rules`: of a Role, for all of them."""

    cluster: str
    keys: Mapping[str, str]
    rules: Sequence[Rule]


@dataclass(kw_only=True)
class Api:
    """The requests on one namespace of a cluster. `requests`: how often each verb was asked for on each resource."""

    store: Store
    pods: Pods
    namespace: str
    access: Access
    cfk: Version
    faults: Faults = field(default_factory=Faults)
    requests: dict[str, int] = field(default_factory=dict)
    _to_pods: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PROXY_TIMEOUT_S, verify=False))

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route(
                "/api/v1/namespaces/{namespace}/pods/{pod}/proxy/{path:path}", self._guarded(self._proxy, "pods/proxy")
            )
        ]
        for kind in KINDS:
            root = f"/apis/{kind.group}" if kind.group else "/api"
            path = f"{root}/{kind.version}/namespaces/{{namespace}}/{kind.plural}"
            routes += [
                Route(path, self._guarded(self._list, kind.plural, kind, "list"), methods=["GET"]),
                Route(f"{path}/{{name}}", self._guarded(self._get, kind.plural, kind), methods=["GET"]),
                Route(f"{path}/{{name}}", self._guarded(self._patch, kind.plural, kind, "patch"), methods=["PATCH"]),
                Route(f"{path}/{{name}}", self._guarded(self._delete, kind.plural, kind, "delete"), methods=["DELETE"]),
            ]
        return Starlette(routes=routes)

    def _guarded(
        self, handle: Callable[..., Response], resource: str, kind: Kind | None = None, verb: str = "get"
    ) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            body = await request.json() if request.method == "PATCH" else None
            return await run_in_threadpool(answer, request, body)

        def answer(request: Request, body: Any) -> Response:
            try:
                self._admit(request, resource, kind, verb)
                self.requests[f"{verb} {resource}"] = self.requests.get(f"{verb} {resource}", 0) + 1
                return handle(request, kind, body)
            except Refusal as error:
                return JSONResponse(error.body, error.code)

        return endpoint

    def _admit(self, request: Request, resource: str, kind: Kind | None, verb: str) -> None:
        authorization = request.headers.get("authorization", "")
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme != "Bearer":
                raise Unauthorized("no bearer token")
            user = caller(token, self.access.cluster, self.access.keys)
        except Unauthorized:
            raise Refusal(401, "Unauthorized", "Unauthorized") from None
        group = kind.group if kind else ""
        name = request.path_params.get("name") or request.path_params.get("pod", "").partition(":")[0]
        if not any(_allows(rule, verb, group=group, resource=resource, name=name) for rule in self.access.rules):
            named = f' "{name}"' if name else ""
            raise Refusal(
                403,
                "Forbidden",
                f'{resource}{f".{group}" if group else ""}{named} is forbidden: User "{user}" cannot {verb} resource '
                f'"{resource}" in API group "{group}" in the namespace "{request.path_params["namespace"]}"',
            )
        if request.path_params["namespace"] != self.namespace:
            raise Refusal(404, "NotFound", f"{resource} {name!r} not found")
        if self.faults.busy:
            self.faults.busy -= 1
            raise Refusal(429, "TooManyRequests", "the server has received too many requests, please try again later")

    def _list(self, request: Request, kind: Kind, _: Any) -> Response:
        selector = request.query_params.get("labelSelector", "")
        labels = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        items = self.store.find(kind.plural, labels)
        return JSONResponse(
            {
                "kind": f"{kind.kind}List",
                "apiVersion": _api_version(kind),
                "metadata": {"resourceVersion": "1"},
                "items": items,
            }
        )

    def _get(self, request: Request, kind: Kind, _: Any) -> Response:
        return JSONResponse(self._object(kind, request.path_params["name"]))

    def _delete(self, request: Request, kind: Kind, _: Any) -> Response:
        stored = self._object(kind, request.path_params["name"])
        if kind.plural == "pods":
            self.pods.terminate(stored["metadata"]["name"])
        else:
            self.store.delete(kind.plural, stored["metadata"]["name"])
        return JSONResponse(stored)

    def _patch(self, request: Request, kind: Kind, operations: Any) -> Response:
        if request.headers.get("content-type", "").split(";")[0] != JSON_PATCH:
            raise Refusal(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {JSON_PATCH}"
            )
        name = request.path_params["name"]
        dry = request.query_params.get("dryRun") == "All"
        if self.faults.conflicts and not dry:
            self.faults.conflicts -= 1
            raise self._conflict(kind, name)
        with self.store.lock:
            present = self._object(kind, name)
            try:
                changed = stored(kind.plural, patched(present, operations), self.cfk)
                if (changed["metadata"]["name"], changed["metadata"]["uid"]) != (name, present["metadata"]["uid"]):
                    raise Invalid("metadata.name: Invalid value: field is immutable")
            except PatchRefused as error:
                refusal = Refusal(422, "Invalid", "the server rejected our request due to an error in our request")
                refusal.body["details"] = {"causes": [{"reason": "UnexpectedServerResponse", "message": str(error)}]}
                raise refusal from None
            except Invalid as error:
                raise Refusal(422, "Invalid", f'{kind.kind} "{name}" is invalid: {error}') from None
            if dry:
                if changed["metadata"]["resourceVersion"] != present["metadata"]["resourceVersion"]:
                    raise self._conflict(kind, name)
                return JSONResponse(changed)
            try:
                done = self.store.update(kind.plural, changed)
            except Conflict:
                raise self._conflict(kind, name) from None
        if self.faults.hangs:
            self.faults.hangs -= 1
            time.sleep(self.faults.hang_s)
        return JSONResponse(done)

    def _proxy(self, request: Request, *_: Any) -> Response:
        pod, _, port = request.path_params["pod"].partition(":")
        try:
            self.store.get("pods", pod)
        except NotFound:
            raise Refusal(404, "NotFound", f'pods "{pod}" not found') from None
        address = self.pods.address(pod, int(port or 80))
        try:
            if address is None:
                raise httpx.ConnectError(f"dial tcp 127.0.0.1:{port}: connect: connection refused")
            answer = self._to_pods.get(f"{address}/{request.path_params['path']}")
        except httpx.HTTPError as error:
            raise Refusal(503, "ServiceUnavailable", f"error trying to reach service: {error}") from None
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    def _object(self, kind: Kind, name: str) -> Object:
        try:
            return {"apiVersion": _api_version(kind), "kind": kind.kind} | self.store.get(kind.plural, name)
        except NotFound:
            full = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            raise Refusal(404, "NotFound", f'{full} "{name}" not found') from None

    @staticmethod
    def _conflict(kind: Kind, name: str) -> Refusal:
        full = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        return Refusal(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {full} "{name}": the object has been modified; please apply your '
            "changes to the latest version and try again",
        )


def _api_version(kind: Kind) -> str:
    return f"{kind.group}/{kind.version}" if kind.group else kind.version


def _allows(rule: Rule, verb: str, group: str, resource: str, name: str) -> bool:
    """Whether an RBAC rule allows it; a list can't be restricted by name."""
    return (
        _matches(rule["verbs"], verb)
        and _matches(rule["apiGroups"], group)
        and _matches(rule["resources"], resource)
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
    )


def _matches(allowed: list[str], value: str) -> bool:
    return "*" in allowed or value in allowed
