"""A site has an address a zone, and a name may lead to several: one that takes no packet is no lost site."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from drill import fixture_plan
from failover.detection.evidence import View
from failover.detection.probes import probe_sites
from failover.kafka.addresses import reachable
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_id
from failover.plan.model import Plan, parse

NAME = "kafka.east.example"
LOOKS = 10


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[str, list[str]]]:
    """The id and the addresses of three brokers on 127.0.0.1."""
    mock = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock", "log_level": 0})
    metadata = mock.list_topics(timeout=5)
    yield str(metadata.cluster_id), [f"{each.host}:{each.port}" for each in metadata.brokers.values()]


@pytest.fixture
def black_hole() -> Iterator[Callable[[int], str]]:
    """Makes a port of 127.0.0.2 take no packet, by a backlog that is full; its address."""
    with ExitStack() as stack:

        def dig(port: int = 0) -> str:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.2", port))
            listener.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            time.sleep(0.1)
            return f"127.0.0.2:{listener.getsockname()[1]}"

        yield dig


def plan(cluster: str, east: str, west: str) -> Plan:
    """Both sites on these addresses, with a REST API that nobody serves."""
    sites = {
        "east": fixture_plan.SiteAddresses(
            cluster_id=cluster, bootstrap=east, rest="http://127.0.0.1:9", balancer=west
        ),
        "west": fixture_plan.SiteAddresses(
            cluster_id="lkc-west", bootstrap=west, rest="http://127.0.0.1:9", balancer=west
        ),
    }
    document = fixture_plan.plan_document(
        sites, client_bootstrap=west, nameserver="127.0.0.1:9", zone_id="Z1", policy={}, anchors=()
    )
    for site in document["sites"].values():
        del site["kafka"]["credentials"]
    return parse(yaml.safe_dump(document))


def says_lost(view: View, site: str) -> bool:
    return next(signal.says_lost for signal in view.signals() if signal.site == site)


def kafka_answers(view: View, site: str) -> bool:
    return next(probe.answers for probe in view.probes if (probe.site, probe.service) == (site, "kafka"))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_site_is_not_lost_while_two_of_the_three_addresses_of_its_list_answer(
    brokers: tuple[str, list[str]], black_hole: Callable[..., str], place: int
) -> None:
    cluster, live = brokers
    addresses = live[:2]
    addresses.insert(place, black_hole())
    there = plan(cluster, ",".join(addresses), live[2])
    views = [probe_sites(there, 3.0) for _ in range(3)]
    assert not any(says_lost(view, "east") for view in views)
    assert all(kafka_answers(view, "east") for view in views), "the controller's own look sees it answer"


@pytest.mark.slow
@pytest.mark.parametrize("silent_first", [True, False])
def test_a_site_is_not_lost_while_one_of_the_addresses_of_its_name_answers(
    brokers: tuple[str, list[str]], black_hole: Callable[..., str], tmp_path: Path, silent_first: bool
) -> None:
    """librdkafka resolves for itself, so the name is in the hosts file of a mount namespace of the looks' own."""
    cluster, live = brokers
    port = live[0].rpartition(":")[2]
    black_hole(int(port))
    addresses = ["127.0.0.2", "127.0.0.1"] if silent_first else ["127.0.0.1", "127.0.0.2"]
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses))
    look = [sys.executable, "-m", "tests.failover.test_one_address_is_silent", cluster, f"{NAME}:{port}", live[1]]
    in_namespace = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    if subprocess.run([*in_namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root may make a mount namespace")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    looks = subprocess.run([*in_namespace, *look], check=True, capture_output=True, text=True, env=environment).stdout
    assert json.loads(looks) == {"silent": True, "answers": [True] * LOOKS, "lost": [False] * LOOKS}


def test_a_list_of_which_nothing_answers_says_what_became_of_each(black_hole: Callable[..., str]) -> None:
    silent = black_hole()
    found = reachable(f"127.0.0.1:9,{silent},nobody.invalid:9092", 0.5)
    assert (found.endpoints, found.silent) == ((), False)
    for why in ("127.0.0.1:9: ", f"{silent}: timed out", "nobody.invalid:9092: "):
        assert why in found.why_not


def test_an_answer_does_not_wait_for_those_that_give_none(
    brokers: tuple[str, list[str]], black_hole: Callable[..., str]
) -> None:
    cluster, live = brokers
    started = time.monotonic()
    assert cluster_id(settings(f"{black_hole()},{live[0]}", "PLAINTEXT", None)) == cluster
    assert time.monotonic() - started < 1.5, "one connection's timeout is 2 s"


def _look_at(cluster: str, east: str, west: str) -> None:
    views = [probe_sites(plan(cluster, east, west), 3.0) for _ in range(LOOKS)]
    lost = [says_lost(view, "east") for view in views]
    answers = [kafka_answers(view, "east") for view in views]
    print(json.dumps({"silent": reachable(east).silent, "answers": answers, "lost": lost}))


if __name__ == "__main__":
    _look_at(*sys.argv[1:])
