"""Google Cloud DNS, and the two APIs on the way to a token of it.

https://cloud.google.com/dns/docs/reference/rest/v1/changes: what a change deletes must be there exactly so, or it is
answered 412; what it adds must not be there, or 409. It is `pending` until name servers have been told.
"""

from __future__ import annotations

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
ZONE_PATH: Final = "/dns/v1/projects/{project}/managedZones/{zone}"
COMPARED: Final = ("name", "type", "ttl", "rrdatas")
_REASONS: Final = {
    401: "UNAUTHENTICATED",
    403: "forbidden",
    404: "notFound",
    409: "alreadyExists",
    412: "conditionNotMet",
}


@dataclass(kw_only=True)
class CloudDnsStandIn:
    """One zone. `operation_s`: how long a change is pending; `audience`: the workload identity provider's name;
    `account`: the service account whose token the API wants, if it wants one; `lacking`: its missing permissions."""

    zone: str
    dns_name: str
    audience: str
    account: str | None = None
    operation_s: float = 0.0
    nameservers: tuple[str, ...] = ()
    visibility: str = "public"
    lacking: frozenset[str] = frozenset()
    rrsets: list[Document] = field(default_factory=list, init=False)
    _served: list[Document] = field(default_factory=list)
    _changes: list[tuple[float, Document]] = field(default_factory=list)
    _federated: set[str] = field(default_factory=set)
    _tokens: set[str] = field(default_factory=set)

    def replace(self, rrsets: list[Document]) -> None:
        """These are the records, and name servers have them."""
        self.rrsets = self._served = rrsets

    def operations(self) -> list[Operation]:
        """The APIs, and `/records`: what the zone's name servers answer, for the DNS server to read."""
        return [
            ("token", "POST", "/v1/token", self._token),
            ("generateAccessToken", "POST", "/v1/projects/-/serviceAccounts/{account}", self._account_token),
            ("managedZones.testIamPermissions", "POST", f"{ZONE_PATH}:testIamPermissions", self._test_permissions),
            ("managedZones.get", "GET", ZONE_PATH, self._get_zone),
            ("resourceRecordSets.list", "GET", f"{ZONE_PATH}/rrsets", self._list),
            ("changes.create", "POST", f"{ZONE_PATH}/changes", self._create),
            ("changes.get", "GET", f"{ZONE_PATH}/changes/{{change}}", self._get_change),
            ("records", "GET", "/records", self._records),
        ]

    def forget_tokens(self) -> None:
        """Every token is refused from now on."""
        self._tokens.clear()

    async def _token(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        exchange = form.get("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
        trusted = speaks_for(form.get("subject_token", ""), self.audience) and form.get("audience") == self.audience
        if not (exchange and trusted):
            return JSONResponse({"error": "invalid_grant", "error_description": "The audience is not ours."}, 400)
        (self._federated if self.account else self._tokens).add(token := f"ya29.{uuid.uuid4()}")
        return JSONResponse(
            {
                "access_token": token,
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": 3600,
            }
        )

    async def _account_token(self, request: Request) -> Response:
        account = request.path_params["account"]
        if _bearer(request) not in self._federated or account != f"{self.account}:generateAccessToken":
            return _error(403, "Permission 'iam.serviceAccounts.getAccessToken' denied")
        self._tokens.add(token := f"ya29.{uuid.uuid4()}")
        return JSONResponse({"accessToken": token, "expireTime": "2099-01-01T00:00:00Z"})

    async def _get_zone(self, request: Request) -> Response:
        zone = {"name": self.zone, "dnsName": self.dns_name, "nameServers": self.nameservers}
        return self._refusal(request) or JSONResponse(
            {"kind": "dns#managedZone", **zone, "visibility": self.visibility}
        )

    async def _test_permissions(self, request: Request) -> Response:
        permissions = (await request.json())["permissions"]
        return self._refusal(request) or JSONResponse(
            {"permissions": [permission for permission in permissions if permission not in self.lacking]}
        )

    async def _list(self, request: Request) -> Response:
        name, kind = request.query_params.get("name"), request.query_params.get("type")
        matching = [rrset for rrset in self.rrsets if (name, kind) == (rrset["name"], rrset["type"])]
        return self._refusal(request) or JSONResponse(
            {"kind": "dns#resourceRecordSetsListResponse", "rrsets": matching}
        )

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        body = await request.json()
        rrsets = list(self.rrsets)
        for number, deletion in enumerate(body.get("deletions", ())):
            same = [rrset for rrset in rrsets if _compared(rrset) == _compared(deletion)]
            if not same:
                return _error(412, f"Precondition not met for 'entity.change.deletions[{number}]'")
            rrsets.remove(same[0])
        for number, addition in enumerate(body.get("additions", ())):
            if any((rrset["name"], rrset["type"]) == (addition["name"], addition["type"]) for rrset in rrsets):
                return _error(
                    409, f"The resource 'entity.change.additions[{number}]' named '{addition['name']}' exists"
                )
            rrsets.append(addition)
        self.rrsets = rrsets
        change = {"kind": "dns#change", "id": str(len(self._changes)), **body}
        self._changes.append((time.monotonic() + self.operation_s, change))
        return JSONResponse(change | {"status": "done" if self._is_done(len(self._changes) - 1) else "pending"})

    async def _get_change(self, request: Request) -> Response:
        number = request.path_params["change"]
        if refusal := self._refusal(request):
            return refusal
        if not number.isdigit() or int(number) >= len(self._changes):
            return _error(404, f"The 'parameters.changeId' resource named '{number}' does not exist.")
        change = self._changes[int(number)][1]
        return JSONResponse(change | {"status": "done" if self._is_done(int(number)) else "pending"})

    async def _records(self, request: Request) -> Response:
        if all(self._is_done(number) for number in range(len(self._changes))):
            self._served = self.rrsets
        return JSONResponse(
            [
                {
                    "Name": rrset["name"],
                    "Type": rrset["type"],
                    "TTL": rrset["ttl"],
                    "ResourceRecords": [{"Value": value} for value in rrset["rrdatas"]],
                }
                for rrset in self._served
            ]
        )

    def _is_done(self, number: int) -> bool:
        return time.monotonic() >= self._changes[number][0]

    def _refusal(self, request: Request) -> Response | None:
        if _bearer(request) not in self._tokens:
            return _error(401, "Request had invalid authentication credentials.")
        if request.path_params["zone"] != self.zone:
            return _error(
                404, f"The 'parameters.managedZone' resource named '{request.path_params['zone']}' does not exist."
            )
        return None


def rrset(name: str, target: str, ttl: int) -> Document:
    """A CNAME as the API has it."""
    return {"kind": "dns#resourceRecordSet", "name": f"{name}.", "type": "CNAME", "ttl": ttl, "rrdatas": [f"{target}."]}


def _compared(record: Document) -> Document:
    return {key: record.get(key) for key in COMPARED}


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _error(status: int, message: str) -> Response:
    reason = _REASONS[status]
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return JSONResponse({"error": {"code": status, "message": message, "errors": errors}}, status)
