"""Saved records in S3: numbered segments below one prefix a partition, and an index that lists them.

`<prefix>/<plan>/<execution>/<topic>/<partition>/<first offset>.ndjson`, and `index.json` beside them. Segments, and not
one upload in parts: each is whole or not there, has a checksum that S3 verified, and can be read before the rescue is
over; and where a rescue goes on after it was killed is what is there, no upload's id that somebody has to remember. A
segment is written once (`If-None-Match`): of two calls that read the same range, the second changes nothing.
They are not compressed: gzip takes longer than reading does.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors, error_code
from failover.errors import RescueDamaged, ServiceRejected, ServiceUnavailable
from failover.plan.rescue import Rescue
from failover.rescue.stranded import Saved, Spot, StrandedRange

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SIDE_BY_SIDE: Final = 16
_REMEDY: Final = "See what readiness says of the rescue's bucket and key"
_WRITTEN_ALREADY: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_FACTS: Final = frozenset({"end", "records", "gone", "sha256"})
_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True, kw_only=True, order=True)
class Segment:
    """A part of a partition's range, as one object."""

    begin: int
    end: int
    """The offset after the last it accounts for."""
    records: int
    gone: int
    """Offsets that the site did not have any more."""
    size: int
    sha256: str
    """Of its bytes, in base64; S3 compared it with what arrived."""

    @property
    def without_record(self) -> int:
        """Offsets that hold no record."""
        return self.end - self.begin - self.records - self.gone


