"""The function through its handler: against the Confluent stand-in and AWS over HTTP. Changes are told once; a service
that is down makes its own check unknown and no other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child, spawn
from failover.aws.clients import client
from failover.errors import FailoverStopped, MalformedEvent, UnknownPlan
from failover.ledger.ledger import Ledger
from failover.plan.model import parse
from failover.plan.store import plan_named
from failover.readiness.dry_run import load_dry_run
from failover.readiness.store import last_unready, load

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
pytestmark = pytest.mark.slow
REQUEST = {"plan": "orders"}
OF_REST = ("links", "link-tasks", "link-configs", "mirror-coverage", "mirror-health", "promotion")


@dataclass(frozen=True)
class Sites:
    """Both clusters and their REST APIs."""

    kafka: dict[str, Child]
    rest: dict[str, Child]

    def control(self, site: str, method: str, path: str, **body: Any) -> None:
        """Use the stand-in's own control."""
        plain.request(method, f"{self.rest[site].ready['control']}{path}", json=body).raise_for_status()

    def configure(self, site: str, name: str, value: str) -> None:
        """Set a configuration of the link, as an operator does."""
        key = fixture_plan.API_KEYS[site]
        cluster = self.kafka[site].ready["cluster_id"]
        url = f"{self.rest[site].ready['url']}/kafka/v3/clusters/{cluster}/links/{fixture_plan.LINK}/configs/{name}"
        plain.put(url, json={"value": value}, auth=key).raise_for_status()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is slow, and no service is silent for it."""
    monkeypatch.setattr("failover.aws.clients.READ_S", 15.0)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with ExitStack() as stack:

        def start(module: str, config: dict[str, Any], name: str) -> Child:
            child = spawn(module, config, log=tmp_path / f"{name}.log")
            stack.callback(child.stop)
            return child

        kafka = {site: start("drill.kafka.cluster", {"site": site}, site) for site in ("east", "west")}
        _write(kafka["east"].ready["bootstrap"], *fixture_plan.TOPICS)
        _write(kafka["west"].ready["bootstrap"], "failover-canary")
        _commit(kafka["east"].ready["bootstrap"], fixture_plan.GROUP, "orders", 1)
        rest = {}
        for site, other in (("east", "west"), ("west", "east")):
            link = {"name": fixture_plan.LINK, "remote_cluster_id": kafka[other].ready["cluster_id"]}
            if site == "west":
                link |= {
                    "remote_bootstrap": kafka[other].ready["bootstrap"],
                    "remote_raw_bootstrap": kafka[other].ready["raw_bootstrap"],
                    "interval_s": 0.2,
                    "offset_sync_s": 0.2,
                    "groups": [fixture_plan.GROUP],
                }
            key, secret = fixture_plan.API_KEYS[site]
            config = {
                "site": site,
                "cluster_id": kafka[site].ready["cluster_id"],
                "raw_bootstrap": kafka[site].ready["raw_bootstrap"],
                "admin": kafka[site].ready["admin"],
                "api_key": key,
                "api_secret": secret,
                "link": link,
                "mirrors": list(fixture_plan.TOPICS) if site == "west" else [],
            }
            rest[site] = start("drill.confluent.cluster_rest", config, f"rest-{site}")
        yield Sites(kafka, rest)


def _write(bootstrap: str, *topics: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for topic in topics:
        for partition in range(fixture_plan.PARTITIONS):
            producer.produce(topic, b"a record", partition=partition)
    assert producer.flush(20) == 0


def _commit(bootstrap: str, group: str, topic: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


@pytest.fixture
def plan_text(sites: Sites) -> str:
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=sites.kafka[site].ready["cluster_id"],
            bootstrap=sites.kafka[site].ready["bootstrap"],
            rest=sites.rest[site].ready["url"],
            balancer="127.0.0.1:9",
        )
        for site in ("east", "west")
    }
    bootstrap = sites.kafka["east"].ready["bootstrap"]
    return yaml.safe_dump(
        fixture_plan.plan_document(
            addresses, client_bootstrap=bootstrap, nameserver="127.0.0.1:9", zone_id="Z1", policy={}
        )
    )


@pytest.fixture
def secrets(deployed: Callable[..., Any]) -> Any:
    for site, (key, secret) in fixture_plan.API_KEYS.items():
        document = json.dumps({"key": key, "secret": secret})
        deployed("secretsmanager").create_secret(Name=f"failover/orders/{site}", SecretString=document)
    return deployed


@dataclass(frozen=True)
class Told:
    """What reached people and systems since it was last looked."""

    messages: list[dict[str, Any]]
    events: list[dict[str, Any]]

    def changes(self) -> dict[str, tuple[str | None, str]]:
        return {event["check"]: (event["before"], event["after"]) for event in self.events}


@pytest.fixture
def told(secrets: Any) -> Callable[[], Told]:
    """Queues behind the topic and the bus."""
    account = "arn:aws:sqs:us-west-2:123456789012:"
    urls = {name: secrets("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("people", "systems")}
    topic = secrets("sns").list_topics()["Topics"][0]["TopicArn"]
    secrets("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{account}people")
    secrets("events").put_rule(Name="readiness", EventPattern=json.dumps({"detail-type": ["Readiness changed"]}))
    secrets("events").put_targets(Rule="readiness", Targets=[{"Id": "systems", "Arn": f"{account}systems"}])

    def received(name: str) -> Iterator[dict[str, Any]]:
        while found := secrets("sqs").receive_message(QueueUrl=urls[name], MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                secrets("sqs").delete_message(QueueUrl=urls[name], ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])

    return lambda: Told(
        [json.loads(message["Message"]) for message in received("people")],
        [event["detail"] for event in received("systems")],
    )


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in document["checks"]}


def evidence(document: dict[str, Any], name: str) -> str:
    return " / ".join(next(check["evidence"] for check in document["checks"] if check["name"] == name))


def ledger() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def test_links_mirrors_groups_and_credentials_of_a_healthy_plan_are_ready(
    sites: Sites, secrets: Any, call: Call
) -> None:
    call("sample_lag", {"plans": [REQUEST["plan"]]})
    time.sleep(0.5)
    document = call("check_readiness", REQUEST)
    found = statuses(document)
    for name in (*OF_REST, "way-back", "group-offsets", "acls", "secrets", "canary-topic", "lease"):
        assert found[name] in ("pass", "warn"), (name, evidence(document, name))
    assert found["mirror-coverage"] == found["promotion"] == found["way-back"] == found["lease"] == "pass"
    assert (document["active"], document["ready"]) == ("east", False)
    assert found["dry-run"] == "fail" and found["fleet-routes"] != "pass" and found["client-name"] != "pass"


def test_what_breaks_is_found_and_changes_are_told_once(
    sites: Sites, secrets: Any, call: Call, told: Callable[[], Told]
) -> None:
    before = statuses(call("check_readiness", REQUEST))
    first = told()
    assert first.changes() == {name: (None, status) for name, status in before.items() if status != "pass"}
    assert len(first.messages) == 1
    assert {change["check"] for change in first.messages[0]["worse"]} == first.changes().keys()
    call("check_readiness", REQUEST)
    again = told()
    assert not {"mirror-health", "link-configs"} & again.changes().keys()

    sites.control("west", "PUT", "/link", fail={"payments": "SOURCE_TOPIC_MAY_BE_DELETED"})
    sites.configure("west", "consumer.offset.sync.enable", "false")
    for _ in range(3):
        document = call("check_readiness", REQUEST)
    assert "payments FAILED SOURCE_TOPIC_MAY_BE_DELETED" in evidence(document, "mirror-health")
    news = told()
    assert (
        news.changes().items()
        >= {
            "mirror-health": ("pass", "fail"),
            "mirror-coverage": ("pass", "fail"),
            "link-configs": ("pass", "fail"),
            "link-tasks": ("warn", "fail"),
        }.items()
    )
    assert len({event["key"] for event in news.events}) == len(news.events)
    assert sum("mirror-health" in json.dumps(message) for message in news.messages) == 1

    sites.configure("west", "consumer.offset.sync.enable", "true")
    filters = [{"name": "ful", "patternType": "PREFIXED", "filterType": "INCLUDE"}]
    sites.configure("west", "consumer.offset.group.filters", json.dumps({"groupFilters": filters}))
    call("check_readiness", REQUEST)
    better = told()
    assert better.changes()["link-configs"] == ("fail", "pass")
    worse = {name for name, (_, status) in better.changes().items() if status != "pass"}
    named = {change["check"] for message in better.messages for change in message["worse"]}
    assert named <= worse, "what got better wakes nobody"


def test_a_change_that_could_not_be_told_is_told_later_and_once(
    sites: Sites, secrets: Any, call: Call, told: Callable[[], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:gone")
        with pytest.raises(Exception, match=r"does not exist|NotFound"):
            call("check_readiness", REQUEST)
    early = told()
    assert early.messages == []
    for _ in range(3):
        call("check_readiness", REQUEST)
    late = told()
    assert [change["check"] for message in late.messages for change in message["worse"]].count("dry-run") == 1
    assert [event["check"] for event in (*early.events, *late.events)].count("dry-run") == 1


def test_a_rest_api_that_is_down_makes_its_own_checks_unknown_and_no_other(
    sites: Sites, secrets: Any, call: Call
) -> None:
    before = statuses(call("check_readiness", REQUEST))
    sites.rest["west"].kill()
    after = statuses(call("check_readiness", REQUEST))
    for name in (*OF_REST, "mirror-lag", "group-offsets", "canary-topic"):
        assert after[name] == "unknown", name
    for name in ("secrets", "lease", "dry-run", "fleet-routes", "client-name"):
        assert after[name] == before[name], name


@pytest.mark.parametrize("kind", ["html429", "malformed", "drop", "hang", "unknown_status"])
def test_a_rest_api_in_trouble_is_never_taken_for_ready(sites: Sites, secrets: Any, call: Call, kind: str) -> None:
    sites.control("west", "POST", "/faults", match="listKafkaMirrorTopicsUnderLink", kind=kind, times=None)
    document = call("check_readiness", REQUEST)
    found = statuses(document)
    assert found["mirror-health"] in ("unknown", "fail"), evidence(document, "mirror-health")
    assert found["mirror-coverage"] in ("unknown", "fail") and found["mirror-lag"] == "unknown"
    assert found["links"] == found["link-configs"] == found["secrets"] == "pass"
    assert document["took_seconds"] < 45


def test_an_active_cluster_that_is_gone_leaves_what_the_standby_tells(sites: Sites, secrets: Any, call: Call) -> None:
    before = statuses(call("check_readiness", REQUEST))
    sites.rest["east"].kill()
    sites.kafka["east"].kill()
    after = statuses(call("check_readiness", REQUEST))
    assert after["mirror-coverage"] == after["way-back"] == after["group-offsets"] == after["acls"] == "unknown"
    assert {name: after[name] for name in ("links", "link-configs", "promotion", "secrets", "lease")} == {
        name: before[name] for name in ("links", "link-configs", "promotion", "secrets", "lease")
    }


def test_credentials_that_are_refused_are_a_failure(sites: Sites, deployed: Any, call: Call) -> None:
    for site in ("east", "west"):
        credentials = json.dumps({"key": fixture_plan.API_KEYS[site][0], "secret": "of yesterday"})
        deployed("secretsmanager").create_secret(Name=f"failover/orders/{site}", SecretString=credentials)
    document = call("check_readiness", REQUEST)
    found = statuses(document)
    assert found["promotion"] == found["mirror-health"] == "fail" and found["secrets"] == "pass"
    assert "401" in evidence(document, "promotion")
    assert "of yesterday" not in json.dumps(document)


def test_a_secret_that_is_missing_is_a_failure(sites: Sites, deployed: Any, call: Call) -> None:
    document = call("check_readiness", REQUEST)
    assert statuses(document)["secrets"] == "fail" and "failover/orders/east" in evidence(document, "secrets")


def test_without_a_ledger_nothing_of_the_roles_is_known_and_the_rest_is_still_looked_at(
    sites: Sites, secrets: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_named("orders")  # The container knows the plan from before.
    client.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    document = call("check_readiness", REQUEST)
    found = statuses(document)
    assert document["active"] is None
    assert found["lease"] == found["dry-run"] == found["links"] == found["clients"] == "unknown"
    assert found["secrets"] == "pass"


def test_a_plan_that_is_being_failed_over_is_looked_at_and_nothing_of_it_is_kept(
    sites: Sites, secrets: Any, call: Call, told: Callable[[], Told]
) -> None:
    call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-1-failover"})
    document = call("check_readiness", REQUEST)
    assert document["under_way"] == "orders-1-failover" and statuses(document)["lease"] == "warn"
    assert load(ledger(), "orders") is None
    assert told() == Told([], [])


def test_after_a_stop_every_remedy_is_to_redrive_or_supersede_first(sites: Sites, secrets: Any, call: Call) -> None:
    execution = call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "stopped"})["execution"]
    assert all("supersede" not in check["remedy"] for check in call("check_readiness", REQUEST)["checks"][1:-2])
    with pytest.raises(FailoverStopped):
        call("conclude", {"execution": execution, "outcome": "failed", "stopped_at": "FlipAndReroute"})
    document = call("check_readiness", REQUEST)
    assert document["under_way"] is None and statuses(document)["lease"] == "fail"
    remedies = {check["remedy"] for check in document["checks"] if check["remedy"] and check["name"] != "lease"}
    assert remedies == {"redrive or supersede stopped first, then look again"}


def test_the_last_readiness_is_kept_with_a_history_of_changes_and_assess_can_read_it(
    sites: Sites, secrets: Any, call: Call, plan_text: str
) -> None:
    plan = parse(plan_text)
    assert last_unready(plan) == ("readiness was never checked",)
    document = call("check_readiness", REQUEST)
    last = load(ledger(), "orders")
    assert last is not None and last.document == document and last.untold == ()
    history = ledger().list_items("orders", "readiness-change#")
    assert json.loads(history[0]["document"]) == document and history[0]["expires"] > time.time()
    said = last_unready(plan)
    assert len(said) == sum(status in ("fail", "unknown") for status in statuses(document).values())
    assert any(line.startswith("dry-run fail ") and "never walked through" in line for line in said)


def test_what_is_known_is_never_an_error(aws: Any, plan_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    assert "can't be read" in last_unready(parse(plan_text))[0]


def test_a_dry_run_is_found_with_what_each_step_would_do_and_how_long_it_took(
    sites: Sites, secrets: Any, call: Call
) -> None:
    start = {"plan": "orders", "to": "standby", "dry_run": True}
    execution = call("claim", {"start": start, "execution_name": "walk"})["execution"]
    call("assess", {"execution": execution})
    call("promote_mirrors", {"execution": execution})
    answer = call("conclude", {"execution": execution, "outcome": "succeeded"})
    steps = {step["step"]: step for step in answer["report"]["steps"]}
    assert steps["promote_mirrors"]["observed"]["would_promote"] == len(fixture_plan.TOPICS)
    assert steps["assess"]["took_seconds"] > 0 and "evidence" not in steps["assess"]["observed"]
    last = load_dry_run(ledger(), "orders")
    assert last is not None and last.steps.keys() == {"claim", "assess", "promote_mirrors"}
    document = call("check_readiness", REQUEST)
    assert statuses(document)["dry-run"] == "pass"
    assert "promote_mirrors 0." in evidence(document, "dry-run")

    stopped = {"outcome": "failed", "stopped_at": "FlipAndReroute", "error": {"Error": "DnsRejected"}}
    again = call("claim", {"start": start, "execution_name": "walk-again"})["execution"]
    with pytest.raises(Exception, match="stopped at FlipAndReroute"):
        call("conclude", {"execution": again} | stopped)
    document = call("check_readiness", REQUEST)
    assert statuses(document)["dry-run"] == "fail" and "DnsRejected" in evidence(document, "dry-run")


@pytest.mark.parametrize("rubbish", [{}, {"plan": 3}, {"plan": "orders", "more": 1}, {"execution": {}}])
def test_rubbish_is_refused_by_name(deployed: Any, call: Call, rubbish: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        call("check_readiness", rubbish)


def test_an_unknown_plan_is_refused_by_name(deployed: Any, call: Call) -> None:
    with pytest.raises(UnknownPlan):
        call("check_readiness", {"plan": "payments"})
