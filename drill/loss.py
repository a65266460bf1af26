"""How a site can be lost: what is killed, and what is stopped in its tracks."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drill.process import Child

Spawn = Callable[[str, dict[str, Any], str], Child]


class LossKind(StrEnum):
    """What becomes of the active site, and of its region's AWS."""

    LOUD = "loud"
    SILENT = "silent"
    CLUSTER = "cluster"
    HANG = "hang"
    PARTITION = "partition"

    @property
    def description(self) -> str:
        """What happens, in a sentence."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    LossKind.LOUD: "The whole active site is killed: Kafka, REST, gateways, load balancer, and its region's AWS."
    " Connections are reset, and new ones refused.",
    LossKind.SILENT: "The whole active site stops in its tracks: Kafka, REST, gateways, load balancer. Connections"
    " stay, nothing is answered and nothing refused; its region's AWS hangs, too.",
    LossKind.CLUSTER: "The active site's Kafka cluster and its REST API are killed; gateways and AWS stay.",
    LossKind.HANG: "The active site's Kafka cluster and its REST API stop in their tracks, and answer nothing; gateways"
    " and AWS stay.",
    LossKind.PARTITION: "Nothing passes between the active site with its region's AWS and anybody else. Its gateways"
    " run on, for nobody.",
}


@dataclass(frozen=True, kw_only=True)
class SiteParts:
    """What a site is made of. `kafka`: its cluster and the REST API of that; `fleets`, `balancer`: its gateways, if it
    has any; `region`: the path of the world's AWS by which its region is lost; `neighbours`: the sites of other plans,
    which are lost with the region."""

    kafka: tuple[Child, Child]
    fleets: Sequence[Child]
    balancer: Sequence[Child]
    region: str
    neighbours: Sequence[Child] = ()

    @property
    def doors(self) -> tuple[Child, ...]:
        """All that it is reached through, but its region's AWS."""
        return *self.balancer, *self.kafka, *self.neighbours


def lose(site: SiteParts, kind: LossKind, post: Callable[[str], Any], spawn: Spawn) -> float:
    """Lose a site, for good. When: seconds since 1970. `post`: how the world's AWS is told; `spawn`: how a process is
    started that lasts as long as the world."""
    match kind:
        case LossKind.LOUD:
            at = _kill((*site.kafka, *site.neighbours))
            post(site.region)
            _kill((*site.fleets, *site.balancer))
        case LossKind.CLUSTER:
            at = _kill(site.kafka)
        case LossKind.HANG:
            at = _stop(site.kafka, spawn)
        case LossKind.SILENT:
            at = _stop((*site.doors, *site.fleets), spawn)
            post(f"{site.region}?silent=true")
        case LossKind.PARTITION:
            at = _stop(site.doors, spawn)
            post(f"{site.region}?silent=true&keep=ecs")
    return at


def _kill(children: Sequence[Child]) -> float:
    at = time.time()
    for child in children:
        child.kill()
    return at


def _stop(children: Sequence[Child], spawn: Spawn) -> float:
    spawn("drill.stopped_processes", {"pids": [pid for child in children for pid in child.pids]}, "stopped-processes")
    at = time.time()
    for child in children:
        child.signal(signal.SIGSTOP)
    return at
