"""Where the listeners of a Network Load Balancer lead to, as moto keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ecs.models import Service


def target_groups(service: Service) -> list[str]:
    """The ARNs of the target groups that a service registers its tasks with."""
    balancers: list[dict[str, Any]] = service.load_balancers or []
    return [balancer["targetGroupArn"] for balancer in balancers if "targetGroupArn" in balancer]


def leads_to(account: str, region: str, owners: Mapping[str, str]) -> list[str | None]:
    """For each listener that forwards to one of the target groups in `owners`, in the order of their ports: the owner
    of the group that has weight, or None where no owner's has."""
    from moto.elbv2.models import elbv2_backends  # here, because it brings the whole of moto's EC2

    owner_by_port: dict[int, str | None] = {}
    for balancer in elbv2_backends[account][region].load_balancers.values():
        for listener in balancer.listeners.values():
            weights = _weights(listener.default_actions)
            if weights.keys() & owners.keys():
                led = (owners[group] for group, weight in weights.items() if weight > 0 and group in owners)
                owner_by_port[int(str(listener.port))] = next(led, None)
    return [owner_by_port[port] for port in sorted(owner_by_port)]


def _weights(actions: list[Any]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for action in actions:
        groups = (action.data.get("ForwardConfig") or {}).get("TargetGroups") or [
            {"TargetGroupArn": action.data.get("TargetGroupArn"), "Weight": 1}
        ]
        weights |= {str(group["TargetGroupArn"]): int(group.get("Weight", 1)) for group in groups}
    return weights
