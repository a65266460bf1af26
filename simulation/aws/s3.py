"""S3: objects by bucket and key, written once where that is asked, and listed in the order of their keys."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from simulation.aws.errors import ApiError, NotSimulated

Answer = dict[str, Any]


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
        return {}

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


def _key(request: Answer) -> tuple[str, str]:
    return request["Bucket"], request["Key"]
