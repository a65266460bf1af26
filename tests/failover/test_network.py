"""The network of a container: what hangs holds no end of it up, and a look is given what is left of its time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import yaml

from failover.aws.secrets import OAuthClient
from failover.detection import network as module
from failover.detection.network import Network
from failover.detection.probes import LOOK_S, LOST_SITE_S, MARGIN_S, kafka_answers, view
from failover.errors import KafkaUnavailable, LedgerUnavailable
from failover.plan.model import Plan, parse

PLANS = Path(__file__).resolve().parents[2] / "plans"
NOW = 1000.0


@pytest.fixture
def hanging() -> Iterator[Callable[[], None]]:
    """A call that does not end before the test does."""
    released = threading.Event()
    yield lambda: cast("None", released.wait(60))
    released.set()


def test_what_hangs_in_a_thread_holds_up_neither_a_run_nor_the_end(
    hanging: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BESIDE_S", 0.01)
    network = Network()

    async def job() -> str:
        network.begin(lambda: network.in_thread(hanging))
        return "done"

    assert network.run(job()) == "done"
    closed = threading.Event()

    def close() -> None:
        network.close()
        closed.set()

    threading.Thread(target=close, daemon=True).start()
    assert closed.wait(30)


def test_what_waits_for_a_thread_is_not_begun_any_more_once_the_network_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BESIDE_S", 0.01)
    monkeypatch.setattr(module, "THREADS_AT_ONCE", 1)
    network, released, begun, others = Network(), threading.Event(), list[str](), set(threading.enumerate())

    def call(name: str) -> None:
        begun.append(name)
        released.wait(60)

    async def job() -> None:
        for name in ("first", "second"):
            network.begin(partial(network.in_thread, partial(call, name)))

    network.run(job())
    network.close()
    released.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(30)
    assert begun == ["first"]


def test_its_end_closes_the_connections_to_every_rest_api(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[httpx.AsyncClient] = []

    async def look(client: httpx.AsyncClient) -> str:
        clients.append(client)
        return "lkc-1"

    monkeypatch.setattr(module, "cluster_at", lambda *_: SimpleNamespace(look=look))
    plan = parse((PLANS / "orders.yaml").read_text())
    network = Network()
    assert [network.run(network.rest_cluster_id(plan, site)) for site in plan.sites] == ["lkc-1", "lkc-1"]
    assert [client.is_closed for client in clients] == [False, False]
    network.close()
    assert [client.is_closed for client in clients] == [True, True]


@pytest.mark.parametrize(("left", "least", "most"), [(5.0, 0.0, 5.0), (-3.0, 0.0, 0.0)])
def test_a_look_with_a_token_is_given_what_is_left_of_its_time(
    monkeypatch: pytest.MonkeyPatch, left: float, least: float, most: float
) -> None:
    seconds: list[float] = []

    def cluster_id(_: object, timeout: float) -> str:
        seconds.append(timeout)
        return "lkc-1"

    monkeypatch.setattr("failover.kafka.client.settings", lambda *_: {})
    monkeypatch.setattr("failover.kafka.cluster.cluster_id", cluster_id)
    key = OAuthClient(client_id="c", client_secret="s", token_endpoint="https://idp.invalid/token")
    with closing(Network()) as network:
        look = network.cluster_id("127.0.0.1:9", "SASL_SSL", key, time.monotonic() + left)
        assert network.run(look) == "lkc-1"
    assert [least <= timeout <= most for timeout in seconds] == [True]


class Eyes:
    """A network over which every cluster of a plan answers, or none, and that notes until when each is asked."""

    def __init__(self, plan: Plan, answer: str | Exception | None = None) -> None:
        self.ids = {site.kafka.bootstrap: site.kafka.cluster_id for site in plan.sites.values()}
        self.answer = answer
        self.deadlines: dict[str, float] = {}

    async def together(self, jobs: dict[Any, Any]) -> dict[Any, Any]:
        return {key: await job() for key, (job, _) in jobs.items()}

    async def cluster_id(self, bootstrap: str, protocol: str, credentials: Any, deadline: float) -> str:
        self.deadlines[bootstrap] = deadline
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or self.ids[bootstrap]

    async def connectable(self, bootstrap: str, deadline: float, *, tls: bool = False) -> str | None:
        return None

    async def rest_cluster_id(self, plan: Plan, site: str) -> str:
        return self.ids[plan.site(site).kafka.bootstrap]


@pytest.fixture
def plan() -> Plan:
    document = yaml.safe_load((PLANS / "orders.yaml").read_text())
    for site in document["sites"].values():
        site["kafka"].pop("credentials", None)
        site["kafka"]["rest_endpoint"] = "http://127.0.0.1:9"
    return parse(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("within", "seconds"),
    [(60.0, LOOK_S), (LOOK_S + MARGIN_S, LOOK_S), (2.0, 2.0 - MARGIN_S), (MARGIN_S, 0.05), (0.0, 0.05)],
)
def test_a_cluster_is_asked_until_just_before_the_look_ends_and_for_a_moment_at_least(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, within: float, seconds: float
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: NOW)
    eyes = Eyes(plan)
    assert asyncio.run(kafka_answers(cast("Network", eyes), plan, "east", within)) is True
    assert eyes.deadlines == {plan.site("east").kafka.bootstrap: pytest.approx(NOW + seconds)}


def test_a_site_that_is_said_to_be_lost_is_given_less_time_and_no_other_is(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: NOW)
    for lost, seconds in (("east", LOST_SITE_S), (None, LOOK_S)):
        eyes = Eyes(plan)
        asyncio.run(view(cast("Network", eyes), plan, lost_site=lost))
        assert eyes.deadlines == {
            plan.site("east").kafka.bootstrap: pytest.approx(NOW + seconds - MARGIN_S),
            plan.site("west").kafka.bootstrap: pytest.approx(NOW + LOOK_S - MARGIN_S),
        }


@pytest.mark.parametrize(
    ("answer", "healthy", "why"),
    [
        (None, True, ""),
        (KafkaUnavailable("nobody answers"), False, "nobody answers"),
        (LedgerUnavailable("throttled"), None, "the probe itself failed: throttled"),
        ("lkc-another", None, "the probe itself failed: cluster lkc-another answers, not "),
    ],
)
def test_what_is_seen_of_a_cluster_is_said_with_its_reason(
    plan: Plan, answer: str | Exception | None, healthy: bool | None, why: str
) -> None:
    seen = asyncio.run(view(cast("Network", Eyes(plan, answer)), plan))
    of_kafka = [probe for probe in seen.probes if probe.service == "kafka"]
    assert [(probe.healthy, probe.why.startswith(why), bool(probe.why)) for probe in of_kafka] == [
        (healthy, True, bool(why))
    ] * 2
    assert all(probe.healthy for probe in seen.probes if probe.service != "kafka")


def test_where_nobody_keeps_the_thread_busy_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    async def at_once(seconds: float) -> None:
        looks.append(seconds)

    with closing(Network()) as network:
        monkeypatch.setattr("asyncio.sleep", at_once)
        network.run(network.turn())
    assert 1 <= len(looks) < module.BUSY_LOOKS


def test_who_begins_while_others_keep_the_thread_busy_waits_until_they_are_done() -> None:
    async def others() -> None:
        for _ in range(module.BUSY_LOOKS - 2):
            time.sleep(5 * module.BUSY_S)
            await asyncio.sleep(0)

    async def job() -> bool:
        busy = asyncio.ensure_future(others())
        await network.turn()
        return busy.done()

    with closing(Network()) as network:
        assert network.run(job())
