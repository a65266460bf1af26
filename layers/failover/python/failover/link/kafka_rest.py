"""Cluster Linking through Confluent's Kafka REST v3 (spec: ccloud-sdk-go-v2 kafkarest/v3), operations getKafkaCluster,
listKafkaMirrorTopicsUnderLink and updateKafkaMirrorTopicsFailover.

What the wire does beyond the spec: a verb answers 200 even if every topic failed, so each row is read; a 429 is HTML;
fields come and go, so all of them are optional; lag 0 with last_source_fetch_offset -1 means unknown, not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from failover.credentials import Credentials
from failover.errors import LinkRejected, LinkUnavailable
from failover.link import Mirror, PartitionLag, Rejection

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class _LagRow(BaseModel):
    partition: int
    lag: int | None = None
    last_source_fetch_offset: int | None = None


class _MirrorRow(BaseModel):
    mirror_topic_name: str
    mirror_status: str = "UNKNOWN"
    mirror_topic_error: str | None = None
    mirror_lags: list[_LagRow] | None = None


class _MirrorList(BaseModel):
    data: list[_MirrorRow]


class _AlteredRow(BaseModel):
    mirror_topic_name: str
    error_code: int | None = None
    error_message: str | None = None


class _AlteredList(BaseModel):
    data: list[_AlteredRow]


class _Cluster(BaseModel):
    cluster_id: str


Answer = TypeVar("Answer", bound=BaseModel)


class KafkaRestLink:
    """A `MirrorLink` over HTTP. One connection pool, kept as long as the container."""

    def __init__(
        self,
        endpoint: str,
        cluster_id: str,
        link: str,
        credentials: Credentials | None,
        client: httpx.Client | None = None,
    ) -> None:
        self._cluster_id = cluster_id
        self._link = link
        auth = httpx.BasicAuth(credentials.key, credentials.secret) if credentials else None
        self._http = client or httpx.Client(timeout=TIMEOUT, auth=auth)
        self._base = f"{endpoint}/kafka/v3/clusters/{quote(cluster_id, safe='')}"

    def cluster_answers(self) -> str:
        """The id of the cluster that answers (GET /kafka/v3/clusters/{cluster_id})."""
        return self._call("GET", "", _Cluster).cluster_id

    def mirrors(self) -> list[Mirror]:
        """Every mirror under the link (GET …/links/{link_name}/mirrors); the wire does not page."""
        rows = self._call("GET", f"/links/{quote(self._link, safe='')}/mirrors", _MirrorList).data
        return [_mirror(row) for row in rows]

    def fail_over(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """POST …/mirrors:failover with explicit names, never a pattern: a pattern hits topics nobody listed."""
        answer = self._call(
            "POST",
            f"/links/{quote(self._link, safe='')}/mirrors:failover",
            _AlteredList,
            params={"validate_only": str(validate_only).lower()},
            json={"mirror_topic_names": list(topics)},
        )
        return [
            Rejection(row.mirror_topic_name, row.error_code, row.error_message or "")
            for row in answer.data
            if row.error_code
        ]

    def _call(self, method: str, path: str, model: type[Answer], **options: Any) -> Answer:
        where = f"{method} {path or '/'} of cluster {self._cluster_id}"
        try:
            response = self._http.request(method, self._base + path, **options)
        except httpx.HTTPError as error:
            raise LinkUnavailable(f"{where} got no answer: {type(error).__name__}") from error
        if response.status_code in _BUSY:
            raise LinkUnavailable(f"{where} answered {response.status_code} {_said(response)}")
        if not response.is_success:
            raise LinkRejected(
                f"{where} answered {response.status_code} {_said(response)}: {_remedy(response.status_code)}"
            )
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise LinkUnavailable(
                f"{where} answered something that is no {model.__name__}: {error.errors()[:1]}"
            ) from None


def _mirror(row: _MirrorRow) -> Mirror:
    lags = tuple(
        PartitionLag(
            lag.partition, None if lag.lag is None or lag.lag < 0 or lag.last_source_fetch_offset == -1 else lag.lag
        )
        for lag in sorted(row.mirror_lags or [], key=lambda lag: lag.partition)
    )
    error = row.mirror_topic_error if row.mirror_topic_error not in (None, "", "NO_ERROR") else None
    return Mirror(row.mirror_topic_name, row.mirror_status, lags, error)


def _said(response: httpx.Response) -> str:
    if "json" not in response.headers.get("content-type", ""):
        return f"({response.headers.get('content-type', 'no content type')})"
    try:
        body = response.json()
        return f"{body.get('error_code')} {body.get('message')}"
    except (ValueError, AttributeError):
        return "(unreadable)"


def _remedy(status: int) -> str:
    match status:
        case 401:
            return "the secret of the plan's site must hold a resource API key of this very cluster"
        case 403:
            return "the key's principal needs CloudClusterAdmin, or ALTER on the cluster"
        case 404:
            return "check cluster_id and link.name of the plan: the link lives on the cluster that holds the mirrors"
        case _:
            return "see the message"
