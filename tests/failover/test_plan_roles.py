"""What a plan needs may be in another account: the role that it names is taken on, for its calls and no others."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from failover.aws.clients import client, session_of
from failover.aws.secrets import Secret
from failover.errors import BadPlan, CredentialsMissing
from failover.fleets import fleets_of
from failover.fleets.eks import token
from failover.plan.model import Plan, parse
from failover.plan.role import Role
from failover.readiness.roles import roles

GATEWAYS = Role(role_arn="arn:aws:iam::210987654321:role/failover-gateways", external_id="orders")
SECRETS = Role(role_arn="arn:aws:iam::210987654321:role/failover-secrets")


def plan_of(plan_text: str, **roles: dict[str, str]) -> Plan:
    """The example plan, with a role here and there: by `east`, `secret`, `clients` and `dns`."""
    document = yaml.safe_load(plan_text)
    places = {
        "east": document["sites"]["east"],
        "secret": document["sites"]["west"]["kafka"],
        "clients": document["clients"],
        "dns": document["dns"],
    }
    for place, role in roles.items():
        places[place]["role"] = role
    return parse(yaml.safe_dump(document))


@pytest.fixture(autouse=True)
def own_clients(aws: Callable[..., Any]) -> None:
    """The SDK's calls go to the stand-in, by clients that no other test has used."""


@pytest.fixture
def taken_on(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What STS was asked for."""
    asked: list[dict[str, Any]] = []
    sts = client("sts")
    assume = sts.assume_role

    def noting(**request: Any) -> Any:
        asked.append(request)
        return assume(**request)

    monkeypatch.setattr(sts, "assume_role", noting)
    return asked


def test_a_call_is_made_as_the_role_and_the_next_ones_by_the_same_keys(taken_on: list[dict[str, Any]]) -> None:
    for region in ("us-east-2", "us-west-2"):
        caller = client("sts", region, role=GATEWAYS).get_caller_identity()["Arn"]
        assert caller == "arn:aws:sts::210987654321:assumed-role/failover-gateways/failover"
    (asked,) = taken_on
    assert (asked["RoleArn"], asked["ExternalId"]) == (GATEWAYS.role_arn, "orders")
    assert asked["DurationSeconds"] == 3600, "a role that another takes on lasts for an hour at most"
    assert ":assumed-role/" not in client("sts").get_caller_identity()["Arn"], "others' calls are not made as it"


def test_nobody_is_asked_for_keys_before_a_call_needs_them(taken_on: list[dict[str, Any]]) -> None:
    client("ecs", "us-east-2", attempts=1, role=GATEWAYS)
    assert taken_on == []


def test_keys_that_run_out_are_asked_for_anew_and_those_that_last_go_on_while_sts_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sts, calls = client("sts"), [10, None, 60]
    assume = sts.assume_role

    def answer(**request: Any) -> Any:
        minutes = calls.pop(0)
        if minutes is None:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "busy"}}, "AssumeRole")
        answer = assume(**request)
        answer["Credentials"]["Expiration"] = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        return answer

    monkeypatch.setattr(sts, "assume_role", answer)
    credentials: Any = session_of(GATEWAYS).get_credentials()
    credentials._mandatory_refresh_timeout = 60
    first = credentials.get_frozen_credentials()
    assert credentials.get_frozen_credentials() == first, "STS is silent, and the keys last for ten minutes"
    assert credentials.get_frozen_credentials() != first
    assert calls == []


def test_a_secret_is_read_as_the_role_and_not_taken_for_another_of_its_name(
    aws: Callable[..., Any], taken_on: list[dict[str, Any]]
) -> None:
    aws("secretsmanager", "us-west-2").create_secret(Name="kafka", SecretString='{"key": "own", "secret": "s"}')
    assert Secret("kafka").read() and taken_on == []
    with pytest.raises(CredentialsMissing):
        Secret("kafka", SECRETS).read()
    assert [asked["RoleArn"] for asked in taken_on] == [SECRETS.role_arn]


def test_a_fleet_is_looked_at_as_the_role_of_its_site(plan_text: str) -> None:
    site = plan_of(plan_text, east=GATEWAYS.model_dump()).site("east")
    ((_, fleet),) = fleets_of(site)
    assert fleet._ecs._request_signer._credentials is session_of(GATEWAYS).get_credentials()  # type: ignore[attr-defined]


def test_the_token_for_a_cluster_of_kubernetes_is_signed_by_the_role(taken_on: list[dict[str, Any]]) -> None:
    signed = token("clients", "us-east-2", GATEWAYS).removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4)).decode()
    keys: Any = session_of(GATEWAYS).get_credentials()
    assert len(taken_on) == 1 and keys.get_frozen_credentials().access_key in url


def test_readiness_takes_every_role_on(plan_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"east": GATEWAYS.model_dump(), "secret": SECRETS.model_dump(), "clients": SECRETS.model_dump()}
    plan = plan_of(plan_text, **named, dns=GATEWAYS.model_dump())
    assert [finding.status for finding in roles(plan)] == ["pass", "pass"]
    session_of.cache_clear()

    def refuse(**request: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "AssumeRole")

    monkeypatch.setattr(client("sts"), "assume_role", refuse)
    refused = list(roles(plan))
    assert {finding.status for finding in refused} == {"fail"}
    assert all("PlanRoles" in finding.remedy for finding in refused)


@pytest.mark.parametrize("arn", ["failover-gateways", "arn:aws:iam::1:role/x", "arn:aws:iam::210987654321:user/x"])
def test_what_is_no_role_is_refused(plan_text: str, arn: str) -> None:
    with pytest.raises(BadPlan, match=r"sites\.east\.role\.role_arn"):
        plan_of(plan_text, east={"role_arn": arn})
