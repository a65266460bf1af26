"""What a configuration may ask for, and this stand-in does not do: said by name before anything is served."""

from __future__ import annotations

from collections.abc import Iterator

from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig


def refuse_unserved(gateway: Gateway) -> None:
    """Let a configuration through that can be served whole.

    Raises:
        BadGatewayConfig: naming every field that can't.
    """
    if fields := [*_of_gateway(gateway), *(field for route in gateway.routes for field in _of_route(route))]:
        raise BadGatewayConfig("this stand-in does not do " + "; ".join(fields))


def _of_gateway(gateway: Gateway) -> Iterator[str]:
    if gateway.schema_validation is not None:
        yield "schemaValidation"


def _of_route(route: RouteConfig) -> Iterator[str]:
    where = f"of route {route.name!r}"
    if route.security.passthrough_config is not None:
        yield f"passthroughConfig {where}"
    swap = route.security.swap_config
    if swap is None:
        return
    if swap.client_auth.ssl is not None or swap.client_auth.mtls is not None:
        yield f"clientAuth by certificate {where}"
    if swap.client_auth.sasl is not None and swap.client_auth.sasl.scram is not None:
        yield f"clientAuth.sasl.scram {where}"