class Archive:
    """What one execution saved, or is saving.

    Every method raises `ServiceUnavailable` if S3 does not answer, and `ServiceRejected` if it refuses.
    """

    def __init__(self, rescue: Rescue, plan: str, execution: str) -> None:
        self._rescue = rescue
        self.plan = plan
        self.execution = execution
        self.prefix = f"{rescue.prefix}/{plan}/{execution}/"

    def put(self, spot: Spot, body: bytes, *, begin: int, end: int, records: int, gone: int) -> Segment:
        """Write a segment.

        Raises:
            ServiceUnavailable: also if it is there already: another call saves the same range; look, and go on.
        """
        digest = b64encode(hashlib.sha256(body).digest()).decode()
        segment = Segment(begin=begin, end=end, records=records, gone=gone, size=len(body), sha256=digest)
        facts = {"end": str(end), "records": str(records), "gone": str(gone), "sha256": digest}
        self._put(self.key(spot, begin), body, digest, "application/x-ndjson", Metadata=facts, IfNoneMatch="*")
        return segment

    def segment(self, spot: Spot, begin: int) -> Segment | None:
        """The segment that begins there, or None.

        Raises:
            RescueDamaged: somebody else put an object there.
        """
        try:
            with _s3_errors():
                answer = self._s3.head_object(Bucket=self._rescue.bucket, Key=self.key(spot, begin))
        except ServiceRejected as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        facts = answer["Metadata"]
        if not facts.keys() >= _FACTS or int(facts["end"]) <= begin:
            raise RescueDamaged(f"s3://{self._rescue.bucket}/{self.key(spot, begin)} was not saved by a rescue")
        return Segment(
            begin=begin,
            end=int(facts["end"]),
            records=int(facts["records"]),
            gone=int(facts["gone"]),
            size=answer["ContentLength"],
            sha256=facts["sha256"],
        )

    def reached(self, spot: Spot, progress: Saved) -> Saved:
        """How far a partition is saved, by what is there after the progress that was recorded."""
        while segment := self.segment(spot, progress.next_offset):
            progress = with_segment(progress, segment)
        return progress

    def chain(self, spot: Spot, begin: int) -> list[Segment]:
        """The segments that follow one on another from that offset on."""
        begins = [int(key.rpartition("/")[2].partition(".")[0]) for key in self._keys(spot)]
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            by_begin = {
                segment.begin: segment for segment in pool.map(lambda at: self.segment(spot, at), begins) if segment
            }
        chain = []
        while (segment := by_begin.get(begin)) and segment.end > begin:
            chain.append(segment)
            begin = segment.end
        return chain

    def put_index(self, stranded_range: StrandedRange, chain: list[Segment]) -> None:
        """Write the index of a partition; again: the same."""
        spot = stranded_range.spot
        rows = [{"key": self.key(spot, segment.begin)} | asdict(segment) for segment in chain]
        totals = asdict(total(stranded_range.begin, chain))
        document = {"version": 1, "range": asdict(stranded_range), "saved": totals, "segments": rows}
        body = json.dumps(document, indent=1).encode()
        digest = b64encode(hashlib.sha256(body).digest()).decode()
        self._put(f"{self._folder(spot)}index.json", body, digest, "application/json")

    def indexes(self) -> Iterator[dict[str, Any]]:
        """The index of every partition that is saved, in the order of their keys."""
        for key in self._list(self.prefix):
            if key.endswith("/index.json"):
                yield json.loads(self.read(key))

    def unfinished(self) -> list[str]:
        """The folders of partitions that are not saved to their end, or were not when their rescue stopped."""
        folders: dict[str, bool] = {}
        for folder, _, name in (key.rpartition("/") for key in self._list(self.prefix)):
            folders[folder] = folders.get(folder, False) or name == "index.json"
        return [folder for folder, indexed in folders.items() if not indexed]

    def damaged(self, index: Mapping[str, Any]) -> list[str]:
        """The objects of an index that are not there any more, or are others."""
        spot = index["range"]["topic"], index["range"]["partition"]

        def problem(row: Mapping[str, Any]) -> str:
            try:
                segment = self.segment(spot, row["begin"])
            except RescueDamaged as error:
                return str(error)
            if segment is None:
                return f"{row['key']} is not there any more"
            return "" if {"key": row["key"]} | asdict(segment) == row else f"{row['key']} is another object"

        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            return list(filter(None, pool.map(problem, index["segments"])))

    def read(self, key: str, sha256: str = "") -> bytes:
        """An object's bytes. `sha256`: what they have to hash to, in base64.

        Raises:
            RescueDamaged: they do not.
        """
        with _s3_errors():
            body = self._s3.get_object(Bucket=self._rescue.bucket, Key=key)["Body"].read()
        if sha256 and b64encode(hashlib.sha256(body).digest()).decode() != sha256:
            raise RescueDamaged(f"s3://{self._rescue.bucket}/{key} is not what was saved: its SHA-256 differs")
        return body

    @property
    def _s3(self) -> S3Client:
        return client("s3", self._rescue.region, attempts=3)

    def _put(self, key: str, body: bytes, digest: str, content_type: str, **more: Any) -> None:
        try:
            with _s3_errors():
                self._s3.put_object(
                    Bucket=self._rescue.bucket,
                    Key=key,
                    Body=body,
                    ChecksumSHA256=digest,
                    ContentType=content_type,
                    ServerSideEncryption="aws:kms",
                    SSEKMSKeyId=self._rescue.key,
                    BucketKeyEnabled=True,
                    **more,
                )
        except ServiceRejected as error:
            if error_code(error) in _WRITTEN_ALREADY:
                raise ServiceUnavailable(f"another call wrote {key} meanwhile: it is looked at anew") from error
            raise

    def _keys(self, spot: Spot) -> list[str]:
        return [key for key in self._list(self._folder(spot)) if key.endswith(".ndjson")]

    def _list(self, prefix: str) -> Iterator[str]:
        with _s3_errors():
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._rescue.bucket, Prefix=prefix):
                yield from (entry["Key"] for entry in page.get("Contents", []))

    def _folder(self, spot: Spot) -> str:
        topic, partition = spot
        return f"{self.prefix}{topic}/{partition}/"

    def key(self, spot: Spot, begin: int) -> str:
        """The key of the segment that begins there."""
        return f"{self._folder(spot)}{begin:020}.ndjson"


def rescues_of(rescue: Rescue, plan: str) -> list[str]:
    """The executions that saved records of a plan.

    Raises:
        ServiceUnavailable, ServiceRejected
    """
    prefix = f"{rescue.prefix}/{plan}/"
    pages = client("s3", rescue.region, attempts=3).get_paginator("list_objects_v2")
    with _s3_errors():
        return [
            row["Prefix"].removeprefix(prefix).rstrip("/")
            for page in pages.paginate(Bucket=rescue.bucket, Prefix=prefix, Delimiter="/")
            for row in page.get("CommonPrefixes", [])
        ]


def with_segment(progress: Saved, segment: Segment) -> Saved:
    """The progress once a segment is saved that follows on it."""
    return Saved(
        begin=progress.begin,
        next_offset=segment.end,
        records=progress.records + segment.records,
        without_record=progress.without_record + segment.without_record,
        gone=progress.gone + segment.gone,
        size=progress.size + segment.size,
        objects=progress.objects + 1,
    )


def total(begin: int, chain: list[Segment]) -> Saved:
    """How far a partition is saved by its segments."""
    progress = Saved(begin=begin, next_offset=begin)
    for segment in chain:
        progress = with_segment(progress, segment)
    return progress


def _s3_errors() -> Any:
    return aws_errors("S3, for rescued records,", transient=ServiceUnavailable, final=ServiceRejected, remedy=_REMEDY)
