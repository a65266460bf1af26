"""What the drill's account may have, as the SDK reads it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session

from drill.aws.quotas import HEALTH_CHECKS, ROLES, account_limit

OF_IAM = "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=1"


def asked(path: str = "/", authorization: str = "", body: bytes = b"") -> dict[str, Any]:
    length = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return {"PATH_INFO": path, "HTTP_AUTHORIZATION": authorization, **length}


def read(service: str, protocol: str, operation: str, body: bytes | None) -> dict[str, Any]:
    shape: Any = get_session().get_service_model(service).operation_model(operation).output_shape
    answer: dict[str, Any] = {"body": body, "headers": {}, "status_code": 200}
    parsed: dict[str, Any] = create_parser(protocol).parse(answer, shape)
    return parsed


def test_the_sdk_reads_how_many_health_checks_an_account_may_have() -> None:
    body = account_limit(asked("/2013-04-01/accountlimit/MAX_HEALTH_CHECKS_BY_OWNER"))
    answer = read("route53", "rest-xml", "GetAccountLimit", body)
    assert (answer["Count"], answer["Limit"]["Value"]) == HEALTH_CHECKS


def test_the_sdk_reads_how_many_roles_it_may_have_and_the_connection_can_go_on() -> None:
    request = asked(authorization=OF_IAM, body=b"Action=GetAccountSummary&Version=2010-05-08")
    summary = read("iam", "query", "GetAccountSummary", account_limit(request))["SummaryMap"]
    assert (summary["Roles"], summary["RolesQuota"]) == ROLES
    assert request["wsgi.input"].read() == b"", "what is left unread begins the next request"


@pytest.mark.parametrize("path", ["/", "/2013-04-01/hostedzone/Z1/rrset", "/2013-04-01/accountlimits"])
def test_other_questions_are_for_moto(path: str) -> None:
    assert account_limit(asked(path, OF_IAM.replace("/iam/", "/ecs/"))) is None
