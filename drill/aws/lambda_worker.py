"""One Lambda execution environment: imports a handler once, and calls it for one event after another.

Run by its file path in an interpreter of its own, with nothing of the drill importable: see lambda_runtime.py, which
speaks the other end of the pipes. Frames on stdin and on the first stdout are a 4-byte big-endian length and JSON.
Whatever the handler prints goes to stderr, the function's log. Standard library only, and little of that.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, BinaryIO

Handler = Callable[[Any, "Context"], Any]
EXIT_ORPHANED = 0
MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100


class Context:
    """What Lambda passes to a handler beside the event."""

    def __init__(self, request: dict[str, Any], environment: Mapping[str, str] = os.environ) -> None:
        self.aws_request_id = request["request_id"]
        self.invoked_function_arn = request["arn"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline_ms = request["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._deadline_ms - time.time() * 1000))


def error_of(error: BaseException, kind: str | None = None) -> dict[str, Any]:
    """The error as Lambda's Python runtime reports it."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and "importlib" not in frame.filename]
    return {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "stackTrace": traceback.format_list(own),
    }


def load_handler(name: str) -> tuple[Handler | None, dict[str, Any] | None]:
    """(handler, None), or (None, error as Lambda reports it)."""
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        failed = ImportError(f"Unable to import module '{module_name}': {error}")
        return None, error_of(failed.with_traceback(error.__traceback__), "Runtime.ImportModuleError")
    except SyntaxError as error:
        wrong = SyntaxError(f"Syntax error in module '{module_name}': {error}")
        return None, error_of(wrong, "Runtime.UserCodeSyntaxError")
    except Exception as error:
        return None, error_of(error)
    handler = getattr(module, attribute, None)
    if handler is None:
        missing = AttributeError(f"Handler '{attribute}' missing on module '{module_name}'")
        return None, error_of(missing, "Runtime.HandlerNotFound")
    return handler, None


def plain(value: Any) -> int | float:
    """What Lambda's JSON takes beyond the standard one: Decimal."""
    if type(value).__name__ == "Decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def call(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """{"result": JSON text} or {"error": …}."""
    os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:
        return {"error": {**error_of(error), "requestId": request["request_id"]}}
    try:
        text = json.dumps(result, default=plain)
    except (TypeError, ValueError) as error:
        marshal = TypeError(f"Unable to marshal response: {error}")
        return {"error": {**error_of(marshal, "Runtime.MarshalError"), "requestId": request["request_id"]}}
    if len(text) > MAX_RESPONSE_BYTES:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        return {"error": {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}}
    return {"result": text}


def read_exactly(length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = os.read(0, length - len(data))
        if not chunk:
            os._exit(EXIT_ORPHANED)
        data += chunk
    return data


def read_requests(requests: SimpleQueue[dict[str, Any]]) -> None:
    """Runs beside the handler, so that a worker whose parent is gone ends in the middle of a call, too."""
    while True:
        length = int.from_bytes(read_exactly(4), "big")
        requests.put(json.loads(read_exactly(length)))


def write(answers: BinaryIO, frame: dict[str, Any]) -> None:
    data = json.dumps(frame).encode()
    answers.write(len(data).to_bytes(4, "big") + data)
    answers.flush()


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=read_requests, args=(requests,), daemon=True).start()
    handler, error = load_handler(os.environ["_HANDLER"])
    sys.stdout.flush()
    if handler is None:
        write(answers, {"init_error": error})
        os._exit(1)
    write(answers, {"ready": True})
    while True:
        answer = call(handler, requests.get())
        sys.stdout.flush()
        write(answers, answer)


if __name__ == "__main__":
    main()
