"""A plan whose clients reach the gateways without a name has none to flip, and its step is done."""

from __future__ import annotations

from typing import Any

import pytest

from drill.dns_providers.scenarios import DnsProvider
from failover.dns import client_name_of
from failover.plan.store import plan_named
from tests.names.conftest import Call


@pytest.fixture
def held() -> DnsProvider:
    return DnsProvider(dns={"kind": "none"})


@pytest.mark.slow
def test_there_is_nothing_to_flip(execution: dict[str, Any], call: Call) -> None:
    assert client_name_of(plan_named("orders")) is None
    report = call("flip_dns", {"execution": execution})
    assert report["status"] == "done" and "no name to flip" in report["observed"]["why"]
