"""A cluster of Amazon Application Recovery Controller: five endpoints with one mind, and a safety rule.

https://docs.aws.amazon.com/routing-control/latest/APIReference/: the JSON 1.0 protocol of `ToggleCustomerAPI`. The rule
is an assertion that at least so many controls are On.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.dns_providers.server import Operation

Document = dict[str, Any]
RULE: Final = "arn:aws:route53-recovery-control::123456789012:controlpanel/c0/safetyrule/at-least-one"


@dataclass(kw_only=True)
class RoutingControls:
    """The controls' states by their ARNs, the record sets that they are the health of, and what the rule asserts.
    `wait_s`: for how long after an update the rule refuses another one (a rule's WaitPeriodMs)."""

    states: dict[str, str]
    records: list[Document]
    at_least_on: int = 1
    wait_s: float = 0.0
    _updated_at: float = -math.inf

    def operations(self) -> list[Operation]:
        """One endpoint's API."""
        return [("ToggleCustomerAPI", "POST", "/", self._call)]

    def data_plane(self) -> list[Operation]:
        """What name servers hear: records, and whether each control, as a health check, is healthy."""
        return [("records", "GET", "/records", self._records), ("health", "GET", "/health", self._health)]

    async def _call(self, request: Request) -> Response:
        command = json.loads(await request.body())
        match request.headers["x-amz-target"].partition(".")[2]:
            case "GetRoutingControlState":
                return self._get(command["RoutingControlArn"])
            case "UpdateRoutingControlStates":
                changes = {
                    entry["RoutingControlArn"]: entry["RoutingControlState"]
                    for entry in command["UpdateRoutingControlStateEntries"]
                }
                return self._update(changes, command.get("SafetyRulesToOverride", []))
        return _error(400, "ValidationException", "no such operation")

    def _get(self, arn: str) -> Response:
        if arn not in self.states:
            return _error(404, "ResourceNotFoundException", f"no routing control {arn}")
        return JSONResponse({"RoutingControlArn": arn, "RoutingControlState": self.states[arn]})

    def _update(self, changes: dict[str, str], overridden: list[str]) -> Response:
        if unknown := changes.keys() - self.states.keys():
            return _error(404, "ResourceNotFoundException", f"no routing control {sorted(unknown)}")
        states = self.states | changes
        if list(states.values()).count("On") < self.at_least_on and RULE not in overridden:
            return _error(409, "ConflictException", f"the safety rule {RULE} is not kept")
        if time.monotonic() - self._updated_at < self.wait_s:
            return _error(409, "ConflictException", f"the wait period of the safety rule {RULE} is not over")
        self.states, self._updated_at = states, time.monotonic()
        return JSONResponse({})

    async def _records(self, request: Request) -> Response:
        return JSONResponse(self.records)

    async def _health(self, request: Request) -> Response:
        return JSONResponse({arn: state == "On" for arn, state in self.states.items()})


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"__type": code, "message": message}, status, headers={"x-amzn-ErrorType": code})
