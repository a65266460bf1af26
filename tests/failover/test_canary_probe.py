"""A record through each site's gateway tells of the site only where that gateway leads to its own cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.detection.probes import probe_sites
from failover.plan.model import Plan, parse

pytestmark = pytest.mark.slow
NOBODY = "127.0.0.1:9"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Child]:
    """East's cluster, which is active; west's own is out of reach, and its gateway leads to east."""
    child = spawn("drill.kafka.cluster", {"site": "east", "brokers": 1}, log=tmp_path / "kafka.log")
    yield child
    child.process.send_signal(signal.SIGCONT)
    child.stop()


def plan(cluster: Child, probed: bool = True) -> Plan:
    at = str(cluster.ready["bootstrap"])
    sites = {
        "east": fixture_plan.SiteAddresses(
            cluster_id=cluster.ready["cluster_id"], bootstrap=at, rest=f"http://{NOBODY}", balancer=at
        ),
        "west": fixture_plan.SiteAddresses(
            cluster_id="lkc-west", bootstrap=NOBODY, rest=f"http://{NOBODY}", balancer=at
        ),
    }
    document = fixture_plan.plan_document(sites, client_bootstrap=at, nameserver=NOBODY, zone_id="Z1", policy={})
    document["clients"]["canary_probe"] = probed
    for site in document["sites"].values():
        del site["kafka"]["credentials"]
    return parse(yaml.safe_dump(document))


def canaries(plan: Plan) -> dict[str, bool | None]:
    return {probe.site: probe.healthy for probe in probe_sites(plan, 4.0).probes if probe.service == "canary"}


def test_none_is_sent_where_the_plan_does_not_say_so(cluster: Child) -> None:
    assert canaries(plan(cluster, probed=False)) == {}


def test_the_site_whose_gateway_leads_to_its_own_cluster_is_told_of_and_the_other_is_not(cluster: Child) -> None:
    assert canaries(plan(cluster)) == {"east": True, "west": None}


def test_a_cluster_that_answers_and_takes_no_record_is_lost_to_its_clients(cluster: Child) -> None:
    plain.put(f"{cluster.ready['admin']}/read-only-topics", json={"topics": [fixture_plan.CANARY]}).raise_for_status()
    view = probe_sites(plan(cluster), 4.0)
    seen = {(probe.site, probe.service): probe.healthy for probe in view.probes}
    assert seen["east", "kafka"] is seen["east", "gateway"] is True
    assert (seen["east", "canary"], seen["west", "canary"]) == (False, None)
    east = next(each for each in view.signals() if each.site == "east")
    assert east.says_lost and "canary: " in east.why


def test_a_cluster_that_hangs_is_told_by_the_other_probes_and_not_by_the_canary(cluster: Child) -> None:
    there = plan(cluster)
    cluster.process.send_signal(signal.SIGSTOP)
    view = probe_sites(there, 4.0)
    seen = {(probe.site, probe.service): probe.healthy for probe in view.probes}
    assert seen["east", "kafka"] is False
    assert seen["east", "canary"] is seen["west", "canary"] is None
