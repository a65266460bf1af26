"""ARC's routing controls: any endpoint will do, both controls change at once, and safety rules are kept to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drill.confluent.faults import Fault
from drill.dns_providers.scenarios import DnsProvider
from failover.dns import ClientName
from failover.errors import DnsRejected, DnsUnavailable
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
Name = Callable[[], ClientName]


@pytest.fixture
def held(on_routing_controls: DnsProvider) -> DnsProvider:
    return on_routing_controls


def test_an_update_whose_answer_is_lost_ends_as_one(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    """The first two answers are those of the look before it, the third is the update's."""
    held.faults.arm(Fault(kind="extra_fields", times=2))
    held.faults.arm(Fault(kind="timeout_after_apply", seconds=10))
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert sorted(held.stand_in.states.values()) == ["Off", "On"]


def test_a_rule_that_refuses_a_second_update_so_soon_does_not_stop_the_first(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    """The update is carried out where its answer is lost; the next endpoint that is asked refuses it."""
    held.stand_in.wait_s = 60.0
    held.faults.arm(Fault(kind="extra_fields", times=2))
    held.faults.arm(Fault(kind="timeout_after_apply", seconds=10))
    with pytest.raises(DnsUnavailable, match="looked at again"):
        call("flip_dns", {"execution": execution})
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]


def test_a_safety_rule_that_says_no_stands(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.stand_in.at_least_on = 2
    before = dict(held.stand_in.states)
    with pytest.raises(DnsRejected, match="as a safety rule says"):
        call("flip_dns", {"execution": execution})
    assert (held.stand_in.states, answered(name_server)) == (before, [EAST])


def test_with_no_endpoint_left_nothing_is_claimed(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.faults.arm(Fault(kind="status", status=503, times=None))
    with pytest.raises(DnsUnavailable, match=r"no endpoint of the ARC cluster answers: us-east-1.*ap-southeast-2"):
        call("flip_dns", {"execution": execution})
    held.faults.clear()
    until_done(call, {"execution": execution})


def test_each_endpoint_that_does_not_answer_is_found_before_it_is_needed(
    deployed: Any, held: DnsProvider, client_name: Name
) -> None:
    found = [each.what for each in client_name().obstacles("east")]
    assert [each.partition(":")[0] for each in found] == ["us-east-1", "us-west-2"]


def test_a_control_that_is_not_there_is_told(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    held.stand_in.states.popitem()
    with pytest.raises(DnsRejected, match="ResourceNotFoundException"):
        client_name().look(None)
