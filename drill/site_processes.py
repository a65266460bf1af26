"""What the processes of a site are told when they start, and when they start again where they were."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import psutil

from drill import fixture_plan
from drill.both_ways import link_config
from drill.fixture_plan import HOME, STANDBY
from drill.process import Child, ChildFailed
from drill.world_settings import Settings

PORTS = 1 + fixture_plan.BROKERS
EPOCHS_ABOVE = 8
"""By how much leader epochs go back, where they do."""

Document = dict[str, Any]


def cluster_config(settings: Settings, site: str, before: Child | None = None) -> Document:
    """Of the Kafka cluster; `before`: the process that it takes the place of, whose log it goes on with."""
    config = {
        "site": site,
        "brokers": fixture_plan.BROKERS,
        "truncation": settings.truncation,
        "epochs_above": EPOCHS_ABOVE if settings.epochs_back and site == HOME else 0,
        "engine": settings.kafka,
        "directory": str(settings.directory / f"kafka-{site}"),
    }
    if before is None:
        return config
    return config | {"port": _port(f"//{before.ready['bootstrap']}"), "admin_port": _port(before.ready["admin"])}


def balancer_config(settings: Settings, site: str, before: Child | None = None) -> Document:
    """Of the load balancer."""
    # Through kube-proxy connections stay until their pod is gone; ECS has the load balancer end them.
    config = {"site": site, "listen_ports": PORTS, "connection_termination": settings.fleet != "cfk"}
    if before is None:
        return config
    return config | {"port": before.ready["port"], "admin_port": _port(before.ready["admin"])}


def rest_config(settings: Settings, site: str, clusters: dict[str, Child], before: Child | None = None) -> Document:
    """Of the REST API, and of the link that ends at the site. Which topics were mirrors it does not remember."""
    cluster = clusters[site].ready
    (remote,) = (child.ready for name, child in clusters.items() if name != site)
    key, secret = fixture_plan.API_KEYS[site]
    pace = {"interval_s": settings.link_interval_s, "offset_sync_s": settings.offset_sync_s}
    mirrors = [*settings.topics, *fixture_plan.more_topics(settings.more_topics)]
    config = {
        "site": site,
        "cluster_id": cluster["cluster_id"],
        "raw_bootstrap": cluster["raw_bootstrap"],
        "admin": cluster["admin"],
        "api_key": key,
        "api_secret": secret,
        "link": link_config(remote, **pace, groups=settings.groups),
        "topics": [fixture_plan.CANARY, *([] if site == STANDBY else settings.topics)],
        "mirrors": mirrors if site == STANDBY else [],
        "rest_only_mirrors": {"count": settings.rest_only_mirrors if site == STANDBY else 0},
        "stop_delay_s": settings.timing.promotion_s,
        "truncation": settings.truncation,
        "describes_groups": settings.kafka == "apache",
    }
    if before is None:
        return config
    return config | {"port": _port(before.ready["url"]), "control_port": _port(before.ready["control"])}


def await_end(child: Child, timeout_s: float = 10.0) -> None:
    """Wait until a process that was killed, and its engine, are gone, and hold no port or file any more.

    Raises:
        ChildFailed: if they are still there after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while child.alive or any(map(_is_there, child.pids)):
        if time.monotonic() > deadline:
            raise ChildFailed(child.module, "was killed, and is still there", child.log)
        time.sleep(0.02)


def _is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended does not, though its parent has not looked at it yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"{url} names no port")
    return port
