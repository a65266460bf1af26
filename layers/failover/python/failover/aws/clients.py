"""AWS clients with timeouts for a region in trouble: the SDK's default minute would eat the whole recovery time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast, overload

from botocore.config import Config
from botocore.session import Session

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53_recovery_cluster import Route53RecoveryClusterClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

CONNECT_S: Final = 2
READ_S: Final = 3
Region = str | None

# Boto3's clients are botocore's. Boto3 itself brings S3's transfers and its resources, a fifth of a cold start.
_SESSION: Final = Session()


class _Clients(Protocol):
    """One client a service and region, kept as long as the container. Each attempt may take `CONNECT_S` to connect and
    `read_s` to read, `READ_S` by default; `attempts` in all. `endpoint`: the URL, where it is not the
    region's own."""

    @overload
    def __call__(
        self, service: Literal["cloudwatch"], region: Region = ..., *, attempts: int = ...
    ) -> CloudWatchClient: ...
    @overload
    def __call__(
        self, service: Literal["dynamodb"], region: Region = ..., *, attempts: int = ...
    ) -> DynamoDBClient: ...
    @overload
    def __call__(self, service: Literal["ecs"], region: Region = ..., *, attempts: int = ...) -> ECSClient: ...
    @overload
    def __call__(self, service: Literal["eks"], region: Region = ..., *, attempts: int = ...) -> EKSClient: ...
    @overload
    def __call__(
        self, service: Literal["elbv2"], region: Region = ..., *, attempts: int = ...
    ) -> ElasticLoadBalancingv2Client: ...
    @overload
    def __call__(
        self, service: Literal["events"], region: Region = ..., *, attempts: int = ...
    ) -> EventBridgeClient: ...
    @overload
    def __call__(
        self, service: Literal["lambda"], region: Region = ..., *, attempts: int = ..., read_s: float = ...
    ) -> LambdaClient: ...
    @overload
    def __call__(self, service: Literal["route53"], region: Region = ..., *, attempts: int = ...) -> Route53Client: ...
    @overload
    def __call__(
        self, service: Literal["route53-recovery-cluster"], region: Region = ..., *, attempts: int = ..., endpoint: str
    ) -> Route53RecoveryClusterClient: ...
    @overload
    def __call__(self, service: Literal["s3"], region: Region = ..., *, attempts: int = ...) -> S3Client: ...
    @overload
    def __call__(
        self, service: Literal["secretsmanager"], region: Region = ..., *, attempts: int = ...
    ) -> SecretsManagerClient: ...
    @overload
    def __call__(self, service: Literal["sns"], region: Region = ..., *, attempts: int = ...) -> SNSClient: ...
    @overload
    def __call__(
        self, service: Literal["stepfunctions"], region: Region = ..., *, attempts: int = ...
    ) -> SFNClient: ...
    @overload
    def __call__(self, service: Literal["sts"], region: Region = ..., *, attempts: int = ...) -> STSClient: ...

    cache_clear: Callable[[], None]


@functools.cache
def _client(
    service: str, region: Region = None, *, attempts: int = 2, endpoint: str | None = None, read_s: float | None = None
) -> Any:
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S if read_s is None else read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
    )
    return _SESSION.create_client(service, region_name=region, endpoint_url=endpoint, config=config)


client = cast("_Clients", _client)
