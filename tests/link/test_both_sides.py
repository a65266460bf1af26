"""The way there and back between two clusters: failover, restore with its count, reversal; a link and a mirror that are
made new; and an OAuth client whose token runs out, or is revoked, on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drill.network.plain_http import plain
from failover.aws.secrets import ApiKey, OAuthClient
from failover.errors import LinkExists, LinkNotFound, LinkRejected, LinkUnavailable
from failover.link import ACTIVE, STOPPED, trailing
from failover.link.kafka_rest import KafkaRestLink
from tests.link.conftest import LINK, HeldSecret, StandIn

pytestmark = pytest.mark.slow
TOPICS = ["t0", "t1"]
WHAT = {"count": 2, "pattern": "t{n}", "partitions": 3, "lag": 9}


@pytest.fixture
def pair(start: Callable[..., StandIn]) -> tuple[StandIn, StandIn]:
    """East with t0, t1 and t2, and west with mirrors of the first two; a bidirectional link between them."""
    quick: dict[str, Any] = {"stop_delay_s": 0, "step_s": 0.1, "settle_s": 0.4}
    back = {"name": LINK, "remote_cluster_id": "lkc-west01", "interval_s": 0.1}
    east = start(site="east", cluster_id="lkc-east01", link=back, rest_only_topics=WHAT | {"count": 3}, **quick)
    west = start(rest_only_mirrors=WHAT, **quick)
    east.know(west)
    west.know(east)
    return east, west


@pytest.mark.parametrize("wire", ["recorded", "spec"])
def test_failover_restore_and_the_way_back(pair: tuple[StandIn, StandIn]) -> None:
    east, west = pair
    left_behind = trailing(west.link.mirrors()).records
    assert west.link.fail_over(TOPICS) == []
    for topic in TOPICS:
        west.until(topic, STOPPED)
    dry = east.link.truncate_and_restore(TOPICS, validate_only=True)
    assert sum(row.messages or 0 for row in dry) == left_behind > 0
    assert all(row.messages == sum(cut for _, _, cut in row.partitions) for row in dry)
    assert [number for number, _, _ in dry[0].partitions] == [0, 1, 2]
    assert east.link.mirrors() == [], "a dry run changes nothing"
    done = east.link.truncate_and_restore(TOPICS)
    assert [(row.topic, row.messages, row.rejection) for row in done] == [(r.topic, r.messages, None) for r in dry]
    for topic in TOPICS:
        east.until(topic, ACTIVE)
    assert east.link.reverse_and_start(TOPICS, validate_only=True) == []
    assert east.link.reverse_and_start(["t0"]) == [] == east.link.reverse_and_pause(["t1"])
    east.until("t0", STOPPED)
    west.until("t0", ACTIVE)
    west.until("t1", "PAUSED")
    assert west.link.resume(["t1"]) == []
    west.until("t1", ACTIVE)


def test_a_restore_of_what_is_not_ready_for_it_is_refused_topic_by_topic(pair: tuple[StandIn, StandIn]) -> None:
    east, west = pair
    west.link.fail_over(["t0"])
    west.until("t0", STOPPED)
    refused = {row.topic: row.rejection for row in east.link.truncate_and_restore([*TOPICS, "nope"])}
    assert refused["t0"] is None and refused["t1"] is not None and refused["nope"] is not None
    assert not refused["t1"].may_pass


def test_a_reversal_without_the_other_cluster_may_pass_later(pair: tuple[StandIn, StandIn]) -> None:
    east, west = pair
    east.rest.kill()
    (rejection,) = west.link.reverse_and_start(["t0"])
    assert rejection.code == 408 and rejection.may_pass
    assert west.link.mirror("t0").status == ACTIVE


def test_a_link_and_a_mirror_are_made_new(pair: tuple[StandIn, StandIn]) -> None:
    _, west = pair
    configs = {"link.mode": "DESTINATION", "bootstrap.servers": "east:9092"}
    west.cluster.create_link("again", "lkc-east01", configs, validate_only=True)
    again = KafkaRestLink(west.cluster, "again")
    with pytest.raises(LinkNotFound):
        again.facts()
    west.cluster.create_link("again", "lkc-east01", configs)
    assert {found.name for found in west.cluster.links()} == {LINK, "again"}
    assert again.configs()["link.mode"] == "DESTINATION"
    with pytest.raises(LinkExists):
        west.cluster.create_link("again", "lkc-east01", configs)
    until_known(lambda: again.create_mirror("t2"))
    while again.mirror("t2").status != ACTIVE:
        time.sleep(0.05)
    with pytest.raises(LinkExists, match="t0"):
        again.create_mirror("t0")
    with pytest.raises(LinkNotFound):
        again.create_mirror("no-such-topic")


def until_known(ask: Callable[[], None]) -> None:
    """As a step does: call again while it says that this may help."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return ask()
        except LinkUnavailable as error:
            assert "just made" in str(error) and time.monotonic() < deadline


def test_oauth_from_the_token_to_the_verb(start: Callable[..., StandIn]) -> None:
    provider = {"client_id": "the-client", "client_secret": "cl13nt", "expires_s": 300, "identity_pool": "pool-1"}
    secret = HeldSecret(ApiKey("KEY", "of-another-cluster"))
    west = start(secret, rest_only_mirrors=WHAT, oauth=provider, stop_delay_s=0)
    with pytest.raises(LinkRejected):
        west.link.mirrors()
    token_url = west.rest.ready["token_url"]
    secret.held = OAuthClient(
        client_id="the-client", client_secret="cl13nt", token_endpoint=token_url, identity_pool_id="pool-1"
    )
    assert len(west.link.mirrors()) == 2
    plain.delete(token_url).raise_for_status()
    assert west.link.fail_over(TOPICS) == [], "a token that was revoked is renewed within the call"
    secret.held = replace(secret.held, identity_pool_id="pool-2")
    with pytest.raises(LinkRejected, match="identity pool"):
        west.link.mirrors()
    secret.held = replace(secret.held, client_secret="wrong")
    with pytest.raises(LinkRejected, match="client that its token endpoint knows"):
        west.link.mirrors()


def test_oauth_tokens_that_live_for_a_second(start: Callable[..., StandIn]) -> None:
    west = start(HeldSecret(ApiKey("", "")), oauth={"client_id": "c", "client_secret": "s", "expires_s": 1})
    secret = HeldSecret(OAuthClient(client_id="c", client_secret="s", token_endpoint=west.rest.ready["token_url"]))
    west.cluster.calls._auth._secret = secret  # type: ignore
    until = time.monotonic() + 3
    while time.monotonic() < until:
        west.cluster.answers()
    assert secret.read_anew_times <= 1, "tokens are renewed before they run out, not after a 401"
