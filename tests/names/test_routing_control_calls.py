"""Which endpoint of an ARC cluster is asked, and what its answers are taken for, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from failover.dns import arc_routing_control
from failover.dns.arc_routing_control import RoutingControlName
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import ArcRoutingControl, ClusterEndpoint
from failover.plan.model import parse

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
SILENT = EndpointConnectionError(endpoint_url="https://arc")


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateRoutingControlStates")


class Cluster:
    """Five endpoints: which are asked for what, the state of each control, and what some say instead."""

    def __init__(self) -> None:
        self.states: dict[str, str | None] = {"arn:east": "On", "arn:west": "Off"}
        self.trouble: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.updates: list[Any] = []

    def __call__(self, service: str, region: str, **_: Any) -> Any:
        cluster = self

        class Endpoint:
            def get_routing_control_state(self, *, RoutingControlArn: str) -> dict[str, Any]:  # noqa: N803
                cluster.ask(region)
                state = cluster.states[RoutingControlArn]
                return {} if state is None else {"RoutingControlState": state}

            def update_routing_control_states(self, *, UpdateRoutingControlStateEntries: Any) -> dict[str, Any]:  # noqa: N803
                cluster.ask(region)
                cluster.updates.append(UpdateRoutingControlStateEntries)
                return {}

        return Endpoint()

    def ask(self, region: str) -> None:
        self.asked.append(region)
        if trouble := self.trouble.get(region):
            raise trouble


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    here = Cluster()
    monkeypatch.setattr(arc_routing_control, "client", here)
    monkeypatch.setattr(arc_routing_control, "ask", lambda servers, *_: dict.fromkeys(servers, EAST))
    return here


def name_of(*regions: str) -> RoutingControlName:
    endpoints = tuple(ClusterEndpoint(endpoint=f"https://{region}.arc.example/v1", region=region) for region in regions)
    described = ArcRoutingControl(
        kind="arc-routing-control",
        cluster_endpoints=endpoints,
        controls={"east": "arn:east", "west": "arn:west"},
        nameservers=("192.0.2.53",),
    )
    return RoutingControlName(parse(PLAN.read_text()), described)


@pytest.mark.parametrize(
    ("east", "west", "record"), [("On", "Off", EAST), ("Off", "On", WEST), ("On", "On", None), ("Off", "Off", None)]
)
def test_the_name_leads_to_the_one_site_whose_control_is_on(
    cluster: Cluster, east: str, west: str, record: str | None
) -> None:
    cluster.states = {"arn:east": east, "arn:west": west}
    state = name_of(*REGIONS).look(None)
    assert (state.record, state.in_sync, state.answers) == (record, True, {"192.0.2.53": EAST})


def test_half_of_an_answer_is_none(cluster: Cluster) -> None:
    cluster.states["arn:west"] = None
    with pytest.raises(DnsUnavailable, match="half of the routing controls"):
        name_of(*REGIONS).look(None)


def test_both_controls_are_changed_in_one_update(cluster: Cluster) -> None:
    assert name_of(*REGIONS).point_to("west") == "west is on"
    (entries,) = cluster.updates
    assert {entry["RoutingControlArn"]: entry["RoutingControlState"] for entry in entries} == {
        "arn:east": "Off",
        "arn:west": "On",
    }


def test_who_answers_is_asked_first_the_next_time_and_so_is_who_refuses(cluster: Cluster) -> None:
    name = name_of(*REGIONS)
    cluster.trouble = {"us-east-1": SILENT, "us-west-2": SILENT}
    name.look(None)
    assert cluster.asked == ["us-east-1", "us-west-2", "eu-west-1", "eu-west-1"]
    cluster.trouble = {"eu-west-1": SILENT, "us-east-1": refusal("AccessDeniedException")}
    with pytest.raises(DnsUnavailable, match="looked at again"):
        name.point_to("west")
    assert cluster.asked[4:] == ["eu-west-1", "us-east-1"]
    cluster.trouble = {}
    name.point_to("west")
    assert cluster.asked[6:] == ["us-east-1"]


@pytest.mark.parametrize(("code", "rule"), [("ConflictException", True), ("AccessDeniedException", False)])
def test_what_the_first_who_answers_refuses_is_final_and_a_safety_rule_is_told(
    cluster: Cluster, code: str, rule: bool
) -> None:
    cluster.trouble = {"us-east-1": refusal(code)}
    with pytest.raises(DnsRejected) as refused:
        name_of(*REGIONS).point_to("west")
    assert ("as a safety rule says" in str(refused.value)) is rule
    assert cluster.asked == ["us-east-1"]


def test_endpoints_that_the_plan_leaves_out_and_those_that_do_not_answer_are_obstacles(cluster: Cluster) -> None:
    assert name_of(*REGIONS).obstacles("east") == []
    (missing,) = name_of(*REGIONS[:4]).obstacles("east")
    assert "the plan has 4 of the cluster's 5 endpoints" in missing.what
    cluster.trouble = {"us-west-2": SILENT, "eu-west-1": refusal("AccessDeniedException")}
    found = [obstacle.what for obstacle in name_of(*REGIONS).obstacles("east")]
    assert [what.partition(":")[0] for what in found] == ["us-west-2", "eu-west-1"]
