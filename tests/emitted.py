"""Holds what a handler sends and records to the schemas in events/schemas/, whatever a test looks at besides."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.client import BaseClient
from jsonschema import Draft202012Validator

from command.document_schemas import DOCUMENTS, EVENTS, path

_open_checks: list[list[str]] = []
"""What was wrong so far, for each check that is under way; handlers may run side by side."""


@contextmanager
def held_to_schemas() -> Iterator[None]:
    """Fails if a call of AWS within holds a document that is not as its schema says."""
    _watch_calls()
    problems: list[str] = []
    _open_checks.append(problems)
    try:
        yield
    finally:
        _open_checks[:] = [check for check in _open_checks if check is not problems]
    assert problems == []


@functools.cache
def _watch_calls() -> None:
    """For good: who puts back what others have wrapped meanwhile leaves their wrapping behind."""
    clients: Any = BaseClient
    send = clients._make_api_call

    def checked(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if checks := list(_open_checks):
            for name, document in _documents(operation, parameters):
                for problems in checks:
                    problems.extend(mismatches(name, document))
        return send(client, operation, parameters)

    clients._make_api_call = checked


def mismatches(name: str, document: Any) -> list[str]:
    """Where a document is not as its schema says."""
    return [f"{name}: {error.json_path}: {error.message}"[:500] for error in _validator(name).iter_errors(document)]


def answer_mismatches(function: str, answer: Any) -> list[str]:
    """Where the answer of a function is not as its schema says, if it has one."""
    answers = {
        "check_readiness": "readiness",
        "claim": "claimed",
        "conclude": "concluded",
        "run_practice": "practice-progress",
    }
    document = answers.get(function, f"step-{function}")
    return mismatches(document, answer) if document in DOCUMENTS else []


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(path(name).read_text()))


def _documents(operation: str, parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    match operation:
        case "PutEvents":
            for entry in parameters["Entries"]:
                yield EVENTS[entry["DetailType"]], json.loads(entry["Detail"])
        case "UpdateItem" if parameters["Key"]["sk"]["S"].startswith("execution#"):
            if document := parameters.get("ExpressionAttributeValues", {}).get(":document"):
                yield "execution-report", json.loads(document["S"])
        case "PutItem":
            item = parameters["Item"]
            sort = item["sk"]["S"]
            if sort == "readiness":
                yield "readiness", json.loads(item["document"]["S"])
            elif sort.startswith("decision#"):
                record = json.loads(gzip.decompress(item["record"]["B"]))
                yield "evidence", record.pop("evidence")
                yield "decision", record
