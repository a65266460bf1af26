"""Our ARC cluster answers boto3 as the documentation says: https://docs.aws.amazon.com/routing-control/latest/APIReference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from drill.dns_providers.arc import RULE
from drill.dns_providers.scenarios import DnsProvider, routing_controls
from drill.network.plain_http import plain


@pytest.fixture
def held() -> Iterator[DnsProvider]:
    with routing_controls() as held:
        yield held


def at(held: DnsProvider, number: int) -> Any:
    """A client of one of the cluster's endpoints."""
    return boto3.client(
        "route53-recovery-cluster",
        region_name=held.dns["cluster_endpoints"][number]["region"],
        endpoint_url=held.dns["cluster_endpoints"][number]["endpoint"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def update(held: DnsProvider, number: int, **states: str) -> None:
    arns = held.dns["controls"]
    at(held, number).update_routing_control_states(
        UpdateRoutingControlStateEntries=[
            {"RoutingControlArn": arns[site], "RoutingControlState": state} for site, state in states.items()
        ]
    )


def states(held: DnsProvider, number: int) -> list[str]:
    client, arns = at(held, number), held.dns["controls"]
    return [
        client.get_routing_control_state(RoutingControlArn=arns[site])["RoutingControlState"]
        for site in ("east", "west")
    ]


def test_what_one_endpoint_is_told_all_of_them_know_and_so_do_name_servers(held: DnsProvider) -> None:
    assert states(held, 2) == ["On", "Off"]
    update(held, 2, east="Off", west="On")
    assert states(held, 3) == ["Off", "On"]
    east, west = held.dns["controls"]["east"], held.dns["controls"]["west"]
    assert plain.get(held.server["health_url"]).json() == {east: False, west: True}


def test_a_safety_rule_refuses_the_whole_update_and_is_named(held: DnsProvider) -> None:
    with pytest.raises(ClientError) as refused:
        update(held, 2, east="Off", west="Off")
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    assert RULE in refused.value.response["Error"]["Message"]
    assert states(held, 2) == ["On", "Off"]


def test_a_rule_refuses_another_update_within_its_wait_period(held: DnsProvider) -> None:
    """https://docs.aws.amazon.com/recovery-cluster/latest/api/assertionrule.html: WaitPeriodMs."""
    held.stand_in.wait_s = 60.0
    update(held, 2, east="Off", west="On")
    with pytest.raises(ClientError, match="wait period"):
        update(held, 3, east="On", west="Off")
    assert states(held, 2) == ["Off", "On"]


def test_of_five_endpoints_one_is_dead_and_one_is_ill(held: DnsProvider) -> None:
    with pytest.raises(EndpointConnectionError):
        states(held, 0)
    with pytest.raises(ClientError) as ill:
        states(held, 1)
    assert ill.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_control_that_is_not_there_is_told(held: DnsProvider) -> None:
    with pytest.raises(ClientError) as unknown:
        at(held, 2).get_routing_control_state(RoutingControlArn=held.dns["controls"]["east"] + "x")
    assert unknown.value.response["Error"]["Code"] == "ResourceNotFoundException"
