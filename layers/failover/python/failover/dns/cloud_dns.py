"""A CNAME of Google Cloud DNS, changed by one Change of deletions and additions, which all come true or none
(https://cloud.google.com/dns/docs/reference/rest/v1/changes/create), and proven by the zone's own name servers.
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import ask
from failover.dns.rest_api import RestApi, Token, document, request, token_from
from failover.dns.web_identity import web_identity
from failover.errors import DnsRejected, DnsUnavailable, Obstacle
from failover.plan.client_name import CloudDns
from failover.plan.model import Plan

PROVIDER: Final = "Cloud DNS"
SCOPE: Final = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
SCOPE_TO_IMPERSONATE: Final = "https://www.googleapis.com/auth/iam"
IMPERSONATED_S: Final = 3600
NEEDED: Final = (
    "dns.changes.create",
    "dns.changes.get",
    "dns.resourceRecordSets.create",
    "dns.resourceRecordSets.delete",
    "dns.resourceRecordSets.list",
    "dns.resourceRecordSets.update",
)
"""What `point_to` and `look` need (https://cloud.google.com/dns/docs/access-control)."""


class CloudDnsName:
    """A `ClientName` that is one record of a managed zone."""

    def __init__(self, plan: Plan, described: CloudDns) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._described = described
        self._api = RestApi(PROVIDER, lambda: sign_in(described))
        zone = f"projects/{described.project}/managedZones/{described.managed_zone}"
        self._zone = f"{described.api}/dns/v1/{zone}"
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """The record, the state of `change`, and what each name server answers."""
        in_sync = not change or self._is_done(change)
        record = self._record()
        if not self._servers:
            self._servers = tuple(map(canonical, self._api.read(self._zone, "nameServers")["nameServers"]))
        answers = ask(self._servers, self._hostname, "CNAME", self._targets)
        if record is None:
            return NameState(record=None, answers=answers, in_sync=in_sync)
        values = [canonical(value) for value in record.get("rrdatas", ())]
        return NameState(
            record=values[0] if len(values) == 1 else None, answers=answers, in_sync=in_sync, ttl=int(record["ttl"])
        )

    def point_to(self, site: str) -> str:
        """Create the change that puts the wanted record in the place of the one that is there; its id, if it is told.
        What is deleted must be there exactly so: if somebody changed it meanwhile, nothing happens."""
        current = self._record()
        desired = {
            "name": f"{self._hostname}.",
            "type": "CNAME",
            "ttl": self._described.ttl,
            "rrdatas": [f"{self._targets[site]}."],
        }
        deletions = [{key: current[key] for key in desired}] if current else []
        answer = self._api.ask("POST", f"{self._zone}/changes", {"additions": [desired], "deletions": deletions})
        return str(document(answer).get("id", ""))

    def obstacles(self, active: str) -> list[Obstacle]:
        """A zone that is not the hostname's or nobody can ask, and permissions that a flip will need."""
        zone = self._api.read(self._zone, "dnsName")
        obstacles, domain = [], canonical(zone["dnsName"])
        if self._hostname != domain and not self._hostname.endswith(f".{domain}"):
            obstacles.append(
                Obstacle(
                    f"{self._hostname} is not in the zone {domain}", "name the managed zone that the hostname is in"
                )
            )
        if zone.get("visibility", "public") != "public":
            obstacles.append(
                Obstacle(f"the zone {domain} is not public", "name the public zone: clients resolve by it")
            )
        answer = self._api.ask("POST", f"{self._zone}:testIamPermissions", {"permissions": list(NEEDED)})
        if missing := sorted(set(NEEDED) - set(document(answer).get("permissions", ()))):
            obstacles.append(
                Obstacle(
                    f"the controller lacks {', '.join(missing)} on the zone {domain}",
                    "grant its identity, or the service account that it acts as, roles/dns.admin on the zone",
                )
            )
        return obstacles

    def _is_done(self, change: str) -> bool:
        """Whether every name server has the change. One that nobody remembers is: the record is looked at anyway."""
        answer = self._api.ask("GET", f"{self._zone}/changes/{change}", forgotten=True)
        return answer.status_code == httpx.codes.NOT_FOUND or document(answer).get("status") == "done"

    def _record(self) -> dict[str, Any] | None:
        """The record.

        Raises:
            DnsRejected: if Cloud DNS chooses among several by itself.
        """
        record_sets = self._api.read(f"{self._zone}/rrsets?name={self._hostname}.&type=CNAME", "rrsets")["rrsets"]
        record: dict[str, Any] | None = next(iter(record_sets), None)
        if record is not None and record.get("routingPolicy"):
            raise DnsRejected(f"{self._hostname} has a routing policy: Cloud DNS would lead clients by itself")
        return record


def sign_in(described: CloudDns) -> Token:
    """The controller's AWS role as it is known in Google Cloud: its web identity, exchanged
    (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token), and if the plan has a service account, an
    access token of that one.

    Raises:
        DnsUnavailable, DnsRejected
    """
    account = described.service_account
    exchanged = token_from(
        PROVIDER,
        f"{described.sts_api}/v1/token",
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": web_identity(described.audience),
            "audience": described.audience,
            "scope": SCOPE_TO_IMPERSONATE if account else SCOPE,
        },
    )
    return _as_service_account(described, account, exchanged) if account else exchanged


def _as_service_account(described: CloudDns, account: str, federated: Token) -> Token:
    """https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken"""
    answer = request(
        PROVIDER,
        "POST",
        f"{described.iam_api}/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
        json={"scope": [SCOPE], "lifetime": f"{IMPERSONATED_S}s"},
        headers={"Authorization": f"Bearer {federated.value}"},
    )
    if answer.status_code >= 500 or answer.status_code == 429:
        raise DnsUnavailable(f"{PROVIDER} gave no token of {account}: HTTP {answer.status_code}")
    if not answer.is_success:
        raise DnsRejected(
            f"the controller may not act as {account}: HTTP {answer.status_code}; grant it"
            " roles/iam.workloadIdentityUser on that account"
        )
    if not isinstance(token := document(answer).get("accessToken"), str):
        raise DnsUnavailable(f"{PROVIDER} answered what can't be read, without a token of {account}")
    return Token(token, federated.expires)
