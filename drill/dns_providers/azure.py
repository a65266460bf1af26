"""Azure Traffic Manager's profiles, and the token endpoint of Microsoft Entra ID.

https://learn.microsoft.com/rest/api/trafficmanager/endpoints/update: a PATCH of an endpoint changes the properties it
has, one of a profile may not have endpoints (https://github.com/Azure/azure-sdk-for-net/issues/43949), and no two have
the same priority. Of the enabled ones the first by priority is answered. A long write is answered 202 with an
Azure-AsyncOperation (https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations).
"""

from __future__ import annotations

import copy
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.dns_providers.server import Operation
from drill.dns_providers.web_identity import speaks_for

Document = dict[str, Any]
AUDIENCE: Final = "api://AzureADTokenExchange"
PROFILE_PATH: Final = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/trafficManagerProfiles/{profile}"
)


@dataclass(kw_only=True)
class TrafficManagerStandIn:
    """One profile. `operation_s`: how long a write takes; 0: it is done when it is answered. `hostname` is a CNAME of
    the profile's own name `fqdn`. `fails`: the next write comes to nothing;
    `actions`: what the application may do."""

    profile: str
    fqdn: str
    hostname: str
    client_id: str
    endpoints: list[Document]
    method: str = "Priority"
    ttl: int = 1
    operation_s: float = 0.0
    fails: bool = False
    actions: tuple[str, ...] = ("*/read", "Microsoft.Network/trafficManagerProfiles/*")
    _served: list[Document] = field(default_factory=list)
    _operations: dict[str, float] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._served = copy.deepcopy(self.endpoints)

    def operations(self) -> list[Operation]:
        """The APIs, and `/records`: what name servers answer, for the DNS server to read."""
        return [
            ("token", "POST", "/{tenant}/oauth2/v2.0/token", self._token),
            ("Profiles_Get", "GET", PROFILE_PATH, self._get),
            ("Profiles_Update", "PATCH", PROFILE_PATH, self._update_profile),
            ("Endpoints_Update", "PATCH", PROFILE_PATH + "/{kind}/{endpoint}", self._update),
            ("permissions", "GET", PROFILE_PATH + "/providers/Microsoft.Authorization/permissions", self._permissions),
            ("operation", "GET", "/operations/{operation}", self._operation),
            ("records", "GET", "/records", self._records),
        ]

    def forget_tokens(self) -> None:
        """Every token is refused from now on."""
        self._tokens.clear()

    async def _token(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        if form.get("client_id") != self.client_id or not speaks_for(form.get("client_assertion", ""), AUDIENCE):
            message = "AADSTS70021: No matching federated identity record found for presented assertion."
            return JSONResponse({"error": "invalid_client", "error_description": message, "error_codes": [70021]}, 401)
        self._tokens.add(token := f"eyJ0.{uuid.uuid4()}")
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def _get(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self._shown())

    async def _update_profile(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        changed = (await request.json()).get("properties", {})
        if "endpoints" in changed:
            message = (
                "The 'endpoints' property cannot be specified when updating a profile using PATCH. Please use PUT to"
                " update the profile instead."
            )
            return _error(400, "BadRequest", message)
        self.method = changed.get("trafficRoutingMethod", self.method)
        return JSONResponse(self._shown())

    async def _update(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        path = f"{request.path_params['kind']}/{request.path_params['endpoint']}".lower()
        matching = [endpoint for endpoint in self.endpoints if _path_of(endpoint) == path]
        if not matching:
            return _error(404, "NotFound", f"The endpoint {path} does not exist.")
        changed = {**matching[0], "properties": matching[0]["properties"] | (await request.json())["properties"]}
        others = {endpoint["properties"]["priority"] for endpoint in self.endpoints if endpoint is not matching[0]}
        if changed["properties"]["priority"] in others or not 1 <= changed["properties"]["priority"] <= 1000:
            return _error(400, "BadRequest", "The priority is used by another endpoint of the profile, or is none.")
        fails, self.fails = self.fails, False
        if not fails:
            self.endpoints = [changed if endpoint is matching[0] else endpoint for endpoint in self.endpoints]
        if not self.operation_s:
            return JSONResponse(changed)
        operation = str(uuid.uuid4())
        self._operations[operation] = time.monotonic() + self.operation_s
        if fails:
            self._failed.add(operation)
        where = f"{request.base_url}operations/{operation}"
        return JSONResponse(changed, 202, headers={"Azure-AsyncOperation": where, "Retry-After": "1"})

    async def _permissions(self, request: Request) -> Response:
        rights = {"actions": list(self.actions), "notActions": []}
        return self._refusal(request) or JSONResponse({"value": [rights]})

    async def _operation(self, request: Request) -> Response:
        if not self._is_authenticated(request):
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        operation = request.path_params["operation"]
        if operation not in self._operations:
            return _error(404, "NotFound", f"The operation {operation} was not found.")
        if time.monotonic() < self._operations[operation]:
            return JSONResponse({"status": "InProgress"})
        if operation in self._failed:
            error = {"code": "InternalServerError", "message": "The write did not go through."}
            return JSONResponse({"status": "Failed", "error": error})
        return JSONResponse({"status": "Succeeded"})

    async def _records(self, request: Request) -> Response:
        if all(time.monotonic() >= at for at in self._operations.values()):
            self._served = self.endpoints
        enabled = [endpoint for endpoint in self._served if endpoint["properties"]["endpointStatus"] == "Enabled"]
        leading = sorted(enabled, key=lambda endpoint: int(endpoint["properties"]["priority"]))[:1]
        targets = [endpoint["properties"]["target"] for endpoint in leading]
        return JSONResponse([_cname(self.hostname, [self.fqdn]), _cname(self.fqdn, targets)])

    def _shown(self) -> Document:
        dns = {"relativeName": self.fqdn.partition(".")[0], "fqdn": self.fqdn, "ttl": self.ttl}
        properties = {
            "profileStatus": "Enabled",
            "trafficRoutingMethod": self.method,
            "dnsConfig": dns,
            "endpoints": self.endpoints,
        }
        return {"name": self.profile, "location": "global", "properties": properties}

    def _refusal(self, request: Request) -> Response | None:
        if not self._is_authenticated(request):
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if request.path_params["profile"] != self.profile:
            return _error(404, "ResourceNotFound", f"The Resource '{request.path_params['profile']}' was not found.")
        return None

    def _is_authenticated(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self._tokens


def endpoint(name: str, target: str, priority: int, **more: Any) -> Document:
    """An external endpoint as the API has it."""
    properties = {"target": target, "priority": priority, "weight": 1, "endpointStatus": "Enabled", **more}
    kind = "Microsoft.Network/trafficManagerProfiles/externalEndpoints"
    return {"name": name, "type": kind, "properties": properties}


def _path_of(endpoint: Document) -> str:
    return f"{endpoint['type'].rpartition('/')[2]}/{endpoint['name']}".lower()


def _cname(name: str, targets: list[str]) -> Document:
    return {"Name": name, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{"Value": target} for target in targets]}


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
