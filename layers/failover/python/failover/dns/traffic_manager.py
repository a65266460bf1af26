"""A profile of Azure Traffic Manager that the client hostname is a CNAME of. Only endpoints are written, each by itself
and only what has to change (https://learn.microsoft.com/rest/api/trafficmanager/endpoints/update): a PATCH of the
profile may not hold endpoints (https://github.com/Azure/azure-sdk-for-net/issues/43949), and there is no ETag, so a
PUT of it would undo what somebody else changes meanwhile. The proof is what Traffic Manager's own name servers answer
for the profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import httpx

from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import ask, servers_of
from failover.dns.rest_api import RestApi, Token, document, token_from
from failover.dns.web_identity import web_identity
from failover.errors import DnsRejected, Obstacle
from failover.plan.client_name import TrafficManager
from failover.plan.model import Plan

PROVIDER: Final = "Traffic Manager"
VERSION: Final = "2022-04-01"
RIGHTS_VERSION: Final = "2022-04-01"
AUDIENCE: Final = "api://AzureADTokenExchange"
FAILED: Final = {"failed", "canceled"}
OVER: Final = {"succeeded", *FAILED}
AT_ONCE: Final = "at-once"
"""Stands for the operations of writes that were answered when they were done."""
LAST_PRIORITY: Final = 1000
Endpoint = dict[str, Any]


class TrafficManagerName:
    """A `ClientName` that is a profile with one endpoint for each site."""

    def __init__(self, plan: Plan, described: TrafficManager) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._described = described
        self._api = RestApi(PROVIDER, lambda: sign_in(described))
        group = f"subscriptions/{described.subscription}/resourceGroups/{described.resource_group}"
        self._profile = (
            f"{described.api}/{group}/providers/Microsoft.Network/trafficManagerProfiles/{described.profile}"
        )
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """The endpoints, the state of the operations `change`, and what each name server answers for the profile."""
        operations = [] if change in (None, AT_ONCE) else [self._operation(url) for url in str(change).split()]
        failed = tuple(str(operation.get("error")) for operation in operations if _status_of(operation) in FAILED)
        profile = self._read()
        fqdn = canonical(profile["dnsConfig"]["fqdn"])
        if not self._servers:
            self._servers = servers_of(fqdn)
        answers = ask(self._servers, fqdn, "CNAME", self._targets)
        leading = self._leading(profile)
        record = self._targets[leading] if leading else None
        in_sync = all(_status_of(operation) in OVER for operation in operations)
        return NameState(
            record=record, answers=answers, in_sync=in_sync, ttl=int(profile["dnsConfig"]["ttl"]), failed=failed
        )

    def point_to(self, site: str) -> str:
        """Write what differs of the endpoints; the operations' URLs. The site's own comes first: there is always one
        that is answered."""
        profile = self._read()
        endpoints = self._endpoints(profile)
        desired = self._by_priority(profile, site) if self._described.by == "priority" else _by_status(endpoints, site)
        operations = []
        for of_site in sorted(endpoints, key=lambda name: name != site):
            current = endpoints[of_site]["properties"]
            differing = {key: value for key, value in desired.get(of_site, {}).items() if current.get(key) != value}
            if differing:
                operations.append(self._write(self._described.endpoints[of_site], differing))
        return " ".join(filter(None, operations)) or AT_ONCE

    def _by_priority(self, profile: dict[str, Any], site: str) -> dict[str, dict[str, Any]]:
        """What makes the site the first, by one write: no two endpoints may have the same priority, so the two can't
        change places one after the other. It goes before all others, or the one before it behind them.

        Raises:
            DnsRejected: if an endpoint that is not the plan's is in the way.
        """
        endpoints = self._endpoints(profile)
        other = next(name for name in endpoints if name != site)
        enabled = {"endpointStatus": "Enabled"}
        before = [_priority(endpoint) for endpoint in profile["endpoints"] if endpoint is not endpoints[site]]
        first = _priority(endpoints[site])
        if first < min(before):
            return {site: enabled}
        if min(before) > 1:
            return {site: enabled | {"priority": min(before) - 1}}
        others = [endpoint for endpoint in profile["endpoints"] if endpoint not in (endpoints[site], endpoints[other])]
        rest = [_priority(endpoint) for endpoint in others if _is_enabled(endpoint)]
        last = max([first, *before]) + 1
        if first > min([LAST_PRIORITY, *rest]) or last > LAST_PRIORITY:
            raise DnsRejected(
                f"the profile {self._described.profile} has an endpoint before that of {site} which is not the plan's:"
                " give it a later priority"
            )
        return {site: enabled, other: {"priority": last}}

    def _write(self, endpoint: str, properties: dict[str, Any]) -> str | None:
        """Change these properties of an endpoint and nothing else; the operation's URL, if it goes on."""
        answer = self._api.ask("PATCH", f"{self._profile}/{endpoint}?api-version={VERSION}", {"properties": properties})
        operation = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        return self._of_this_api(operation) if operation and answer.status_code == httpx.codes.ACCEPTED else None

    def obstacles(self, active: str) -> list[Obstacle]:
        """What would keep the profile from leading where it is told to, or have it lead elsewhere by itself."""
        return [*self._obstacles(self._read()), *self._missing_rights()]

    def _obstacles(self, profile: dict[str, Any]) -> Iterator[Obstacle]:
        fqdn = canonical(profile["dnsConfig"]["fqdn"])
        servers = self._described.nameservers or servers_of(self._hostname)
        for server, answer in ask(servers, self._hostname, "CNAME", self._targets).items():
            if answer != fqdn:
                yield Obstacle(f"{server} answers {answer} for {self._hostname}", f"have it be a CNAME of {fqdn}")
        if profile.get("profileStatus") != "Enabled":
            yield Obstacle(f"the profile {self._described.profile} is not enabled", "enable it")
        method = profile.get("trafficRoutingMethod")
        if method != "Priority":
            yield Obstacle(
                f"the profile {self._described.profile} routes by {method}: it leads clients by itself",
                "have it route by Priority",
            )
        endpoints = self._endpoints(profile)
        for endpoint in profile["endpoints"]:
            if _is_enabled(endpoint) and endpoint not in endpoints.values():
                yield Obstacle(
                    f"the profile {self._described.profile} has another enabled endpoint, {endpoint['name']}",
                    "take it out: the plan's sites are all that clients may be led to",
                )
        for site, endpoint in endpoints.items():
            if self._described.by == "priority" and endpoint["properties"].get("alwaysServe") != "Enabled":
                yield Obstacle(
                    f"the endpoint of {site} is probed: when a probe fails, clients are led away before the other site"
                    " is writable, and back",
                    "set alwaysServe, or have the plan say by: status",
                )

    def _missing_rights(self) -> Iterator[Obstacle]:
        """https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource"""
        url = f"{self._profile}/providers/Microsoft.Authorization/permissions?api-version={RIGHTS_VERSION}"
        rights = self._api.read(url, "value")["value"]
        for kind in sorted({name.partition("/")[0] for name in self._described.endpoints.values()}):
            action = f"Microsoft.Network/trafficManagerProfiles/{kind}/write".lower()
            if not any(
                _covers(right["actions"], action) and not _covers(right["notActions"], action) for right in rights
            ):
                yield Obstacle(
                    f"the controller lacks {action} on the profile {self._described.profile}",
                    "assign its application the role Traffic Manager Contributor there",
                )

    def _read(self) -> dict[str, Any]:
        read = self._api.read(f"{self._profile}?api-version={VERSION}", "properties")
        return {"endpoints": [], **read["properties"]}

    def _endpoints(self, profile: dict[str, Any]) -> dict[str, Endpoint]:
        """The plan's endpoints by site, as they are in the profile.

        Raises:
            DnsRejected: if one is missing, or leads elsewhere than the plan says.
        """
        by_name = {
            f"{endpoint['type'].rpartition('/')[2]}/{endpoint['name']}".lower(): endpoint
            for endpoint in profile["endpoints"]
        }
        endpoints = {}
        for site, name in self._described.endpoints.items():
            endpoint = by_name.get(name.lower())
            if endpoint is None:
                raise DnsRejected(f"the profile {self._described.profile} has no endpoint {name}")
            leads_to = canonical(endpoint["properties"].get("target", ""))
            if leads_to != self._targets[site]:
                raise DnsRejected(f"the endpoint {name} leads to {leads_to}, the plan says {self._targets[site]}")
            endpoints[site] = endpoint
        return endpoints

    def _leading(self, profile: dict[str, Any]) -> str | None:
        """The site that clients are led to, if it is one."""
        endpoints = self._endpoints(profile)
        enabled = sorted((endpoint for endpoint in profile["endpoints"] if _is_enabled(endpoint)), key=_priority)
        leading = [site for site, endpoint in endpoints.items() if enabled and endpoint is enabled[0]]
        if self._described.by == "status" and all(map(_is_enabled, endpoints.values())):
            return None
        return leading[0] if leading else None

    def _operation(self, url: str) -> dict[str, Any]:
        """What is told of an operation. One that nobody remembers is over: the endpoints are looked at anyway."""
        answer = self._api.ask("GET", self._of_this_api(url), forgotten=True)
        if answer.status_code == httpx.codes.ACCEPTED:
            return {"status": "InProgress"}
        operation = document(answer)
        return operation if answer.is_success and "status" in operation else {"status": "Succeeded"}

    def _of_this_api(self, url: str) -> str:
        """The URL; a token is sent to nobody else than the API.

        Raises:
            DnsRejected: if it is another's.
        """
        api, target = httpx.URL(self._described.api), httpx.URL(url)
        if (target.scheme, target.host, target.port) != (api.scheme, api.host, api.port):
            raise DnsRejected(f"{PROVIDER} tells of an operation at {target.host}, which is not asked")
        return url


def _by_status(endpoints: dict[str, Endpoint], site: str) -> dict[str, dict[str, Any]]:
    return {name: {"endpointStatus": "Enabled" if name == site else "Disabled"} for name in endpoints}


def _status_of(operation: dict[str, Any]) -> str:
    return str(operation["status"]).lower()


def _covers(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatchcase(action, pattern.lower()) for pattern in patterns)


def _is_enabled(endpoint: Endpoint) -> bool:
    return bool(endpoint["properties"].get("endpointStatus") == "Enabled")


def _priority(endpoint: Endpoint) -> int:
    return int(endpoint["properties"].get("priority") or LAST_PRIORITY)


def sign_in(described: TrafficManager) -> Token:
    """The controller's AWS role as the application it is federated with
    (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, third case).

    Raises:
        DnsUnavailable, DnsRejected
    """
    return token_from(
        PROVIDER,
        f"{described.login}/{described.tenant}/oauth2/v2.0/token",
        {
            "grant_type": "client_credentials",
            "client_id": described.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": web_identity(AUDIENCE),
            "scope": f"{described.api}/.default",
        },
    )
