"""The JSON bodies of cluster links and their configuration."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable

from drill.confluent.link_book import LinkBook
from drill.confluent.link_configs import DEFAULTS, READ_ONLY, SENSITIVE
from drill.confluent.mirrors import NO_ERROR, LinkState
from drill.confluent.shapes import Body, Shape
from drill.confluent.tasks import Task, tasks


def links(shape: Shape, books: Iterable[LinkBook], unmanaged_row: bool) -> Body:
    """listKafkaLinks. An `unmanaged_row` has no name: what is left of a source-initiated link that was deleted."""
    data = [link(shape, book) for book in books]
    if unmanaged_row:
        row = _row(shape, "", uuid.uuid5(uuid.NAMESPACE_URL, shape.cluster_id), None, [])
        data.append({**row, "link_error": "UNKNOWN", "link_error_message": "", "link_state": "FAILED"})
    return shape.collection("KafkaLinkDataList", "links", data)


def link(shape: Shape, book: LinkBook, *, with_tasks: bool = False) -> Body:
    """One link."""
    state = book.link.state(book.clock())
    lost = state is LinkState.UNAVAILABLE
    body = _row(shape, book.link.name, book.link_id, book.remote_cluster_id, sorted(book.link.mirrors))
    body["link_error"] = "TIMEOUT_ERROR" if lost else NO_ERROR
    body["link_error_message"] = "The remote cluster can't be reached." if lost else ""
    body["link_state"] = str(state)
    if with_tasks:
        body["tasks"] = [_task(task) for task in tasks(state, book.configs, book.task_errors)]
    return body


def _row(shape: Shape, name: str, link_id: uuid.UUID, remote: str | None, topics: list[str]) -> Body:
    return {
        "kind": "KafkaLinkData",
        "metadata": shape.metadata(f"links/{name}", None),
        "source_cluster_id": remote,
        "destination_cluster_id": None,
        "remote_cluster_id": remote,
        "link_name": name,
        "link_id": str(link_id),
        "cluster_link_id": base64.urlsafe_b64encode(link_id.bytes).decode().rstrip("="),
        "topic_names": topics,
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
