"""The example's plan with gateways that serve at all times: of both sites, or near the clients."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
BY_LATENCY = {"kind": "route53-record", "hosted_zone_id": "Z1", "routing": "latency", "nameservers": ["192.0.2.53"]}
NEAR = "gw-frankfurt.orders.example.com"


def of_both_sites() -> dict[str, Any]:
    """Fleets of both sites serve at all times."""
    plan: dict[str, Any] = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text())
    return plan | {"dns": dict(BY_LATENCY)}


def near_clients() -> dict[str, Any]:
    """Fleets near the clients, and none of a site."""
    plan = of_both_sites()
    (fleet,) = copy.deepcopy(plan["sites"]["east"]["fleets"])
    fleet |= {"name": "gateway-frankfurt", "service": "gateway-frankfurt", "bootstrap": f"{NEAR}:9092"}
    definitions = fleet["task_definitions"].items()
    fleet["task_definitions"] = {
        route: arn.replace("us-east-2", "eu-central-1").replace("gateway-east", "gateway-frankfurt")
        for route, arn in definitions
    }
    for site in plan["sites"].values():
        del site["fleets"], site["dns_target"]
    return plan | {"fleets": {"frankfurt": {"region": "eu-central-1", "dns_target": NEAR, "fleets": [fleet]}}}
