"""Google Cloud DNS and Azure Traffic Manager in trouble: no change is lost, made twice, or made by nobody's leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drill.confluent.faults import Fault
from drill.dns_providers.scenarios import DnsProvider
from failover.dns import ClientName
from failover.errors import DnsRejected, DnsUnavailable
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
Name = Callable[[], ClientName]
KINDS = {"cloud-dns": "on_cloud_dns", "traffic-manager": "on_traffic_manager"}
WRITES = {"cloud-dns": "changes.create", "traffic-manager": "Endpoints_Update"}


@pytest.fixture(params=KINDS)
def held(request: pytest.FixtureRequest) -> DnsProvider:
    held: DnsProvider = request.getfixturevalue(KINDS[request.param])
    return held


@pytest.fixture
def write(held: DnsProvider) -> str:
    """The operation that changes something."""
    return WRITES[held.dns["kind"]]


def writes(held: DnsProvider, write: str) -> int:
    return int(str(held.faults.counts().get(write, {"count": 0})["count"]))


def no_token_in(text: str) -> bool:
    return not any(secret in text for secret in ("ya29.", "eyJ0.", "signed-by-aws"))


def test_a_write_whose_answer_is_lost_is_not_made_again(
    execution: dict[str, Any], call: Call, held: DnsProvider, write: str, name_server: str
) -> None:
    held.faults.arm(Fault(match=write, kind="timeout_after_apply", seconds=0))
    with pytest.raises(DnsUnavailable, match="gave no answer"):
        call("flip_dns", {"execution": execution})
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert writes(held, write) == 1


@pytest.mark.parametrize("status", [409, 412, 429, 500, 503])
def test_trouble_that_may_pass_is_waited_for(
    execution: dict[str, Any], call: Call, held: DnsProvider, write: str, name_server: str, status: int
) -> None:
    held.faults.arm(Fault(match=write, kind="status", status=status, message="a moment"))
    with pytest.raises(DnsUnavailable):
        call("flip_dns", {"execution": execution})
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]


def test_a_refusal_stands_and_tells_no_secret(
    execution: dict[str, Any],
    call: Call,
    held: DnsProvider,
    write: str,
    name_server: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    held.faults.arm(Fault(match=write, kind="status", status=403, message="not you", times=None))
    with pytest.raises(DnsRejected) as refused:
        call("flip_dns", {"execution": execution})
    assert "403" in str(refused.value) and no_token_in(str(refused.value)) and no_token_in(caplog.text)
    assert answered(name_server) == [EAST]


def test_an_identity_that_is_not_known_there_is_told_with_what_to_do(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.stand_in.audience = held.stand_in.client_id = "somebody else's"
    with pytest.raises(DnsRejected, match="federated credential") as refused:
        call("flip_dns", {"execution": execution})
    assert no_token_in(str(refused.value))


def test_a_token_that_is_refused_is_got_anew(
    execution: dict[str, Any], call: Call, held: DnsProvider, client_name: Name, name_server: str
) -> None:
    client_name().look(None)
    held.stand_in.forget_tokens()
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert held.faults.counts()["token"]["count"] == 2


def test_an_api_that_hangs_is_given_up_in_time_and_stays_unchanged(
    execution: dict[str, Any], call: Call, held: DnsProvider, write: str, name_server: str
) -> None:
    held.faults.arm(Fault(match="token", kind="hang", seconds=10))
    with pytest.raises(DnsUnavailable, match="gave no answer"):
        call("flip_dns", {"execution": execution})
    assert writes(held, write) == 0


def test_a_token_that_can_not_be_read_may_be_better_the_next_time(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.faults.arm(Fault(match="token", kind="malformed"))
    with pytest.raises(DnsUnavailable, match="can't be read") as unread:
        call("flip_dns", {"execution": execution})
    assert no_token_in(str(unread.value))
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]


def test_nothing_stands_in_the_way_of_a_name_that_is_as_it_should_be(
    deployed: Any, client_name: Name, held: DnsProvider
) -> None:
    assert client_name().obstacles("east") == []
