"""AWS clients with timeouts for a region in trouble: the SDK's default minute would eat the whole recovery time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast, overload

from botocore.config import Config
from botocore.credentials import Credentials, DeferredRefreshableCredentials
from botocore.session import Session

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53_recovery_cluster import Route53RecoveryClusterClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

CONNECT_S: Final = 2
READ_S: Final = 3
CONNECTIONS_AT_MOST: Final = 64
"""That are kept of a client: many plans are judged and sampled at once, and a handshake costs more than a call."""
ROLE_LASTS_S: Final = 3600
"""As long as a role that is taken on by another may last; its keys are asked for anew in the last quarter of it
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html, role chaining)."""
Region = str | None

# Boto3's clients are botocore's. Boto3 itself brings S3's transfers and its resources, a fifth of a cold start.
_SESSION: Final = Session()


class Role(Protocol):
    """A role that is taken on, as a plan names it."""

    @property
    def role_arn(self) -> str:
        """Its ARN."""

    @property
    def external_id(self) -> str | None:
        """What its trust policy asks for."""

    def __hash__(self) -> int:
        """It keys the clients that are made for it."""


class _Clients(Protocol):
    """One client a service, region and role, kept as long as the container. Each attempt may take `CONNECT_S` to
    connect and `read_s` to read, `READ_S` by default; `attempts` in all. `endpoint`: the URL, where it is not the
    region's own. `role`: who calls, where it is not this function; it is taken on at the first call, which fails if it
    can't be."""

    @overload
    def __call__(
        self, service: Literal["cloudwatch"], region: Region = ..., *, attempts: int = ...
    ) -> CloudWatchClient: ...
    @overload
    def __call__(
        self, service: Literal["dynamodb"], region: Region = ..., *, attempts: int = ...
    ) -> DynamoDBClient: ...
    @overload
    def __call__(
        self, service: Literal["ecs"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> ECSClient: ...
    @overload
    def __call__(
        self, service: Literal["eks"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> EKSClient: ...
    @overload
    def __call__(
        self, service: Literal["elbv2"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> ElasticLoadBalancingv2Client: ...
    @overload
    def __call__(
        self, service: Literal["events"], region: Region = ..., *, attempts: int = ...
    ) -> EventBridgeClient: ...
    @overload
    def __call__(self, service: Literal["iam"], region: Region = ..., *, attempts: int = ...) -> IAMClient: ...
    @overload
    def __call__(
        self, service: Literal["lambda"], region: Region = ..., *, attempts: int = ..., read_s: float = ...
    ) -> LambdaClient: ...
    @overload
    def __call__(
        self, service: Literal["route53"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> Route53Client: ...
    @overload
    def __call__(
        self,
        service: Literal["route53-recovery-cluster"],
        region: Region = ...,
        *,
        attempts: int = ...,
        endpoint: str,
        role: Role | None = ...,
    ) -> Route53RecoveryClusterClient: ...
    @overload
    def __call__(
        self, service: Literal["s3"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> S3Client: ...
    @overload
    def __call__(
        self, service: Literal["secretsmanager"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> SecretsManagerClient: ...
    @overload
    def __call__(
        self, service: Literal["service-quotas"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> ServiceQuotasClient: ...
    @overload
    def __call__(self, service: Literal["sns"], region: Region = ..., *, attempts: int = ...) -> SNSClient: ...
    @overload
    def __call__(
        self, service: Literal["stepfunctions"], region: Region = ..., *, attempts: int = ...
    ) -> SFNClient: ...
    @overload
    def __call__(
        self, service: Literal["sts"], region: Region = ..., *, attempts: int = ..., role: Role | None = ...
    ) -> STSClient: ...

    cache_clear: Callable[[], None]


@functools.cache
def _client(
    service: str,
    region: Region = None,
    *,
    attempts: int = 2,
    endpoint: str | None = None,
    read_s: float | None = None,
    role: Role | None = None,
) -> Any:
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S if read_s is None else read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS_AT_MOST,
        # Whoever puts an object says its checksum, in a header that is signed: to hash it for the signature, too, is
        # half of what a large one costs.
        s3={"payload_signing_enabled": False},
    )
    return session_of(role).create_client(service, region_name=region, endpoint_url=endpoint, config=config)


client = cast("_Clients", _client)


@functools.cache
def session_of(role: Role | None) -> Session:
    """The session whose credentials are a role's, or this function's own."""
    return _SESSION if role is None else _RoleSession(role)


class _RoleSession(Session):
    """Its credentials are those of a role that is taken on when they are needed. What was read of the SDK is shared:
    that is what a session costs."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self.register_component("data_loader", _SESSION.get_component("data_loader"))
        self._keys = DeferredRefreshableCredentials(functools.partial(_take_on, role), "assume-role")

    def get_credentials(self) -> Credentials:
        """The keys of the role, asked for anew before they run out."""
        return self._keys


def _take_on(role: Role) -> dict[str, str]:
    """The keys of a role, by STS in this function's own region (AssumeRole)."""
    request: AssumeRoleRequestTypeDef = {
        "RoleArn": role.role_arn,
        "RoleSessionName": "failover",
        "DurationSeconds": ROLE_LASTS_S,
    }
    if role.external_id is not None:
        request["ExternalId"] = role.external_id
    keys = client("sts").assume_role(**request)["Credentials"]
    return {
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "token": keys["SessionToken"],
        "expiry_time": keys["Expiration"].isoformat(),
    }
