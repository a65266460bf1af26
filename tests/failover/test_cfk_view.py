"""What a Gateway, its Deployment and its pods say together: which pods are proven, and why a fleet won't settle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from failover.fleets.cfk_state import BLOCKED, HOT_RELOAD_STATUS, LICENCE, PodAnswer, View, parse_answer
from failover.fleets.change_annotation import ANNOTATION, Change, observed_generation, since
from failover.fleets.rollout import REFUSAL_VALID_S
from tests.failover.test_kubernetes_fleets import FLEET, NOW, at, pod, spec

SAYS_NOTHING, KNOWS_NO_ID = PodAnswer(), PodAnswer(knows_ids=False)
IDS = spec("west")["configId"]
RELOADED = {"type": HOT_RELOAD_STATUS, "status": "True", "reason": "Succeeded", "lastTransitionTime": at(-100)}
FAILED = {"type": "Ready", "status": "False", "reason": "ApplyFailed", "message": "no secret"}


def runs(identity: str | None, **more: Any) -> PodAnswer:
    return PodAnswer(knows_ids=True, config_id=identity, **more)


def change(**more: Any) -> Change:
    """The controller's last one, of ten minutes ago."""
    fields: dict[str, Any] = {"id": "1", "to": "west", "tier": "hot reload", "at": NOW - 600}
    return Change(**fields | more)


