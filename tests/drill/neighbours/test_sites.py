"""The sites of neighbours answer what the controller asks of a site, and take a client's record."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from drill.network.certificate import certificate
from drill.process import Child, spawn
from failover.aws.secrets import ApiKey
from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_id
from failover.kafka.offsets import log_ends
from tests.patience import patiently

KEY, SECRET = "DRILL", "secret"
CANARY = "failover-canary"


@dataclass(frozen=True, kw_only=True)
class Running:
    """The process, and whom its clients trust."""

    child: Child
    authority: Path

    def at(self, cluster: str, service: str = "kafka") -> str:
        return str(self.child.ready["sites"][cluster][service])

    def client(self, bootstrap: str, secret: str = SECRET) -> dict[str, Any]:
        return settings(bootstrap, "SASL_SSL", ApiKey(KEY, secret)) | {"ssl.ca.location": str(self.authority)}

    def rest(self, cluster: str) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=str(self.authority))
        url = f"https://{self.at(cluster, 'rest')}/kafka/v3/clusters/{cluster}"
        return httpx.Client(base_url=url, auth=(KEY, SECRET), verify=trusted)


@pytest.fixture(autouse=True)
def trusts_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("sites")
    authority, chain, key = certificate(directory)
    (directory / "authority.pem").write_bytes(authority)
    sites = {
        "lkc-a-west": {"link": "a-link", "remote": "lkc-a-east", "mirrors": 3},
        "lkc-b-west": {},
        "lkc-c-west": {"silent": True},
    }
    config = {"chain": str(chain), "key": str(key), "api_key": KEY, "api_secret": SECRET, "sites": sites}
    child = spawn("drill.neighbours.sites", config, log=directory / "sites.log")
    yield Running(child=child, authority=directory / "authority.pem")
    child.stop()


@pytest.mark.parametrize("service", ["kafka", "gateway"])
def test_each_cluster_says_which_it_is_and_takes_a_record(running: Running, service: str) -> None:
    for cluster in ("lkc-a-west", "lkc-b-west"):
        chosen = running.client(running.at(cluster, service))
        assert patiently(partial(cluster_id, chosen)) == cluster
        first, second = (patiently(partial(write_and_read_back, chosen, CANARY)) for _ in range(2))
        assert second[0] == first[0] and second[1] > first[1], "what is not answered in time is written again"


def test_steps_trust_whom_looks_trust(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx and Python's ssl heed SSL_CERT_FILE; librdkafka has an OpenSSL of its own."""
    bootstrap = running.at("lkc-b-west")
    untold = settings(bootstrap, "SASL_SSL", ApiKey(KEY, SECRET))
    monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
    assert "ssl.ca.location" not in untold
    assert patiently(lambda: cluster_id(settings(bootstrap, "SASL_SSL", ApiKey(KEY, SECRET)))) == "lkc-b-west"
    assert "ssl.ca.location" not in settings(bootstrap, "PLAINTEXT", None)


def test_the_log_of_gateways_is_that_of_their_cluster(running: Running) -> None:
    _, offset = patiently(lambda: write_and_read_back(running.client(running.at("lkc-b-west", "gateway")), CANARY))
    ends = patiently(lambda: log_ends(running.client(running.at("lkc-b-west")), [(CANARY, 0)]))
    assert ends.by_partition[CANARY, 0] > offset


def test_partitions_end_where_the_link_says_that_the_mirrors_do(running: Running) -> None:
    with running.rest("lkc-a-west") as rest:
        rows = rest.get("/links/a-link/mirrors").json()["data"]
    told = {
        (row["mirror_topic_name"], lag["partition"]): lag["last_source_fetch_offset"]
        for row in rows
        for lag in row["mirror_lags"]
    }
    ends = patiently(lambda: log_ends(running.client(running.at("lkc-a-west")), told))
    assert len(rows) == 3 and len(told) == 6 and ends.by_partition == told
    stable = patiently(lambda: log_ends(running.client(running.at("lkc-a-west")), told, stable=True))
    assert stable.by_partition == told


def test_mirrors_are_failed_over_through_the_api(running: Running) -> None:
    with running.rest("lkc-a-west") as rest:
        names = [row["mirror_topic_name"] for row in rest.get("/links/a-link/mirrors").json()["data"]]
        answer = rest.post("/links/a-link/mirrors:failover", json={"mirror_topic_names": names}).json()
        assert [row["error_code"] for row in answer["data"]] == [None] * 3
        statuses: set[str] = set()
        while statuses != {"STOPPED"}:
            statuses = {row["mirror_status"] for row in rest.get("/links/a-link/mirrors").json()["data"]}
            assert statuses <= {"PENDING_STOPPED", "STOPPED"}


def test_a_wrong_login_is_refused_by_both_doors(running: Running) -> None:
    with pytest.raises(KafkaUnauthorized):
        cluster_id(running.client(running.at("lkc-b-west"), secret="wrong"))
    with running.rest("lkc-b-west") as rest:
        assert rest.get("/links", auth=(KEY, "wrong")).status_code == 401


def test_a_topic_that_is_not_there_is_not_told_and_not_written(running: Running) -> None:
    chosen = running.client(running.at("lkc-b-west"))
    with pytest.raises(KafkaUnavailable):
        log_ends(chosen, [("nothing", 0)])
    with pytest.raises(KafkaUnavailable):
        write_and_read_back(chosen, "nothing", timeout=1.0)


def test_a_silent_site_takes_connections_and_says_nothing(running: Running) -> None:
    with pytest.raises(KafkaUnavailable):
        cluster_id(running.client(running.at("lkc-c-west")), timeout=0.5)


def test_clients_of_a_hostname_are_led_to_where_it_points(running: Running, tmp_path: Path) -> None:
    """Through the name server of nobody nobody is led; that of a world is asked in its drill."""
    config = {
        "chain": str(tmp_path / "server.pem"),
        "key": str(tmp_path / "server.key"),
        "api_key": KEY,
        "api_secret": SECRET,
        "sites": {"lkc-d-west": {}},
        "ways": {"kafka.d.example.com": {"gw-west.d.example.com": "lkc-d-west"}},
        "dns": "127.0.0.1:9",
    }
    certificate(tmp_path)
    child = spawn("drill.neighbours.sites", config, log=tmp_path / "sites.log")
    try:
        with pytest.raises(KafkaUnavailable):
            cluster_id(running.client(child.ready["ways"]["kafka.d.example.com"]), timeout=2.0)
    finally:
        child.stop()
