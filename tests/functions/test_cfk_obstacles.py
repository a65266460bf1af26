"""What would keep a Gateway from being routed is known long before a failover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.errors import FleetRejected
from failover.fleets import cfk_state
from failover.fleets.cfk import GATEWAYS, CfkGateway
from failover.plan.fleets import CfkFleet
from failover.plan.model import parse

Make = Callable[..., Any]
pytestmark = pytest.mark.slow


def test_what_would_keep_a_fleet_from_being_routed_is_known_beforehand(cfk: Make, plan_text: str) -> None:
    text, fleets = cfk(plan_text, instances=1)
    described = parse(text).site("west").fleets[0]
    assert isinstance(described, CfkFleet)
    assert CfkGateway(described, "us-west-2").obstacles() == []
    fleets["west"].trouble("annotations", {"gateway": "gateway-west", "annotations": {cfk_state.BLOCKED: "true"}})
    document = yaml.safe_load(text)
    document["sites"]["west"]["fleets"][0]["domains"]["west"]["bootstrap_server_id"] = "nobody"
    misnamed = parse(yaml.safe_dump(document)).site("west").fleets[0]
    assert isinstance(misnamed, CfkFleet)
    blocked, undeclared = CfkGateway(misnamed, "us-west-2").obstacles()
    assert "block-reconcile" in blocked.what and "west/nobody" in undeclared.what


def test_a_change_that_the_api_server_would_not_take_is_known_long_before(cfk: Make, plan_text: str) -> None:
    text, fleets = cfk(plan_text, instances=1)
    document = yaml.safe_load(text)
    (described,) = document["sites"]["west"]["fleets"]
    described["domains"]["west"]["extension_headers"] = {"logicalCluster": "lkc-west"}
    (fleet,) = parse(yaml.safe_dump(document)).site("west").fleets
    assert isinstance(fleet, CfkFleet)
    (obstacle,) = CfkGateway(fleet, "us-west-2").obstacles()
    assert "could not be routed to west" in obstacle.what and "extensionHeaders may only be set" in obstacle.what
    assert fleets["west"].patches() == 0


def test_a_dynamic_route_is_refused_and_that_is_said_long_before(cfk: Make, plan_text: str) -> None:
    text, fleets = cfk(plan_text, instances=1)
    (described,) = parse(text).site("west").fleets
    assert isinstance(described, CfkFleet)
    gateway = CfkGateway(described, "us-west-2")
    dynamic = {"op": "add", "path": "/spec/routes/0/mode", "value": "dynamic"}
    gateway._api.patch(GATEWAYS, "gateway-west", [dynamic])
    (obstacle,) = gateway.obstacles()
    assert "its route is dynamic" in obstacle.what
    for target in ("west", "fenced"):
        with pytest.raises(FleetRejected, match="its route is dynamic"):
            gateway.route(target)
    assert fleets["west"].patches() == 1