def view(
    answers: Sequence[PodAnswer],
    of_spec: dict[str, Any] | None = None,
    last: Change | None = None,
    conditions: Sequence[dict[str, Any]] = (),
    seen: int = 3,
    pods: Sequence[dict[str, Any]] | None = None,
) -> View:
    """A look at a fleet of licensed pods `a`, `b` and so on, with what each of them answers."""
    if pods is None:
        pods = [pod(name) for name in "abc"[: len(answers)]]
        for each in pods:
            each["spec"]["containers"] = [{"env": [{"name": LICENCE}]}]
    carried = {ANNOTATION: json.dumps(last.__dict__)} if last is not None else {}
    counts = {name: len(pods) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return View(
        fleet=FLEET,
        gateway={
            "metadata": {"name": "gw", "generation": 3, "annotations": carried},
            "spec": of_spec or spec("west", configId=IDS),
            "status": {"observedGeneration": seen, "conditions": list(conditions)},
        },
        deployment={"metadata": {}, "spec": {"replicas": len(pods)}, "status": counts},
        pods=tuple(pods),
        answers={each["metadata"]["name"]: answer for each, answer in zip(pods, answers, strict=True)},
        now=NOW,
    )


ROLLS = {"hotReload": {"enabled": False}, "configId": None}
NO_IDS = {"configId": None}
OLD_ID = {"configId": "fo-of-another-route"}


def names(found: Sequence[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in found]


@pytest.mark.parametrize(
    ("of_spec", "answer", "last", "proof"),
    [
        ({}, "its id", None, "reports "),
        ({}, "its id", change(), "reports "),
        ({}, runs("fo-old"), change(), None),
        ({}, SAYS_NOTHING, change(), None),
        ({}, KNOWS_NO_ID, None, None),
        ({}, KNOWS_NO_ID, change(), "was not there before the change"),
        ({}, KNOWS_NO_ID, change(before=("uid-a",)), None),
        (OLD_ID, runs("fo-of-another-route"), change(), None),
        (OLD_ID, KNOWS_NO_ID, change(), "was not there before the change"),
        (ROLLS, KNOWS_NO_ID, None, "is of the Deployment's present template"),
        (ROLLS, SAYS_NOTHING, change(), "was not there before the change"),
        (ROLLS, runs("x"), change(before=("uid-a",)), None),
        (ROLLS, runs("x"), change(to="east", before=("uid-a",)), "is of the Deployment's present template"),
        (ROLLS, runs("x", state="failed"), None, None),
        (ROLLS, runs("x", state="serving"), None, "is of the Deployment's present template"),
        (NO_IDS, SAYS_NOTHING, None, None),
        (NO_IDS, runs("x"), change(before=("uid-a",)), None),
    ],
)
def test_a_pod_is_proven_by_its_id_or_where_it_has_none_by_not_having_been_there(
    of_spec: dict[str, Any], answer: PodAnswer | str, last: Change | None, proof: str | None
) -> None:
    made = spec("west", **of_spec)
    said = runs(made["configId"]) if answer == "its id" else answer
    assert isinstance(said, PodAnswer)
    (instance,) = view([said], made, last).instances
    assert (instance.proof or "").startswith(proof or "") and (instance.proof is None) is (proof is None)
    assert instance.bootstrap == "10.0.0.1:9092"


@pytest.mark.parametrize(
    ("licensed", "answers", "of_spec", "tier"),
    [
        (True, [runs("x"), SAYS_NOTHING], {}, "hot reload"),
        (True, [runs("x"), KNOWS_NO_ID], {}, "replace"),
        (False, [runs("x"), runs("x")], {}, "replace"),
        (True, [runs("x"), runs("x")], ROLLS, "roll"),
    ],
)
def test_a_change_reaches_pods_by_what_all_of_them_can_do(
    licensed: bool, answers: list[PodAnswer], of_spec: dict[str, Any], tier: str
) -> None:
    pods = [pod("a"), pod("b")]
    pods[0]["spec"]["containers"] = [{"env": [{"name": "ANOTHER"}, {"name": LICENCE}]}]
    pods[1]["spec"]["containers"] = [{"name": "sidecar"}, {"env": [{"name": LICENCE if licensed else "ANOTHER"}]}]
    assert view(answers, spec("west", **of_spec), pods=pods).tier == tier


NOT_READY = [{"type": "Ready", "status": "False"}]


def test_a_pod_that_is_not_ready_says_nothing_of_what_pods_can_do_and_is_no_instance() -> None:
    unready = pod("b", conditions=NOT_READY)
    seen = view(
        [runs(IDS), KNOWS_NO_ID], pods=[pod("a") | {"spec": {"containers": [{"env": [{"name": LICENCE}]}]}}, unready]
    )
    assert seen.tier == "hot reload" and [instance.name for instance in seen.instances] == ["a"]
    going = pod("b")
    going["metadata"]["deletionTimestamp"] = at(20)
    seen = view([runs(IDS), runs(IDS)], pods=[pod("a"), going])
    assert [instance.bootstrap for instance in seen.instances] == ["10.0.0.1:9092", None]


def stalled(answers: Sequence[PodAnswer], of_spec: dict[str, Any], last: Change | None, **more: Any) -> View:
    return view(answers, spec("west", **of_spec) if of_spec else None, last, **more)


@pytest.mark.parametrize(
    ("answers", "of_spec", "last", "why"),
    [
        ([runs(IDS)], {}, None, None),
        ([KNOWS_NO_ID], {}, change(), None),
        ([KNOWS_NO_ID], {}, None, "its images tell no configId"),
        ([KNOWS_NO_ID, runs(IDS)], {}, None, None),
        ([runs("x")], OLD_ID, None, "does not certify the route"),
        ([runs("x")], OLD_ID, change(), "does not certify the route"),
        ([SAYS_NOTHING], OLD_ID, change(), "does not certify the route"),
        ([KNOWS_NO_ID], OLD_ID, None, "does not certify the route"),
        ([KNOWS_NO_ID], OLD_ID, change(), None),
        ([runs("x")], ROLLS, None, None),
        ([runs("x")], OLD_ID | {"replicas": 0}, None, None),
        ([runs("x")], OLD_ID | {"streamingDomains": []}, None, "does not certify the route"),
        ([runs("x")], NO_IDS, None, "does not certify the route"),
    ],
)
def test_a_fleet_that_nothing_could_prove_won_t_settle_by_itself(
    answers: list[PodAnswer], of_spec: dict[str, Any], last: Change | None, why: str | None
) -> None:
    because = stalled(answers, of_spec, last).stalled_because
    assert because is None if why is None else why in str(because)
    assert (because is None) or because in stalled(answers, of_spec, last).detail


def test_a_route_that_leads_to_no_site_is_no_change_of_ours_and_not_stalled() -> None:
    elsewhere = spec("west", configId="x")
    elsewhere["routes"][0]["streamingDomain"]["name"] = "north"
    seen = view([runs("x")], elsewhere, change())
    assert (seen.target, seen.change, seen.stalled_because, seen.settled) == (None, None, None, False)


@pytest.mark.parametrize(
    ("of_spec", "last", "conditions", "seen", "replaced"),
    [
        ({}, change(before=("uid-a", "uid-b")), [], 3, ["b"]),
        ({}, change(before=("uid-a",)), [], 3, []),
        ({}, None, [], 3, []),
        ({}, change(before=("uid-a", "uid-b")), [], 2, []),
        ({}, change(before=("uid-a", "uid-b")), [RELOADED | {"status": "False"}], 3, []),
        ({}, change(before=("uid-a", "uid-b"), at=NOW - 29), [], 3, []),
        ({}, change(before=("uid-a", "uid-b"), at=NOW - 30), [], 3, ["b"]),
        ({}, change(before=("uid-a", "uid-b"), at=NOW - 29, tier="replace"), [], 3, ["b"]),
        ({"replicas": 0}, change(to="fenced", before=("uid-a", "uid-b")), [], 3, []),
        (ROLLS, change(before=("uid-a", "uid-b")), [], 3, []),
        (NO_IDS, change(), [RELOADED], 3, ["a", "b"]),
        (NO_IDS, change(at=NOW - 29, tier="replace"), [RELOADED], 3, []),
    ],
)
def test_pods_that_a_reload_does_not_reach_are_replaced_once_they_had_their_time_and_new_ones_would_be_right(
    of_spec: dict[str, Any], last: Change | None, conditions: list[dict[str, Any]], seen: int, replaced: list[str]
) -> None:
    made = spec("west", **of_spec)
    looked = view([runs(made["configId"]), runs("fo-old")], made, last, conditions, seen)
    assert names(looked.replaceable) == replaced
    assert ("did not reload: must be replaced" in str(looked.stalled_because)) is bool(replaced)


def test_a_fleet_that_is_settled_or_a_pod_that_is_not_ready_is_left_alone() -> None:
    settled = view([runs(IDS), runs(IDS)], last=change(before=("uid-a", "uid-b")))
    assert settled.settled and settled.replaceable == ()
    going = pod("b")
    going["metadata"]["deletionTimestamp"] = at(20)
    seen = view([runs(IDS), runs("fo-old")], last=change(before=("uid-a", "uid-b")), pods=[pod("a"), going])
    assert not seen.settled and seen.replaceable == ()


@pytest.mark.parametrize(
    ("conditions", "last", "refused", "again"),
    [
        ([FAILED], change(at=NOW - 60), "ApplyFailed: no secret", False),
        ([FAILED], change(at=NOW - 30), "ApplyFailed: no secret", False),
        ([FAILED], change(at=NOW - 29), None, False),
        ([FAILED], change(at=NOW - REFUSAL_VALID_S + 1), "ApplyFailed: no secret", False),
        ([FAILED], change(at=NOW - REFUSAL_VALID_S), None, True),
        ([FAILED], change(at=NOW - 600), None, True),
        ([FAILED | {"lastTransitionTime": at(-60)}], change(at=NOW - 600), "ApplyFailed: no secret", False),
        ([FAILED], None, None, False),
        ([FAILED], change(to="east"), None, False),
        ([FAILED | {"status": "True"}], change(at=NOW - 60), None, False),
        ([FAILED | {"reason": "Waiting"}], change(at=NOW - 60), None, False),
        ([{"type": HOT_RELOAD_STATUS, "status": "False", "reason": "X"}], change(at=NOW - 60), "X: None", False),
        ([RELOADED, FAILED], change(at=NOW - 60), "ApplyFailed: no secret", False),
    ],
)
def test_a_failure_that_stands_after_a_change_is_the_operators_answer_until_it_is_old(
    conditions: list[dict[str, Any]], last: Change | None, refused: str | None, again: bool
) -> None:
    seen = view([runs("fo-old")], last=last, conditions=conditions)
    assert seen.refused == refused
    assert ("to be asked again" in str(seen.stalled_because)) is again
    assert view([runs(IDS)], last=last, conditions=conditions).refused is None, "it is settled all the same"


def test_a_pod_that_says_no_id_is_proven_by_having_been_made_no_earlier_than_the_change_was_promoted() -> None:
    for made, proven in ((at(-100), True), (at(-101), False)):
        of_now = pod("a")
        of_now["metadata"]["creationTimestamp"] = made
        seen = view([runs("x")], spec("west", configId=None), change(), [RELOADED], pods=[of_now])
        assert [instance.proof is not None for instance in seen.instances] == [proven]
    for made, proven in ((at(-600), True), (at(-601), False)):
        of_now["metadata"]["creationTimestamp"] = made
        seen = view([runs("x")], spec("west", configId=None), change(), pods=[of_now])
        assert [instance.proof is not None for instance in seen.instances] == [proven]


def test_what_there_is_to_see_is_said_in_one_line() -> None:
    seen = view(
        [runs(IDS), runs("fo-old")], last=change(), conditions=[FAILED | {"type": "platform/cluster-ready"}], seen=2
    )
    assert seen.detail.startswith(
        "1 of 2 instances proven; the operator has not accepted the present spec; cluster-ready"
    )
    assert "cluster-ready says ApplyFailed: no secret" in seen.detail and "blocked" not in seen.detail
    settled = view([runs(IDS)], last=change(), conditions=[FAILED])
    assert settled.settled and settled.detail == "1 of 1 instances proven", "what it failed at before is of no matter"
    assert "ApplyFailed" in view([runs("fo-old")], conditions=[FAILED, RELOADED]).detail
    assert "hot-reload-status" not in view([runs("fo-old")], conditions=[FAILED, RELOADED]).detail
    blocked = view([runs(IDS)])
    blocked.gateway["metadata"]["annotations"][BLOCKED] = "TRUE"
    assert blocked.blocked and f"blocked by {BLOCKED}" in blocked.detail
    assert view([runs(IDS)], spec("west", replicas=0)).detail == "scaled to zero, 1 pods left"


@pytest.mark.parametrize(
    ("status", "of"),
    [({"observedGeneration": 3}, 3), ({"observedGeneration": "3"}, 0), ({}, 0), (None, 0), ("rubbish", 0)],
)
def test_a_status_speaks_of_the_generation_it_tells_or_of_none(status: object, of: int) -> None:
    assert observed_generation(status) == of


def test_a_condition_that_tells_no_time_speaks_from_the_change_on() -> None:
    for told in (None, "yesterday", "0001-01-01T00:00:00Z"):
        assert since({"lastTransitionTime": told}, change(at=0.5)) == 0.5


@pytest.mark.parametrize(
    ("config", "metrics", "answer"),
    [
        ((200, b'{"configId": "x"}'), (0, b""), runs("x")),
        ((200, b'{"configId": 3}'), (0, b""), runs(None)),
        ((200, b"[]"), (0, b""), SAYS_NOTHING),
        ((200, b"rubbish"), (0, b""), SAYS_NOTHING),
        ((201, b'{"configId": "x"}'), (0, b""), SAYS_NOTHING),
        ((404, b'{"configId": "x"}'), (0, b""), KNOWS_NO_ID),
        ((403, b""), (0, b""), SAYS_NOTHING),
        (
            (404, b""),
            (200, b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1\n'),
            PodAnswer(knows_ids=False, state="failed"),
        ),
        (
            (404, b""),
            (500, b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1\n'),
            KNOWS_NO_ID,
        ),
    ],
)
def test_a_pod_says_its_id_or_that_its_image_knows_none(
    config: tuple[int, bytes], metrics: tuple[int, bytes], answer: PodAnswer
) -> None:
    assert parse_answer(config, metrics, "orders") == answer
