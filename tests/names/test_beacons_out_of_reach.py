"""A beacon that can't be changed is one less, and where none can be, it is said whether to ask again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from failover.dns import route53_health_check
from failover.dns.route53_health_check import BeaconName
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import Beacon, Route53HealthCheck
from failover.plan.model import parse

ROOT = Path(__file__).resolve().parents[2]
SILENT = EndpointConnectionError(endpoint_url="https://s3")
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "HeadObject")
ABSENT = ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
BEACONS = tuple(
    Beacon(bucket=f"beacons-{site}", key="orders", region=region)
    for site, region in (("east", "us-east-1"), ("west", "us-west-2"))
)


class Buckets:
    """S3 in two regions: what each answers to whatever it is asked."""

    def __init__(self, answers: dict[str, Exception | None]) -> None:
        self.answers = answers

    def __call__(self, service: str, region: str, **_: Any) -> Any:
        class Bucket:
            def __getattr__(bucket, _: str) -> Any:  # noqa: N805
                return lambda **__: self._answer(region)

        return Bucket()

    def _answer(self, region: str) -> dict[str, Any]:
        if error := self.answers[region]:
            raise error
        return {}


@pytest.fixture
def name() -> BeaconName:
    plan = parse((ROOT / "plans" / "orders.yaml").read_text())
    described = Route53HealthCheck(
        kind="route53-health-check", hosted_zone_id="Z1", beacons=BEACONS, nameservers=("127.0.0.1:9",)
    )
    return BeaconName(plan, described)


def answering(monkeypatch: pytest.MonkeyPatch, east: Exception | None, west: Exception | None) -> None:
    monkeypatch.setattr(route53_health_check, "client", Buckets({"us-east-1": east, "us-west-2": west}))
    monkeypatch.setattr(route53_health_check, "ask", lambda *_: {})


@pytest.mark.parametrize(
    ("east", "west", "error"),
    [(SILENT, SILENT, DnsUnavailable), (REFUSED, SILENT, DnsUnavailable), (REFUSED, REFUSED, DnsRejected)],
)
def test_where_no_beacon_can_be_asked_or_changed_it_is_asked_again_if_one_was_only_silent(
    name: BeaconName, monkeypatch: pytest.MonkeyPatch, east: Exception, west: Exception, error: type[Exception]
) -> None:
    answering(monkeypatch, east, west)
    for act in (lambda: name.look(None), lambda: name.point_to("west"), lambda: name.point_to("east")):
        with pytest.raises(error, match=r"beacons-east/orders.*; .*beacons-west/orders"):
            act()


@pytest.mark.parametrize(("west", "site"), [(None, "west"), (ABSENT, "east")])
def test_one_beacon_is_enough_and_the_other_is_told(
    name: BeaconName, monkeypatch: pytest.MonkeyPatch, west: Exception | None, site: str
) -> None:
    answering(monkeypatch, SILENT, west)
    state = name.look(None)
    assert state.record == name._targets[site]
    (unreached,) = state.unreached
    assert unreached.startswith(f"{BEACONS[0].address}: ") and "us-east-1" in unreached
    answering(monkeypatch, SILENT, None)
    assert name.point_to("west").endswith("us-west-2: True")
    assert name.point_to("east").endswith("us-west-2: False")


def test_beacons_that_differ_lead_to_no_site(name: BeaconName, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ABSENT, None)
    assert name.look(None).record is None


def test_a_checker_that_gets_no_answer_from_any_beacon_can_not_tell(
    name: BeaconName, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(url: str, **_: Any) -> httpx.Response:
        raise httpx.ConnectError("", request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", silent)
    with pytest.raises(DnsUnavailable, match=r"no answer \(ConnectError\); no answer \(ConnectError\)"):
        list(name._wrong_beacons("east"))
