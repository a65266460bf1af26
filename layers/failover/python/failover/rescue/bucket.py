"""The bucket of a rescue, looked at before there is anything to rescue: an object is written to it, as on the day."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors, error_code
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.plan.rescue import Rescue

_NONE: Final = frozenset({"NoSuchBucketPolicy", "NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration"})


@dataclass(frozen=True, kw_only=True)
class BucketState:
    """What S3 tells of the bucket."""

    key: str
    """What encrypts the object that was written just now."""
    policy: dict[str, Any]
    """The bucket's policy; empty if it has none."""
    lifecycle: list[dict[str, Any]]
    """Its lifecycle rules."""
    public_access_blocked: bool


def look_at_bucket(rescue: Rescue, plan: str) -> BucketState:
    """Write an object of no meaning, and read how the bucket is kept.

    Raises:
        ServiceUnavailable, ServiceRejected
    """
    s3, bucket = client("s3", rescue.region), rescue.bucket
    written = _answer_of(
        f"to write to the rescue's bucket {bucket}",
        s3.put_object,
        Bucket=bucket,
        Key=f"{rescue.prefix}/{plan}/readiness",
        Body=b"",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=rescue.key,
        BucketKeyEnabled=True,
    )
    policy = _answer_of(f"for the policy of {bucket}", s3.get_bucket_policy, Bucket=bucket)
    lifecycle = _answer_of(f"for the lifecycle of {bucket}", s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    blocked = _answer_of(f"for the public access of {bucket}", s3.get_public_access_block, Bucket=bucket)
    flags = blocked.get("PublicAccessBlockConfiguration", {})
    return BucketState(
        key=written.get("SSEKMSKeyId", ""),
        policy=json.loads(policy.get("Policy", "{}")),
        lifecycle=lifecycle.get("Rules", []),
        public_access_blocked=bool(flags) and all(flags.values()),
    )


def _answer_of(what: str, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """The answer; an empty one if the bucket has nothing of the kind."""
    try:
        with aws_errors(f"S3, {what},", transient=ServiceUnavailable, final=ServiceRejected):
            return dict(call(**arguments))
    except ServiceRejected as error:
        if error_code(error) in _NONE:
            return {}
        raise
