"""How a Gateway of Confluent for Kubernetes is routed, fenced and looked at: what is patched, and what never is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets.cfk import CfkGateway
from failover.fleets.cfk_state import BLOCKED, LICENCE
from failover.fleets.change_annotation import Change, change_of, digests
from failover.fleets.kubernetes import PatchRefused
from failover.plan.fleets import CfkFleet, Domain
from failover.plan.gateway_route import certifies
from tests.failover.test_kubernetes_fleets import FLEET, at, pod, spec
from tests.kubernetes_namespace import Namespace

LABELS = {"app": "gw", "platform.confluent.io/type": "gateway"}
FENCE = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}


def labelled(name: str, **status: Any) -> dict[str, Any]:
    """A pod of the Gateway, with a licence."""
    made = pod(name, **status)
    made["metadata"]["labels"] = LABELS
    made["spec"]["containers"] = [{"env": [{"name": LICENCE}]}]
    return made


def world(of_spec: dict[str, Any] | None = None, *pods: dict[str, Any], **metadata: Any) -> Namespace:
    """A Gateway whose operator has seen its spec, its Deployment and its pods."""
    gateway = {
        "metadata": {"name": "gw", "generation": 3, "resourceVersion": "7", **metadata},
        "spec": of_spec or spec("east"),
        "status": {"observedGeneration": 3},
    }
    counts = {name: len(pods) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    deployment = {"metadata": {"name": "gw"}, "spec": {"replicas": len(pods)}, "status": counts}
    return Namespace(("gateways", gateway), ("deployments", deployment), *(("pods", each) for each in pods))


def gateway_of(api: Namespace) -> dict[str, Any]:
    return api.objects["gateways", "gw"]


def fleet(api: Namespace, described: CfkFleet = FLEET) -> CfkGateway:
    return CfkGateway(described, "us-west-2", api)


def annotated(change: Change) -> dict[str, str]:
    """The annotations of an object that carries a change."""
    return {"kafka-failover/change": json.dumps(change.__dict__)}


def test_a_route_moves_by_one_patch_that_was_tried_before_and_keeps_what_there_was() -> None:
    old = {"type": "Ready", "status": "False", "reason": "ApplyFailed"}
    api = world(None, labelled("a"), labelled("b"))
    gateway_of(api)["status"]["conditions"] = [old]
    began = time.time()
    fleet(api).route("west")
    assert len(api.tried) == 1 and api.tried == api.patches
    now = gateway_of(api)
    assert now["spec"]["routes"][0]["streamingDomain"] == {"name": "west", "bootstrapServerId": "kafka"}
    assert certifies(now["spec"]["configId"], now["spec"], 0) and now["spec"]["replicas"] == 1
    change = change_of(now)
    assert change is not None and began - 1 <= change.at <= time.time() + 1
    assert (change.id, change.to, change.tier) == (now["spec"]["configId"], "west", "hot reload")
    assert (change.before, change.conditions, change.replicas) == (("uid-a", "uid-b"), digests([old]), 1)
    paths = [operation["path"] for operation in api.patches[0][1]]
    assert paths == [
        "/spec/routes/0/name",
        "/spec/routes/0/streamingDomain",
        "/spec/configId",
        "/metadata/resourceVersion",
        "/metadata/annotations",
    ]


def test_a_gateway_that_rolls_gets_no_id_and_another_route_of_it_stays() -> None:
    of_two = spec("east", hotReload={"enabled": False}, configId=None)
    of_two["routes"].insert(0, of_two["routes"][0] | {"name": "payments"})
    api = world(of_two, labelled("a"))
    fleet(api).route("west")
    now = gateway_of(api)["spec"]
    assert [route["streamingDomain"]["name"] for route in now["routes"]] == ["east", "west"]
    change = change_of(gateway_of(api))
    assert now["configId"] is None and change is not None
    assert change.tier == "roll" and len(change.id) == 32


def test_a_server_that_does_not_know_ids_is_sent_none() -> None:
    api = world(spec("east", configId=None))
    api.stores = lambda thing: thing | {"spec": {k: v for k, v in thing["spec"].items() if k != "configId"}}
    fleet(api).route("west")
    assert "/spec/configId" in [operation["path"] for operation in api.tried[0][1]]
    assert "/spec/configId" not in [operation["path"] for operation in api.patches[0][1]]
    assert gateway_of(api)["spec"]["routes"][0]["streamingDomain"]["name"] == "west"


@pytest.mark.parametrize(
    ("image", "fenced"),
    [
        ("confluentinc/cpc-gateway:1.1.9-1-ubi9", False),
        ("confluentinc/cpc-gateway:0.9.0", False),
        ("confluentinc/cpc-gateway:1.2.0-1-ubi9", True),
        ("confluentinc/cpc-gateway:v1.10.0", True),
        ("confluentinc/cpc-gateway:2.0.1", True),
        ("confluentinc/cpc-gateway:latest", True),
        (None, True),
    ],
)
def test_a_fence_is_of_the_route_where_the_image_knows_it_else_nobody_is_left(image: str | None, fenced: bool) -> None:
    api = world(spec("east", **({} if image is None else {"image": {"application": image}})), labelled("a"))
    fleet(api).route("fenced")
    now = gateway_of(api)["spec"]
    assert (now["routes"][0].get("fence"), now["replicas"]) == ((FENCE, 1) if fenced else (None, 0))
    assert now["routes"][0]["streamingDomain"]["name"] == "east"
    assert ({"op": "add", "path": "/spec/replicas", "value": 0} in api.tried[0][1]) is not fenced
    state = fleet(api).look()
    assert (state.target, state.fence_kind) == ("fenced", "route" if fenced else "scaled to zero")


def test_a_server_that_drops_the_fence_has_the_fleet_scaled_to_zero_and_the_route_left_alone() -> None:
    def drop_fence(thing: dict[str, Any]) -> dict[str, Any]:
        for route in thing["spec"]["routes"]:
            route.pop("fence", None)
        return thing

    api = world(spec("east", replicas=4), labelled("a"))
    api.stores = drop_fence
    fleet(api).route("fenced")
    now = gateway_of(api)["spec"]
    assert (now["replicas"], now["configId"]) == (0, spec("east", configId=now["configId"])["configId"])
    (patch,) = api.patches
    assert "/spec/routes/0/fence" not in [operation["path"] for operation in patch[1]]
    change = change_of(gateway_of(api))
    assert change is not None and (change.to, change.replicas) == ("fenced", 4)


def test_a_fence_is_lifted_in_the_patch_that_moves_the_route() -> None:
    fenced = spec("east")
    fenced["routes"][0]["fence"] = FENCE
    api = world(fenced)
    fleet(api).route("west")
    assert {"op": "remove", "path": "/spec/routes/0/fence"} in api.patches[0][1]
    assert fleet(api).look().target == "west"


@pytest.mark.parametrize(("before", "instances"), [(None, 3), (5, 5)])
def test_a_fleet_comes_back_from_zero_with_the_instances_there_were_else_with_the_plans(
    before: int | None, instances: int
) -> None:
    change = Change(id="1", to="fenced", tier="roll", at=1.0, replicas=before)
    api = world(spec("east", replicas=0), annotations=annotated(change) if before else {})
    fleet(api).route("west")
    assert gateway_of(api)["spec"]["replicas"] == instances
    known = change_of(gateway_of(api))
    assert known is not None and known.replicas == before


def test_replicas_that_a_gateway_does_not_say_are_one_and_are_not_written() -> None:
    silent = spec("east")
    del silent["replicas"]
    api = world(silent, labelled("a"))
    fleet(api).route("west")
    assert "replicas" not in gateway_of(api)["spec"]
    change = change_of(gateway_of(api))
    assert change is not None and change.replicas == 1


def domains(**more: Any) -> CfkFleet:
    """The fleet, its domains with more said of each by site."""
    described = {
        site: Domain(name=site, bootstrap_server_id="kafka", **{field: of[site] for field, of in more.items()})
        for site in ("east", "west")
    }
    return FLEET.model_copy(update={"domains": described})


@pytest.mark.parametrize(
    ("described", "security", "then"),
    [
        (FLEET, None, None),
        (FLEET, {"secretStore": "ours", "client": {"tls": 1}}, {"secretStore": "ours", "client": {"tls": 1}}),
        (
            domains(secret_store={"east": "of-east", "west": "of-west"}),
            {"secretStore": "of-east", "client": {"tls": 1}},
            {"secretStore": "of-west", "client": {"tls": 1}},
        ),
        (
            domains(extension_headers={"east": {"cluster": "lkc-e"}, "west": {"cluster": "lkc-w"}}),
            {"cluster": {"extensionHeaders": {"cluster": "lkc-e", "tenant": "ours"}, "tls": 1}},
            {"cluster": {"extensionHeaders": {"cluster": "lkc-w", "tenant": "ours"}, "tls": 1}},
        ),
        (
            domains(extension_headers={"east": {"cluster": "lkc-e"}, "west": {}}),
            {"cluster": {"extensionHeaders": {"cluster": "lkc-e"}, "tls": 1}, "client": {"tls": 1}},
            {"cluster": {"tls": 1}, "client": {"tls": 1}},
        ),
        (
            domains(extension_headers={"east": {}, "west": {"cluster": "lkc-w"}}),
            None,
            {"cluster": {"extensionHeaders": {"cluster": "lkc-w"}}},
        ),
    ],
)
def test_credentials_and_the_name_of_the_cluster_move_with_the_route_and_what_else_is_there_stays(
    described: CfkFleet, security: dict[str, Any] | None, then: dict[str, Any] | None
) -> None:
    before = spec("east")
    if security is not None:
        before["routes"][0]["security"] = security
    api = world(before)
    assert fleet(api, described).look().target == "east"
    fleet(api, described).route("west")
    assert gateway_of(api)["spec"]["routes"][0].get("security") == then
    assert fleet(api, described).look().target == "west"
    written = [operation["path"] for operation in api.patches[0][1]]
    assert ("/spec/routes/0/security" in written) is (then != security)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda gateway: gateway["metadata"].update(annotations={BLOCKED: "True"}), "block-reconcile: the operator"),
        (lambda gateway: gateway["spec"]["routes"][0].update(mode="dynamic"), "its route is dynamic"),
        (lambda gateway: gateway["spec"]["routes"][0].update(name="another"), "has no route 'orders'"),
    ],
)
def test_a_gateway_that_can_not_be_switched_is_not_patched(change: Callable[[dict[str, Any]], None], why: str) -> None:
    api = world()
    change(gateway_of(api))
    for target in ("west", "fenced"):
        with pytest.raises(FleetRejected, match=why):
            fleet(api).route(target)
    with pytest.raises(FleetRejected, match="no streaming domain for 'north' in the plan"):
        fleet(world()).route("north")
    assert api.patches == api.tried == []


def test_what_somebody_else_changed_meanwhile_is_looked_at_again_and_a_refusal_is_one() -> None:
    api = world()

    def renamed() -> None:
        gateway_of(api)["metadata"] |= {"generation": 4, "resourceVersion": "8"}
        gateway_of(api)["spec"]["routes"][0]["name"] = "renamed"

    api.meanwhile = renamed
    with pytest.raises(FleetUnavailable, match="changed by somebody else"):
        fleet(api).route("west")
    assert api.patches == []


def stuck(**more: Any) -> Namespace:
    """A fleet that was routed to west a minute ago; its pod `b` still says it runs what it ran before."""
    wanted = spec("west")
    change = Change(
        id="1", to="west", tier="hot reload", at=time.time() - 60, before=("uid-a", "uid-b"), replicas=2, **more
    )
    api = world(wanted, labelled("a"), labelled("b"), annotations=annotated(change))
    for name, identity in (("a", wanted["configId"]), ("b", "fo-of-before")):
        api.answers[name, 9180, "config"] = (200, json.dumps({"configId": identity}).encode())
    return api


def test_a_pod_that_did_not_reload_is_replaced_and_the_gateway_is_not_patched_again() -> None:
    api = stuck()
    state = fleet(api).look()
    assert (state.settled, state.unproven) == (False, ["b"])
    assert "b did not reload: must be replaced" in str(state.stalled_because)
    fleet(api).route("west")
    assert (api.deleted, api.patches) == (["b"], [])
    fleet(api).route("east")
    assert api.deleted == ["b"] and len(api.patches) == 1


def test_a_pod_is_asked_for_its_configuration_and_then_for_its_metrics_and_who_is_silent_once() -> None:
    api = world(None, labelled("a"), labelled("b"), labelled("c", phase="Failed"), pod("of-another"))
    api.answers["a", 9180, "config"] = (404, b"")
    fleet(api).look()
    assert sorted(api.asked) == [("a", 9180, "config"), ("a", 9190, "metrics"), ("b", 9180, "config")]


def test_a_refusal_is_told_in_the_operators_words_and_what_to_do() -> None:
    change = Change(id="1", to="west", tier="roll", at=time.time() - 60)
    api = world(spec("west"), labelled("a"), annotations=annotated(change))
    failed = {"type": "Ready", "status": "False", "reason": "ApplyFailed", "message": "no secret"}
    gateway_of(api)["status"]["conditions"] = [failed]
    state = fleet(api).look()
    assert (
        state.refused_because is not None
        and "ApplyFailed: no secret; mend it, and apply a new" in state.refused_because
    )
    gateway_of(api)["status"]["conditions"] = []
    assert fleet(api).look().refused_because is None


def test_what_the_operator_has_against_a_change_stands_when_it_is_asked_for_again() -> None:
    """A condition that is new since the change, and a failure, is the answer to the same change once more."""
    failed = {"type": "Ready", "status": "False", "reason": "ApplyFailed", "lastTransitionTime": at(0)}
    fine = {"type": "Other", "status": "True", "lastTransitionTime": at(0)}
    change = Change(
        id="1", to="west", tier="roll", at=time.time() - 600, conditions=digests([failed | {"reason": "x"}])
    )
    for target, kept in (("west", digests([fine])), ("east", digests([failed, fine]))):
        api = world(spec("west", hotReload=None), labelled("a"), annotations=annotated(change))
        gateway_of(api)["status"]["conditions"] = [failed, fine]
        fleet(api).route(target)
        known = change_of(gateway_of(api))
        assert known is not None and known.conditions == kept


def test_a_colour_is_scaled_to_zero_once_and_keeps_how_many_there_were() -> None:
    api = world(spec("east", replicas=4), labelled("a"))
    fleet(api).scale_to_zero()
    fleet(api).scale_to_zero()
    assert gateway_of(api)["spec"]["replicas"] == 0 and len(api.patches) == 1
    change = change_of(gateway_of(api))
    assert change is not None and change.replicas == 4
    state = fleet(api).look()
    assert state.detail == "scaled to zero, 1 pods left" and not state.settled


def undeclared(gateway: dict[str, Any]) -> None:
    gateway["spec"]["streamingDomains"][1]["kafkaCluster"]["bootstrapServers"] = [{"id": "other"}]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda gateway: None, []),
        (lambda gateway: gateway["metadata"].update(annotations={BLOCKED: "true"}), ["has the annotation"]),
        (lambda gateway: gateway["metadata"].update(annotations={BLOCKED: "false"}), []),
        (lambda gateway: gateway["spec"]["routes"][0].update(rules={}), ["its route is dynamic"]),
        (undeclared, ["declares no streaming domain west/kafka, which the plan has for west"]),
        (
            lambda gateway: gateway["spec"].pop("streamingDomains"),
            ["declares no streaming domain east/kafka", "declares no streaming domain west/kafka"],
        ),
        (
            lambda gateway: gateway["spec"].update(streamingDomains=[{"name": "east"}]),
            ["declares no streaming domain east/kafka", "declares no streaming domain west/kafka"],
        ),
    ],
)
def test_what_would_keep_a_gateway_from_being_switched_is_found(
    change: Callable[[dict[str, Any]], Any], found: list[str]
) -> None:
    api = world()
    change(gateway_of(api))
    told = [obstacle.what for obstacle in fleet(api).obstacles()]
    assert len(told) == len(found) and all(words in what for words, what in zip(found, told, strict=True))
    assert api.patches == []


@pytest.mark.parametrize(("knows_ids", "found"), [(True, 0), (False, 1)])
def test_a_definition_without_ids_is_found_where_pods_reload(knows_ids: bool, found: int) -> None:
    def stored(thing: dict[str, Any]) -> dict[str, Any]:
        if not knows_ids:
            thing["spec"].pop("configId", None)
        return thing

    silent = spec("east")
    del silent["configId"]
    api = world(silent)
    api.stores = stored
    told = [obstacle.what for obstacle in fleet(api).obstacles()]
    assert len(told) == found and all("no pod can say what it runs" in what for what in told)
    assert "fo-probe" in str(api.tried) and api.patches == []
    of_ids = world()
    fleet(of_ids).obstacles()
    assert "fo-probe" not in str(of_ids.tried), "it has an id"


def test_each_change_that_the_server_would_not_take_is_named_by_what_it_is() -> None:
    api = world()

    def refuse(thing: dict[str, Any]) -> dict[str, Any]:
        raise PatchRefused("spec.routes: not valid")

    api.stores = refuse
    told = [obstacle.what for obstacle in fleet(api).obstacles()]
    assert [what.partition("could not be ")[2].partition(":")[0] for what in told] == [
        "routed to east",
        "routed to west",
        "fenced",
    ]
    assert all(what.endswith("spec.routes: not valid") for what in told)
