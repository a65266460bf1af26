"""A step that is called until it is done, as its state machine does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.patience import EVERY_S

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def until_done(call: Call, step: str, request: dict[str, Any], limit_s: float = 90) -> dict[str, Any]:
    """The report of a step that is done in time."""
    deadline = time.monotonic() + limit_s
    while (report := call(step, request))["status"] != "done":
        assert time.monotonic() < deadline, report
        time.sleep(EVERY_S)
    return report


def never_done(call: Call, step: str, request: dict[str, Any], during_s: float = 1.0) -> dict[str, Any]:
    """The last report of a step that is not done for so long."""
    until_then = time.monotonic() + during_s
    while time.monotonic() < until_then:
        report = call(step, request)
        assert report["status"] == "waiting", report
        time.sleep(EVERY_S)
    return report
