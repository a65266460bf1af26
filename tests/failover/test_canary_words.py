"""What a canary record says of a site: lost only by a gateway that leads to the site's own cluster and takes no record,
well by any that gives one back, and nothing otherwise."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.detection import canary_probe
from failover.detection.canary_probe import RECORD_S, TOPIC_S, send_canary
from failover.errors import CanarySaysNothing, KafkaUnauthorized, KafkaUnavailable
from failover.kafka.addresses import Reachable
from failover.plan.model import Plan, parse

PLANS = Path(__file__).resolve().parents[2] / "plans"
FIRST, SECOND = "gateway-1:9092", "gateway-2:9092"


@dataclass
class Gateway:
    """What comes of a look through it."""

    leads_to: Any = "own"
    """The cluster's id (of the site's own, or another), None where the topic is not there, or what is raised."""
    takes: Exception | None = None
    """What is raised by who writes and reads a record."""
    silent: bool = False
    """One of its addresses is."""


@dataclass
class Site:
    """East, whose gateways are such."""

    plan: Plan
    gateways: dict[str, Gateway] = field(default_factory=lambda: {FIRST: Gateway(), SECOND: Gateway()})
    refusals: list[str | None] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)
    """Seconds that each step of a look may take."""

    def send(self, within: float = 60.0) -> str | None:
        return send_canary(self.plan, "east", time.monotonic() + within, self.refusals.append)

    def reachable(self, bootstrap: str, timeout: float) -> Reachable:
        self.patience.append(timeout)
        return Reachable(endpoints=(bootstrap,), silent=self.gateways[bootstrap].silent, why_not="")

    def cluster_with_topic(self, bootstrap: str, topic: str, addresses: Reachable, timeout: float) -> str | None:
        self.patience.append(timeout)
        there = self.gateways[bootstrap].leads_to
        if isinstance(there, Exception):
            raise there
        return self.plan.site("east").kafka.cluster_id if there == "own" else there

    def write_and_read_back(self, bootstrap: str, topic: str, timeout: float) -> None:
        self.patience.append(timeout)
        if (error := self.gateways[bootstrap].takes) is not None:
            raise error


@pytest.fixture
def east(monkeypatch: pytest.MonkeyPatch) -> Site:
    document = yaml.safe_load((PLANS / "orders.yaml").read_text())
    (fleet,) = document["sites"]["east"]["fleets"]
    document["sites"]["east"]["fleets"] = [
        deepcopy(fleet) | {"name": f"gateway-{number}", "bootstrap": at} for number, at in enumerate((FIRST, SECOND))
    ]
    site = Site(parse(yaml.safe_dump(document)))
    monkeypatch.setattr(canary_probe, "settings", lambda bootstrap, *_: bootstrap)
    monkeypatch.setattr(canary_probe, "with_credentials", lambda _, ask, __: ask(None))
    for step in ("reachable", "cluster_with_topic", "write_and_read_back"):
        monkeypatch.setattr(canary_probe, step, getattr(site, step))
    return site


REFUSED = KafkaUnauthorized("the key is no key of this cluster")


@pytest.mark.parametrize(
    "other",
    [
        Gateway(),
        Gateway(takes=KafkaUnavailable("no record came back")),
        Gateway(leads_to=KafkaUnavailable("no metadata")),
        Gateway(leads_to="lkc-another"),
        Gateway(leads_to=REFUSED),
        Gateway(takes=REFUSED),
    ],
)
def test_a_record_that_came_back_through_one_gateway_speaks_for_the_site(east: Site, other: Gateway) -> None:
    east.gateways[FIRST] = other
    assert east.send() is None
    east.gateways = {FIRST: Gateway(), SECOND: other}
    assert east.send() is None


def test_a_site_whose_own_cluster_takes_no_record_through_any_gateway_is_lost_to_its_clients(east: Site) -> None:
    east.gateways = {at: Gateway(takes=KafkaUnavailable(f"{at} gave nothing")) for at in (FIRST, SECOND)}
    assert east.send() == f"{FIRST} gave nothing; {SECOND} gave nothing"


@pytest.mark.parametrize(
    ("gateway", "words"),
    [
        (Gateway(leads_to=KafkaUnavailable("no metadata")), "leads to no cluster now: no metadata"),
        (Gateway(leads_to="lkc-another"), "leads to lkc-another, not to lkc-"),
        (Gateway(leads_to=None), "leads to a cluster without "),
        (Gateway(takes=KafkaUnavailable("nothing"), silent=True), "is silent: nothing"),
    ],
)
def test_a_gateway_that_leads_elsewhere_or_may_be_silent_itself_says_nothing_of_the_site(
    east: Site, gateway: Gateway, words: str
) -> None:
    east.gateways = {FIRST: Gateway(takes=KafkaUnavailable("no record came back")), SECOND: gateway}
    with pytest.raises(CanarySaysNothing, match=words):
        east.send()
    assert None in east.refusals, "whoever took the credentials refused none"


@pytest.mark.parametrize("gateway", [Gateway(leads_to=REFUSED), Gateway(takes=REFUSED)])
def test_refused_credentials_are_told_at_once_and_are_no_loss(east: Site, gateway: Gateway) -> None:
    east.gateways = dict.fromkeys((FIRST, SECOND), gateway)
    with pytest.raises(KafkaUnauthorized):
        east.send()
    assert east.refusals == [str(REFUSED)] * 2


def test_each_step_has_its_time_and_never_more_than_is_left_of_the_look(east: Site) -> None:
    east.send()
    assert sorted(east.patience) == sorted([TOPIC_S, TOPIC_S, RECORD_S] * 2)
    east.patience.clear()
    east.send(within=0.5)
    assert all(0 < seconds <= 0.5 for seconds in east.patience)
    east.patience.clear()
    east.send(within=-3.0)
    assert all(0 < seconds < 0.5 for seconds in east.patience), "a last try, and no wait"
