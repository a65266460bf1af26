"""What Kubernetes says is judged without a call: rubbish proves nothing, and what is lost holds nothing up."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.fleets.cfk_state import (
    HOT_RELOAD_STATUS,
    PodAnswer,
    View,
    parse_answer,
)
from failover.fleets.change_annotation import ANNOTATION, Change, change_of, digests, is_new, since
from failover.fleets.pods import bootstrap_of, carries_clients, replicas_of, rolled_out, short_of, started_at, zone_of
from failover.plan.fleets import CfkFleet, Domain, Eks
from failover.plan.gateway_route import certifies, config_id, hot_reload
from tests.claims import reaches

NOW = 1_800_000_000.0
READY = [{"type": "Ready", "status": "True"}]
FLEET = CfkFleet(
    name="gateway-west",
    kind="cfk",
    eks=Eks(name="eks-west"),
    namespace="kafka",
    gateway="gw",
    route="orders",
    bootstrap="gw:9092",
    domains={site: Domain(name=site, bootstrap_server_id="kafka") for site in ("east", "west")},
)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spec(target: str = "west", **more: Any) -> dict[str, Any]:
    server = {"id": "kafka", "endpoint": "kafka:9092"}
    domains = [{"name": site, "kafkaCluster": {"bootstrapServers": [server]}} for site in ("east", "west")]
    domain = {"name": target, "bootstrapServerId": "kafka"}
    made: dict[str, Any] = {
        "replicas": 1,
        "hotReload": {"enabled": True},
        "streamingDomains": domains,
        "routes": [{"name": "orders", "endpoint": "kafka:9092", "streamingDomain": domain}],
        **more,
    }
    return {"configId": config_id(made, 0)} | made


def pod(name: str = "a", **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}"}
    return {
        "metadata": metadata,
        "spec": {"containers": []},
        "status": {"conditions": READY, "podIP": "10.0.0.1"} | status,
    }


def view(answers: dict[str, PodAnswer], pods: list[dict[str, Any]], gateway_spec: dict[str, Any] | None = None) -> View:
    gateway = {
        "metadata": {"name": "gw", "generation": 3},
        "spec": gateway_spec or spec(),
        "status": {"observedGeneration": 3},
    }
    counts = {name: len(pods) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    deployment = {
        "metadata": {"generation": 1},
        "spec": {"replicas": len(pods)},
        "status": {"observedGeneration": 1, **counts},
    }
    return View(fleet=FLEET, gateway=gateway, deployment=deployment, pods=tuple(pods), answers=answers, now=NOW)


@pytest.mark.parametrize(
    ("changed", "carries"),
    [
        ({}, True),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"status": {"conditions": READY, "phase": "Failed"}}, False),
        ({"deletionTimestamp": at(20)}, True),
        ({"deletionTimestamp": at(-1)}, False),
    ],
)
def test_a_pod_carries_clients_until_it_is_gone_or_its_time_is_over(changed: dict[str, Any], carries: bool) -> None:
    some = pod()
    some["status"] = changed.pop("status", some["status"])
    some["metadata"] |= changed
    assert carries_clients(some, NOW) is carries


def test_a_pod_is_reached_at_its_node_where_it_is_published_there_else_at_itself() -> None:
    some = pod()
    assert bootstrap_of(some, 9092) == "10.0.0.1:9092"
    some["spec"]["containers"] = [{"ports": [{"containerPort": 9092, "hostPort": 31000}]}]
    some["status"]["hostIP"] = "10.9.9.9"
    assert bootstrap_of(some, 9092) == "10.9.9.9:31000"
    assert bootstrap_of(some, 9093) == "10.0.0.1:9093"
    assert bootstrap_of({"metadata": {}, "spec": {}}, 9092) is None


def test_a_pod_of_a_cluster_with_ipv6_addresses_is_reached_at_a_host_and_a_port() -> None:
    some = pod()
    some["status"]["podIP"] = "2001:db8::7"
    assert bootstrap_of(some, 9092) == "[2001:db8::7]:9092"
    some["spec"]["containers"] = [{"ports": [{"containerPort": 9092, "hostPort": 31000}]}]
    some["status"]["hostIP"] = "2001:db8::9"
    assert bootstrap_of(some, 9092) == "[2001:db8::9]:31000"


@pytest.mark.parametrize("missing", ["replicas", "updatedReplicas", "availableReplicas", "observedGeneration"])
def test_a_deployment_has_not_rolled_out_while_a_count_is_missing(missing: str) -> None:
    status = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    deployment = {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}
    assert rolled_out(deployment)
    assert not rolled_out(deployment | {"status": {key: value for key, value in status.items() if key != missing}})
    assert not rolled_out(deployment | {"spec": {"replicas": 4}})


COUNTS = dict.fromkeys(("observedGeneration", "replicas", "updatedReplicas", "availableReplicas"), 1)


@pytest.mark.parametrize(
    ("generation", "replicas", "status", "rolled", "missing"),
    [
        (1, 1, COUNTS, True, 0),
        (1, None, COUNTS, True, 0),
        (None, 1, COUNTS, True, 0),
        (2, 1, COUNTS, False, 0),
        (1, 0, dict.fromkeys(COUNTS, 1) | {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}, False, 0),
        (1, 2, COUNTS, False, 1),
        (1, 3, COUNTS | {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 4}, False, 0),
        (1, 1, COUNTS | {"replicas": 2, "availableReplicas": 2}, False, 0),
        (None, None, {}, False, 1),
        (None, 1, {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True, 0),
        *(
            (1, 1, {key: 1 for key in COUNTS if key != gone}, False, int(gone == "availableReplicas"))
            for gone in COUNTS
        ),
    ],
)
def test_a_deployment_has_rolled_out_and_is_short_of_replicas_by_what_it_counts(
    generation: int | None, replicas: int | None, status: dict[str, int], rolled: bool, missing: int
) -> None:
    deployment = {
        "metadata": {} if generation is None else {"generation": generation},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": status,
    }
    assert (rolled_out(deployment), short_of(deployment)) == (rolled, missing)


@given(st.binary(max_size=60))
def test_no_rubbish_on_config_or_metrics_is_an_id(body: bytes) -> None:
    reaches(body)
    answer = parse_answer((200, body), (200, body), "orders")
    assert answer.config_id is None
    assert parse_answer((500, body), (0, b""), "orders") == PodAnswer()


@given(st.one_of(st.none(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.integers())))
def test_an_id_is_a_text(value: Any) -> None:
    reaches(value is not None)
    assert parse_answer((200, json.dumps({"configId": value}).encode()), (0, b""), "orders").config_id is None


def test_an_image_without_config_is_told_from_a_pod_that_does_not_answer() -> None:
    assert parse_answer((404, b""), (0, b""), "orders").knows_ids is False
    assert parse_answer((503, b""), (0, b""), "orders").knows_ids is None
    assert parse_answer((0, b""), (0, b""), "orders").knows_ids is None


def test_metrics_tell_the_state_of_the_route_in_whatever_order_their_labels_are() -> None:
    metrics = (
        b'kroxylicious_virtual_cluster_state{state="serving",virtual_cluster="other"} 1\n'
        b'kroxylicious_virtual_cluster_state{state="serving",virtual_cluster="orders"} 0\n'
        b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1.0\n'
    )
    assert parse_answer((0, b""), (200, metrics), "orders").state == "failed"
    assert parse_answer((0, b""), (200, metrics), "unheard-of").state is None


@pytest.mark.parametrize(
    ("metrics", "failures"),
    [
        (b"", None),
        (b'gateway_authswap_client_auth_total{result="success"} 7.0\n', None),
        (
            b'gateway_authswap_client_auth_total{result="failure"} 2.0\n'
            b'gateway_authswap_client_auth_total{result="success"} 7.0\n'
            b'gateway_authswap_cluster_auth_total{gateway="a",result="failure"} 1\n',
            3,
        ),
        (b'gateway_authswap_client_auth_total{result="failure"} 1.2E7\n', 12_000_000),
        (b'gateway_authswap_client_auth_total{result="failure"} NaN\n', None),
    ],
)
def test_metrics_tell_how_many_swaps_of_credentials_have_failed(metrics: bytes, failures: int | None) -> None:
    assert parse_answer((0, b""), (200, metrics), "orders").auth_failures == failures


def test_an_id_certifies_where_its_route_leads_and_nothing_else() -> None:
    west = spec()
    assert certifies(west["configId"], west, 0)
    assert west["configId"] != spec()["configId"]
    for moved in (
        spec("east"),
        spec(streamingDomains=[]),
        spec(routes=[west["routes"][0] | {"fence": {"scope": "ALL"}}]),
        spec(routes=[west["routes"][0] | {"security": {"secretStore": "other"}}]),
        spec(routes=[west["routes"][0] | {"security": {"cluster": {"extensionHeaders": {"logicalCluster": "lkc-1"}}}}]),
    ):
        assert not certifies(west["configId"], moved, 0)
    assert not certifies("None", west, 0) and not certifies("", west, 0)


@pytest.mark.parametrize(
    ("fence", "fenced"),
    [({"scope": "ALL"}, True), ({"scope": "all"}, True), ({"scope": "NONE"}, False), ({}, False), (None, False)],
)
def test_a_route_is_fenced_only_by_a_scope_that_is_all(fence: dict[str, str] | None, fenced: bool) -> None:
    wanted = spec()
    wanted["routes"][0]["fence"] = fence
    assert view({}, [], wanted).target == ("fenced" if fenced else "west")


@pytest.mark.parametrize("value", [{}, None, True, {"enabled": None}, {"enabled": "true"}])
def test_hot_reload_is_on_only_where_it_says_enabled(value: Any) -> None:
    assert not hot_reload({"hotReload": value}) and hot_reload({"hotReload": {"enabled": True}})


@pytest.mark.parametrize("how", [{"mode": "dynamic"}, {"rules": {"routing": {"conditions": []}}}])
def test_a_dynamic_route_leads_to_no_target_though_its_default_does(how: dict[str, Any]) -> None:
    wanted = spec()
    wanted["routes"][0] |= how
    assert view({}, [], wanted).target is None and view({}, [], wanted).is_dynamic


@pytest.mark.parametrize(
    "status",
    [
        None,
        [],
        {"observedGeneration": "3", "conditions": None},
        {"observedGeneration": None, "conditions": {"type": "a"}},
        {"observedGeneration": 3, "conditions": ["rubbish", None, {}, {"status": "False", "reason": None}]},
        {"conditions": [{"status": "False", "reason": "ApplyFailed", "lastTransitionTime": "0001-01-01T00:00:00Z"}]},
        {"conditions": [{"status": "False", "reason": "ApplyFailed", "lastTransitionTime": 7}]},
    ],
)
def test_a_status_of_any_form_is_read_without_a_crash(status: Any) -> None:
    change = Change(id="1", to="west", tier="roll", at=NOW - 60)
    told = {"generation": 3, "annotations": {ANNOTATION: json.dumps(asdict(change))}}
    gateway = {"metadata": {"name": "gw", **told}, "spec": spec(), "status": status}
    seen = View(fleet=FLEET, gateway=gateway, deployment=None, pods=(), answers={}, now=NOW)
    assert not seen.settled and isinstance(seen.detail, str) and isinstance(seen.promoted, bool)
    assert seen.refused is None or "ApplyFailed" in seen.refused


@pytest.mark.parametrize(
    ("made", "was_there", "proven"),
    [(at(-30), False, True), (at(-50), False, False), (at(-30), True, False), (None, False, False)],
)
def test_a_pod_that_can_not_say_what_it_runs_is_proven_by_being_made_after_the_change_was_promoted(
    made: str | None, was_there: bool, proven: bool
) -> None:
    wanted = spec() | {"configId": None}
    new = pod() | {"metadata": {"name": "a", "uid": "uid-a", "creationTimestamp": made}}
    change = Change(id="1", to="west", tier="hot reload", at=NOW - 60, before=("uid-a",) if was_there else ())
    told = {"generation": 3, "annotations": {ANNOTATION: json.dumps(asdict(change))}}
    reload = {"type": HOT_RELOAD_STATUS, "status": "True", "lastTransitionTime": at(-40)}
    gateway = {
        "metadata": {"name": "gw", **told},
        "spec": wanted,
        "status": {"observedGeneration": 3, "conditions": [reload]},
    }
    answers = {"a": PodAnswer(knows_ids=True)}
    seen = View(fleet=FLEET, gateway=gateway, deployment=None, pods=(new,), answers=answers, now=NOW)
    assert [instance.proof is not None for instance in seen.instances] == [proven]
    assert [each["metadata"]["name"] for each in seen.replaceable] == ([] if proven else ["a"])


def test_a_route_that_has_failed_proves_nothing_though_its_id_is_right() -> None:
    wanted = spec()
    right = PodAnswer(knows_ids=True, config_id=wanted["configId"], state="serving")
    assert view({"a": right}, [pod()], wanted).settled
    for wrong in (
        PodAnswer(knows_ids=True, config_id=wanted["configId"], state="failed"),
        PodAnswer(knows_ids=True, config_id=wanted["configId"], state="draining"),
        PodAnswer(knows_ids=True, config_id="fo-old", state="serving"),
        PodAnswer(knows_ids=None, config_id=None, state=None),
    ):
        mixed = view({"a": right, "b": wrong}, [pod(), pod("b")], wanted)
        assert not mixed.settled
        assert [instance.proof is None for instance in mixed.instances] == [False, True]


def test_no_pod_at_all_is_not_settled_and_lacks_nothing_that_would_do_alone() -> None:
    none = view({}, [])
    assert not none.settled and none.deployment is not None
    none.deployment["spec"]["replicas"] = 1
    assert none.missing == 0
    known = spec()
    proven = view({"a": PodAnswer(knows_ids=True, config_id=known["configId"])}, [pod()], known)
    assert proven.settled and not replace(proven, deployment=None).settled
    assert replace(proven, deployment=None).missing == 0


@given(st.text(max_size=80))
def test_an_annotation_that_is_no_change_is_none(text: str) -> None:
    reaches(text)
    assert change_of({"metadata": {"annotations": {ANNOTATION: text}}}) is None


def test_a_change_is_read_as_it_was_written_and_guards_what_was_read() -> None:
    change = Change(id="fo-1", to="west", tier="roll", at=NOW, before=("u1",), conditions={"Ready": "abc"}, replicas=3)
    bare = {"metadata": {"name": "gw", "resourceVersion": "7"}}
    version, added = change.operations(bare)
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    carrying = {"metadata": {"annotations": added["value"]}}
    assert change_of(carrying) == change
    test, _ = Change(id="fo-2", to="east", tier="roll", at=NOW).operations(carrying)
    assert (test["op"], test["value"]) == ("test", added["value"][ANNOTATION])


def test_a_condition_is_new_if_anything_it_says_is_and_speaks_from_then_on() -> None:
    old = {"type": "Ready", "status": "False", "reason": "ApplyFailed", "message": "a", "lastTransitionTime": at(-900)}
    change = Change(id="fo-1", to="west", tier="roll", at=NOW, conditions=digests([old]))
    assert not is_new(old | {"lastProbeTime": at(5)}, change)
    assert is_new(old | {"message": "b"}, change)
    assert is_new(old | {"type": "Other"}, change)
    assert since(old, change) == NOW
    assert since(old | {"lastTransitionTime": at(10)}, change) == NOW + 10
    assert since(old | {"lastTransitionTime": "yesterday"}, change) == NOW


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}, 0),
        ({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}, 1),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, 1),
        ({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 0}, 3),
        ({"replicas": 4, "updatedReplicas": 2, "availableReplicas": 2}, 0),  # there are those of before
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}, 0),  # of before, all
    ],
)
def test_a_deployment_is_short_of_replicas_only_where_none_of_before_is_left(
    counts: dict[str, int], missing: int
) -> None:
    status = {"observedGeneration": 2, **counts}
    assert short_of({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}) == missing


def test_a_fleet_that_lacks_an_instance_is_not_settled_and_one_that_is_not_proven_lacks_more_than_that() -> None:
    known = spec()
    here = PodAnswer(knows_ids=True, config_id=known["configId"])
    proven = view({"a": here, "b": here}, [pod("a"), pod("b")], known)
    assert proven.deployment is not None
    proven.deployment["spec"]["replicas"] = 3
    assert (proven.settled, proven.missing) == (False, 1)
    stale = view({"a": here, "b": PodAnswer(knows_ids=True, config_id="of-before")}, [pod("a"), pod("b")], known)
    assert stale.deployment is not None
    stale.deployment["spec"]["replicas"] = 3
    assert (stale.settled, stale.missing) == (False, 0)


@pytest.mark.parametrize(("replicas", "missing"), [(None, 1), (3, 3), (0, 0)])
def test_a_deployment_of_which_nothing_was_counted_yet_lacks_all_it_asks_for(
    replicas: int | None, missing: int
) -> None:
    deployment = {"metadata": {}, "spec": {} if replicas is None else {"replicas": replicas}}
    assert (short_of(deployment), rolled_out(deployment)) == (missing, False)
    assert replicas_of(deployment) == (1 if replicas is None else replicas)
    assert short_of(deployment | {"metadata": {"generation": 1}}) == 0, "what there is was counted for another template"


def test_a_pod_that_does_not_say_when_it_was_made_is_of_before_any_change() -> None:
    some = pod()
    assert started_at(some) == 0.0
    some["metadata"]["creationTimestamp"] = at(-7)
    assert started_at(some) == NOW - 7
    some["metadata"]["creationTimestamp"] = "yesterday"
    assert started_at(some) == 0.0


def test_a_pod_is_in_the_zone_that_its_label_tells_and_in_none_without_one() -> None:
    some = pod()
    assert zone_of(some) is None
    some["metadata"]["labels"] = {"topology.kubernetes.io/zone": "us-west-2b"}
    assert zone_of(some) == "us-west-2b"
