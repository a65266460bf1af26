"""The one door through which every call to AWS comes: where botocore would send a request. Its own retries, their
pauses and its reading of errors are above, and real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import boto3
import botocore.endpoint
import botocore.regions
import botocore.retries.quota
import botocore.useragent
from botocore import UNSIGNED
from botocore.config import Config
from botocore.endpoint_provider import RuleSetEndpoint
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from simulation.aws.errors import ApiError
from simulation.calls import Door
from simulation.deployment import REGION

_ASKED: Final = "simulation_asked"
_THROTTLED: Final = {
    "sns": "Throttled",
    "route53": "Throttling",
    "stepfunctions": "ThrottlingException",
}
"""The code of each service; of the others: ThrottlingException."""
_ENDPOINT: Final = RuleSetEndpoint(url="https://aws.simulation", properties={}, headers={})
Send = Callable[[str, str, str, Mapping[str, Any], Door], dict[str, Any]]
"""Service, region, operation, parameters, and how trouble is told."""


def install(send: Send) -> None:
    """Have `send` answer for AWS."""
    library: Any = boto3
    make_client: Any = boto3.client

    def client(service: str, region_name: str | None = None, config: Config | None = None, **_: Any) -> Any:
        unsigned = Config(signature_version=UNSIGNED)
        made = make_client(
            service, region_name=region_name or REGION, config=unsigned if config is None else config.merge(unsigned)
        )
        made.meta.events.register("before-parameter-build", _remember)
        return made

    def answer(
        self: Any, request: Any, operation_model: Any, context: dict[str, Any]
    ) -> tuple[tuple[Any, dict[str, Any]] | None, Exception | None]:
        service, operation = operation_model.service_model.service_name, operation_model.name
        status, parsed = 200, dict[str, Any]()
        try:
            parsed = dict(send(service, context["client_region"], operation, context[_ASKED], _door(service)))
        except ApiError as error:
            status, parsed = error.status, {"Error": {"Code": error.code, "Message": error.message}} | error.fields
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            return None, error
        parsed["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": {}}
        return (SimpleNamespace(status_code=status, headers={}, content=b""), parsed), None

    replaced: Any = botocore.endpoint.Endpoint
    replaced._get_response = answer
    replaced.create_request = lambda self, params, operation_model=None: SimpleNamespace(reset_stream=lambda: None)
    library.client = client
    # Clients outlive lives and containers here: what they have used up must not carry over.
    quota: Any = botocore.retries.quota.RetryQuota
    quota.acquire = lambda self, amount: True
    # A third of a call together, and nobody reads them.
    resolver: Any = botocore.regions.EndpointRulesetResolver
    resolver.construct_endpoint = lambda self, operation_model, call_args, request_context: _ENDPOINT
    agent: Any = botocore.useragent.UserAgentString
    agent.to_string = lambda self: "simulation"


def _remember(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[_ASKED] = params


def _door(service: str) -> Door:
    code = _THROTTLED.get(service, "ThrottlingException")
    return Door(
        throttled=lambda: ApiError(code, "Rate exceeded"),
        unreached=lambda: ConnectTimeoutError(endpoint_url=f"https://{service}.simulation"),
        unanswered=lambda: ReadTimeoutError(endpoint_url=f"https://{service}.simulation"),
    )
