"""Every error of the SDK becomes the port's transient or final one; nothing of the SDK's passes the edge."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from failover.aws.errors import aws_errors, error_code
from failover.errors import FleetRejected, FleetUnavailable

URL = "https://ecs.us-west-2.amazonaws.com"
BY_OTHERS = (
    "EndpointTemporarilyUnavailableException",
    "KMSThrottling",
    "KMSThrottlingException",
    "KmsThrottlingException",
    "Throttled",
    "ThrottledException",
    "InternalException",
    "InternalServiceError",
    "ReplicatedWriteConflictException",
    "UpdateInProgressException",
)


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op")  # type: ignore[typeddict-item]


TRANSIENT: list[Exception] = [
    *(refusal(code) for code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES),  # type: ignore[attr-defined]
    *(refusal(code) for code in TransientRetryableChecker._TRANSIENT_ERROR_CODES),  # type: ignore[attr-defined]
    *(refusal(code) for code in BY_OTHERS),
    *(refusal("Whatever", status) for status in (429, 500, 502, 503, 504, 529)),
    EndpointConnectionError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    ReadTimeoutError(endpoint_url=URL),
    SSLError(endpoint_url=URL, error=OSError("cut off")),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseParserError("an HTML page"),
]
FINAL: list[Exception] = [
    *(refusal(code) for code in ("AccessDenied", "AccessDeniedException", "ValidationException", "InvalidParameter")),
    refusal("ResourceNotFoundException", 404),
    NoCredentialsError(),
    ParamValidationError(report="no such field"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: error_code(error) or type(error).__name__)
def test_what_calling_again_may_mend_is_transient(error: Exception) -> None:
    with (
        pytest.raises(FleetUnavailable, match=r"^service x did not answer: "),
        aws_errors("service x", transient=FleetUnavailable, final=FleetRejected, remedy="Ask"),
    ):
        raise error


@pytest.mark.parametrize("error", FINAL, ids=lambda error: error_code(error) or type(error).__name__)
def test_what_no_call_mends_is_final_and_says_what_to_do(error: Exception) -> None:
    with (
        pytest.raises(FleetRejected, match=r"^service x refused: .*\. Ask$") as raised,
        aws_errors("service x", transient=FleetUnavailable, final=FleetRejected, remedy="Ask"),
    ):
        raise error
    assert error_code(raised.value) == error_code(error)


def test_a_secret_that_was_sent_is_in_no_error() -> None:
    with (
        pytest.raises(FleetRejected) as raised,
        aws_errors("x", transient=FleetUnavailable, final=FleetRejected, hide="s3cret"),
    ):
        raise ClientError({"Error": {"Code": "InvalidToken", "Message": "Invalid Token: 's3cret'"}}, "SendTask")
    assert "s3cret" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert error_code(raised.value) == "InvalidToken"


def test_an_error_that_is_not_the_sdks_passes() -> None:
    assert not issubclass(KeyError, BotoCoreError)
    with pytest.raises(KeyError), aws_errors("x", transient=FleetUnavailable, final=FleetRejected):
        raise KeyError("a")
