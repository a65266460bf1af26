"""Lambda's asynchronous invocations: accepted at once, tried again, and at last sent to where failures go.

Source: "Asynchronous invocation" and "Capturing records of asynchronous invocations", AWS Lambda developer guide. An
event that is throttled is tried again for hours, after a second and then after ever more, and is none of its attempts:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from drill.aws.concurrency import TooManyRequests
from drill.aws.lambda_functions import Function
from drill.aws.lambda_runtime import Invoked, LambdaRuntime
from drill.aws.targets import Undeliverable

LOG = logging.getLogger(__name__)
RETRY_DELAYS_S = (60.0, 120.0)
"""Lambda tries a function's error again after one minute, then after two."""

THROTTLED_AGAIN_S = 1.0
THROTTLED_AT_MOST_S = 300.0

Send = Callable[..., None]


class AsyncInvoker:
    """Takes events for functions and runs them until they succeed or their retries are used up."""

    def __init__(self, runtime: LambdaRuntime, send: Send, retry_delays_s: Sequence[float] = RETRY_DELAYS_S) -> None:
        self._runtime = runtime
        self._send = send
        self._delays_s = retry_delays_s

    def accept(self, name_or_arn: str, event: bytes) -> None:
        """Take an event; the function runs later.

        Raises:
            UnknownFunction: if there is none.
        """
        function = self._runtime.find(name_or_arn)
        threading.Thread(target=self._run, args=(function, event), daemon=True).start()

    def _run(self, function: Function, event: bytes) -> None:
        request_id = str(uuid.uuid4())
        attempts = 1 + min(function.max_retries, len(self._delays_s))
        for attempt in range(1, attempts + 1):
            invoked = self._invoke(function, event, request_id)
            if invoked.error is None:
                return
            LOG.warning("%s failed at attempt %d of %d: %s", function.name, attempt, attempts, invoked.error)
            if attempt < attempts:
                time.sleep(self._delays_s[attempt - 1])
        self._give_up(function, event, request_id=request_id, attempts=attempts, invoked=invoked)

    def _invoke(self, function: Function, event: bytes, request_id: str) -> Invoked:
        """Once it is not throttled any more."""
        again_s = THROTTLED_AGAIN_S
        while True:
            try:
                return self._runtime.invoke(function.name, event, request_id)
            except TooManyRequests:
                time.sleep(again_s)
                again_s = min(2 * again_s, THROTTLED_AT_MOST_S)

    def _give_up(self, function: Function, event: bytes, request_id: str, attempts: int, invoked: Invoked) -> None:
        try:
            if function.on_failure:
                self._send(
                    function.on_failure,
                    json.dumps(_record(function, event, request_id=request_id, attempts=attempts, invoked=invoked)),
                )
            if function.dead_letter:
                message = _json(invoked.payload).get("errorMessage", "")
                attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": str(message)[:1024] or "-"}
                self._send(function.dead_letter, event.decode(), attributes)
        except Undeliverable:
            LOG.exception("an event of %s is lost", function.name)


def _record(function: Function, event: bytes, request_id: str, attempts: int, invoked: Invoked) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": _json(event),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": _json(invoked.payload),
    }


def _json(data: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(data)
    return data.decode(errors="replace")
