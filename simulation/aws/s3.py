"""S3: objects by bucket and key, written once where that is asked, and listed in the order of their keys; and how a
bucket is kept."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any, Final

from simulation.aws.errors import ApiError, NotSimulated
from simulation.sites import RECOVERY_TOPIC

Answer = dict[str, Any]
READER: Final = "arn:aws:iam::123456789012:role/rescue-reader"
RETENTION_DAYS: Final = 400
RESCUE: Final = {
    "bucket": "orders-rescue",
    "region": "us-west-2",
    "key": "arn:aws:kms:us-west-2:123456789012:key/00000000-0000-0000-0000-000000000001",
    "retention_days": RETENTION_DAYS,
    "readers": [READER],
    "recovery_topic": RECOVERY_TOPIC,
}
"""What a plan says of where stranded records are kept."""


@dataclass(frozen=True)
class Object:
    """What was written."""

    body: bytes
    metadata: dict[str, str] = field(default_factory=dict)


class S3:
    """The buckets of an account: whichever is asked for is there."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        """By bucket and key."""

    def call(self, operation: str, request: Answer) -> Answer:
        """Carry an operation out.

        Raises:
            ApiError: there is no such object, or there is one already.
        """
        operations = {
            "PutObject": self._put,
            "HeadObject": self._head,
            "GetObject": self._get,
            "DeleteObject": self._delete,
            "ListObjectsV2": self._list,
            "GetBucketPolicy": self._policy,
            "GetBucketLifecycleConfiguration": self._lifecycle,
            "GetPublicAccessBlock": self._public_access,
        }
        if operation not in operations:
            raise NotSimulated(f"S3 {operation}")
        return operations[operation](request)

    def _put(self, request: Answer) -> Answer:
        key = _key(request)
        if request.get("IfNoneMatch") == "*" and key in self.objects:
            raise ApiError("PreconditionFailed", "At least one of the preconditions did not hold", status=412)
        body = request.get("Body", b"")
        self.objects[key] = Object(body.encode() if isinstance(body, str) else body, request.get("Metadata", {}))
        return {"SSEKMSKeyId": request["SSEKMSKeyId"]} if "SSEKMSKeyId" in request else {}

    def _head(self, request: Answer) -> Answer:
        there = self.objects.get(_key(request))
        if there is None:
            raise ApiError("404", "Not Found", status=404)
        return {"Metadata": there.metadata, "ContentLength": len(there.body)}

    def _get(self, request: Answer) -> Answer:
        there = self.objects.get(_key(request))
        if there is None:
            raise ApiError("NoSuchKey", "The specified key does not exist.", status=404)
        return {"Body": io.BytesIO(there.body), "Metadata": there.metadata, "ContentLength": len(there.body)}

    def _delete(self, request: Answer) -> Answer:
        self.objects.pop(_key(request), None)
        return {}

    def _list(self, request: Answer) -> Answer:
        bucket, prefix = request["Bucket"], request.get("Prefix", "")
        keys = sorted(key for of, key in self.objects if of == bucket and key.startswith(prefix))
        return {"Contents": [{"Key": key} for key in keys], "IsTruncated": False, "KeyCount": len(keys)}

    def _policy(self, request: Answer) -> Answer:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{request['Bucket']}/*",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": [READER]}},
        }
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}

    def _lifecycle(self, request: Answer) -> Answer:
        rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": RETENTION_DAYS}}
        return {"Rules": [rule]}

    def _public_access(self, request: Answer) -> Answer:
        kinds = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        return {"PublicAccessBlockConfiguration": dict.fromkeys(kinds, True)}


def _key(request: Answer) -> tuple[str, str]:
    return request["Bucket"], request["Key"]
