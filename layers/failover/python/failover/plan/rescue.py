"""Where a plan's rescue keeps stranded records, and who may read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from failover.plan.base import PlanModel, Region, Topic, form

Bucket = Annotated[str, form(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "an S3 bucket's name")]
KeyPrefix = Annotated[
    str, form(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", "names with / between: letters, digits, ., _ and -")
]
KeyArn = Annotated[
    str, form(r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/\S+$", "the ARN of a KMS key: arn:aws:kms:…:key/…")
]
PrincipalArn = Annotated[str, form(r"^arn:aws[a-z-]*:(iam|sts)::\S+$", "the ARN of a role or user; * stands for any")]


class Rescue(PlanModel):
    """Where stranded records are kept before they are truncated. Without it nothing is restored that would truncate
    any."""

    bucket: Bucket
    """An S3 bucket in a region that is not the home site's, as of `rescue.yaml`."""
    region: Region | None = None
    """Where the bucket is; by default in the controller's region."""
    prefix: KeyPrefix = "rescue"
    """What every key begins with; `<plan>/<execution>/<topic>/<partition>/` comes after it."""
    key: KeyArn
    """The KMS key that encrypts it."""
    retention_days: int = Field(ge=1, le=36_500)
    """For how long the bucket must keep it at least; a lifecycle rule of the bucket deletes it."""
    readers: tuple[PrincipalArn, ...] = Field(min_length=1)
    """Who may read it beside the controller; the bucket's policy must deny everybody else."""
    recovery_topic: Topic | None = None
    """A topic on both clusters, no mirror, into which rescued records are produced on the active cluster, each with
    headers of its origin: `failover-execution`, `-topic`, `-partition` and `-offset`."""
    on_gone: Literal["stop", "go-on"] = "stop"
    """What becomes of a restore if stranded records are not on the returned site any more, because they expired or the
    topic was deleted: `stop` before anything is truncated, or `go-on` without them, and count them as lost."""
