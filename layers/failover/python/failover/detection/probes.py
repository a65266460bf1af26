"""Probes: what can be seen of the sites from here. All services of all sites side by side, and the way out of here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

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
from failover.kafka import cluster_id, connectable, leads_to, settings, write_and_read_back
from failover.link.factory import cluster_at
from failover.plan.model import Plan

LOOK_S = 4.0
ANCHOR_S = 1.5
CANARY_FOUND_S, CANARY_S = 1.0, 1.5
"""Together less than a look takes."""


def vantage() -> str:
    """The name of the vantage point that this function looks from: by default its region."""
    return os.environ.get("VANTAGE") or os.environ.get("AWS_REGION", "here")


def probe_sites(plan: Plan, within: float = LOOK_S) -> View:
    """Probe every service of every site, and the plan's anchors, all at once. What gives no answer within so many
    seconds does not answer."""
    at, started = time.time(), time.monotonic()
    services = (*SERVICES, CANARY) if plan.clients.canary_probe else SERVICES
    asked = [(site, service) for site in plan.sites for service in services]
    pool = ThreadPoolExecutor(max_workers=len(asked) + 1 + len(plan.anchors))
    anchors = {anchor: pool.submit(connectable, anchor, min(ANCHOR_S, within)) for anchor in plan.anchors}
    looks = {each: pool.submit(_probe, plan, *each) for each in asked}
    under_way: list[Future[Any]] = [*anchors.values(), *looks.values()]
    wait(under_way, timeout=within - (time.monotonic() - started))
    pool.shutdown(wait=False, cancel_futures=True)
    probes = tuple(_answered(look, site, service, within) for (site, service), look in looks.items())
    missed = [anchor for anchor, look in anchors.items() if not look.done() or look.result() is not None]
    return View(vantage(), at, probes, _ill(probes, plan.anchors, missed))


def _answered(look: Future[Probe], site: str, service: str, within: float) -> Probe:
    if look.done():
        return look.result()
    return Probe(site, service, None if service == CANARY else False, within, f"no answer within {within:g} s")


def _ill(probes: Sequence[Probe], anchors: Sequence[str], missed: Sequence[str]) -> str | None:
    """Why what is seen from here proves nothing, or None."""
    if anchors and 2 * len(missed) >= len(anchors):
        return f"cut off itself: of {len(anchors)} anchors it does not reach {', '.join(missed)}"
    if not any(probe.healthy for probe in probes if probe.service in CARRY_CLIENTS):
        return "ill: it sees neither site"
    return None


def _probe(plan: Plan, site: str, service: str) -> Probe:
    started = time.monotonic()
    ask: dict[str, Callable[[Plan, str], str | None]] = {
        "kafka": _kafka,
        "gateway": _gateway,
        "rest": _rest,
        CANARY: _canary,
    }
    healthy: bool | None
    try:
        why = ask[service](plan, site)
        healthy = why is None
    except KafkaUnauthorized as error:
        # Something answers there; a secret that was rotated is no loss of a site.
        healthy, why = None, str(error)
    except (KafkaUnavailable, LinkUnavailable) as error:
        healthy, why = False, str(error)
    except FailoverError as error:
        healthy, why = None, f"the probe itself failed: {error}"
    return Probe(site, service, healthy, round(time.monotonic() - started, 3), why or "")


def _kafka(plan: Plan, site: str) -> str | None:
    kafka = plan.site(site).kafka

    def ask(held: Credentials | None) -> str:
        return cluster_id(settings(kafka.bootstrap, kafka.security_protocol, held))

    _is_the_plans(with_credentials(kafka.credentials, ask), kafka.cluster_id)
    return None


def _gateway(plan: Plan, site: str) -> str | None:
    """Any fleet that takes connections, as its clients have them, will do; what it routes to is the fleet's own look: a
    standby's fleet may lead to the very cluster that is lost. A load balancer may take a connection for nobody, and
    ends no TLS handshake."""
    tls = plan.clients.security_protocol.endswith("SSL")
    why = [connectable(fleet.bootstrap, tls=tls) for fleet in plan.site(site).fleets]
    return None if None in why else "; ".join(each for each in why if each)


def _canary(plan: Plan, site: str) -> str | None:
    """A record through the site's gateway, written and read back. It tells of the site only if that gateway leads to
    the site's own cluster, and the topic is there: else the other probes must tell."""
    topic, wanted = plan.clients.canary_topic, plan.site(site).kafka.cluster_id
    why = []
    for fleet in plan.site(site).fleets:

        def ask(held: Credentials | None, bootstrap: str = fleet.bootstrap) -> str | None:
            chosen = settings(bootstrap, plan.clients.security_protocol, held)
            try:
                found = leads_to(chosen, topic, CANARY_FOUND_S)
            except KafkaUnauthorized:
                raise
            except KafkaUnavailable as error:
                raise CanarySaysNothing(f"{bootstrap} leads to no cluster now: {error}") from error
            if found != wanted:
                raise CanarySaysNothing(
                    f"{bootstrap} leads to {found or f'a cluster without {topic}'}, not to {wanted}"
                )
            try:
                write_and_read_back(chosen, topic, CANARY_S)
            except KafkaUnauthorized:
                raise
            except KafkaUnavailable as error:
                return str(error)
            return None

        why.append(with_credentials(plan.clients.credentials, ask))
    return None if None in why else "; ".join(each for each in why if each)


def _rest(plan: Plan, site: str) -> str | None:
    kafka = plan.site(site).kafka
    _is_the_plans(cluster_at(plan, site).answers(), kafka.cluster_id)
    return None


def _is_the_plans(found: str, named: str) -> None:
    """A plan that is wrong about its clusters is no loss of one."""
    if found != named:
        raise StandbyChanged(f"cluster {found} answers, not {named}")
