"""Probes: what can be seen of the sites from here. All services of all sites side by side, and the way out of here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from failover.aws.secrets import Credentials, with_credentials
from failover.detection.evidence import CANARY, CARRY_CLIENTS, SERVICES, Probe, View
from failover.errors import (
    CanarySaysNothing,
    FailoverError,
    KafkaUnauthorized,
    KafkaUnavailable,
    LinkUnavailable,
    StandbyChanged,
)
from failover.kafka.addresses import connectable, reachable
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_id, cluster_with_topic
from failover.link.factory import cluster_at
from failover.plan.model import Plan

LOOK_S = 4.0
LOST_SITE_S = 1.3
"""Of a site that votes already call lost: what is asked is whether it answers after all."""
ANCHOR_S = 1.5
MARGIN_S = 0.3
"""A probe ends so much before its look does: what it found out by then, a refusal above all, is not lost."""
CANARY_TOPIC_S, CANARY_S = 1.0, 1.5
"""Together less than a look takes."""

Answer = TypeVar("Answer")


def vantage() -> str:
    """The name of the vantage point that this function looks from: by default its region."""
    return os.environ.get("VANTAGE") or os.environ.get("AWS_REGION", "here")


def probe_sites(plan: Plan, within: float = LOOK_S, *, lost_site: str | None = None) -> View:
    """Probe every service of every site, and the plan's anchors, all at once. What gives no answer within so many
    seconds does not answer; unless it refused our credentials meanwhile: who refuses is alive. `lost_site` is said to
    be lost: it has `LOST_SITE_S`."""
    at, began = time.time(), time.monotonic()
    patience = {site: min(within, LOST_SITE_S) if site == lost_site else within for site in plan.sites}
    services = (*SERVICES, CANARY) if plan.clients.canary_probe else SERVICES
    probes = [
        _Probe(plan, site, service, began + seconds - MARGIN_S)
        for site, seconds in patience.items()
        for service in services
    ]
    pool = ThreadPoolExecutor(max_workers=len(probes) + 1 + len(plan.anchors))
    anchors = {anchor: pool.submit(connectable, anchor, min(ANCHOR_S, within)) for anchor in plan.anchors}
    results = {probe: pool.submit(probe.run) for probe in probes}
    for seconds in sorted(set(patience.values())):
        so_long: list[Future[Any]] = [result for probe, result in results.items() if patience[probe.site] == seconds]
        wait(so_long, timeout=max(0.0, began + seconds - time.monotonic()))
    wait(anchors.values(), timeout=max(0.0, began + min(ANCHOR_S, within) + MARGIN_S - time.monotonic()))
    pool.shutdown(wait=False, cancel_futures=True)
    observed = tuple(
        result.result() if result.done() else probe.unfinished(patience[probe.site])
        for probe, result in results.items()
    )
    missed = [anchor for anchor, look in anchors.items() if not look.done() or look.result() is not None]
    return View(
        vantage=vantage(), at=at, probes=observed, isolated_because=_isolated_because(observed, plan.anchors, missed)
    )


def _isolated_because(probes: Sequence[Probe], anchors: Sequence[str], missed: Sequence[str]) -> str | None:
    """Why what is seen from here proves nothing, or None."""
    if anchors and 2 * len(missed) >= len(anchors):
        return f"cut off itself: of {len(anchors)} anchors it does not reach {', '.join(missed)}"
    if not any(probe.answers for probe in probes if probe.service in CARRY_CLIENTS):
        return "isolated: it sees neither site"
    return None


class _Probe:
    """One look at one service of one site. `deadline`: on the monotonic clock."""

    def __init__(self, plan: Plan, site: str, service: str, deadline: float) -> None:
        self._plan, self.site, self._service, self._deadline = plan, site, service, deadline
        self._refused_because: str | None = None

    def run(self) -> Probe:
        """What is seen."""
        started = time.monotonic()
        look: dict[str, Callable[[], str | None]] = {
            "kafka": self._kafka,
            "gateway": self._gateway,
            "rest": self._rest,
            CANARY: self._canary,
        }
        healthy: bool | None
        try:
            why = look[self._service]()
            healthy = why is None
        except (KafkaUnavailable, LinkUnavailable) as error:
            # Something that refuses is there, and one attempt in time is not lost by a second that was too late.
            healthy, why = None if self._refused_because else False, self._refused_because or str(error)
        except FailoverError as error:
            healthy, why = None, self._refused_because or f"the probe itself failed: {error}"
        return self._result(healthy, time.monotonic() - started, why or "")

    def unfinished(self, within: float) -> Probe:
        """What is known of it when the look ends before it does."""
        if self._refused_because:
            return self._result(None, within, f"not known: no answer within {within:g} s after {self._refused_because}")
        return self._result(None if self._service == CANARY else False, within, f"no answer within {within:g} s")

    def _result(self, healthy: bool | None, took_seconds: float, why: str) -> Probe:
        return Probe(
            site=self.site,
            service=self._service,
            healthy=healthy,
            took_seconds=round(took_seconds, 3),
            why=why,
            refused=healthy is None and self._refused_because is not None,
        )

    def _seconds(self, at_most: float = LOOK_S) -> float:
        return max(0.05, min(at_most, self._deadline - time.monotonic()))

    def _logged_in(self, secret: str | None, ask: Callable[[Credentials | None], Answer]) -> Answer:
        """What `ask` gives with the secret's credentials, the old or the new ones."""

        def noting_refusal(credentials: Credentials | None) -> Answer:
            try:
                return ask(credentials)
            except KafkaUnauthorized as error:
                self._refused_because = str(error)
                raise

        answer = with_credentials(secret, noting_refusal)
        self._refused_because = None
        return answer

    def _kafka(self) -> str | None:
        kafka = self._plan.site(self.site).kafka

        def ask(credentials: Credentials | None) -> str:
            return cluster_id(settings(kafka.bootstrap, kafka.security_protocol, credentials), self._seconds())

        _is_the_plans(self._logged_in(kafka.credentials, ask), kafka.cluster_id)
        return None

    def _gateway(self) -> str | None:
        """Any fleet that takes connections, as its clients have them, will do; what it routes to is the fleet's own
        look: a standby's fleet may lead to the very cluster that is lost. A load balancer may take a connection for
        nobody, and ends no TLS handshake."""
        fleets = ",".join(fleet.bootstrap for fleet in self._plan.site(self.site).fleets)
        return connectable(fleets, self._seconds(2.0), tls=self._plan.clients.security_protocol.endswith("SSL"))

    def _rest(self) -> str | None:
        _is_the_plans(cluster_at(self._plan, self.site).answers(), self._plan.site(self.site).kafka.cluster_id)
        return None

    def _canary(self) -> str | None:
        """A record through any of the site's gateways, written and read back."""
        fleets = self._plan.site(self.site).fleets
        with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
            looks = [pool.submit(self._canary_through, fleet.bootstrap) for fleet in fleets]
        errors = [error for look in looks if (error := look.exception())]
        why = [look.result() for look in looks if look.exception() is None]
        if None in why:
            return None
        if errors:
            raise errors[0]
        return "; ".join(reason for reason in why if reason)

    def _canary_through(self, bootstrap: str) -> str | None:
        """It tells of the site only if that gateway leads to the site's own cluster, and the topic is there: else the
        other probes must tell."""
        clients, expected = self._plan.clients, self._plan.site(self.site).kafka.cluster_id

        def ask(credentials: Credentials | None) -> str | None:
            client = settings(bootstrap, clients.security_protocol, credentials)
            addresses = reachable(bootstrap, self._seconds(CANARY_TOPIC_S))
            try:
                cluster = cluster_with_topic(client, clients.canary_topic, addresses, self._seconds(CANARY_TOPIC_S))
            except KafkaUnauthorized:
                raise
            except KafkaUnavailable as error:
                raise CanarySaysNothing(f"{bootstrap} leads to no cluster now: {error}") from error
            if cluster != expected:
                leads_to = cluster or f"a cluster without {clients.canary_topic}"
                raise CanarySaysNothing(f"{bootstrap} leads to {leads_to}, not to {expected}")
            try:
                write_and_read_back(client, clients.canary_topic, self._seconds(CANARY_S))
            except KafkaUnauthorized:
                raise
            except KafkaUnavailable as error:
                if addresses.silent:
                    raise CanarySaysNothing(f"an address of {bootstrap} is silent: {error}") from error
                return str(error)
            return None

        return self._logged_in(clients.credentials, ask)


def _is_the_plans(answering: str, named: str) -> None:
    """A plan that is wrong about its clusters is no loss of one."""
    if answering != named:
        raise StandbyChanged(f"cluster {answering} answers, not {named}")
