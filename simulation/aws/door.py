"""The one door through which every call to AWS comes: where botocore would send a request. Its own retries, their
pauses and its reading of errors are above, and real."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import botocore.client
import botocore.endpoint
import botocore.retries.quota
import botocore.session
import botocore.signers
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from simulation.aws.errors import ApiError
from simulation.aws.shapes import check_answer, check_request
from simulation.calls import Door
from simulation.regions import REGION

_CHECKED: Final = "SIMULATION_CHECKS_SHAPES" in os.environ
"""Whether every request and every answer is held to botocore's shapes. A container has an environment of its own."""
_REQUEST: Final = SimpleNamespace(reset_stream=lambda: None)
_RESPONSE: Final = 3
"""The argument of `Endpoint._needs_retry` that the response is."""
_PARAMETERS: Final = "simulation_parameters"
_REGION: Final = "simulation_region"
_FIRST: Final = "simulation_first_answer"
_NEVER_AGAIN: Final = "ConditionalCheckFailedException"
"""The error that is answered most, and that botocore does not try again."""
FIRST_ERROR: Final = 300
"""The lowest status of HTTP that is no success."""
_THROTTLED: Final = {
    "lambda": "TooManyRequestsException",
    "s3": "SlowDown",
    "sns": "Throttled",
    "route53": "Throttling",
    "stepfunctions": "ThrottlingException",
}
"""The code of each service; of the others: ThrottlingException."""
Answer = tuple[tuple[Any, dict[str, Any]] | None, Exception | None]
"""Response and parsed body, or what was raised instead."""
Send = Callable[[str, str, str, Mapping[str, Any], Door], dict[str, Any]]
"""Service, region (empty: the caller's own), operation, parameters, and how trouble is told."""


def install(send: Send) -> None:
    """Have `send` answer for AWS."""
    sessions: Any = botocore.session.Session
    make_client = sessions.create_client

    def client(
        session: Any, service: str, region_name: str | None = None, config: Config | None = None, **_: Any
    ) -> Any:
        unsigned = Config(signature_version=UNSIGNED)
        config = unsigned if config is None else config.merge(unsigned)
        made = make_client(session, service, region_name=region_name or REGION, config=config)
        made.simulated_region = region_name or ""
        return made

    def answer(self: Any, request: Any, operation_model: Any, context: dict[str, Any]) -> Answer:
        first: Answer | None = context.pop(_FIRST, None)
        if first is not None:
            return first
        service, operation = operation_model.service_model.service_name, operation_model.name
        return _answered(send, service, context[_REGION], operation, context[_PARAMETERS])

    def make_api_call(self: Any, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        """As botocore's own, without what nobody reads here: no request is validated, addressed, signed and written,
        and what succeeds at once does not go by the endpoint, which only tries again. That takes most of a call;
        `tests/simulation` holds a life's requests and answers to botocore's shapes."""
        service, region = self._service_model.service_name, self.simulated_region
        if _CHECKED:
            check_request(self._service_model.operation_model(operation_name), api_params)
        first = _answered(send, service, region, operation_name, api_params)
        if first[0] is not None and first[0][0].status_code < FIRST_ERROR:
            parsed = first[0][1]
        elif first[0] is not None and first[0][1]["Error"]["Code"] == _NEVER_AGAIN:
            raise self.exceptions.from_code(_NEVER_AGAIN)(first[0][1], operation_name)
        else:
            parsed = _tried_again(self, operation_name, api_params, first)
        if _CHECKED:
            check_answer(self._service_model.operation_model(operation_name), parsed)
        return parsed

    clients: Any = botocore.client.BaseClient
    clients._make_api_call = make_api_call
    endpoints: Any = botocore.endpoint.Endpoint
    endpoints._get_response = answer
    needs_retry = endpoints._needs_retry
    endpoints._needs_retry = lambda self, *of: not _succeeded(of[_RESPONSE]) and needs_retry(self, *of)
    endpoints.create_request = lambda self, params, operation_model=None: _REQUEST
    sessions.create_client = client
    signers: Any = botocore.signers.RequestSigner
    # Nobody here reads a signature.
    signers.generate_presigned_url = lambda self, request, **_: request["url"]
    # Clients outlive lives and containers here: what they have used up must not carry over.
    quota: Any = botocore.retries.quota.RetryQuota
    quota.acquire = lambda self, amount: True


def _answered(send: Send, service: str, region: str, operation: str, request: Mapping[str, Any]) -> Answer:
    try:
        parsed = send(service, region, operation, request, _door(service))
    except ApiError as error:
        fields = {"Error": {"Code": error.code, "Message": error.message}} | error.fields
        return _response(error.status, fields), None
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        return None, error
    return _response(200, dict(parsed)), None


def _tried_again(client: Any, operation_name: str, request: Mapping[str, Any], first: Answer) -> dict[str, Any]:
    """What botocore's endpoint makes of a first answer that is an error."""
    operation = client._service_model.operation_model(operation_name)
    context = {
        "client_region": client.meta.region_name,
        "client_config": client.meta.config,
        "retries": {"invocation-id": "simulation"},
        _PARAMETERS: request,
        _REGION: client.simulated_region,
        _FIRST: first,
    }
    http, parsed = client._endpoint.make_request(operation, {"context": context})
    if http.status_code >= FIRST_ERROR:
        raise client.exceptions.from_code(parsed["Error"]["Code"])(parsed, operation_name)
    return dict(parsed)


def _response(status: int, parsed: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    parsed["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return SimpleNamespace(status_code=status, headers={}, content=b""), parsed


def _succeeded(response: Any) -> bool:
    return response is not None and response[0].status_code < FIRST_ERROR


@functools.cache
def _door(service: str) -> Door:
    code = _THROTTLED.get(service, "ThrottlingException")
    return Door(
        throttled=lambda: ApiError(code, "Rate exceeded"),
        unreached=lambda: ConnectTimeoutError(endpoint_url=f"https://{service}.simulation"),
        unanswered=lambda: ReadTimeoutError(endpoint_url=f"https://{service}.simulation"),
    )
