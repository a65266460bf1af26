"""Functions that run elsewhere than in the drill's own workers: behind an endpoint of Lambda's invoke API."""

from __future__ import annotations

import json
from typing import Final

import httpx

from drill.network.plain_http import plain

CONTAINER_S: Final = 120.0
"""For a container to be made, on a busy machine; the function's own timeout comes on top."""

UNREACHABLE: Final = "Sandbox.Unreachable"
REFUSED: Final = "Sandbox.Refused"
NOT_REACHED: Final = frozenset({UNREACHABLE, REFUSED})
"""The error types of an invocation that did not come to the function."""


def invoke_at(url: str, event: bytes, timeout_s: float) -> tuple[bytes, str | None]:
    """Invoke the function at this URL. Gives its payload, and its errorType if it failed or did not answer."""
    try:
        answer = plain.post(url, content=event, timeout=timeout_s + CONTAINER_S)
    except httpx.HTTPError as error:
        return _failed(UNREACHABLE, f"{url}: {type(error).__name__}: {error}")
    if answer.status_code != httpx.codes.OK:
        return _failed(REFUSED, f"{url} answered {answer.status_code}: {answer.text[:500]}")
    if "x-amz-function-error" not in answer.headers:
        return answer.content, None
    return answer.content, str(answer.json().get("errorType", "Unhandled"))


def _failed(kind: str, message: str) -> tuple[bytes, str]:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode(), kind
