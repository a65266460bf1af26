"""What a gateway's metrics tell, under the engine's names; not every release has each of them.

https://github.com/confluentinc/confluent-kubernetes-examples/blob/master/gateway/monitoring/RECOMMENDED-METRICS.md
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from failover.fleets import FleetState, Instance

SERVING: Final = "serving"
PORT: Final = 9190
_ANSWERS_WITHIN_S: Final = 1.0
_BYTES_AT_MOST: Final = 4 * 1024 * 1024
_PODS_AT_ONCE: Final = 16
_STATE: Final = re.compile(r"^kroxylicious_virtual_cluster_state\{([^}]*)\}\s+1(?:\.0)?$", re.MULTILINE)
_AUTH_FAILURES: Final = re.compile(
    r'^gateway_authswap_(?:client|cluster)_auth_total\{[^}]*result="failure"[^}]*\}\s+(\d+(?:\.\d*)?(?:E\d+)?)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class RouteMetrics:
    """`state`: of the route's virtual cluster; `auth_failures`: how many swaps of credentials have failed, which only
    gateways that swap tell. None: not told."""

    state: str | None = None
    auth_failures: int | None = None


def parse_metrics(metrics: bytes, route: str) -> RouteMetrics:
    """What the text of `/metrics` tells of a route."""
    text = metrics.decode(errors="replace")
    failures = [int(float(count)) for count in _AUTH_FAILURES.findall(text)]
    return RouteMetrics(_state(text, route), sum(failures) if failures else None)


def with_metrics(state: FleetState, route: str) -> FleetState:
    """A fleet with what the instances whose metrics have an address tell. A route that is not serving, still draining
    the connections it had or failed, proves nothing; nor does silence change what is known without it."""
    if not any(instance.metrics for instance in state.instances):
        return state
    with ThreadPoolExecutor(max_workers=_PODS_AT_ONCE) as pool:
        answered: Iterable[Instance] = pool.map(lambda instance: _with_answer(instance, route), state.instances)
        return replace(state, instances=tuple(answered))


def _with_answer(instance: Instance, route: str) -> Instance:
    text = _read(instance.metrics) if instance.metrics is not None else None
    if text is None:
        return instance
    metrics = parse_metrics(text, route)
    proof = instance.proof if metrics.state in (None, SERVING) else None
    return replace(instance, proof=proof, auth_failures=metrics.auth_failures)


def _read(address: str) -> bytes | None:
    """What `/metrics` answers at host:port; a redirect is no answer."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.read(_BYTES_AT_MOST) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _state(metrics: str, route: str) -> str | None:
    for match in _STATE.finditer(metrics):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
        if labels.get("virtual_cluster") == route:
            return labels.get("state")
    return None
