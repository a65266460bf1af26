"""Fleets of Confluent for Kubernetes through the steps: hot reload, roll and replacement, each proven instance by
instance, against an API server and an operator that mislead as the real ones do."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from failover.errors import FleetRejected, FleetUnavailable, LeaseLost
from failover.fleets import cfk as cfk_fleet
from failover.fleets import cfk_state, rollout
from failover.fleets.cfk import CfkGateway
from failover.ledger.ledger import Ledger
from failover.plan.fleets import CfkFleet
from failover.plan.model import parse
from tests.functions.polled_steps import Call, never_done, until_done
from tests.patience import eventually
from tests.plans import put_plan

Make = Callable[..., Any]
pytestmark = pytest.mark.slow
NEVER_S = 3600.0
SLOWEST_S = 600
"""As long as a plan may say that a pod takes to reload."""
READY = "platform.confluent.io/cluster-ready"
OLD_FAILURE = {
    "type": READY,
    "status": "False",
    "reason": "ApplyFailed",
    "message": "of last week",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def claimed(deployed: Callable[..., Any], call: Call, plan: str) -> Any:
    """An execution that fails a plan over from east to west."""
    put_plan(deployed, plan)
    begun = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return call("claim", begun)["execution"]


@pytest.fixture
def start(cfk: Make, plan_text: str, deployed: Callable[..., Any], call: Call) -> Make:
    """Clusters, and an execution that fails over from east to west: (execution, the standby's fleet or all)."""

    def begin(**config: Any) -> Any:
        text, fleets = cfk(plan_text, **config)
        return claimed(deployed, call, text), fleets["west"] if "sites" not in config else fleets

    return begin


def switch(execution: Any, site: str = "west") -> dict[str, Any]:
    return {"execution": execution, "site": site, "fleet": f"gateway-{site}"}


def unproven(call: Call, request: dict[str, Any], pods: list[str], limit_s: float = 90) -> None:
    """Waits until just these pods are unproven, and sees that they stay so."""
    deadline = time.monotonic() + limit_s
    while (report := call("switch_routes", request))["observed"].get("unproven") != pods:
        assert time.monotonic() < deadline and report["status"] == "waiting", report
        time.sleep(0.05)
    assert never_done(call, "switch_routes", request)["observed"]["unproven"] == pods


def after_the_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is later than any pod has to reload: no test waits for it, nor is overtaken by it on a slow machine."""
    monkeypatch.setattr(cfk_fleet, "time", SimpleNamespace(time=lambda: time.time() + SLOWEST_S))


def rolling(spec: dict[str, Any]) -> None:
    """A Gateway of before hot reload: of an older image, without a licence."""
    spec["image"]["application"] = "confluentinc/cpc-gateway:1.2.0-1-ubi9"
    for field in ("hotReload", "configId", "podTemplate"):
        spec.pop(field)


def test_a_hot_reload_is_one_patch_and_done_when_every_pod_reports_its_id(start: Make, call: Call) -> None:
    execution, fleet = start()
    pods = fleet.pods()
    assert call("switch_routes", switch(execution))["status"] == "waiting"
    observed = until_done(call, "switch_routes", switch(execution))["observed"]
    assert (observed["target"], observed["instances"], observed["unproven"]) == ("west", 2, [])
    assert observed["tier"] == "hot reload"
    assert (fleet.domain, fleet.pods()) == ("west", pods)
    until_done(call, "switch_routes", switch(execution))
    assert fleet.patches() == 1


def test_a_fleet_that_certifies_the_wanted_route_already_is_not_touched(start: Make, call: Call) -> None:
    """A fresh configId that the Gateway was rendered with is as good as one of the controller's own."""
    execution, fleets = start(sites=("east",), instances=1)
    request = switch(execution | {"to": "east", "from": "west"}, "east")
    assert call("switch_routes", request)["status"] == "done"
    assert fleets["east"].patches() == 0


def test_a_route_that_somebody_moved_under_an_old_id_is_not_believed(start: Make, call: Call) -> None:
    """Hot reload with an unchanged configId: whether a pod has reloaded can't be told, so it is applied anew."""

    def moved(spec: dict[str, Any]) -> None:
        spec["routes"][0]["streamingDomain"] = {"name": "west", "bootstrapServerId": "west-kafka"}

    execution, fleet = start(spec=moved, instances=1)
    dry = call("switch_routes", switch(execution | {"dry_run": True}))
    assert dry["observed"]["would_route_to"] == "west" and "does not certify" in dry["observed"]["detail"]
    assert call("switch_routes", switch(execution))["status"] == "waiting"
    until_done(call, "switch_routes", switch(execution))
    assert fleet.patches() == 1


def test_a_route_that_swaps_credentials_gets_those_of_its_new_domain_in_the_same_edit(
    cfk: Make, plan_text: str, deployed: Callable[..., Any], call: Call
) -> None:
    def swaps(spec: dict[str, Any]) -> None:
        spec["routes"][0]["security"]["secretStore"] = "east-store"

    text, fleets = cfk(plan_text, instances=1, spec=swaps)
    document = yaml.safe_load(text)
    for site in document["sites"].values():
        for target, domain in site["fleets"][0]["domains"].items():
            domain["secret_store"] = f"{target}-store"
    execution = claimed(deployed, call, yaml.safe_dump(document))
    until_done(call, "switch_routes", switch(execution))
    assert fleets["west"].domain == "west" and fleets["west"].patches() == 1
    assert fleets["west"].gateway["spec"]["routes"][0]["security"]["secretStore"] == "west-store"


def test_the_name_of_the_cluster_in_a_routes_extension_headers_moves_with_the_route(
    cfk: Make, plan_text: str, deployed: Callable[..., Any], call: Call
) -> None:
    tokens = {"type": "oauth", "oauthSettings": {"jwksEndpointUri": "https://idp/keys", "audience": "kafka"}}

    def passes_tokens(spec: dict[str, Any]) -> None:
        headers = {"logicalCluster": "lkc-east", "tenant": "ours"}
        spec["routes"][0]["security"] |= {
            "client": {"authentication": tokens},
            "cluster": {"extensionHeaders": headers},
        }

    text, fleets = cfk(plan_text, instances=1, spec=passes_tokens)
    document = yaml.safe_load(text)
    for site in document["sites"].values():
        for target, domain in site["fleets"][0]["domains"].items():
            domain["extension_headers"] = {"logicalCluster": f"lkc-{target}"}
    execution = claimed(deployed, call, yaml.safe_dump(document))
    until_done(call, "switch_routes", switch(execution))
    security = fleets["west"].gateway["spec"]["routes"][0]["security"]
    assert security["cluster"] == {"extensionHeaders": {"logicalCluster": "lkc-west", "tenant": "ours"}}
    assert security["client"] == {"authentication": tokens} and fleets["west"].patches() == 1


def test_a_patch_that_crashed_after_its_effect_is_not_repeated(
    start: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, fleet = start(instances=1)
    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "record_step", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            call("switch_routes", switch(execution))
    until_done(call, "switch_routes", switch(execution))
    assert fleet.patches() == 1


def test_a_patch_whose_answer_never_came_is_not_repeated_and_a_conflict_is(start: Make, call: Call) -> None:
    execution, fleet = start(instances=1)
    fleet.trouble("faults", {"conflicts": 1})
    with pytest.raises(FleetUnavailable, match="409"):
        call("switch_routes", switch(execution))
    assert fleet.domain == "east"
    fleet.trouble("faults", {"hangs": 1})
    with pytest.raises(FleetUnavailable, match="did not answer PATCH"):
        call("switch_routes", switch(execution))
    assert fleet.domain == "west"
    until_done(call, "switch_routes", switch(execution))
    assert fleet.patches() == 1


def test_one_pod_that_never_reloads_is_named_and_then_replaced(
    start: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, fleet = start(fleet={"reload_within_seconds": SLOWEST_S})
    stuck, other = fleet.pods()
    fleet.trouble("stuck", [stuck])
    unproven(call, switch(execution), [stuck])
    after_the_reload(monkeypatch)
    until_done(call, "switch_routes", switch(execution))
    assert stuck not in fleet.pods(ready=False) and other in fleet.pods()
    assert (fleet.patches(), fleet.asked("delete pods")) == (1, 1)


def reload_conditions(fleet: Any) -> list[tuple[str, str]]:
    """Status and reason of what the operator reports of a reload."""
    conditions = fleet.gateway["status"]["conditions"]
    return [(c["status"], c["reason"]) for c in conditions if c["type"].endswith("hot-reload-status")]


def test_an_unlicensed_reload_is_not_believed_though_the_operator_reports_success(
    start: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, fleet = start(licence="trial", fleet={"reload_within_seconds": SLOWEST_S})
    before = fleet.pods()
    call("switch_routes", switch(execution))
    eventually(lambda: reload_conditions(fleet) == [("True", "Succeeded")])
    unproven(call, switch(execution), before)
    after_the_reload(monkeypatch)
    until_done(call, "switch_routes", switch(execution))
    assert not set(before) & set(fleet.pods(ready=False))
    assert fleet.patches() == 1


def test_a_fleet_without_a_licence_is_replaced_without_waiting_for_a_reload(start: Make, call: Call) -> None:
    execution, fleet = start(spec=lambda spec: spec.pop("podTemplate"), instances=1)
    before = fleet.pods()
    observed = until_done(call, "switch_routes", switch(execution))["observed"]
    assert observed["tier"] == "replace"
    assert not set(before) & set(fleet.pods(ready=False))


def test_a_fleet_that_knows_no_config_id_is_rolled_and_done_when_no_pod_of_before_is_left(
    start: Make, call: Call
) -> None:
    execution, fleet = start(spec=rolling, cfk=(3, 2))
    fleet.trouble("timing", {"ready_after": NEVER_S})
    before = fleet.pods()
    call("switch_routes", switch(execution))
    assert set(call("switch_routes", switch(execution))["observed"]["unproven"]) == set(before)
    fleet.trouble("timing", {"ready_after": 0.1})
    report = until_done(call, "switch_routes", switch(execution))
    assert report["observed"]["tier"] == "roll" and report["observed"]["instances"] == 2
    assert not set(before) & set(fleet.pods(ready=False))
    assert "configId" not in fleet.gateway["spec"] and fleet.patches() == 1


def test_a_stale_failure_is_not_taken_for_an_answer_and_a_new_one_is_in_the_operators_words(
    start: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cfk_state, "REFUSED_AFTER_S", 1)
    execution, fleet = start(instances=1)
    fleet.trouble("operator", {"lag_s": NEVER_S})
    fleet.trouble("conditions", {"gateway": "gateway-west", "conditions": [OLD_FAILURE]})
    never_done(call, "switch_routes", switch(execution), 1.2)
    fleet.trouble("operator", {"lag_s": 0.1})
    until_done(call, "switch_routes", switch(execution))
    fleet.trouble("operator", {"lag_s": NEVER_S, "refuses": "secretRef gateway-tls not found"})
    back = switch(execution | {"to": "east", "from": "west"})
    assert call("switch_routes", back)["status"] == "waiting"
    fleet.trouble("operator", {"lag_s": 0.1})
    with pytest.raises(FleetRejected, match="secretRef gateway-tls not found"):
        never_done(call, "switch_routes", back, 10)
    assert fleet.patches() == 2
    fleet.trouble("operator", {"lag_s": 0.1, "refuses": ""})
    until_done(call, "switch_routes", switch(execution))
    assert fleet.domain == "west", "a refusal that was there before keeps nobody from another target"


def test_a_redrive_after_the_cause_of_a_refusal_was_mended_asks_again_and_goes_on(
    start: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cfk_state, "REFUSED_AFTER_S", 1)
    monkeypatch.setattr(rollout, "REFUSAL_VALID_S", 4)
    execution, fleet = start(instances=1, canary="crashes")
    call("switch_routes", switch(execution))
    for asked in (1, 2):  # the redrive that comes too early is refused as well
        with pytest.raises(FleetRejected, match="ContainerCrashed"):
            never_done(call, "switch_routes", switch(execution), 20)
        assert fleet.patches() == asked
        time.sleep(5)
    fleet.trouble("operator", {"canary": "passes"})
    until_done(call, "switch_routes", switch(execution))
    assert fleet.domain == "west" and fleet.patches() == 3


def test_pods_that_reload_and_can_not_say_what_are_replaced_and_that_is_said_long_before(
    cfk: Make, plan_text: str, deployed: Callable[..., Any], call: Call
) -> None:
    text, fleets = cfk(plan_text, cfk=(3, 3, 10), instances=1, fleet={"reload_within_seconds": 2})
    execution, fleet = claimed(deployed, call, text), fleets["west"]
    (described,) = parse(text).site("west").fleets
    assert isinstance(described, CfkFleet)
    (obstacle,) = CfkGateway(described, "us-west-2").obstacles()
    assert "no pod can say what it runs" in obstacle.what and "0.1718.34" in obstacle.remedy
    before = fleet.pods()
    until_done(call, "switch_routes", switch(execution))
    assert not set(before) & set(fleet.pods(ready=False)) and "configId" not in fleet.gateway["spec"]
    assert fleet.patches() == 1


def test_a_healthy_deployment_of_an_operator_that_does_nothing_proves_nothing(start: Make, call: Call) -> None:
    execution, fleet = start(spec=rolling, cfk=(3, 2), instances=1)
    fleet.trouble("operator", {"lag_s": 60})
    call("switch_routes", switch(execution))
    assert "not accepted" in never_done(call, "switch_routes", switch(execution))["observed"]["detail"]


def test_a_canary_that_finds_no_room_is_waited_for_and_no_pod_is_lost_to_it(start: Make, call: Call) -> None:
    execution, fleet = start(instances=1, canary="waits", fleet={"reload_within_seconds": 1})
    pods = fleet.pods()
    call("switch_routes", switch(execution))
    never_done(call, "switch_routes", switch(execution), 1.5)
    assert fleet.pods() == pods and fleet.asked("delete pods") == 0
    fleet.trouble("operator", {"canary": "passes"})
    until_done(call, "switch_routes", switch(execution))


def test_a_crashed_canary_is_a_refusal(start: Make, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cfk_state, "REFUSED_AFTER_S", 1)
    execution, _ = start(instances=1, canary="crashes")
    call("switch_routes", switch(execution))
    with pytest.raises(FleetRejected, match="ContainerCrashed"):
        never_done(call, "switch_routes", switch(execution), 10)


def test_a_blocked_operator_is_found_before_anything_is_changed(start: Make, call: Call, plan_text: str) -> None:
    execution, fleet = start(instances=1)
    fleet.trouble("annotations", {"gateway": "gateway-west", "annotations": {cfk_state.BLOCKED: "true"}})
    with pytest.raises(FleetRejected, match="block-reconcile"):
        call("switch_routes", switch(execution))
    assert fleet.patches() == 0


def test_the_lost_sites_fleet_is_fenced_by_its_route_and_lifted_in_the_same_edit_as_it_is_moved(
    start: Make, call: Call
) -> None:
    execution, fleets = start(sites=("east",), instances=1)
    east = fleets["east"]
    report = until_done(call, "fence", {"execution": execution})
    assert report["observed"]["fleets"] == {"gateway-east": "fenced"}
    assert east.gateway["spec"]["routes"][0]["fence"] == {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}
    until_done(call, "fence", {"execution": execution})
    assert east.patches() == 1
    until_done(call, "switch_routes", switch(execution, "east"))
    assert "fence" not in east.gateway["spec"]["routes"][0] and east.domain == "west"
    assert east.patches() == 2


def test_where_no_fence_is_known_the_fleet_is_scaled_to_zero_and_said_to_be_and_comes_back_as_it_was(
    start: Make, call: Call
) -> None:
    execution, fleets = start(sites=("east",), spec=rolling, cfk=(3, 1))
    east = fleets["east"]
    report = until_done(call, "fence", {"execution": execution})
    assert report["observed"]["fleets"] == {"gateway-east": "fenced: scaled to zero"}
    assert east.pods(ready=False) == []
    observed = until_done(call, "switch_routes", switch(execution, "east"))["observed"]
    assert (observed["instances"] + observed.get("missing", 0), east.domain) == (2, "west")


def test_what_is_missing_in_rbac_or_access_is_named(start: Make, call: Call) -> None:
    execution, fleet = start(instances=1)
    fleet.trouble("rules", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}])
    with pytest.raises(FleetRejected, match="cannot patch resource"):
        call("switch_routes", switch(execution))
    fleet.trouble("rules", [{"apiGroups": ["platform.confluent.io"], "resources": ["*"], "verbs": ["*"]}])
    with pytest.raises(FleetRejected, match="cannot list resource"):
        call("switch_routes", switch(execution))
    assert fleet.patches() == 0


def test_a_role_that_the_cluster_does_not_know_is_told_what_it_needs(start: Make, call: Call) -> None:
    execution, _ = start(instances=1, access={"another": "key"})
    with pytest.raises(FleetRejected, match="access entry"):
        call("switch_routes", switch(execution))


def test_an_api_that_is_gone_is_out_of_reach_for_a_fence_and_tried_again_for_the_standby(
    start: Make, call: Call
) -> None:
    execution, fleets = start(sites=("east", "west"), instances=1)
    for fleet in fleets.values():
        fleet.trouble("api", {"gone": True})
    assert "out of reach" in call("fence", {"execution": execution})["observed"]["fleets"]["gateway-east"]
    best_effort = switch(execution, "east") | {"best_effort": True}
    assert "out_of_reach" in call("switch_routes", best_effort)["observed"]
    with pytest.raises(FleetUnavailable, match="did not answer GET"):
        call("switch_routes", switch(execution))
    fleets["west"].trouble("api", {"gone": False})
    until_done(call, "switch_routes", switch(execution))


def test_a_lost_cluster_that_eks_tells_nothing_of_is_out_of_reach_and_stops_no_failover(
    start: Make, call: Call
) -> None:
    execution, _ = start(instances=1)  # of east the plan leaves out where it is
    assert "out of reach" in call("fence", {"execution": execution})["observed"]["fleets"]["gateway-east"]
    best_effort = switch(execution, "east") | {"best_effort": True}
    assert "DescribeCluster" in call("switch_routes", best_effort)["observed"]["out_of_reach"]


def test_a_dry_run_patches_nothing_and_without_the_lease_nothing_is_asked(start: Make, call: Call) -> None:
    execution, fleets = start(sites=("east", "west"), instances=1)
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    assert call("switch_routes", switch(dry["execution"]))["observed"]["would_route_to"] == "west"
    assert "would be fenced" in call("fence", {"execution": dry["execution"]})["observed"]["fleets"]["gateway-east"]
    taking_over = {"plan": "orders", "to": "west", "epoch": 2, "supersedes": "orders-1-failover"}
    call("claim", {"start": taking_over, "execution_name": "orders-2-failover"})
    with pytest.raises(LeaseLost):
        call("switch_routes", switch(execution))
    assert {fleet.asked("patch gateways") for fleet in fleets.values()} == {0}
