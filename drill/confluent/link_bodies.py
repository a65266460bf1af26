"""The JSON bodies of cluster links and their configuration."""

from __future__ import annotations

import base64
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from drill.confluent.link_configs import (
    BIDIRECTIONAL,
    DEFAULTS,
    DESTINATION,
    READ_ONLY,
    SENSITIVE,
    SOURCE,
)
from drill.confluent.link_state import LinkBook
from drill.confluent.mirrors import NO_ERROR, LinkState, Status
from drill.confluent.shapes import Body, Shape
from drill.confluent.tasks import Task, tasks


def links(shape: Shape, books: Iterable[LinkBook], unmanaged_row: bool) -> Body:
    """listKafkaLinks. An `unmanaged_row` has no name: what is left of a source-initiated link that was deleted."""
    data = [link(shape, book) for book in books]
    if unmanaged_row:
        identity = uuid.uuid5(uuid.NAMESPACE_URL, shape.cluster_id)
        row = _row(shape, "", link_id=identity, ends={}, topics=[])
        data.append({**row, **_health(shape, "FAILED", "UNKNOWN", "")})
    return shape.collection("KafkaLinkDataList", "links", data)


def link(shape: Shape, book: LinkBook, *, with_tasks: bool = False) -> Body:
    """One link."""
    state = book.link.state(book.clock())
    error, message = book.link.error, ""
    if error != NO_ERROR:
        message = "The cluster link failed."
    elif state is LinkState.UNAVAILABLE:
        error, message = "TIMEOUT_ERROR", "The remote cluster can't be reached."
    body = _row(shape, book.link.name, link_id=book.link_id, ends=_ends(shape, book), topics=sorted(book.link.mirrors))
    body |= _health(shape, str(state), error, message)
    if with_tasks:
        body["tasks"] = [_task(task) for task in tasks(state, book.configs, book.task_errors)]
        if shape.spec:
            body["category_counts"] = _category_counts(book)
    return body


def _ends(shape: Shape, book: LinkBook) -> Body:
    """Which cluster is at which end. Real clusters fill `remote_cluster_id` on unidirectional links, too."""
    remote, mode = book.remote_cluster_id, book.configs.mode
    return {
        "source_cluster_id": remote if mode == DESTINATION else None,
        "destination_cluster_id": remote if mode == SOURCE else None,
        "remote_cluster_id": remote if mode == BIDIRECTIONAL or not shape.spec else None,
    }


def _health(shape: Shape, state: str, error: str, message: str) -> Body:
    return {} if shape.older else {"link_error": error, "link_error_message": message, "link_state": state}


def _row(shape: Shape, name: str, link_id: uuid.UUID, ends: Body, topics: list[str]) -> Body:
    return {
        "kind": "KafkaLinkData",
        "metadata": shape.metadata(f"links/{name}", None),
        "source_cluster_id": None,
        "destination_cluster_id": None,
        "remote_cluster_id": None,
        **ends,
        "link_name": name,
        "link_id": str(link_id),
        "cluster_link_id": base64.urlsafe_b64encode(link_id.bytes).decode().rstrip("="),
        "topic_names": topics,
    }


def _category_counts(book: LinkBook) -> list[Body]:
    """How many mirror topics are in each category of states (which state is in which is our choice)."""
    counts = Counter(_CATEGORIES.get(mirror.status, "PENDING") for mirror in book.link.mirrors.values())
    return [{"state_category": category, "count": count} for category, count in sorted(counts.items())]


_CATEGORIES: Final[Mapping[Status, str]] = {
    Status.ACTIVE: "ACTIVE",
    Status.PAUSED: "PAUSED",
    Status.LINK_PAUSED: "PAUSED",
    Status.FAILED: "IN_ERROR",
    Status.LINK_FAILED: "IN_ERROR",
    Status.SOURCE_UNAVAILABLE: "IN_ERROR",
    Status.STOPPED: "NOT_APPLICABLE",
}


def _task(task: Task) -> Body:
    errors = [{"error_code": error.code, "error_message": error.message} for error in task.errors]
    return {"task_name": task.name, "state": task.state, "errors": errors}


def configs(shape: Shape, book: LinkBook) -> Body:
    """listKafkaLinkConfigs"""
    rows = [config(shape, book, name) for name in DEFAULTS]
    return shape.collection("KafkaLinkConfigDataList", f"links/{book.link.name}/configs", rows)


def config(shape: Shape, book: LinkBook, name: str) -> Body:
    """One configuration; a sensitive one shows no value (null on the wire, where the spec wants a string)."""
    link, configs = book.link.name, book.configs
    value: str | None = configs.value(name)
    if name in SENSITIVE:
        value = "" if shape.spec else None
    return {
        "kind": "KafkaLinkConfigData",
        "metadata": shape.metadata(f"links/{link}/configs/{name}", None),
        "cluster_id": shape.cluster_id,
        "name": name,
        "value": value,
        "is_default": name not in configs.values,
        "is_read_only": name in READ_ONLY,
        "is_sensitive": name in SENSITIVE,
        "source": "DYNAMIC_CLUSTER_LINK_CONFIG" if name in configs.values else "DEFAULT_CONFIG",
        "synonyms": [],
        "link_name": link,
    }
