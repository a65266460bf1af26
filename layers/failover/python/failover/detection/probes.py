"""Probes: what can be seen of the sites from here. All services of all sites side by side, and the way out of here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

from failover.aws.secrets import Credentials, Secret
from failover.detection.evidence import CANARY, CARRY_CLIENTS, GATEWAY, SERVICES, Probe, View
from failover.detection.network import Begin, Job, Network
from failover.errors import (
    FailoverError,
    KafkaUnauthorized,
    KafkaUnavailable,
    LinkUnavailable,
    StandbyChanged,
)
from failover.plan.model import Clients, Kafka, Plan

LOOK_S = 4.0
LOST_SITE_S = 1.2
"""Of a site that votes already call lost: what is asked is whether it answers after all."""
ANCHOR_S = 1.5
MARGIN_S = 0.3
"""A probe ends so much before its look does: what it found out by then, a refusal above all, is not lost."""
GATEWAY_S = 2.0

Answer = TypeVar("Answer")


def vantage() -> str:
    """The name of the vantage point that this function looks from: by default its region."""
    return os.environ.get("VANTAGE") or os.environ.get("AWS_REGION", "here")


def probe_sites(plan: Plan, within: float = LOOK_S, *, lost_site: str | None = None) -> View:
    """Probe every service of every site, and the plan's anchors, all at once. What gives no answer within so many
    seconds does not answer; unless it refused our credentials meanwhile: who refuses is alive. `lost_site` is said to
    be lost: it has `LOST_SITE_S`."""
    with closing(Network()) as network:
        return network.run(view(network, plan, within, lost_site=lost_site))


async def view(network: Network, plan: Plan, within: float = LOOK_S, *, lost_site: str | None = None) -> View:
    """As `probe_sites`, beside whatever else is looked at over the same network."""
    at, began = time.time(), time.monotonic()
    patience = {site: min(within, LOST_SITE_S) if site == lost_site else within for site in plan.sites}
    probes = [
        _Probe(network, plan, site=site, service=service, ends=began + seconds, within=seconds)
        for site, seconds in patience.items()
        for service in _services(plan, site)
    ]
    by = began + min(ANCHOR_S, within)
    jobs: dict[_Probe | str, tuple[Begin[Probe | bool], float]] = {probe: (probe.run, probe.ends) for probe in probes}
    jobs |= {anchor: (partial(_reaches, network, anchor, by), by + MARGIN_S) for anchor in plan.anchors}
    answers = await network.together(jobs)
    observed = tuple(answer if isinstance(answer := answers[probe], Probe) else probe.unfinished() for probe in probes)
    missed = [anchor for anchor in plan.anchors if not answers[anchor]]
    return View(
        vantage=vantage(), at=at, probes=observed, isolated_because=_isolated_because(observed, plan.anchors, missed)
    )


async def kafka_answers(network: Network, plan: Plan, site: str, within: float) -> bool | None:
    """Whether a site's cluster answers over the Kafka protocol within so many seconds. None: it can't be told, since it
    refused us, or another cluster answers, or we could not ask."""
    probe = _Probe(network, plan, site=site, service="kafka", ends=time.monotonic() + within, within=within)
    result = (await network.together({probe: (probe.run, probe.ends)}))[probe] or probe.unfinished()
    return result.healthy


def _services(plan: Plan, site: str) -> list[str]:
    """What is looked at of a site: gateways that serve whichever site is active tell nothing of it, nor do others."""
    own = bool(plan.site(site).fleets) and site not in plan.carrying(plan.other(site))
    services = [service for service in SERVICES if service != GATEWAY or own]
    return [*services, CANARY] if plan.clients.canary_probe else services


def _isolated_because(probes: Sequence[Probe], anchors: Sequence[str], missed: Sequence[str]) -> str | None:
    """Why what is seen from here proves nothing, or None."""
    if anchors and 2 * len(missed) >= len(anchors):
        return f"cut off itself: of {len(anchors)} anchors it does not reach {', '.join(missed)}"
    if not any(probe.answers for probe in probes if probe.service in CARRY_CLIENTS):
        return "isolated: it sees neither site"
    return None


async def _reaches(network: Network, anchor: str, deadline: float) -> bool:
    return await network.connectable(anchor, deadline) is None


class _Probe:
    """One look at one service of one site, `within` so many seconds. `ends`: on the monotonic clock."""

    def __init__(self, network: Network, plan: Plan, *, site: str, service: str, ends: float, within: float) -> None:
        self._network, self._plan, self.site, self._service = network, plan, site, service
        self.ends, self._within = ends, within
        self._refused_because: str | None = None

    async def run(self) -> Probe:
        """What is seen."""
        started = time.monotonic()
        look = {"kafka": self._kafka, GATEWAY: self._gateway, "rest": self._rest, CANARY: self._canary}
        healthy: bool | None
        try:
            why = await look[self._service]()
            healthy = why is None
        except (KafkaUnavailable, LinkUnavailable) as error:
            # Something that refuses is there, and one attempt in time is not lost by a second that was too late.
            healthy, why = None if self._refused_because else False, self._refused_because or str(error)
        except FailoverError as error:
            healthy, why = None, self._refused_because or f"the probe itself failed: {error}"
        return self._result(healthy, time.monotonic() - started, why or "")

    def unfinished(self) -> Probe:
        """What is known of it when the look ends before it does."""
        late = f"no answer within {self._within:g} s"
        if self._refused_because:
            return self._result(None, self._within, f"not known: {late} after {self._refused_because}")
        return self._result(None if self._service == CANARY else False, self._within, late)

    def _result(self, healthy: bool | None, took_seconds: float, why: str) -> Probe:
        return Probe(
            site=self.site,
            service=self._service,
            healthy=healthy,
            took_seconds=round(took_seconds, 3),
            why=why,
            refused=healthy is None and self._refused_because is not None,
        )

    def _deadline(self, at_most: float = LOOK_S) -> float:
        """When to give up, on the monotonic clock."""
        now = time.monotonic()
        return max(now + 0.05, min(now + at_most, self.ends - MARGIN_S))

    def _note_refusal(self, why: str | None) -> None:
        self._refused_because = why

    async def _kafka(self) -> str | None:
        kafka = self._plan.site(self.site).kafka

        async def ask(credentials: Credentials | None) -> str:
            return await self._network.cluster_id(
                kafka.bootstrap, kafka.security_protocol, credentials, self._deadline()
            )

        _is_the_plans(await self._logged_in(kafka, ask), kafka.cluster_id)
        return None

    async def _logged_in(self, owner: Kafka | Clients, ask: Callable[[Credentials | None], Job[Answer]]) -> Answer:
        """What `ask` gives with the credentials in the owner's secret, the old or the new ones."""
        secret = None if owner.credentials is None else Secret(owner.credentials, owner.role)
        used = None if secret is None else secret.cached() or await self._network.beside(secret.read)
        try:
            return await ask(used)
        except KafkaUnauthorized as error:
            self._note_refusal(str(error))
            if secret is None or (anew := await self._network.beside(secret.read_anew)) == used:
                raise
        try:
            answer = await ask(anew)
        except KafkaUnauthorized as error:
            self._note_refusal(str(error))
            raise
        self._note_refusal(None)
        return answer

    async def _gateway(self) -> str | None:
        """Any fleet that takes connections, as its clients have them, will do; what it routes to is the fleet's own
        look: a standby's fleet may lead to the very cluster that is lost. A load balancer may take a connection for
        nobody, and ends no TLS handshake."""
        fleets = ",".join(fleet.bootstrap for fleet in self._plan.site(self.site).fleets)
        tls = self._plan.clients.security_protocol.endswith("SSL")
        return await self._network.connectable(fleets, self._deadline(GATEWAY_S), tls=tls)

    async def _rest(self) -> str | None:
        answering = await self._network.rest_cluster_id(self._plan, self.site)
        _is_the_plans(answering, self._plan.site(self.site).kafka.cluster_id)
        return None

    async def _canary(self) -> str | None:
        deadline = self.ends - MARGIN_S

        def send() -> str | None:
            # Slow to import, and asked for by few plans.
            from failover.detection.canary_probe import send_canary

            return send_canary(self._plan, self.site, deadline, self._note_refusal)

        return await self._network.in_thread(send)


def _is_the_plans(answering: str, named: str) -> None:
    """A plan that is wrong about its clusters is no loss of one."""
    if answering != named:
        raise StandbyChanged(f"cluster {answering} answers, not {named}")
