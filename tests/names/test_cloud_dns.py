"""What Google Cloud DNS may be set up as that a flip can't do with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drill.confluent.faults import Fault
from drill.dns_providers.scenarios import DnsProvider
from failover.dns import ClientName
from failover.errors import DnsRejected, DnsUnavailable
from tests.names.conftest import EAST, Call, until_done

pytestmark = pytest.mark.slow


@pytest.fixture
def held(on_cloud_dns: DnsProvider) -> DnsProvider:
    return on_cloud_dns


def test_a_record_that_google_chooses_by_itself_is_refused(
    deployed: Any, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    held.stand_in.rrsets = [{**held.stand_in.rrsets[0], "routingPolicy": {"wrr": {}}}]
    with pytest.raises(DnsRejected, match="routing policy"):
        client_name().look(None)


def test_a_zone_that_the_hostname_is_not_in_is_found(
    deployed: Any, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    held.stand_in.dns_name = "another.example."
    (obstacle,) = client_name().obstacles("east")
    assert "not in the zone another.example" in obstacle.what


def test_a_permission_that_a_flip_will_need_and_a_zone_that_is_not_public_are_found(
    deployed: Any, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    assert client_name().obstacles("east") == []
    held.stand_in.lacking, held.stand_in.visibility = frozenset({"dns.changes.create"}), "private"
    private, lacking = client_name().obstacles("east")
    assert "not public" in private.what
    assert "lacks dns.changes.create on" in lacking.what and "roles/dns.admin" in lacking.remedy


def test_a_change_that_nobody_remembers_is_over(
    deployed: Any, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    assert client_name().look("999").in_sync


def test_what_can_not_be_read_may_pass(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    for operation in ("generateAccessToken", "resourceRecordSets.list"):
        held.faults.arm(Fault(match=operation, kind="malformed"))
        with pytest.raises(DnsUnavailable, match="can't be read"):
            call("flip_dns", {"execution": execution})
    held.faults.arm(Fault(match="changes.create", kind="malformed"))
    until_done(call, {"execution": execution})
    assert held.faults.counts()["changes.create"]["count"] == 1


def test_a_record_that_somebody_else_changed_in_between_is_not_written_over(
    execution: dict[str, Any], call: Call, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    name = client_name()
    asked = name._api.ask  # type: ignore[attr-defined]

    def ask_a_moment_later(method: str, url: str, body: Any = None) -> Any:
        if method == "POST":
            held.stand_in.rrsets = [{**held.stand_in.rrsets[0], "ttl": 60}]
        return asked(method, url, body)

    name._api.ask = ask_a_moment_later  # type: ignore[attr-defined]
    with pytest.raises(DnsUnavailable, match="somebody else changed it"):
        call("flip_dns", {"execution": execution})
    assert held.stand_in.rrsets[0]["rrdatas"] == [f"{EAST}."]


def test_a_service_account_it_may_not_act_as_is_told(
    deployed: Any, held: DnsProvider, client_name: Callable[[], ClientName]
) -> None:
    held.stand_in.account = "another@drill.iam.gserviceaccount.com"
    with pytest.raises(DnsRejected, match="workloadIdentityUser"):
        client_name().look(None)
