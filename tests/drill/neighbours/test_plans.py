"""What the plans beside the drill's own are, how all of them ended, and which drills may have some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from drill.__main__ import app
from drill.fixture_plan import HOME, HOSTNAME, PLAN, STANDBY
from drill.ledger_reader import Execution
from drill.neighbours.ends import NEVER_STARTED, PlanEnd, plans_of
from drill.neighbours.plans import Neighbour, neighbours
from failover.plan.model import parse

KILLED = 1_000.0


def execution(plan: str, status: str = "succeeded", started: float = KILLED + 5.0, why: str = "") -> Execution:
    return Execution(
        name=f"{plan}-1-failover",
        epoch=1,
        status=status,
        started=started,
        document={"why": why},
        steps=(),
        controller="us-west-2",
    )


def end(plan: str, of: Execution | None) -> PlanEnd:
    return PlanEnd(plan=plan, hostname=f"kafka.{plan}.example.com", execution=of)


def change(at: float, seconds: float, *plans: str) -> dict[str, Any]:
    return {"at": at, "seconds": seconds, "names": [f"kafka.{plan}.example.com" for plan in plans]}


def test_each_neighbour_is_a_plan_that_the_controller_takes() -> None:
    others = neighbours(40)
    assert len({each.name for each in others}) == 39 and neighbours(1) == []
    for each in others[:3]:
        services = {"kafka": "127.0.0.1:1", "rest": "127.0.0.1:2", "gateway": "127.0.0.1:3"}
        document = each.document(
            {HOME: services, STANDBY: services},
            bootstrap="127.0.0.1:4",
            dns={"kind": "route53-record", "hosted_zone_id": "Z1", "type": "CNAME", "ttl": 1},
            vantage_points=["us-east-1", "us-west-2"],
        )
        plan = parse(yaml.safe_dump(document))
        assert plan.name == each.name and plan.hostname != HOSTNAME
        assert plan.sites[STANDBY].kafka.security_protocol == plan.clients.security_protocol == "SASL_SSL"
        assert plan.first_route(STANDBY) == STANDBY, "its fleet need not be deployed anew"
        assert plan.policy.fast_path and not plan.has_alarms


def test_no_two_neighbours_share_what_is_a_plans_own() -> None:
    one, other = Neighbour("neighbour-02"), Neighbour("neighbour-03")
    for name in ("hostname", "link"):
        assert getattr(one, name) != getattr(other, name)
    for site in (HOME, STANDBY):
        assert one.cluster_id(site) != other.cluster_id(site) and one.dns_target(site) != other.dns_target(site)
        assert one.fleet(site, "")["service"] != other.fleet(site, "")["service"]


def test_of_all_plans_the_last_is_told() -> None:
    ends = [end("a", execution("a")), end("b", execution("b", started=KILLED + 7.25))]
    plans = plans_of(ends, [change(KILLED + 9.0, 40.0, "a"), change(KILLED + 12.0, 20.0, "b", "x")], KILLED)
    assert (plans.count, plans.failed_over, plans.stopped) == (2, 2, {})
    assert (plans.last_judged, plans.last_changed, plans.last_in_sync) == (7.25, 12.0, 49.0)


def test_a_plan_that_did_not_fail_over_is_named_with_why_and_leaves_unknown_when_the_last_did() -> None:
    stopped = execution("b", "failed", why="3 mirrors are not STOPPED")
    ends = [end("a", execution("a")), end("b", stopped), end("c", None), end("d", execution("d", "running"))]
    plans = plans_of(ends, [change(KILLED + 9.0, 40.0, "a", "b")], KILLED)
    assert (plans.count, plans.failed_over) == (4, 1)
    assert plans.stopped == {"b": "failed: 3 mirrors are not STOPPED", "c": NEVER_STARTED, "d": "running"}
    assert (plans.last_judged, plans.last_changed, plans.last_in_sync) == (None, None, None)
    assert [each.is_over for each in ends] == [True, True, False, False]
    assert not end("e", execution("e", "stood-down")).is_over, "another execution follows once the votes suffice"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("region-loss", "--loss", "cluster"), "lost with their region"),
        (("region-loss", "--loss", "hang"), "lost with their region"),
        (("region-loss-seen-by-route53",), "seen by probes"),
        (("route53-control-plane-down",), "led by records"),
        (("region-loss", "--functions", "sam-local"), "own runtime alone"),
        (("switchover",), "does not know --plans"),
    ],
)
def test_plans_that_could_not_fail_over_are_refused(arguments: tuple[str, ...], why: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["run", *arguments, "--plans", "4", "--reports", str(tmp_path)])
    assert ran.exit_code == 2 and why in " ".join(ran.output.replace("│", " ").split())


def test_the_drills_own_plan_is_none_of_its_neighbours() -> None:
    assert PLAN not in {each.name for each in neighbours(100)}
