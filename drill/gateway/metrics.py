"""A gateway's metrics in Prometheus's text format, under the engine's names.

Those that begin with `kroxylicious_` are in Kroxylicious's documentation (con-prometheus-metrics-proxy.adoc); no label
names the cluster that a route leads to. Those of auth swaps exist only where there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from drill.gateway.route import STATES, Served
from drill.kafka.proxy import Node, Route

ByNode = Callable[[Route], Counter[Node]]


def exposition(routes: Mapping[str, Served], reconfigured: Counter[str], tags: Mapping[str, str]) -> bytes:
    """The whole text. `reconfigured`: how many reloads ended in each outcome; `tags`: labels of every sample."""
    return ("\n".join(_Exposition(list(routes.values()), tags).lines(reconfigured)) + "\n").encode()


@dataclass(frozen=True)
class _Exposition:
    routes: list[Served]
    tags: Mapping[str, str]

    def lines(self, reconfigured: Counter[str]) -> Iterator[str]:
        yield from self._by_node("client_to_proxy_active_connections", "gauge", lambda route: route.clients)
        yield from self._by_node("proxy_to_server_active_connections", "gauge", lambda route: route.upstreams)
        yield from self._by_node("client_to_proxy_connections_total", "counter", lambda route: route.counts.connected)
        yield from self._by_node("proxy_to_server_connections_total", "counter", lambda route: route.counts.reached)
        yield from self._by_node("client_to_proxy_errors_total", "counter", lambda route: route.counts.refused)
        yield from self._by_node("proxy_to_server_errors_total", "counter", lambda route: route.counts.unreached)
        yield "# TYPE kroxylicious_client_to_proxy_disconnects_total counter"
        for route in self.routes:
            for cause, count in sorted(route.route.counts.disconnects.items()):
                yield self._sample("client_to_proxy_disconnects_total", count, virtual_cluster=route.name, cause=cause)
        yield "# TYPE kroxylicious_virtual_cluster_state gauge"
        for route in self.routes:
            for state in STATES:
                is_it = int(route.state == state)
                yield self._sample("virtual_cluster_state", is_it, virtual_cluster=route.name, state=state)
        yield "# TYPE kroxylicious_virtual_cluster_transitions_total counter"
        for route in self.routes:
            for (before, after), count in sorted(route.transitions.items()):
                labels = {"virtual_cluster": route.name, "from": before, "to": after}
                yield self._sample("virtual_cluster_transitions_total", count, **labels)
        yield "# TYPE kroxylicious_reconfigure_total counter"
        for outcome, count in sorted(reconfigured.items()):
            yield self._sample("reconfigure_total", count, outcome=outcome)
        if swaps := [route.swaps for route in self.routes if route.swaps_credentials]:
            yield from self._swapped("client_auth_total", sum((swap.clients for swap in swaps), Counter()))
            yield from self._swapped("cluster_auth_total", sum((swap.cluster for swap in swaps), Counter()))
            name = "gateway_authswap_secret_store_latency_seconds"
            yield f"# TYPE {name} summary"
            yield self._line(f"{name}_count", sum(swap.lookups for swap in swaps), {})
            yield self._line(f"{name}_sum", sum(swap.lookup_seconds for swap in swaps), {})

    def _by_node(self, name: str, kind: str, counted: ByNode) -> Iterator[str]:
        yield f"# TYPE kroxylicious_{name} {kind}"
        for route in self.routes:
            counts = {None: 0} | counted(route.route)
            for node, count in sorted(counts.items(), key=lambda item: -1 if item[0] is None else item[0]):
                label = "bootstrap" if node is None else str(node)
                yield self._sample(name, count, virtual_cluster=route.name, node_id=label)

    def _swapped(self, name: str, results: Counter[str]) -> Iterator[str]:
        yield f"# TYPE gateway_authswap_{name} counter"
        for result in ("success", "failure"):
            yield self._line(f"gateway_authswap_{name}", results[result], {"result": result})

    def _sample(self, name: str, value: int, **labels: str) -> str:
        return self._line(f"kroxylicious_{name}", value, labels)

    def _line(self, name: str, value: float, labels: Mapping[str, str]) -> str:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in {**labels, **self.tags}.items())
        return f"{name}{{{shown}}} {float(value)}" if shown else f"{name} {float(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
