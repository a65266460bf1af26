"""How a virtual cluster of Kroxylicious is led elsewhere, fenced and looked at, and when its pods are proven."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets.cfk_state import REFUSED_AFTER_S
from failover.fleets.change_annotation import ANNOTATION, Change, change_of
from failover.fleets.kroxylicious import KroxyliciousCluster, View
from failover.fleets.rollout import REFUSAL_VALID_S
from failover.plan.fleets import Eks, KroxyliciousFleet
from tests.failover.test_kubernetes_fleets import NOW, at, pod
from tests.kubernetes_namespace import Namespace

FLEET = KroxyliciousFleet(
    name="gateway-west",
    kind="kroxylicious",
    eks=Eks(name="eks-west"),
    namespace="kafka",
    proxy="gw",
    virtual_cluster="orders",
    bootstrap="nlb.example.com:9092",
    services={"east": "to-east", "west": "to-west"},
    port=9292,
)
NOWHERE = FLEET.model_copy(update={"services": {**FLEET.services, "fenced": "nowhere"}})
LABELS = {"app.kubernetes.io/name": "kroxylicious", "app.kubernetes.io/instance": "gw"}
RESOLVED = {"type": "ResolvedRefs", "status": "True", "observedGeneration": 3}
REFUSED = {
    "type": "ResolvedRefs",
    "status": "False",
    "reason": "NotFound",
    "message": "no 'to-west'",
    "observedGeneration": 3,
}


def change(**more: Any) -> Change:
    fields: dict[str, Any] = {"id": "1", "to": "west", "tier": "roll", "at": NOW - 600}
    return Change(**fields | more)


def annotated(last: Change | None) -> dict[str, str]:
    return {} if last is None else {ANNOTATION: json.dumps(last.__dict__)}


def cluster(
    service: str = "to-east",
    last: Change | None = None,
    conditions: Sequence[dict[str, Any]] = (RESOLVED,),
    seen: int = 3,
) -> dict[str, Any]:
    return {
        "metadata": {"name": "orders", "generation": 3, "resourceVersion": "7", "annotations": annotated(last)},
        "spec": {"proxyRef": {"name": "gw"}, "targetKafkaServiceRef": {"name": service}},
        "status": {"observedGeneration": seen, "conditions": list(conditions)},
    }


def proxy(replicas: int | None = 2, last: Change | None = None) -> dict[str, Any]:
    made = {"metadata": {"name": "gw", "generation": 1, "resourceVersion": "3", "annotations": annotated(last)}}
    return made if replicas is None else made | {"spec": {"replicas": replicas}}


def labelled(name: str) -> dict[str, Any]:
    made = pod(name)
    made["metadata"]["labels"] = LABELS
    return made


def deployment(replicas: int) -> dict[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
    return {"metadata": {"name": "gw"}, "spec": {"replicas": replicas}, "status": counts}


def view(
    of_cluster: dict[str, Any], fleet: KroxyliciousFleet = FLEET, replicas: int = 2, pods: str = "ab", **more: Any
) -> View:
    """A look at a fleet whose Deployment has rolled out."""
    return View(
        fleet=fleet,
        cluster=of_cluster,
        proxy=proxy(replicas),
        deployment=deployment(len(pods)),
        pods=tuple(pod(name) for name in pods),
        now=NOW,
        **more,
    )


def world(of_cluster: dict[str, Any], of_proxy: dict[str, Any], *pods: str) -> Namespace:
    return Namespace(
        ("virtualkafkaclusters", of_cluster),
        ("kafkaproxies", of_proxy),
        ("deployments", deployment(len(pods))),
        *(("pods", labelled(name)) for name in pods),
        *(("kafkaservices", {"metadata": {"name": name}}) for name in ("to-east", "to-west")),
    )


def led_to(api: Namespace) -> str:
    return str(api.objects["virtualkafkaclusters", "orders"]["spec"]["targetKafkaServiceRef"]["name"])


def replicas(api: Namespace) -> int | None:
    spec = api.objects["kafkaproxies", "gw"].get("spec") or {}
    return spec.get("replicas")


def fleet(api: Namespace, described: KroxyliciousFleet = FLEET) -> KroxyliciousCluster:
    return KroxyliciousCluster(described, "us-west-2", api)


@pytest.mark.parametrize(
    ("described", "service", "replicas", "target", "kind"),
    [
        (FLEET, "to-east", 2, "east", None),
        (FLEET, "to-west", 1, "west", None),
        (FLEET, "another", 2, None, None),
        (FLEET, "to-west", 0, "fenced", "scaled to zero"),
        (NOWHERE, "nowhere", 2, "fenced", "leads nowhere"),
        (NOWHERE, "nowhere", 0, "fenced", "scaled to zero"),
        (NOWHERE, "to-west", 2, "west", None),
    ],
)
def test_it_leads_to_the_site_of_its_service_or_is_fenced_by_one_that_leads_nowhere_or_by_nobody_left(
    described: KroxyliciousFleet, service: str, replicas: int, target: str | None, kind: str | None
) -> None:
    seen = view(cluster(service), described, replicas)
    assert (seen.target, seen.fence_kind) == (target, kind)


@pytest.mark.parametrize(
    ("conditions", "seen", "accepted"),
    [
        ([RESOLVED], 3, True),
        ([RESOLVED, {"type": "Accepted", "status": "True", "observedGeneration": 3}], 4, True),
        ([RESOLVED, {"type": "Accepted", "status": "False", "observedGeneration": 3}], 3, False),
        ([RESOLVED], 2, False),
        ([RESOLVED | {"observedGeneration": 2}], 3, False),
        ([RESOLVED | {"status": "Unknown"}], 3, False),
        ([REFUSED], 3, False),
        ([], 3, False),
    ],
)
def test_a_spec_is_accepted_once_the_operator_has_found_what_it_names(
    conditions: list[dict[str, Any]], seen: int, accepted: bool
) -> None:
    looked = view(cluster("to-west", conditions=conditions, seen=seen))
    assert (looked.accepted, looked.settled) == (accepted, accepted)
    assert ("not accepted" in looked.detail) is not accepted


@pytest.mark.parametrize(
    ("last", "proofs"),
    [
        (None, ["is of the Deployment's present template"] * 2),
        (change(before=("uid-a",)), [None, "was not there before the change"]),
        (change(to="east", before=("uid-a",)), ["is of the Deployment's present template"] * 2),
    ],
)
def test_a_pod_is_proven_by_not_having_been_there_before_the_change(
    last: Change | None, proofs: list[str | None]
) -> None:
    seen = view(cluster("to-west", last))
    assert [instance.proof for instance in seen.instances] == proofs
    assert [instance.bootstrap for instance in seen.instances] == ["10.0.0.1:9292"] * 2
    assert seen.detail.startswith(f"{2 - proofs.count(None)} of 2 instances proven, led to KafkaService to-west")


def test_a_pod_is_asked_only_where_the_plan_has_its_port_and_it_is_ready() -> None:
    without = FLEET.model_copy(update={"port": None})
    assert [instance.bootstrap for instance in view(cluster(), without).instances] == [None, None]
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = at(20)
    leaving = replace(view(cluster()), pods=(going, pod("b")))
    assert [instance.bootstrap for instance in leaving.instances] == [None, "10.0.0.1:9292"]


@pytest.mark.parametrize(
    ("condition", "last", "refused", "again"),
    [
        (REFUSED, change(at=NOW - REFUSED_AFTER_S), "ResolvedRefs: NotFound: no 'to-west'", False),
        (REFUSED, change(at=NOW - REFUSED_AFTER_S + 1), None, False),
        (REFUSED, change(at=NOW - REFUSAL_VALID_S + 1), "ResolvedRefs: NotFound: no 'to-west'", False),
        (REFUSED, change(at=NOW - REFUSAL_VALID_S), None, True),
        (REFUSED, None, None, False),
        (REFUSED, change(to="east"), None, False),
        (REFUSED | {"observedGeneration": 2}, change(at=NOW - 60), None, False),
        (RESOLVED, change(at=NOW - 60), None, False),
    ],
)
def test_what_the_operator_does_not_find_is_its_answer_until_it_is_old(
    condition: dict[str, Any], last: Change | None, refused: str | None, again: bool
) -> None:
    seen = view(cluster("to-west", last, [condition]))
    assert seen.refused == refused
    assert ("to be asked again" in str(seen.stalled_because)) is again
    assert (seen.stalled_because is None) is not again


def test_a_condition_that_is_not_true_is_said() -> None:
    assert view(cluster("to-west", conditions=[REFUSED])).detail.endswith("ResolvedRefs is False: no 'to-west'")
    assert "ResolvedRefs" not in view(cluster("to-west")).detail
    assert view(cluster("to-west"), replicas=0).detail == "scaled to zero, 2 pods left"


def test_a_virtual_cluster_is_led_elsewhere_by_one_patch_and_its_proxy_is_left_alone() -> None:
    api = world(cluster(), proxy(2), "a", "b")
    began = time.time()
    fleet(api).route("west")
    fleet(api).route("west")
    assert (led_to(api), replicas(api), [name for name, _ in api.patches]) == ("to-west", 2, ["orders"])
    last = change_of(api.objects["virtualkafkaclusters", "orders"])
    assert last is not None and began - 1 <= last.at <= time.time() + 1
    assert (last.to, last.before, last.replicas) == ("west", ("uid-a", "uid-b"), 2)
    state = fleet(api).look()
    assert (state.target, state.settled, state.unproven, state.size) == ("west", False, ["a", "b"], 2)


def test_what_was_refused_long_ago_is_asked_again() -> None:
    last = Change(id="1", to="west", tier="roll", at=time.time() - 600)
    api = world(cluster("to-west", last, [REFUSED]), proxy(2), "a")
    state = fleet(api).look()
    assert state.refused_because is None and not state.routed_to("west")
    fleet(api).route("west")
    assert [name for name, _ in api.patches] == ["orders"]
    state = fleet(api).look()
    assert state.refused_because is None, "that may be of before"


def test_a_refusal_names_whose_it_is() -> None:
    last = Change(id="1", to="west", tier="roll", at=time.time() - 60)
    state = fleet(world(cluster("to-west", last, [REFUSED]), proxy(2), "a")).look()
    assert "the operator refused virtual cluster orders in namespace kafka of EKS" in str(state.refused_because)


def test_without_a_service_that_leads_nowhere_a_fence_is_nobody_left_and_with_one_it_is_that() -> None:
    api = world(cluster(), proxy(4), "a")
    fleet(api).route("fenced")
    assert (led_to(api), replicas(api)) == ("to-east", 0)
    kept = change_of(api.objects["kafkaproxies", "gw"])
    assert kept is not None and (kept.to, kept.replicas) == ("fenced", 4)
    api = world(cluster(), proxy(4), "a")
    fleet(api, NOWHERE).route("fenced")
    assert (led_to(api), replicas(api)) == ("nowhere", 4)


@pytest.mark.parametrize(("before", "back"), [(5, 5), (None, 3)])
def test_it_comes_back_with_the_instances_there_were_once_it_leads_where_it_shall(
    before: int | None, back: int
) -> None:
    last = Change(id="1", to="fenced", tier="roll", at=1.0, replicas=before) if before else None
    api = world(cluster("to-east"), proxy(0, last))
    fleet(api).route("west")
    assert [name for name, _ in api.patches] == ["orders", "gw"], "no instance comes up that leads to where it led"
    assert (led_to(api), replicas(api)) == ("to-west", back)
    kept = change_of(api.objects["virtualkafkaclusters", "orders"])
    assert kept is not None and kept.replicas == before


def test_a_proxy_that_does_not_say_how_many_has_one() -> None:
    api = world(cluster(), proxy(None), "a")
    fleet(api).route("west")
    assert replicas(api) is None and fleet(api).size() == 1
    fleet(api).route("fenced")
    assert replicas(api) == 0


def test_what_the_plan_does_not_name_is_refused() -> None:
    api = world(cluster(), proxy(2), "a")
    with pytest.raises(FleetRejected, match="no KafkaService for 'north' in the plan"):
        fleet(api).route("north")
    api.objects["virtualkafkaclusters", "orders"]["spec"]["proxyRef"]["name"] = "another"
    for act in (fleet(api).look, lambda: fleet(api).route("west")):
        with pytest.raises(FleetRejected, match="is not of KafkaProxy gw"):
            act()
    assert api.patches == []


def test_what_somebody_else_changed_meanwhile_is_looked_at_again() -> None:
    api = world(cluster(), proxy(2), "a")

    def led_elsewhere() -> None:
        api.objects["virtualkafkaclusters", "orders"] = cluster("to-west", change(id="2"))

    api.meanwhile = led_elsewhere
    with pytest.raises(FleetUnavailable, match="changed by somebody else"):
        fleet(api).route("west")


def test_a_service_that_is_not_there_is_found_before_it_is_led_to() -> None:
    api = world(cluster(), proxy(2), "a")
    assert fleet(api).obstacles() == []
    (missing,) = fleet(api, NOWHERE).obstacles()
    assert "could not be led to fenced: there is no KafkaService nowhere" in missing.what
