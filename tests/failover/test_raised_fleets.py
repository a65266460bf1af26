"""How large a fleet has to be, and how each kind of fleet is made larger: beside what runs, and never smaller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from drill import fixture_plan
from drill.kubernetes import json_patch
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import FleetState, Instance
from failover.fleets.cfk import CfkGateway
from failover.fleets.change_annotation import ANNOTATION
from failover.fleets.ecs import EcsService
from failover.fleets.ecs_blue_green import BlueGreenServices
from failover.fleets.kroxylicious import KroxyliciousCluster
from failover.fleets.kubernetes import Object, PatchRefused
from failover.fleets.size import Size, needed_by, size_of, zones_of
from failover.plan.fleets import CfkFleet, EcsBlueGreenFleet, EcsFleet, Eks, KroxyliciousFleet
from tests.claims import reaches

ECS = EcsFleet(**fixture_plan.ecs_fleet("west", "nlb.example.com:9092"))
CFK = CfkFleet(**fixture_plan.cfk_fleet("west", "nlb.example.com:9092"))
KROXYLICIOUS = KroxyliciousFleet(
    name="gateway-west",
    kind="kroxylicious",
    eks=Eks(name="eks-west"),
    namespace="kafka",
    proxy="gateway-west",
    virtual_cluster="orders",
    bootstrap="nlb.example.com:9092",
    services={site: site for site in ("east", "west")},
)


class Api:
    """A namespace in memory; `between`: what somebody else does after each read."""

    where = "EKS cluster eks-west in us-west-2"

    def __init__(self, **spec: Any) -> None:
        metadata = {"name": "gateway-west", "generation": 3, "annotations": {ANNOTATION: "{}"}}
        self.object: Object = {"metadata": metadata, "spec": spec} if spec else {"metadata": metadata}
        self.between = self.nothing
        self.patches = 0

    def nothing(self) -> None:
        pass

    def get(self, resource: str, name: str) -> Object:
        read = json_patch.patched(self.object, [])
        self.between()
        return dict(read)

    def patch(
        self, resource: str, name: str, operations: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> Object:
        try:
            stored = dict(json_patch.patched(self.object, list(operations)))
        except json_patch.PatchRefused as error:
            raise PatchRefused(str(error)) from None
        if not dry_run:
            self.object = stored
            self.patches += 1
        return stored


def kinds(api: Any) -> dict[str, Any]:
    return {
        "cfk": CfkGateway(CFK, "us-west-2", api),
        "kroxylicious": KroxyliciousCluster(KROXYLICIOUS, "us-west-2", api),
    }


@pytest.mark.parametrize("kind", ["cfk", "kroxylicious"])
def test_replicas_are_raised_and_what_the_last_change_says_stays(kind: str) -> None:
    api = Api(replicas=2)
    fleet = kinds(api)[kind]
    before = dict(api.object["metadata"])
    fleet.raise_to(5)
    assert (fleet.size(), api.object["metadata"]) == (5, before)
    fleet.raise_to(4)
    fleet.raise_to(5)
    assert (fleet.size(), api.patches) == (5, 1)


def test_a_proxy_without_a_spec_has_one_replica_until_it_is_raised() -> None:
    api = Api()
    fleet = kinds(api)["kroxylicious"]
    assert fleet.size() == 1
    fleet.raise_to(3)
    assert fleet.size() == 3


@pytest.mark.parametrize("kind", ["cfk", "kroxylicious"])
def test_what_somebody_else_changed_meanwhile_is_looked_at_again(kind: str) -> None:
    api = Api(replicas=2)

    def change() -> None:
        api.object["metadata"]["generation"] += 1

    api.between = change
    with pytest.raises(FleetUnavailable, match="somebody else"):
        kinds(api)[kind].raise_to(5)
    assert api.object["spec"]["replicas"] == 2


def test_a_gateway_whose_operator_does_not_act_is_not_raised() -> None:
    api = Api(replicas=2)
    api.object["metadata"]["annotations"]["platform.confluent.io/block-reconcile"] = "true"
    with pytest.raises(FleetRejected, match="block-reconcile"):
        kinds(api)["cfk"].raise_to(5)
    assert api.patches == 0


@pytest.mark.parametrize(("desired", "updated"), [(2, True), (5, False), (7, False)])
def test_a_service_is_raised_by_its_desired_count_alone(desired: int, updated: bool) -> None:
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    stubbed = Stubber(ecs)
    described = {"services": [{"status": "ACTIVE", "desiredCount": desired}]}
    stubbed.add_response("describe_services", described, {"cluster": ANY, "services": ANY})
    if updated:
        stubbed.add_response("update_service", {}, {"cluster": ANY, "service": ANY, "desiredCount": 5})
    stubbed.activate()
    EcsService(ECS, "us-west-2", ecs).raise_to(5)
    stubbed.assert_no_pending_responses()


def size(instances: int, zones: int = 3) -> Size:
    return Size(instances=instances, zones=zones)


def left(instances: int, zones: int) -> int:
    return instances - ceil(instances / zones) if zones > 1 else 0


@given(instances=st.integers(1, 60), theirs=st.integers(0, 6), ours=st.integers(0, 6))
def test_it_bears_to_lose_a_zone_as_those_did_that_clients_come_from(instances: int, theirs: int, ours: int) -> None:
    needed = needed_by("gateway", ours, {"gateway"}, {"gateway": size(instances, theirs)})
    assert needed is not None and needed >= instances
    if reaches(ours > 1):
        assert left(needed, ours) >= left(instances, theirs)
        assert needed == instances or left(needed - 1, ours) < left(instances, theirs), "no more than that"
    else:
        assert needed == instances


@pytest.mark.parametrize(
    ("leaving", "needed"),
    [
        ({"gateway": size(4)}, 4),
        ({"gateway": size(4), "other": size(9)}, 4),
        ({"east-1": size(4), "east-2": size(3)}, 4),
        ({"east-1": size(4)}, 2),
        ({"more": size(4)}, None),
        ({"more": size(4), "east-1": size(3)}, 3),
        ({}, None),
    ],
)
def test_a_fleet_takes_over_from_its_namesake_else_its_part_of_the_others(
    leaving: dict[str, Size], needed: int | None
) -> None:
    """`gateway` and `more` take over from them."""
    assert needed_by("gateway", 3, {"gateway", "more"}, leaving) == needed


@pytest.mark.parametrize(
    ("zones", "otherwise", "told"),
    [(("a", "b"), 3, 3), (("a", "b", "b"), 3, 2), (("a", "b", "c", "d"), 3, 4), (("a", None), 3, 3), ((), 0, 0)],
)
def test_there_may_be_more_zones_than_a_small_fleet_shows(
    zones: tuple[str | None, ...], otherwise: int, told: int
) -> None:
    instances = [Instance(name=str(number), bootstrap=None, zone=zone) for number, zone in enumerate(zones)]
    assert zones_of(instances, otherwise) == told


@pytest.mark.parametrize(
    ("asked_for", "zones", "known"),
    [
        (3, ("a", "b", "b"), Size(instances=3, zones=2)),
        (4, ("a", "b", "c"), Size(instances=4, zones=3)),
        (3, ("a", None, "b"), Size(instances=3, zones=0)),
        (1, ("a",), Size(instances=1, zones=1)),
        (0, (), None),
        (None, ("a", "b"), None),
    ],
)
def test_a_fleet_is_as_large_as_it_is_asked_to_be_in_the_zones_that_all_its_instances_tell(
    asked_for: int | None, zones: tuple[str | None, ...], known: Size | None
) -> None:
    instances = tuple(Instance(name=str(number), bootstrap=None, zone=zone) for number, zone in enumerate(zones))
    state = FleetState(target="east", settled=True, instances=instances, detail="as it is", size=asked_for)
    assert size_of(state) == known


def forward(**weights: int | None) -> dict[str, Any]:
    """What a listener does that forwards to target groups; None: the API tells no weight."""
    groups = [{"TargetGroupArn": group} | ({} if of is None else {"Weight": of}) for group, of in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


@pytest.mark.parametrize(
    ("actions", "size"),
    [
        ([{"Type": "forward", "TargetGroupArn": "to-east"}], 3),
        ([forward(**{"to-west": None})], 7),
        ([forward(**{"to-east": 1, "to-west": 0})], 3),
        ([forward(**{"to-east": 0, "to-west": 100})], 7),
        ([forward(**{"to-east": 1, "to-west": 99})], None),
        ([forward(**{"to-east": 1, "of-others": 1})], None),
        ([forward(**{"of-others": 1})], None),
        ([], None),
    ],
)
def test_the_size_of_two_colours_is_that_of_the_one_which_all_listeners_lead_to(
    actions: list[dict[str, Any]], size: int | None
) -> None:
    described = fixture_plan.ecs_blue_green_fleet("west", "nlb.example.com:9092")
    planned = EcsBlueGreenFleet.model_validate_json(json.dumps(described))
    session = boto3.Session("test", "test", region_name="us-west-2")
    ecs, balancing = session.client("ecs"), session.client("elbv2")
    of_ecs, of_balancing = Stubber(ecs), Stubber(balancing)
    services = [
        {
            "serviceName": name,
            "serviceArn": f"arn:{name}",
            "status": "ACTIVE",
            "desiredCount": {"east": 3, "west": 7}[site],
            "loadBalancers": [{"containerPort": 9092, "targetGroupArn": f"to-{site}"}],
        }
        for site, name in planned.services.items()
    ]
    of_ecs.add_response("describe_services", {"services": services})
    if size is not None:
        (selected,) = [service for service in services if service["desiredCount"] == size]
        of_ecs.add_response("describe_services", {"services": [selected]})
    listener = {"ListenerArn": planned.listeners[0], "DefaultActions": actions}
    of_balancing.add_response("describe_listeners", {"Listeners": [listener]})
    of_ecs.activate()
    of_balancing.activate()
    assert BlueGreenServices(planned, "us-west-2", ecs, balancing).size() == size
    of_ecs.assert_no_pending_responses()
