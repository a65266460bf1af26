"""What YAML would take for something else than people mean is refused, by its path and with what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.errors import BadPlan
from failover.plan.model import Plan, load_plan, parse

ORDERS = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
Change = Callable[[dict[str, Any]], Any]


def problems(text: str) -> dict[str, str]:
    with pytest.raises(BadPlan) as refused:
        parse(text)
    return dict(refused.value.problems)


def with_policy(lines: str) -> str:
    """The example plan with other lines in place of its policy."""
    return ORDERS.read_text().partition("\npolicy:")[0] + f"\npolicy:\n{lines}\n"


def changed(change: Change) -> str:
    document = yaml.safe_load(ORDERS.read_text())
    change(document)
    return json.dumps(document)


def policy_of(lines: str) -> Plan:
    return parse(with_policy(lines))


def test_a_block_that_is_given_twice_is_refused_with_both_its_lines() -> None:
    text = ORDERS.read_text()
    second = len(text.splitlines()) + 1
    assert problems(text + "policy:\n  mode: automatic\n") == {
        "policy": f"is given twice, on lines {text.splitlines().index('policy:') + 1} and {second}: keep one"
    }


def test_a_key_that_is_given_twice_deep_inside_is_refused_by_its_path() -> None:
    once = "    alarms:\n      - failover-orders-east-kafka"
    assert set(problems(ORDERS.read_text().replace(once, f"    alarms: []\n{once}"))) == {"sites.east.alarms"}


def test_an_alias_a_merge_and_a_tag_are_refused_with_what_to_do() -> None:
    assert "*c" in problems("clients: &c {acls: true}\nprotect: *c")["(document)"]
    assert "write out" in problems("clients: {<<: {acls: true}}")["clients"]
    assert "!!python/name:os.system" in problems("name: !!python/name:os.system x")["(document)"].replace(
        "tag:yaml.org,2002:", "!!"
    )


def test_a_time_of_day_without_quotes_is_refused_and_with_quotes_opens_the_window() -> None:
    bare = problems(with_policy("  maintenance: [{begins: 22:30, ends: '23:30'}]"))
    assert set(bare) == {"policy.maintenance[0].begins"} and '"22:30"' in bare["policy.maintenance[0].begins"]
    plan = policy_of("  maintenance: [{begins: '22:30', ends: '23:30'}]")
    assert plan.policy.maintained_until(datetime(2026, 11, 23, 22, 45, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("word", ["yes", "on", "No", "OFF"])
def test_a_word_that_is_true_to_some_and_text_to_others_is_refused(word: str) -> None:
    (what,) = problems(with_policy(f"  fast_path: {word}")).values()
    assert "true or false" in what


@pytest.mark.parametrize("number", ["0x10", "1_000", "010", "1e3", ".5", ".inf"])
def test_a_number_that_is_another_to_some_is_refused(number: str) -> None:
    assert "plain digits" in problems(with_policy(f"  quorum: {number}"))["policy.quorum"]


@pytest.mark.parametrize(
    ("line", "path", "right"),
    [
        ("quorum: true", "quorum", "a whole number"),
        ("quorum: '2'", "quorum", "write 2 without quotes"),
        ("quorum: 2.0", "quorum", "a whole number"),
        ("hold_seconds: 1.5", "hold_seconds", "a whole number"),
        ("fast_path: 1", "fast_path", "true or false"),
        ("fast_path: 'true'", "fast_path", "without quotes"),
        ("signals: kafka", "signals", "[kafka]"),
        ("signals: [7]", "signals[0]", 'write "7"'),
        ("signals: ['  ']", "signals[0]", "is blank"),
        ("rpo_limit_records: 2026-11-23", "rpo_limit_records", "a whole number"),
        ("maintenance: [{begins: 1784000000, ends: 1785000000}]", "maintenance[0].begins", "text"),
        ("maintenance: [{begins: 2026-11-23, ends: 2026-11-24}]", "maintenance[0].begins", "its offset"),
        (
            "maintenance: [{begins: 2026-11-23T22:00:00, ends: 2026-11-24T02:00:00Z}]",
            "maintenance[0].begins",
            "its off",
        ),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_to_write(line: str, path: str, right: str) -> None:
    wrong = problems(with_policy(f"  {line}"))
    assert right in wrong[f"policy.{path}"]


def test_a_date_is_read_as_it_stands() -> None:
    plan = policy_of("  maintenance: [{begins: 2026-11-23T22:00:00Z, ends: 2026-11-24T02:00:00+01:00}]")
    end = plan.policy.maintained_until(datetime(2026, 11, 23, 23, tzinfo=UTC).timestamp())
    assert end == datetime(2026, 11, 24, 1, tzinfo=UTC)


def test_a_plan_that_the_ledger_cannot_hold_is_refused_with_both_sizes(tmp_path: Path) -> None:
    text = changed(lambda plan: plan["protect"].update(topics=[f"payments.settlement.{n:03}" for n in range(10_000)]))
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(BadPlan, match=rf"{len(text):,} bytes.* 262,144"):
        load_plan(tmp_path / "plan.yaml")


def test_nesting_that_no_plan_has_is_refused_before_it_is_built() -> None:
    assert "nested deeper" in problems("a: " + "[" * 3_000 + "]" * 3_000)["(document)"]


@pytest.mark.parametrize(
    ("change", "path", "right"),
    [
        (lambda d: d["protect"].update(groups=[" "]), "protect.groups[0]", "is blank"),
        (lambda d: d["protect"].update(topics=[""]), "protect.topics[0]", "a topic"),
        (lambda d: d.update(hostname="Kafka.orders.example.com."), "hostname", "write kafka.orders.example.com"),
        (lambda d: _kafka(d).update(rest_endpoint="http://pkc.example.com"), "rest_endpoint", "write https://pkc"),
        (lambda d: _kafka(d).update(rest_endpoint="https://key:word@pkc.example.com"), "rest_endpoint", "a secret"),
        (lambda d: _kafka(d).update(rest_endpoint="https://pkc.example.com:99999"), "rest_endpoint", "ort"),
        (lambda d: _kafka(d).update(bootstrap="[2001:db8::1]"), "bootstrap", "[IPv6 address]:port"),
        (lambda d: _kafka(d).update(bootstrap="[2001:db8::z]:9092"), "bootstrap", "[IPv6 address]:port"),
        (lambda d: _kafka(d).update(bootstrap="kafka:99999"), "bootstrap", "no host:port"),
        (lambda d: d["dns"].update(resolvers=["not a host"]), "dns.resolvers[0]", "[IPv6 address]:port"),
        (lambda d: d["dns"].update(resolvers=["[::1]:"]), "dns.resolvers[0]", "no host:port"),
        (lambda d: d["protect"].update(groups=["a\nb"]), "protect.groups[0]", "nobody sees ('a\\nb')"),
        (lambda d: d["protect"].update(groups=["\u200b"]), "protect.groups[0]", "nobody sees"),
        (lambda d: d["protect"].update(topics=[".."]), "protect.topics[0]", "no topic"),
        (lambda d: d.update(hostname="kafka..example.com"), "hostname", "1 to 63 letters"),
        (lambda d: d.update(hostname="kafka-.example.com"), "hostname", "no - first or last"),
        (lambda d: d.update(hostname="k" * 64 + ".example.com"), "hostname", "1 to 63 letters"),
        (lambda d: d.update(hostname="10.0.0.1"), "hostname", "the name that clients bootstrap to"),
        (lambda d: _kafka(d).update(bootstrap="10.0.0.999:9092"), "bootstrap", "no name ends with a number"),
        (lambda d: _kafka(d).update(bootstrap="kafka:٩٠٩٢"), "bootstrap", "host:port"),
        (lambda d: _kafka(d).update(rest_endpoint="https://pkc.example.com:port"), "rest_endpoint", "no host:port"),
        (lambda d: _kafka(d).update(rest_endpoint="https://pkc..example.com"), "rest_endpoint", "no host"),
        (lambda d: _kafka(d).update(rest_endpoint="https://[2001:db8::z]"), "rest_endpoint", "[IPv6 address]:port"),
        (lambda d: _kafka(d).update(rest_endpoint="https://2001:db8::1"), "rest_endpoint", "write [2001:db8::1]"),
    ],
)
def test_a_name_or_an_address_that_cannot_be_meant_is_refused_with_what_to_write(
    change: Change, path: str, right: str
) -> None:
    wrong = problems(changed(change))
    assert right in wrong.get(path, wrong.get(f"sites.east.kafka.{path}", ""))


@pytest.mark.parametrize("field", ["api", "sts_api", "iam_api"])
def test_tokens_are_sent_to_no_plain_url(field: str) -> None:
    name = {"kind": "cloud-dns", "project": "p", "managed_zone": "z", "audience": "//iam.googleapis.com/x"}
    wrong = problems(changed(lambda plan: plan.update(dns=name | {field: "http://dns.googleapis.com"})))
    assert "write https://dns.googleapis.com" in wrong[f"dns.{field}"]


def test_an_ipv6_address_may_stand_wherever_an_address_may() -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["sites"]["west"]["kafka"]["bootstrap"] = "[2001:db8::1]:9092,[2001:db8::2]:9092"
        plan["sites"]["west"]["fleets"][0]["bootstrap"] = "[2001:db8::3]:9092"
        plan["anchors"] = ["[2606:4700:4700::1111]:443"]
        plan["dns"] |= {"resolvers": ["fd00:ec2::253", "[fd00:ec2::253]:53"], "nameservers": ["2600:9000:5300::1"]}

    assert parse(changed(change)).dns.resolvers == ("fd00:ec2::253", "[fd00:ec2::253]:53")


@pytest.mark.parametrize("region", ["eusc-de-east-1", "us-gov-west-1", "us-isob-east-1", "cn-northwest-1"])
def test_a_region_of_any_partition_is_taken(region: str) -> None:
    assert parse(changed(lambda plan: plan["sites"]["west"].update(region=region))).site("west").region == region


def _kafka(plan: dict[str, Any]) -> dict[str, Any]:
    return dict.__getitem__(plan["sites"]["east"], "kafka")


def test_a_plan_that_is_stored_under_the_names_of_before_is_read_by_those_of_now() -> None:
    assert policy_of("  vantage_points: 3").policy.min_vantage_points == 3
    assert "at least 1" in problems(with_policy("  vantage_points: 0"))["policy.min_vantage_points"]
    assert policy_of("  vantage_points: 3\n  min_vantage_points: 3").policy.min_vantage_points == 3
    assert set(problems(with_policy("  vantage_points: 3\n  min_vantage_points: 2"))) == {"policy.vantage_points"}
