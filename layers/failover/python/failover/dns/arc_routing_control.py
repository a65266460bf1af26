"""Routing controls of Amazon Application Recovery Controller, one a site: both are changed in one update, at whichever
of the cluster's five Regional endpoints answers
(https://docs.aws.amazon.com/routing-control/latest/APIReference/API_UpdateRoutingControlStates.html). The records'
health checks are theirs, and Route 53's name servers hear of them without its control plane.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors, error_code
from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import ask, servers_of
from failover.errors import DnsRejected, DnsUnavailable, Obstacle
from failover.plan.client_name import ArcRoutingControl, ClusterEndpoint
from failover.plan.model import Plan

SERVICE: Final = "route53-recovery-cluster"
ENDPOINTS: Final = 5


class RoutingControlName:
    """A `ClientName` that follows two routing controls."""

    def __init__(self, plan: Plan, described: ArcRoutingControl) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._described = described
        self._endpoints = list(described.cluster_endpoints)
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """Which control is on, and what name servers answer. An update is in force when it is answered."""
        states = {
            site: self._ask("get_routing_control_state", RoutingControlArn=arn).get("RoutingControlState")
            for site, arn in self._described.controls.items()
        }
        if None in states.values():
            raise DnsUnavailable(f"ARC told half of the routing controls of {self._hostname}")
        on = [site for site, state in states.items() if state == "On"]
        if not self._servers:
            self._servers = servers_of(self._hostname)
        answers = ask(self._servers, self._hostname, "CNAME", self._targets)
        return NameState(record=self._targets[on[0]] if len(on) == 1 else None, answers=answers, in_sync=True)

    def point_to(self, site: str) -> str:
        """The site's control on and the other off, in one update. Safety rules may refuse it, and are never overridden:
        that is for a person who knows why."""
        entries = [
            {"RoutingControlArn": arn, "RoutingControlState": "On" if of_site == site else "Off"}
            for of_site, arn in self._described.controls.items()
        ]
        self._ask("update_routing_control_states", UpdateRoutingControlStateEntries=entries)
        return f"{site} is on"

    def obstacles(self, active: str) -> list[Obstacle]:
        """Endpoints that are not in the plan or do not answer."""
        obstacles = []
        if len(self._endpoints) < ENDPOINTS:
            obstacles.append(
                Obstacle(
                    f"the plan has {len(self._endpoints)} of the cluster's {ENDPOINTS} endpoints",
                    "list them all: aws route53-recovery-control-config describe-cluster",
                )
            )
        control = self._described.controls[active]

        def trouble_at(endpoint: ClusterEndpoint) -> Obstacle | None:
            try:
                self._ask_at(endpoint, "get_routing_control_state", RoutingControlArn=control)
            except (DnsUnavailable, DnsRejected) as error:
                return Obstacle(f"{endpoint.region}: {error}", "let the controller reach all five")
            return None

        with ThreadPoolExecutor(max_workers=ENDPOINTS) as pool:
            return obstacles + [
                obstacle for obstacle in pool.map(trouble_at, self._described.cluster_endpoints) if obstacle
            ]

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer of the first endpoint that has one; it is asked first the next time.

        Raises:
            DnsUnavailable: if none has, or one refuses what another may have carried out without an answer: for some
                seconds after an update a safety rule refuses the next, even the same.
            DnsRejected: if one refuses; the others are of the same mind.
        """
        silent = []
        for endpoint in tuple(self._endpoints):
            try:
                answer = self._ask_at(endpoint, operation, **arguments)
            except DnsUnavailable as error:
                silent.append(f"{endpoint.region}: {error}")
                continue
            except DnsRejected as error:
                self._ask_first(endpoint)
                if silent:
                    raise DnsUnavailable(f"it has to be looked at again: {error}; {'; '.join(silent)}") from error
                raise
            self._ask_first(endpoint)
            return answer
        raise DnsUnavailable(f"no endpoint of the ARC cluster answers: {'; '.join(silent)}")

    def _ask_first(self, endpoint: ClusterEndpoint) -> None:
        self._endpoints.remove(endpoint)
        self._endpoints.insert(0, endpoint)

    def _ask_at(self, endpoint: ClusterEndpoint, operation: str, **arguments: Any) -> dict[str, Any]:
        at = client(SERVICE, endpoint.region, attempts=1, endpoint=endpoint.endpoint, role=self._described.role)
        of = f"ARC's {operation} for {self._hostname}"
        try:
            with aws_errors(of, transient=DnsUnavailable, final=DnsRejected):
                return dict(getattr(at, operation)(**arguments))
        except DnsRejected as error:
            if error_code(error) != "ConflictException":
                raise
            raise DnsRejected(
                f"{error}, as a safety rule says. Look why it is there, change it or have a person override it, and"
                " redrive"
            ) from error
