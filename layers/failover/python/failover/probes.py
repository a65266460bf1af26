"""Probes: what the controller sees of a site itself, from where it runs. All services of all sites side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from failover.credentials import Credentials, with_credentials
from failover.errors import FailoverError, KafkaUnavailable, LinkRejected, LinkUnavailable
from failover.evidence import Probe
from failover.kafka import cluster_id, connectable, settings
from failover.link.of_plan import cluster_at
from failover.plan import Plan

SERVICES = ("kafka", "gateway", "rest")


def probe_sites(plan: Plan, sites: Iterable[str]) -> tuple[Probe, ...]:
    """Probe Kafka, gateway and REST of each site, all at once; takes as long as the slowest, some 4 seconds at most."""
    asked = [(site, service) for site in sites for service in SERVICES]
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        return tuple(pool.map(lambda each: _probe(plan, *each), asked))


def _probe(plan: Plan, site: str, service: str) -> Probe:
    started = time.monotonic()
    ask: dict[str, Callable[[Plan, str], str | None]] = {"kafka": _kafka, "gateway": _gateway, "rest": _rest}
    healthy: bool | None
    try:
        why = ask[service](plan, site)
        healthy = why is None
    except (KafkaUnavailable, LinkUnavailable, LinkRejected) as error:
        healthy, why = False, str(error)
    except FailoverError as error:
        healthy, why = None, f"the probe itself failed: {error}"
    return Probe(site, service, healthy, round(time.monotonic() - started, 3), why or "")


def _kafka(plan: Plan, site: str) -> str | None:
    kafka = plan.site(site).kafka

    def ask(held: Credentials | None) -> str:
        return cluster_id(settings(kafka.bootstrap, kafka.security_protocol, held))

    found = with_credentials(kafka.credentials, ask)
    return None if found == kafka.cluster_id else f"cluster {found} answers, not {kafka.cluster_id}"


def _gateway(plan: Plan, site: str) -> str | None:
    """Any fleet that takes connections will do; what it routes to is the fleet's own look."""
    why = [connectable(fleet.bootstrap) for fleet in plan.site(site).fleets]
    return None if None in why else "; ".join(each for each in why if each)


def _rest(plan: Plan, site: str) -> str | None:
    kafka = plan.site(site).kafka
    found = cluster_at(plan, site).answers()
    return None if found == kafka.cluster_id else f"cluster {found} answers, not {kafka.cluster_id}"
