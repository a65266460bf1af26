"""Records of Route 53: which are written, and which would lead clients elsewhere by themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover.dns.route53_record import Route53Name
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import Route53Record
from failover.plan.model import Plan, parse
from failover.plan.role import Role

ROOT = Path(__file__).resolve().parents[2]
HOSTNAME = "kafka.orders.example.com"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
ZONES = {"east": "ZEAST1", "west": "ZWEST1"}


class Route53:
    """A zone that holds these records, and what was written to it."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.held = list(records)
        self.writes: list[list[dict[str, Any]]] = []
        self.changes = {"C1": "PENDING"}
        self.error: str | None = None

    def list_resource_record_sets(self, **asked: Any) -> dict[str, Any]:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "ListResourceRecordSets")
        assert (asked["HostedZoneId"], asked["StartRecordName"]) == ("Z1", HOSTNAME)
        other = {"Name": "later.example.com.", "Type": asked["StartRecordType"], "ResourceRecords": [{"Value": "x"}]}
        text = {"Name": f"{HOSTNAME}.", "Type": "TXT", "ResourceRecords": [{"Value": '"x"'}]}
        return {"ResourceRecordSets": json.loads(json.dumps([*self.held, text, other]))}

    def change_resource_record_sets(self, ChangeBatch: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        assert {change["Action"] for change in ChangeBatch["Changes"]} == {"UPSERT"}
        self.writes.append([change["ResourceRecordSet"] for change in ChangeBatch["Changes"]])
        return {"ChangeInfo": {"Id": "C1"}}

    def get_change(self, Id: str) -> dict[str, Any]:  # noqa: N803
        if Id not in self.changes:
            raise ClientError({"Error": {"Code": "NoSuchChange", "Message": "no"}}, "GetChange")
        return {"ChangeInfo": {"Status": self.changes[Id]}}

    def get_hosted_zone(self, **_: Any) -> dict[str, Any]:
        return {"HostedZone": {"Id": "Z1"}, "DelegationSet": {"NameServers": ["ns.example.com"]}}


def record(target: str, identifier: str | None = None, **more: Any) -> dict[str, Any]:
    kind = {"Name": f"{HOSTNAME}.", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": target}]}
    return kind | ({"SetIdentifier": identifier} if identifier else {}) | more


def alias(target: str, **more: Any) -> dict[str, Any]:
    to = {"HostedZoneId": "ZEAST1", "DNSName": f"dualstack.{target}.", "EvaluateTargetHealth": False}
    return {"Name": f"{HOSTNAME}.", "Type": "A", "AliasTarget": to, **more}


def pair(first: int, second: int, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return record(EAST, "one", Weight=first, **more), record(WEST, "two", Weight=second)


@pytest.fixture(autouse=True)
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name server leads to east."""
    monkeypatch.setattr("failover.dns.route53_record.ask", lambda servers, *_: dict.fromkeys(servers, EAST))


@pytest.fixture
def plan() -> Plan:
    return parse((ROOT / "plans" / "orders.yaml").read_text()).model_copy(update={"hostname": HOSTNAME})


def name_at(plan: Plan, zone: Route53, **described: Any) -> Route53Name:
    sites = {
        name: site.model_copy(update={"dns_target": {"east": EAST, "west": WEST}[name]})
        for name, site in plan.sites.items()
    }
    here = Route53Record(
        **{"kind": "route53-record", "hosted_zone_id": "Z1", "nameservers": ("127.0.0.1:9",)} | described
    )
    return Route53Name(plan.model_copy(update={"sites": sites}), here, zone)  # type: ignore[arg-type]


def led_to(plan: Plan, zone: Route53, **described: Any) -> str | None:
    return name_at(plan, zone, **described).look(None).record


def test_a_record_is_written_with_its_target_and_its_ttl(plan: Plan) -> None:
    zone = Route53(record(EAST))
    name = name_at(plan, zone, ttl=7)
    assert name.point_to("west") == "C1"
    value = {"Name": HOSTNAME, "Type": "CNAME", "TTL": 7, "ResourceRecords": [{"Value": WEST}]}
    assert zone.writes == [[value]]
    assert (led_to(plan, zone), led_to(plan, Route53())) == (EAST, None)


def test_an_alias_gets_the_zone_of_the_load_balancer_it_leads_to(plan: Plan) -> None:
    zone = Route53(alias(EAST))
    name_at(plan, zone, type="alias", alias_zones=ZONES).point_to("west")
    ((written,),) = zone.writes
    assert written == {
        "Name": HOSTNAME,
        "Type": "A",
        "AliasTarget": {"HostedZoneId": "ZWEST1", "DNSName": WEST, "EvaluateTargetHealth": False},
    }
    name_at(plan, zone, type="alias", alias_zones=ZONES).point_to("east")
    assert zone.writes[1][0]["AliasTarget"]["HostedZoneId"] == "ZEAST1"
    assert led_to(plan, zone, type="alias", alias_zones=ZONES) == EAST


@pytest.mark.parametrize(
    ("weights", "site", "written"),
    [
        ((100, 0), "west", {"one": 0, "two": 100}),
        ((100, 100), "east", {"two": 0}),
        ((0, 0), "west", {"two": 100}),
        ((100, 0), "east", {"one": 100, "two": 0}),
    ],
)
def test_of_weighted_records_only_those_are_written_that_differ_and_all_if_none_does(
    plan: Plan, weights: tuple[int, int], site: str, written: dict[str, int]
) -> None:
    zone = Route53(*pair(*weights))
    name_at(plan, zone, routing="weighted").point_to(site)
    assert [{each["SetIdentifier"]: each["Weight"] for each in write} for write in zone.writes] == [written]


@pytest.mark.parametrize(("weights", "led"), [((1, 0), EAST), ((0, 100), WEST), ((1, 100), None), ((0, 0), None)])
def test_weighted_records_lead_where_the_only_one_with_a_weight_does(
    plan: Plan, weights: tuple[int, int], led: str | None
) -> None:
    assert led_to(plan, Route53(*pair(*weights)), routing="weighted") == led


def test_a_failover_pair_changes_what_it_leads_to_and_keeps_its_roles(plan: Plan) -> None:
    primary = record(EAST, "one", Failover="PRIMARY", HealthCheckId="h1", TTL=5)
    secondary = record(WEST, "two", Failover="SECONDARY", TTL=9)
    zone = Route53(secondary, primary)
    name = name_at(plan, zone, routing="failover")
    assert name.look(None).record == EAST
    name.point_to("west")
    ((first, second),) = zone.writes
    assert (first["SetIdentifier"], first["Failover"], first["TTL"]) == ("one", "PRIMARY", 9)
    assert first["ResourceRecords"] == [{"Value": WEST}] and "HealthCheckId" not in first
    assert (second["SetIdentifier"], second["Failover"], second["TTL"]) == ("two", "SECONDARY", 5)
    assert second["ResourceRecords"] == [{"Value": EAST}] and second["HealthCheckId"] == "h1"
    name.point_to("east")
    assert zone.writes[1] == [secondary, primary], "nothing differs: both are written as they are"


def test_a_change_is_in_sync_when_route_53_says_so_and_the_longest_ttl_counts(plan: Plan) -> None:
    zone = Route53(record(EAST, "one", Weight=1), record(WEST, "two", Weight=0, TTL=60))
    name = name_at(plan, zone, routing="weighted")
    assert (name.look("C1").in_sync, name.look(None).in_sync, name.look(None).ttl) == (False, True, 60)
    zone.changes["C1"] = "INSYNC"
    assert name.look("C1").in_sync
    assert name.look(None).answers == {"127.0.0.1:9": EAST}


def test_a_zone_is_told_by_its_id_and_by_who_changes_it(plan: Plan) -> None:
    role = Role(role_arn="arn:aws:iam::123456789012:role/names")
    assert name_at(plan, Route53()).zone == "Z1"
    assert name_at(plan, Route53(), role=role).zone == "Z1#arn:aws:iam::123456789012:role/names"


def test_name_servers_that_are_named_are_asked_in_place_of_the_zones(plan: Plan) -> None:
    name = name_at(plan, Route53(record(EAST)), nameservers=())
    assert name.look(None).answers == {"ns.example.com": EAST}
    assert name.answers(("192.0.2.53",)) == {"192.0.2.53": EAST}
    assert name_at(plan, Route53(record(EAST))).answers(()) == {"127.0.0.1:9": EAST}


def test_a_change_that_route_53_has_forgotten_is_over_and_the_record_is_what_counts(plan: Plan) -> None:
    """A redrive asks of the change that its execution made weeks ago."""
    state = name_at(plan, Route53(record(EAST))).look("C-of-long-ago")
    assert (state.in_sync, state.record) == (True, EAST)


def test_a_record_with_a_health_check_moves_clients_by_itself(plan: Plan) -> None:
    zone = Route53(*pair(100, 0, HealthCheckId="h1"))
    (obstacle,) = name_at(plan, zone, routing="weighted").obstacles("east")
    assert "the record one of" in obstacle.what and "has a health check" in obstacle.what
    assert name_at(plan, Route53(*pair(100, 0)), routing="weighted").obstacles("east") == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"SetIdentifier": "one", "Weight": 1}, True),
        ({}, False),
    ],
)
def test_an_alias_that_evaluates_its_target_is_an_obstacle_if_there_is_another_to_go_to(
    plan: Plan, more: dict[str, Any], found: bool
) -> None:
    evaluating = alias(EAST, **more)
    evaluating["AliasTarget"]["EvaluateTargetHealth"] = True
    other = alias(WEST, SetIdentifier="two", Weight=0)
    zone = Route53(evaluating, other) if more else Route53(evaluating)
    routing = {"routing": "weighted"} if more else {}
    obstacles = name_at(plan, zone, type="alias", alias_zones=ZONES, **routing).obstacles("east")
    assert ["evaluates its target's health" in each.what for each in obstacles] == ([True] if found else [])


@pytest.mark.parametrize(
    ("records", "routing", "why"),
    [
        ((record(EAST, "one", Weight=1),), "simple", "has weighted routing; the plan says simple"),
        ((record(EAST),), "weighted", "has simple routing; the plan says weighted"),
        ((record(EAST, "one", Failover="PRIMARY"),), "weighted", "has failover routing"),
        ((record(EAST, "one", Region="us-east-1"),), "simple", "has another routing"),
        ((record(EAST, "one", Weight=1),), "weighted", "one weighted record for each of"),
        ((), "weighted", "one weighted record for each of"),
        ((*pair(1, 0), record("elsewhere.example.com", "three", Weight=0)), "weighted", "one weighted record for each"),
    ],
)
def test_records_that_are_not_as_the_plan_says_are_refused_and_not_written(
    plan: Plan, records: tuple[dict[str, Any], ...], routing: str, why: str
) -> None:
    zone = Route53(*records)
    for act in (name_at(plan, zone, routing=routing).look, name_at(plan, zone, routing=routing).point_to):
        with pytest.raises(DnsRejected, match=why):
            act("west" if act.__name__ == "point_to" else None)  # type: ignore[arg-type]
    assert zone.writes == []


@pytest.mark.parametrize(
    ("code", "error"),
    [("Throttling", DnsUnavailable), ("PriorRequestNotComplete", DnsUnavailable), ("AccessDenied", DnsRejected)],
)
def test_whether_to_ask_again_is_told_by_the_errors_kind(plan: Plan, code: str, error: type[Exception]) -> None:
    zone = Route53(record(EAST))
    zone.error = code
    with pytest.raises(error, match="Route 53, for zone Z1"):
        name_at(plan, zone).look(None)
