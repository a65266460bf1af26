"""What an AWS call that fails means: calling again may help, or never will. Nobody else looks at the SDK's errors.

A port calls AWS inside `aws_errors`, which raises the port's own errors. What a service answers that is no failure,
such as a condition that does not hold, is caught inside by its class (`client.exceptions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from failover.errors import FailoverError, TransientError

AWS_ERRORS: Final = (ClientError, BotoCoreError, ResponseParserError)
"""Everything the SDK raises for a call that failed."""

_NO_ANSWER: Final = (
    ChecksumError,
    NoConnection,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
)
_TOO_MANY_REQUESTS: Final = 429
_TRANSIENT_CODES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "EC2ThrottledException",
        "EndpointTemporarilyUnavailableException",
        "ExecutionLimitExceeded",
        "IDPCommunicationError",
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceError",
        "KMSInternalException",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottlingException",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "UpdateInProgressException",
    }
)
"""Of botocore's own retries, and of the services that are called here: their error tables, by the code on the wire."""
_THROTTLED_CODES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottlingException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Those that say that too much is asked at once: who asks again at once makes it worse."""


def error_code(error: BaseException) -> str:
    """The API's own code, such as `ConditionalCheckFailedException`, of the SDK's error or one that was raised from it;
    empty if no service answered."""
    for cause in (error, error.__cause__, error.__context__):
        if isinstance(cause, ClientError):
            return str(cause.response.get("Error", {}).get("Code", ""))
    return ""


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: nobody answered, or the service was busy."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == _TOO_MANY_REQUESTS or status >= 500 or error_code(error) in _TRANSIENT_CODES
    return isinstance(error, _NO_ANSWER)


def is_throttled(error: BaseException) -> bool:
    """Whether a service said that too much is asked of it at once, in the SDK's error or in one raised from it."""
    return error_code(error) in _THROTTLED_CODES


@contextmanager
def aws_errors(
    of: str, *, transient: type[TransientError], final: type[FailoverError], remedy: str = "", hide: str = ""
) -> Iterator[None]:
    """Turn the SDK's errors of what is called inside into a port's.

    `of`: what was asked of whom, the first words of the message; `remedy`: what to do where the call was refused;
    `hide`: a secret that was sent, and that an answer may repeat.

    Raises:
        transient: nobody answered, or the service was busy: calling again may help.
        final: the call was refused.
    """
    try:
        yield
    except AWS_ERRORS as error:
        kind: type[FailoverError] = transient if is_transient(error) else final
        message = " ".join(str(error).split())
        why = message.replace(hide, "***") if hide else message
        answer = "did not answer" if kind is transient else "refused"
        advice = f". {remedy}" if remedy and kind is final else ""
        raise kind(f"{of} {answer}: {why}{advice}") from (None if hide else error)


def cause_of(error: BaseException) -> BaseException:
    """The SDK's own error in a library's error around it; the error itself if there is none."""
    around: BaseException | None = error
    while around is not None:
        if isinstance(around, AWS_ERRORS):
            return around
        around = around.__cause__ or around.__context__
    return error
