"""A profile of Azure Traffic Manager that the client hostname is a CNAME of. One write of the profile changes both
endpoints' priority or status (https://learn.microsoft.com/rest/api/trafficmanager/profiles/update); the proof is what
Traffic Manager's own name servers answer for the profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx

from failover.dns import NameState, Obstacle, canonical, targets_of
from failover.dns.answers import ask, servers_of
from failover.dns.rest_api import RestApi, Token, token_from
from failover.dns.web_identity import web_identity
from failover.errors import DnsRejected
from failover.plan import Plan
from failover.plan_name import TrafficManager

PROVIDER: Final = "Traffic Manager"
VERSION: Final = "2022-04-01"
AUDIENCE: Final = "api://AzureADTokenExchange"
DONE: Final = {"succeeded"}
FAILED: Final = {"failed", "canceled"}
AT_ONCE: Final = "at-once"
"""Stands for the operation of a write that was answered when it was done."""


class TrafficManagerName:
    """A `ClientName` that is a profile with one endpoint for each site."""

    def __init__(self, plan: Plan, described: TrafficManager) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._described = described
        self._api = RestApi(PROVIDER, lambda: sign_in(described))
        group = f"subscriptions/{described.subscription}/resourceGroups/{described.resource_group}"
        profile = f"{group}/providers/Microsoft.Network/trafficManagerProfiles/{described.profile}"
        self._profile = f"{described.api}/{profile}?api-version={VERSION}"
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """The endpoints, the state of the operation `change`, and what each name server answers for the profile."""
        in_sync = change in (None, AT_ONCE) or self._is_over(str(change))
        profile = self._read()
        fqdn = canonical(profile["dnsConfig"]["fqdn"])
        if not self._servers:
            self._servers = servers_of(fqdn)
        answers = ask(self._servers, fqdn, "CNAME", self._targets)
        leading = self._leading(self._endpoints(profile))
        return NameState(
            self._targets[leading] if leading else None, answers, in_sync, int(profile["dnsConfig"]["ttl"])
        )

    def lead_to(self, site: str) -> str:
        """Write both endpoints at once; the operation's URL. The other endpoints are written as they were read: a write
        replaces them all."""
        profile = self._read()
        endpoints = self._endpoints(profile)
        first, second = sorted(int(each["properties"].get("priority", 0)) for each in endpoints.values())
        for of_site, endpoint in endpoints.items():
            leads = of_site == site
            if self._described.by == "priority":
                endpoint["properties"] |= {"priority": first if leads else second, "endpointStatus": "Enabled"}
            else:
                endpoint["properties"]["endpointStatus"] = "Enabled" if leads else "Disabled"
        answer = self._api.ask("PATCH", self._profile, {"properties": {"endpoints": profile["endpoints"]}})
        told = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        return self._of_this_api(told) if told and answer.status_code == httpx.codes.ACCEPTED else AT_ONCE

    def obstacles(self, active: str) -> list[Obstacle]:
        """What would keep the profile from leading where it is told to, or have it lead elsewhere by itself."""
        return list(self._obstacles(self._read()))

    def _obstacles(self, profile: dict[str, Any]) -> Iterator[Obstacle]:
        fqdn = canonical(profile["dnsConfig"]["fqdn"])
        servers = self._described.nameservers or servers_of(self._hostname)
        for server, said in ask(servers, self._hostname, "CNAME", self._targets).items():
            if said != fqdn:
                yield Obstacle(f"{server} answers {said} for {self._hostname}", f"have it be a CNAME of {fqdn}")
        if profile.get("profileStatus") != "Enabled":
            yield Obstacle(f"the profile {self._described.profile} is not enabled", "enable it")
        method = profile.get("trafficRoutingMethod")
        if method != "Priority":
            yield Obstacle(
                f"the profile {self._described.profile} routes by {method}: it leads clients by itself",
                "have it route by Priority",
            )
        for site, endpoint in self._endpoints(profile).items():
            if self._described.by == "priority" and endpoint["properties"].get("alwaysServe") != "Enabled":
                yield Obstacle(
                    f"the endpoint of {site} is probed: when a probe fails, clients are led away before the other site"
                    " is writable, and back",
                    "set alwaysServe, or have the plan say by: status",
                )

    def _read(self) -> dict[str, Any]:
        return dict(self._api.ask("GET", self._profile).json()["properties"])

    def _endpoints(self, profile: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The plan's endpoints by site, as they are in the profile.

        Raises:
            DnsRejected: if one is missing, or leads elsewhere than the plan says.
        """
        by_name = {f"{each['type'].rpartition('/')[2]}/{each['name']}".lower(): each for each in profile["endpoints"]}
        found = {}
        for site, name in self._described.endpoints.items():
            endpoint = by_name.get(name.lower())
            if endpoint is None:
                raise DnsRejected(f"the profile {self._described.profile} has no endpoint {name}")
            leads_to = canonical(endpoint["properties"].get("target", ""))
            if leads_to != self._targets[site]:
                raise DnsRejected(f"the endpoint {name} leads to {leads_to}, the plan says {self._targets[site]}")
            found[site] = endpoint
        return found

    def _leading(self, endpoints: dict[str, dict[str, Any]]) -> str | None:
        """The site that clients are led to, if it is one."""
        enabled = [site for site, each in endpoints.items() if each["properties"].get("endpointStatus") == "Enabled"]
        if self._described.by == "status":
            return enabled[0] if len(enabled) == 1 else None
        return min(enabled, key=lambda site: int(endpoints[site]["properties"]["priority"]), default=None)

    def _is_over(self, operation: str) -> bool:
        answer = self._api.ask("GET", self._of_this_api(operation))
        said = answer.json() if answer.content else {}
        status = str(said.get("status") or ("" if answer.status_code == httpx.codes.ACCEPTED else "Succeeded")).lower()
        if status in FAILED:
            raise DnsRejected(f"{PROVIDER} could not change {self._described.profile}: {said.get('error') or status}")
        return status in DONE

    def _of_this_api(self, url: str) -> str:
        """The URL; a token is sent to nobody else than the API.

        Raises:
            DnsRejected: if it is another's.
        """
        wanted, told = httpx.URL(self._described.api), httpx.URL(url)
        if (told.scheme, told.host, told.port) != (wanted.scheme, wanted.host, wanted.port):
            raise DnsRejected(f"{PROVIDER} tells of an operation at {told.host}, which is not asked")
        return url


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
