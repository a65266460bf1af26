"""Answers, held against the OpenAPI document of Kafka REST v3."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator

DOCUMENT = Path(
    os.environ.get("KAFKA_REST_OPENAPI")
    or Path(__file__).resolve().parents[4] / "shared/reference/kafka-rest-v3.openapi.yaml"
)


class Document:
    """The document as JSON Schema: `nullable` spelled out, and closed against fields it does not know."""

    def __init__(self, path: Path) -> None:
        self._loaded = _closed(yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        self._schemas = self._loaded["components"]["schemas"]
        self._operations = {
            operation["operationId"]: (method.upper(), path, operation["responses"])
            for path, item in self._loaded["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict)
        }

    @property
    def operations(self) -> dict[str, tuple[str, str]]:
        """Method and path of each operation."""
        return {name: (method, path) for name, (method, path, _) in self._operations.items()}

    def statuses(self, operation: str) -> set[str]:
        """What is documented of an operation: "200", "5XX"…"""
        return set(self._operations[operation][2])

    def complaints(self, operation: str, answer: httpx.Response) -> set[str]:
        """What the document has against an answer."""
        responses = self._operations[operation][2]
        status = str(answer.status_code)
        documented = responses.get(status) or responses.get(f"{status[0]}XX")
        if documented is None:
            errors = self._complaints(self._schemas["Error"], answer.json()) if answer.content else set()
            return {f"status {status} is not documented", *errors}
        if "content" not in documented:
            return {"a body that is not documented"} if answer.content else set()
        media = answer.headers["content-type"].partition(";")[0]
        if media not in documented["content"]:
            return {f"media type {media} is not documented"}
        instance = answer.json() if media.endswith("json") else answer.text
        return self._complaints(documented["content"][media]["schema"], instance)

    def _complaints(self, schema: dict[str, Any], instance: object) -> set[str]:
        whole = {**schema, "components": self._loaded["components"]}
        errors = list(Draft202012Validator(whole).iter_errors(instance))
        # What a failed part evaluated counts as unevaluated: that only means something where it is the sole complaint.
        real = [error for error in errors if error.validator != "unevaluatedProperties"] or errors
        return {error.message for error in real}


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    node = {name: _closed(inner) for name, inner in node.items()}
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    if "allOf" in node:
        node["unevaluatedProperties"] = False
    return node
