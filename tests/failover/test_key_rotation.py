"""An ordinary rotation of a key is no outage: whoever refuses a key is alive."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from drill import fixture_plan
from failover.aws.secrets import ApiKey
from failover.decision.case import Case
from failover.decision.rules import site_answers
from failover.detection.evidence import Evidence, Probe, View
from failover.detection.network import Network
from failover.detection.probes import probe_sites
from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_id
from failover.kafka.offsets import commit, committed, log_ends
from failover.ledger.records import PlanState
from failover.plan.model import Plan, parse
from failover.plan.policy import Policy
from tests.failover.sasl_broker import SaslBroker

SECRET = "failover/orders/east"


class Site:
    """East's cluster, which admits one secret at a time."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
        metadata = self._mock.list_topics(timeout=5)
        self.cluster_id = str(metadata.cluster_id)
        (broker,) = metadata.brokers.values()
        self.plain = f"{broker.host}:{broker.port}"
        self.admitted = "s0"
        self.refused = 0
        self.broker = SaslBroker(self.plain, self._admits)
        manager.create_secret(Name=SECRET, SecretString=self._document("s0"))

    def rotate(self, secret: str, late: float = 0.0) -> None:
        """The cluster takes the new one only; the secret holds it so many seconds later."""
        self.admitted = secret
        time.sleep(late)
        self._manager.put_secret_value(SecretId=SECRET, SecretString=self._document(secret))

    def plan(self) -> Plan:
        sites = {
            "east": fixture_plan.SiteAddresses(
                cluster_id=self.cluster_id,
                bootstrap=self.broker.bootstrap,
                rest="http://127.0.0.1:9",
                balancer=self.plain,
            ),
            "west": fixture_plan.SiteAddresses(
                cluster_id="lkc-west", bootstrap=self.plain, rest="http://127.0.0.1:9", balancer=self.plain
            ),
        }
        document = fixture_plan.plan_document(
            sites, client_bootstrap=self.plain, nameserver="127.0.0.1:9", zone_id="Z1", policy={}, anchors=()
        )
        document["sites"]["east"]["kafka"] |= {"credentials": SECRET, "security_protocol": "SASL_SSL"}
        del document["sites"]["west"]["kafka"]["credentials"]
        return parse(yaml.safe_dump(document))

    def _admits(self, _: str, said: bytes) -> bool:
        admitted = said == f"\0KEY\0{self.admitted}".encode()
        self.refused += not admitted
        return admitted

    @staticmethod
    def _document(secret: str) -> str:
        return json.dumps({"key": "KEY", "secret": secret})


@pytest.fixture
def site(aws: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    east = Site(aws("secretsmanager"))
    # The front speaks SASL and no TLS.
    secured = Network.cluster_id

    async def in_plain_text(network: Network, at: str, protocol: str, held: Any, deadline: float) -> str:
        return await secured(network, at, "SASL_PLAINTEXT" if held else protocol, held, deadline)

    monkeypatch.setattr(Network, "cluster_id", in_plain_text)
    yield east
    east.broker.close()


def of_east(view: View) -> Probe:
    return next(probe for probe in view.probes if (probe.site, probe.service) == ("east", "kafka"))


def says_lost(view: View) -> bool:
    return next(signal.says_lost for signal in view.signals() if signal.site == "east")


def test_a_look_that_is_refused_asks_again_with_the_new_secret(site: Site) -> None:
    plan = site.plan()
    assert of_east(probe_sites(plan, 3.0)).healthy is True
    site.rotate("s1")
    probe = of_east(probe_sites(plan, 3.0))
    assert (probe.healthy, site.refused > 0) == (True, True)


def test_a_site_that_refuses_is_not_lost_and_vetoes_its_failover(site: Site) -> None:
    plan = site.plan()
    site.admitted = "not in the secret yet"
    started = time.monotonic()
    view = probe_sites(plan, 3.0)
    assert time.monotonic() - started < 2.5, "a refusal ends the look at once, long before its time is up"
    probe = of_east(view)
    assert (probe.healthy, probe.refused, probe.answers) == (None, True, True)
    assert "refused the credentials" in probe.why and not says_lost(view) and view.isolated_because is None
    case = Case(
        evidence=Evidence(lost_site="east", standby_site="west", probes=view.probes),
        policy=Policy(),
        state=PlanState(active="east", epoch=1),
        manual=False,
        now=time.time(),
    )
    assert site_answers(case) == "east answers the controller's own probes"


def test_a_look_that_was_refused_and_then_ran_out_of_time_does_not_know(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, asked = site.plan(), list[Any]()

    async def refuse_then_hang(_: Network, at: str, protocol: str, held: Any, deadline: float) -> str:
        if at != site.broker.bootstrap:
            raise KafkaUnavailable("west is not asked here")
        asked.append(held)
        if len(asked) == 1:
            site.rotate(f"at {time.monotonic()}")
            raise KafkaUnauthorized("refused the credentials")
        await asyncio.sleep(deadline - time.monotonic())
        raise KafkaUnavailable("no answer")

    monkeypatch.setattr(Network, "cluster_id", refuse_then_hang)
    assert of_east(probe_sites(plan, 1.0)).refused and len(asked) == 2
    monkeypatch.setattr("failover.detection.probes.MARGIN_S", -2.0)  # the probe outlasts its look
    asked.clear()
    late = of_east(probe_sites(plan, 1.0))
    assert (late.healthy, late.refused) == (None, True) and late.why.startswith("not known: no answer within 1 s")


@pytest.mark.parametrize(
    "rotations", [20, pytest.param(200, marks=pytest.mark.exhaustive)], ids=["a few rotations", "200 rotations"]
)
def test_no_rotation_at_any_moment_reads_as_a_lost_site(site: Site, rotations: int) -> None:
    plan, chance, over = site.plan(), random.Random(rotations), threading.Event()

    def rotate() -> None:
        # On a slow machine a look is long, and fewer of them meet a rotation.
        for number in range(20 * rotations):
            if number >= rotations and site.refused >= rotations // 4:
                break
            time.sleep(chance.uniform(0, 0.1))
            site.rotate(f"s{number + 1}", late=chance.choice([0.0, 0.0, chance.uniform(0, 0.3)]))
        over.set()

    thread = threading.Thread(target=rotate)
    thread.start()
    views = []
    while not over.is_set():
        views.append(probe_sites(plan, 3.0))
    thread.join()
    assert not any(says_lost(view) for view in views)
    assert all(of_east(view).answers for view in views)
    assert site.refused >= rotations // 4, "the looks met the rotations"


def test_every_kafka_call_ends_as_soon_as_it_is_refused(site: Site) -> None:
    client = settings(site.broker.bootstrap, "SASL_PLAINTEXT", ApiKey("KEY", "wrong"))
    for ask in (
        lambda: cluster_id(client, 10.0),
        lambda: write_and_read_back(client, "canary", 10.0),
        lambda: log_ends(client, [("orders", 0)]),
        lambda: committed(client, "group", [("orders", 0)]),
        lambda: commit(client, "group", {("orders", 0): 0}),
    ):
        started = time.monotonic()
        with pytest.raises(KafkaUnauthorized, match="key of this very cluster"):
            ask()
        assert time.monotonic() - started < 2.5, "the call's own time is longer"
