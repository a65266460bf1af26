"""Lambda, for the plan's hooks: functions of somebody else's that answer at once, late, at the second try, or never."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulation.story import HookConduct

Answer = dict[str, Any]
SLOW_CALLS: Final = 3
"""How often one that is slow answers that it waits, and one that breaks at first raises."""
ARN: Final = "arn:aws:lambda:us-west-2:123456789012:function:schema-registry"
_MOMENTS: Final = ["before-fence", "after-promotion", "after-name", "after-switch-back"]
_STOPPING: Final = ("are slow", "break at first")
"""Conducts of hooks without which an execution does not go on; those that never work would stop it for good."""


def described(conduct: HookConduct) -> list[dict[str, Any]]:
    """What a plan says of its hook."""
    on_failure = "stop" if conduct in _STOPPING else "go-on"
    return [{"name": "schemas", "function": ARN, "when": _MOMENTS, "deadline_seconds": 60, "on_failure": on_failure}]


class Hooks:
    """The hook's function. `called(event)` hears of every call that is none of a dry run."""

    def __init__(self, conduct: HookConduct, called: Callable[[Mapping[str, Any]], None]) -> None:
        self._conduct = conduct
        self._called = called
        self._calls: Counter[str] = Counter()

    def operations(self) -> Mapping[str, Callable[[Answer], Answer]]:
        """What is answered, by service and operation."""
        return {"lambda Invoke": self._invoke}

    def _invoke(self, request: Answer) -> Answer:
        if request.get("InvocationType") == "DryRun":
            return {"StatusCode": 204, "Payload": io.BytesIO(b"")}
        event = json.loads(request["Payload"])
        self._called(event)
        self._calls[event["key"]] += 1
        early = self._calls[event["key"]] <= SLOW_CALLS
        match self._conduct:
            case "are slow" if early:
                return _answer({"status": "waiting", "why": "the subjects are being copied"})
            case "break at first" if early:
                return _answer({"errorType": "KeyError", "errorMessage": "subject"}) | {"FunctionError": "Unhandled"}
            case "fail":
                return _answer({"status": "failed", "why": "the registry is read-only"})
        return _answer({"status": "done"})


def _answer(document: Mapping[str, Any]) -> Answer:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(document).encode())}
