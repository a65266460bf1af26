"""Both clusters, and the REST API and link of the standby, for the steps that work on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.ledger.ledger import Ledger

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
EVENTS = Path(__file__).resolve().parents[2] / "events"
KEY, SECRET = fixture_plan.API_KEYS["west"]


@dataclass(frozen=True)
class Sites:
    """Both clusters, and the REST API and link of the standby."""

    east: Child
    west: Child
    rest: Child

    def mirrors(self) -> dict[str, str]:
        """Each mirror's status, as an operator would ask for it."""
        cluster = f"{self.rest.ready['url']}/kafka/v3/clusters/{self.west.ready['cluster_id']}"
        url = f"{cluster}/links/{fixture_plan.LINK}/mirrors"
        rows = plain.get(url, auth=(KEY, SECRET)).json()["data"]
        return {row["mirror_topic_name"]: row["mirror_status"] for row in rows}

    def asked(self, operation: str) -> int:
        """How often an operation was called."""
        counts = plain.get(f"{self.rest.ready['control']}/requests").json()
        return int(counts.get(operation, {}).get("count", 0))

    def no_faults(self) -> None:
        """Let the REST API be well again."""
        plain.delete(f"{self.rest.ready['control']}/faults").raise_for_status()

    def fault(self, **fault: Any) -> None:
        """Let the REST API fail."""
        plain.post(f"{self.rest.ready['control']}/faults", json=fault).raise_for_status()


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with ExitStack() as stack:

        def start(module: str, config: dict[str, Any], name: str) -> Child:
            child = spawn(module, config, log=tmp_path / f"{name}.log")
            stack.callback(child.stop)
            return child

        east = start("drill.kafka.cluster", {"site": "east"}, "east")
        west = start("drill.kafka.cluster", {"site": "west"}, "west")
        link = {
            "name": fixture_plan.LINK,
            "remote_cluster_id": east.ready["cluster_id"],
            "remote_bootstrap": east.ready["bootstrap"],
            "remote_raw_bootstrap": east.ready["raw_bootstrap"],
            "interval_s": 0.2,
            "offset_sync_s": 30,
            "groups": [],
        }
        config = {
            "site": "west",
            "cluster_id": west.ready["cluster_id"],
            "raw_bootstrap": west.ready["raw_bootstrap"],
            "admin": west.ready["admin"],
            "api_key": KEY,
            "api_secret": SECRET,
            "link": link,
            "mirrors": list(fixture_plan.TOPICS),
            "stop_delay_s": 0.2,
        }
        yield Sites(east, west, start("drill.confluent.cluster_rest", config, "rest"))


@pytest.fixture
def policy() -> dict[str, Any]:
    """The plan's policy, where a test wants one."""
    return {}


@pytest.fixture
def plan_text(sites: Sites, policy: dict[str, Any]) -> str:
    """The drill's plan, with what of it these tests have running."""
    addresses = {
        "east": fixture_plan.SiteAddresses(
            cluster_id=sites.east.ready["cluster_id"],
            bootstrap="127.0.0.1:9",
            rest="http://127.0.0.1:9",
            balancer="127.0.0.1:9",
        ),
        "west": fixture_plan.SiteAddresses(
            cluster_id=sites.west.ready["cluster_id"],
            bootstrap=sites.west.ready["bootstrap"],
            rest=sites.rest.ready["url"],
            # A gateway that takes connections; nobody goes through it.
            balancer=sites.west.ready["bootstrap"].split(",")[0],
        ),
    }
    document = fixture_plan.plan_document(
        addresses, client_bootstrap=sites.west.ready["bootstrap"], nameserver="127.0.0.1:9", zone_id="Z1", policy=policy
    )
    return yaml.safe_dump(document)


@pytest.fixture
def execution(deployed: Callable[..., Any], call: Call) -> dict[str, Any]:
    """A claimed failover to west."""
    for site, (key, secret) in fixture_plan.API_KEYS.items():
        document = f'{{"key": "{key}", "secret": "{secret}"}}'
        deployed("secretsmanager").create_secret(Name=f"failover/orders/{site}", SecretString=document)
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


def crash_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    """From now on a function dies between its effect and its answer."""

    def die(*_: Any, **__: Any) -> None:
        raise MemoryError("the container is gone")

    patch.setattr(Ledger, "record_step", die)
