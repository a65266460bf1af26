"""A gateway's metrics in Prometheus's text format, under the engine's names.

They are those of Kroxylicious's monitoring documentation (con-prometheus-metrics-proxy.adoc).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from drill.gateway.route import STATES, Served


def exposition(routes: Mapping[str, Served], reconfigured: Counter[str]) -> bytes:
    """The whole text. `reconfigured`: how many reloads ended in each outcome."""
    return ("\n".join(_samples(routes.values(), reconfigured)) + "\n").encode()


def _samples(routes: Iterable[Served], reconfigured: Counter[str]) -> Iterator[str]:
    routes = list(routes)
    yield "# TYPE kroxylicious_client_to_proxy_active_connections gauge"
    for each in routes:
        yield _sample("client_to_proxy_active_connections", each.route.clients, virtual_cluster=each.name)
    yield "# TYPE kroxylicious_proxy_to_server_active_connections gauge"
    for each in routes:
        yield _sample("proxy_to_server_active_connections", each.route.upstreams, virtual_cluster=each.name)
    yield "# TYPE kroxylicious_client_to_proxy_disconnects_total counter"
    for each in routes:
        for cause, count in sorted(each.route.disconnects.items()):
            yield _sample("client_to_proxy_disconnects_total", count, virtual_cluster=each.name, cause=cause)
    yield "# TYPE kroxylicious_virtual_cluster_state gauge"
    for each in routes:
        for state in STATES:
            yield _sample("virtual_cluster_state", int(each.state == state), virtual_cluster=each.name, state=state)
    yield "# TYPE kroxylicious_virtual_cluster_transitions_total counter"
    for each in routes:
        for (before, after), count in sorted(each.transitions.items()):
            labels = {"virtual_cluster": each.name, "from": before, "to": after}
            yield _sample("virtual_cluster_transitions_total", count, **labels)
    yield "# TYPE kroxylicious_reconfigure_total counter"
    for outcome, count in sorted(reconfigured.items()):
        yield _sample("reconfigure_total", count, outcome=outcome)


def _sample(name: str, value: int, **labels: str) -> str:
    shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"kroxylicious_{name}{{{shown}}} {value}"
